//! Since when a CPU is at what it does: what it was woken for began as its doorbell was rung, and what the host takes
//! to wake it is inside the step's time.
//!
//! Whoever rings may have been woken for that itself. Then what it does is its own way of passing on a call, which
//! has no time in a model; and the one that is called counts from where the first was called:
//!
//! ```text
//! AP 1: a step ends ─▶ rings ······▶ BSP: wakes, polls, rings ······▶ AP 2: wakes, begins its step
//!                        └──────────────────────────────────────────── from here on the step counts
//! ```
//!
//! But where the BSP has modelled work meanwhile, it counts from the end of that: so the time in which an AP waits for
//! the BSP is told in full. A step that follows one of the same CPU counts from where that was to end, as the BSP's
//! pieces do (`pace.rs`): to come from one to the other is inside. Else a CPU that nobody had to wake, or that woke by
//! its timer, begins when it comes to it.

#![forbid(unsafe_code)]

use core::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use reveille_executor::Instant;

use super::machine::Modelled;
use crate::percpu::PerCpu;

/// The doorbell of a CPU, as the model sees it.
///
/// # Memory ordering
///
/// Relaxed: each word is all that is handed over, and nothing is read by it. The CPU wipes the first before it announces
/// its sleep, and whoever rings has acquired the announcement (`executor/src/sleep.rs`): so the wiping comes first for
/// both. Who rings writes the word before it sends the interrupt, which fences (x2APIC) or is itself a store behind it
/// (xAPIC). Where several ring for one sleep, any of their instants will do. What is not seen in spite of that
/// lets a step begin when its CPU comes to it; what is older than the CPU's own last work, or yet to come by its
/// clock, is passed over ([`began`](Self::began)).
#[derive(Debug, Default)]
pub(super) struct Bell {
    /// Since when whoever rang was at it, in nanoseconds of that one's clock; 0 while nobody has rung.
    rung: AtomicU64,
    /// Until when the CPU is at modelled work. The CPU alone touches it.
    at_it_until: AtomicU64,
    /// When its last step was to end, in nanoseconds; 0 before the first. The CPU alone touches it.
    due: AtomicU64,
}

impl Bell {
    fn rings(&self, since: Instant) {
        self.rung.store(since.as_nanos(), Ordering::Relaxed);
    }

    fn sleeps(&self) {
        self.rung.store(0, Ordering::Relaxed);
    }

    /// Since when the CPU, which calls this, is at what it does.
    pub(super) fn began(&self, now: Instant) -> Instant {
        let rung = self.rung.load(Ordering::Relaxed);
        let before = self.at_it_until.load(Ordering::Relaxed);
        match rung > 0 && (before..now.as_nanos()).contains(&rung) {
            true => Instant::from_nanos(rung),
            false => now,
        }
    }

    /// Since when the CPU, which calls this, is at a step of so long: where it was not woken for it, since its last step
    /// was to end, if it comes no later than `span` behind that.
    pub(super) fn began_step(&self, now: Instant, span: Duration) -> Instant {
        let (began, due) = (self.began(now), self.due.load(Ordering::Relaxed));
        let last = Instant::from_nanos(due);
        match began == now && due > 0 && last <= now && now < last + span {
            true => last,
            false => began,
        }
    }

    /// A step of the CPU, which calls this, was to end then.
    pub(super) fn is_due(&self, at: Instant) {
        self.due.store(at.as_nanos(), Ordering::Relaxed);
    }

    /// The CPU, which calls this, is at modelled work until then.
    pub(super) fn is_at_it(&self, until: Instant) {
        self.at_it_until.store(until.as_nanos(), Ordering::Relaxed);
    }
}

/// A model that hears when a CPU is woken.
#[derive(Clone, Copy, Debug)]
pub struct Listener {
    model: &'static Modelled,
    bell: &'static Bell,
}

impl Listener {
    pub(super) fn new(model: &'static Modelled, bell: &'static Bell) -> Self {
        Self { model, bell }
    }

    /// The CPU that calls this, on whose clock it is `now`, is about to ring for the one that is heard.
    pub fn rings(&self, now: Instant) {
        let ringer = PerCpu::try_current().and_then(|area| self.model.bell(area.apic_id()));
        self.bell
            .rings(ringer.map_or(now, |ringer| ringer.began(now)));
    }

    /// The CPU that is heard, and calls this, is about to sleep.
    pub fn sleeps(&self) {
        self.bell.sleeps();
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
        assert_eq!(bell.began(at(150)), at(150), "nobody rang");
        bell.sleeps();
        bell.rings(at(160));
        assert_eq!(bell.began(at(200)), at(160));
        bell.is_at_it(at(300));
        assert_eq!(
            bell.began(at(310)),
            at(310),
            "it was rung for the one before"
        );
        bell.sleeps();
        assert_eq!(bell.began(at(350)), at(350), "its timer rang");
        bell.rings(at(400));
        assert_eq!(bell.began(at(390)), at(390), "another clock is ahead");
    }

    #[test]
    fn a_step_that_follows_another_counts_from_where_that_was_to_end_unless_it_is_late() {
        let (bell, span) = (Bell::default(), Duration::from_nanos(50));
        assert_eq!(bell.began_step(at(20), span), at(20), "it is the first");
        bell.is_at_it(at(110));
        bell.is_due(at(100));
        assert_eq!(bell.began_step(at(120), span), at(100));
        assert_eq!(bell.began_step(at(150), span), at(150), "it comes late");
        assert_eq!(bell.began_step(at(90), span), at(90), "its clock went back");
        bell.sleeps();
        bell.rings(at(115));
        assert_eq!(bell.began_step(at(120), span), at(115), "it was woken");
    }
}
