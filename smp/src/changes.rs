//! Changes that every CPU has to follow: those that take calls are called, and the others catch up when they
//! take calls again, if there was one.
//!
//! ```text
//!   whoever changes something           a CPU on its way up
//!   makes the change                    opens its queue of calls
//!   counts it             ── one of ──  looks at the count
//!   calls who takes calls  them sees    follows what is there now, if it
//!                          the other    has not seen as many
//! ```
//!
//! **Seen Invariant**: a CPU that takes calls and is behind its look has followed every change, but those
//! for which a call is on its way to it. What it has seen is a count that it read *before* it followed, so
//! it has followed all of them, and perhaps a later one too: then it follows that once more. A CPU that was
//! called has followed without having looked, and follows once more when it comes next.
//!
//! # Memory ordering
//!
//! Each of the two writes its own word and then, behind a sequentially consistent fence, reads the other's:
//! the queue's, the count. So a CPU that is not called sees the change counted. To count releases the change
//! itself, and the look acquires it: what is followed is the state behind the change. That matters for a change
//! that is counted, and whose maker has not looked yet: the CPU may see it, go down and come up again meanwhile,
//! and will not follow a second time.

use crate::sync::{AtomicU64, Ordering, fence};

/// How many changes of one kind were made.
#[derive(Debug)]
pub struct Changes(AtomicU64);

/// How many of them a CPU has followed at least.
///
/// Relaxed: only the CPU itself touches it.
#[derive(Debug)]
pub struct Seen(AtomicU64);

impl Changes {
    /// None.
    #[cfg(not(loom))]
    #[expect(
        clippy::new_without_default,
        reason = "there is one of each kind, in a static"
    )]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts a change that has been made. Whoever does so calls, behind this, all CPUs that take calls.
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// Lets the CPU whose part `seen` is follow what has changed since it did so last; nothing is done if
    /// there was no change. To be called by that CPU, once it takes calls. Neither allocates nor waits.
    pub fn catch_up(&self, seen: &Seen, follow: impl FnOnce()) {
        fence(Ordering::SeqCst);
        let made = self.0.load(Ordering::Acquire);
        if seen.0.load(Ordering::Relaxed) != made {
            follow();
            seen.0.store(made, Ordering::Relaxed);
        }
    }
}

impl Seen {
    /// Of a CPU that has seen none.
    pub fn none() -> Self {
        Self(AtomicU64::new(0))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use core::cell::Cell;

    use super::*;

    #[test]
    fn a_cpu_follows_once_however_many_changes_there_were() {
        let (changes, seen) = (Changes::new(), Seen::none());
        let followed = Cell::new(0);
        let come = || changes.catch_up(&seen, || followed.set(followed.get() + 1));
        come();
        assert_eq!(followed.get(), 0, "there was no change");
        changes.count();
        changes.count();
        come();
        come();
        assert_eq!(followed.get(), 1);
        changes.count();
        come();
        assert_eq!(followed.get(), 2);
    }

    #[test]
    fn a_change_that_is_made_while_a_cpu_follows_another_is_followed_the_next_time() {
        let (changes, seen) = (Changes::new(), Seen::none());
        changes.count();
        changes.catch_up(&seen, || changes.count());
        let mut has_followed = false;
        changes.catch_up(&seen, || has_followed = true);
        assert!(has_followed);
    }
}
