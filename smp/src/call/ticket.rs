//! Who gets a call: the CPU that runs it, or its caller, who takes it back. One word a place.
//!
//! ```text
//!   issue          begin (the owner)
//!   ─────▶ n WAITS ─────────────────▶ n
//!            │                        ▲
//!            └────────────────────────┘
//!              withdraw n (its caller)
//! ```
//!
//! **Ticket Invariant**: of each number, one begins or one withdraws, and never both. So a call runs
//! once or not at all, and its caller knows which.
//!
//! A number is used once, so a caller cannot withdraw what came into the place behind its own call.
//! The owner withdraws from nobody: what it finds withdrawn it drops, and frees the place.
//!
//! # Memory ordering
//!
//! Who wins is decided by the order of one word's read-modify-writes, and the loser touches nothing,
//! so they need no ordering. What is in the call reaches the owner by the queue's word, and so does
//! the number: a place's sender issues it before the place is filled, and behind all that its
//! earlier owners did, which the place's way through the queue's word orders.

use crate::sync::{AtomicU64, Ordering};

/// The ticket of one place.
#[derive(Debug)]
pub(super) struct Ticket(AtomicU64);

/// The number of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(u64);

/// It has not begun.
const WAITS: u64 = 1;
/// The numbers are above it.
const ONE: u64 = 2;

impl Ticket {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// A new number, by the sender whom the place belongs to.
    pub(super) fn issue(&self) -> Number {
        let number = self.0.load(Ordering::Relaxed) & !WAITS;
        let number = number.wrapping_add(ONE);
        self.0.store(number | WAITS, Ordering::Relaxed);
        Number(number)
    }

    /// The owner is about to run the call; `false` if it has been withdrawn.
    #[must_use]
    pub(super) fn begin(&self) -> bool {
        self.0.fetch_and(!WAITS, Ordering::Relaxed) & WAITS != 0
    }

    /// The caller takes its call back; `false` if it has begun, or is over.
    #[must_use]
    pub(super) fn withdraw(&self, Number(number): Number) -> bool {
        self.0
            .compare_exchange(number | WAITS, number, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Whether the call has begun, or has been withdrawn.
    pub(super) fn has_begun(&self, Number(number): Number) -> bool {
        self.0.load(Ordering::Relaxed) != number | WAITS
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_call_begins_or_is_withdrawn() {
        let ticket = Ticket::new();
        assert!(!ticket.begin());
        let first = ticket.issue();
        assert!(!ticket.has_begun(first));
        assert!(ticket.begin());
        assert!(ticket.has_begun(first));
        assert!(!ticket.withdraw(first));
        let second = ticket.issue();
        assert!(ticket.withdraw(second));
        assert!(!ticket.begin());
    }

    #[test]
    fn nobody_withdraws_what_came_behind_its_own_call() {
        let ticket = Ticket::new();
        let first = ticket.issue();
        assert!(ticket.begin());
        let second = ticket.issue();
        assert!(!ticket.withdraw(first));
        assert!(!ticket.has_begun(second));
        assert!(ticket.begin());
    }
}
