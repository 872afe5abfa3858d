//! How long a CPU spins for something that should be there at once: about a second where nothing else is said, and
//! then it goes on without.
//!
//! The time stamp counter alone tells, uncalibrated: the console must have a bound before there is a
//! clock, and the panic path one whatever has happened to it.

use core::hint;

use crate::time::read_tsc;

/// A bound on one wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience<C = fn() -> u64> {
    counter: C,
    start: u64,
    counts: u64,
}

/// Time stamp counters run at 1 GHz to 5 GHz, so these counts take half a second to two. That is many
/// times what a device or an NMI takes, or what a hypervisor keeps a CPU from running, and a
/// person still waits for it.
const COUNTS: u64 = 1 << 31;

impl Patience {
    /// Patience from now on.
    pub(crate) fn begin() -> Self {
        Self::lasting(COUNTS, read_tsc)
    }

    /// Patience for so many counts of the TSC.
    pub(crate) fn of(counts: u64) -> Self {
        Self::lasting(counts, read_tsc)
    }

    /// No patience: a single look.
    pub(crate) fn none() -> Self {
        Self::lasting(0, read_tsc)
    }
}

impl<C: Fn() -> u64> Patience<C> {
    fn lasting(counts: u64, counter: C) -> Self {
        Self {
            start: counter(),
            counter,
            counts,
        }
    }

    /// Spins until the condition holds; `false` if it still does not when patience ends.
    ///
    /// The last look comes behind the end: whoever was kept from running that long finds what has
    /// come meanwhile.
    pub(crate) fn until(self, mut condition: impl FnMut() -> bool) -> bool {
        loop {
            let is_over = self.is_over();
            if condition() {
                return true;
            }
            if is_over {
                return false;
            }
            hint::spin_loop();
        }
    }

    /// A counter that goes backwards, as on a machine that is moved to another host, has gone a
    /// long way forwards: the wait ends early, and never gets longer.
    fn is_over(&self) -> bool {
        (self.counter)().wrapping_sub(self.start) >= self.counts
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;

    /// Waits for what never comes, by a counter that starts at `start` and goes on by `step` a
    /// reading. Gives how often it was looked for.
    fn looks_in_vain(start: u64, step: u64) -> u64 {
        let now = Cell::new(start);
        let counter = || now.replace(now.get().wrapping_add(step));
        let mut looks = 0;
        let has_come = Patience::lasting(COUNTS, counter).until(|| {
            looks += 1;
            false
        });
        assert!(!has_come);
        looks
    }

    #[test]
    fn patience_ends_with_time_and_not_with_looks() {
        assert_eq!(looks_in_vain(0, COUNTS / 4), 4);
        assert_eq!(looks_in_vain(0, COUNTS / 1000 + 1), 1000);
        assert_eq!(looks_in_vain(7, COUNTS), 1);
    }

    #[test]
    fn a_counter_that_begins_again_at_zero_is_waited_out_as_any_other() {
        assert_eq!(looks_in_vain(u64::MAX - COUNTS / 2, COUNTS / 4), 4);
    }

    #[test]
    fn a_counter_that_goes_backwards_ends_the_wait() {
        assert_eq!(looks_in_vain(COUNTS, u64::MAX), 1);
    }

    #[test]
    fn what_came_while_the_cpu_did_not_run_is_found() {
        let now = Cell::new(0);
        let patience = Patience::lasting(COUNTS, || now.replace(2 * COUNTS));
        assert!(patience.until(|| now.get() == 2 * COUNTS));
    }

    #[test]
    fn without_patience_there_is_one_look() {
        for is_there in [false, true] {
            let mut looks = 0;
            let found = Patience::none().until(|| {
                looks += 1;
                is_there
            });
            assert_eq!((found, looks), (is_there, 1));
        }
    }
}
