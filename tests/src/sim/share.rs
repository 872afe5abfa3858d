//! What several CPUs have to share: a resource of the machine, or the cores of the host that
//! executes them. First come, first served.

use std::collections::VecDeque;

/// Something that has room for so many at once.
#[derive(Debug)]
pub(super) struct Share {
    free: usize,
    queue: VecDeque<Claim>,
}

/// A CPU that wants its share, in one of its waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) cpu: usize,
    pub(super) ticket: u64,
}

impl Share {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            free: capacity,
            queue: VecDeque::new(),
        }
    }

    /// Whether the CPU has its share at once; else it queues.
    pub(super) fn take(&mut self, claim: Claim) -> bool {
        if self.free > 0 {
            self.free -= 1;
            return true;
        }
        self.queue.push_back(claim);
        false
    }

    /// Gives a share back. Whoever has it next, among those who still wait for it.
    pub(super) fn give_back(&mut self, still_waits: impl Fn(Claim) -> bool) -> Option<Claim> {
        while let Some(next) = self.queue.pop_front() {
            if still_waits(next) {
                return Some(next);
            }
        }
        self.free += 1;
        None
    }

    pub(super) fn has_queue(&self) -> bool {
        !self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(cpu: usize) -> Claim {
        Claim { cpu, ticket: 0 }
    }

    #[test]
    fn those_who_still_wait_are_served_in_the_order_in_which_they_came() {
        let mut share = Share::new(1);
        assert!(share.take(claim(0)));
        for cpu in [3, 1, 2] {
            assert!(!share.take(claim(cpu)));
        }
        let next = share.give_back(|claim| claim.cpu != 3);
        assert_eq!(next, Some(claim(1)));
        assert_eq!(share.give_back(|_| true), Some(claim(2)));
        assert_eq!(share.give_back(|_| true), None);
        assert!(share.take(claim(4)) && !share.take(claim(5)));
    }
}
