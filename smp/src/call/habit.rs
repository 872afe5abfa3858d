//! How long a CPU polls for the end of its call before it halts: as long as has paid lately.
//!
//! On a machine of its own a CPU that polls hears of the end at once, and one that halts an interrupt
//! later. Under a hypervisor the two may share one processor: then to poll keeps the other from running,
//! and the whole look is lost. Which of the two it is shows only when it is tried. So a CPU looks for long
//! as long as that has paid; when it has not, it looks briefly, and for long every so often.

use core::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

/// What a CPU has learnt, in calls for which it still looks briefly.
///
/// Relaxed: its own CPU alone touches it, and it decides nothing but a time. No model sees it.
#[derive(Debug)]
pub(super) struct Habit(AtomicU32);

/// After so many brief looks one is long: at the worst a long look is lost in so many calls.
const BRIEF_LOOKS: u32 = 7;

/// What a brief look is of a long one.
const BRIEF: u32 = 16;

impl Habit {
    pub(super) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// How long to look this time, where a long look takes so long.
    pub(super) fn look(&self, long: Duration) -> Duration {
        match self.0.load(Relaxed) {
            0 => long,
            _ => long / BRIEF,
        }
    }

    /// Whether the look has paid: the call was over before it was.
    pub(super) fn learn(&self, has_paid: bool) {
        let next = match (self.0.load(Relaxed), has_paid) {
            (0, true) => 0,
            (0, false) => BRIEF_LOOKS,
            (brief, _) => brief - 1,
        };
        self.0.store(next, Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_micros(16);
    const SHORT: Duration = Duration::from_micros(1);

    #[test]
    fn a_cpu_looks_for_long_while_that_pays_and_tries_again_now_and_then() {
        let habit = Habit::new();
        for _ in 0..3 {
            assert_eq!(habit.look(LONG), LONG);
            habit.learn(true);
        }
        for _ in 0..2 {
            assert_eq!(habit.look(LONG), LONG);
            habit.learn(false);
            for look in 0..BRIEF_LOOKS {
                assert_eq!(habit.look(LONG), SHORT);
                habit.learn(look % 2 == 0);
            }
        }
        assert_eq!(habit.look(LONG), LONG);
        habit.learn(true);
        assert_eq!(habit.look(LONG), LONG);
    }
}
