//! When an AP was last called to something: a step that it was woken for begins as its doorbell is rung, and what the
//! host takes to wake it is inside the step's time.
//!
//! A step that follows another without a wait, and one for which nobody had to be woken, begins when the AP comes to it.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};

use reveille_executor::Instant;

/// The doorbell of an AP, as the model sees it.
///
/// # Memory ordering
///
/// Relaxed: each word is all that is handed over. Whoever rings writes the first before it sends the interrupt, which
/// fences (x2APIC) or is itself a store behind it (xAPIC). An AP that is awake all the same may
/// read what was there before, and then its step begins when it comes to it.
#[derive(Debug, Default)]
pub struct Bell {
    /// When it was rung last, in nanoseconds.
    rung: AtomicU64,
    /// Until when the AP was at its last step. The AP alone touches it.
    at_it_until: AtomicU64,
}

impl Bell {
    /// It is about to be rung.
    pub fn rings(&self, now: Instant) {
        self.rung.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// The AP comes to a step: since when it may count that as begun.
    pub(super) fn answered(&self, now: Instant) -> Instant {
        let rung = self.rung.load(Ordering::Relaxed);
        let before = self.at_it_until.load(Ordering::Relaxed);
        match (before..now.as_nanos()).contains(&rung) {
            true => Instant::from_nanos(rung),
            false => now,
        }
    }

    /// The AP is at a step until then.
    pub(super) fn is_at_it(&self, until: Instant) {
        self.at_it_until.store(until.as_nanos(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn a_step_begins_as_the_bell_is_rung_for_it_and_else_when_its_cpu_comes_to_it() {
        let bell = Bell::default();
        bell.is_at_it(at(100));
        assert_eq!(bell.answered(at(150)), at(150), "nobody rang");
        bell.rings(at(160));
        assert_eq!(bell.answered(at(200)), at(160));
        bell.is_at_it(at(300));
        assert_eq!(
            bell.answered(at(310)),
            at(310),
            "it was rung for the one before"
        );
        bell.rings(at(400));
        assert_eq!(
            bell.answered(at(390)),
            at(390),
            "by another clock, it is yet to be rung"
        );
    }
}
