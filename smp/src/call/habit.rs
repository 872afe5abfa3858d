//! Whether a CPU polls for the end of its call before it halts: as long as that has paid lately.
//!
//! On a machine of its own a CPU that polls hears of the end at once, and one that halts an interrupt
//! later. Under a hypervisor the two may share one processor: then to poll keeps the other from running,
//! and the whole look is lost. Which of the two it is shows only when it is tried. So a CPU looks as long
//! as that has paid; when it has not, it halts at once, and tries it again every so often.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// What a CPU has learnt: for so many calls it will not look.
///
/// Relaxed: its own CPU alone touches it, and it decides nothing but a time. No model sees it.
#[derive(Debug)]
pub(super) struct Habit(AtomicU32);

/// After so many calls it looks again: at the worst one look is lost in so many and one.
const CALLS: u32 = 7;

impl Habit {
    pub(super) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Decides whether to look this time, for one call.
    pub(super) fn decide(&self) -> bool {
        let left = self.0.load(Relaxed);
        self.0.store(left.saturating_sub(1), Relaxed);
        left == 0
    }

    /// The look was in vain.
    pub(super) fn has_not_paid(&self) {
        self.0.store(CALLS, Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_looks_while_that_pays_and_tries_again_now_and_then() {
        let habit = Habit::new();
        for _ in 0..3 {
            assert!(habit.decide());
        }
        for _ in 0..2 {
            habit.has_not_paid();
            for _ in 0..CALLS {
                assert!(!habit.decide());
            }
            assert!(habit.decide());
        }
        assert!(habit.decide());
    }
}
