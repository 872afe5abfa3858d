//! What a CPU waits for that blocks: how many of its calls are not over, and whether it halts: one word.
//!
//! It lies in the CPU's own queue and not on the stack of who waits, for the last that another CPU
//! does with a call is to count it here, and a moment later that stack may be gone.
//!
//! ```text
//!   the caller                               a CPU that ran a call
//!   expect: one more                         over: one less; was it the last, and
//!   is_over? poll, serve the own queue,        does the caller halt? interrupt it
//!   then begin_halt, halt, end_halt
//! ```
//!
//! The last one to be counted and the halt are read-modify-writes of one word, so either the caller
//! sees that all is over and does not halt, or the other sees that it halts and interrupts it. An
//! interrupt that comes before the halt stays pending and ends it, for the caller has them off.
//!
//! # Memory ordering
//!
//! `over` releases what the call did, and its answer; `is_over` acquires it, and who was told by
//! `begin_halt` that all is over looks again. All changes are read-modify-writes, so the last look
//! acquires from everybody.

use crate::sync::{AtomicU64, Ordering};

/// The word.
#[derive(Debug)]
pub(super) struct Answer(AtomicU64);

/// The caller halts, or is about to.
const HALTS: u64 = 1;
/// One call, in the number above it.
const ONE: u64 = 2;

impl Answer {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The caller is about to send one more.
    pub(super) fn expect(&self) {
        self.0.fetch_add(ONE, Ordering::Relaxed);
    }

    /// The caller has taken one back, or it was not sent.
    pub(super) fn forgo(&self) {
        self.0.fetch_sub(ONE, Ordering::Relaxed);
    }

    /// A call is over. `true` if its caller is to be interrupted.
    #[must_use]
    pub(super) fn over(&self) -> bool {
        self.0.fetch_sub(ONE, Ordering::Release) == ONE | HALTS
    }

    /// Whether all are over.
    pub(super) fn is_over(&self) -> bool {
        self.0.load(Ordering::Acquire) < ONE
    }

    /// The caller is about to halt; `false` if all are over, and it is not to.
    #[must_use]
    pub(super) fn begin_halt(&self) -> bool {
        let halts = self.0.fetch_or(HALTS, Ordering::Relaxed) >= ONE;
        if !halts {
            self.end_halt();
        }
        halts
    }

    /// The caller does not halt any more.
    pub(super) fn end_halt(&self) {
        self.0.fetch_and(!HALTS, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_one_interrupts_and_only_a_caller_that_halts() {
        let answer = Answer::new();
        assert!(answer.is_over());
        assert!(!answer.begin_halt());
        for _ in 0..3 {
            answer.expect();
        }
        assert!(answer.begin_halt());
        assert!(!answer.over());
        answer.forgo();
        assert!(!answer.is_over());
        assert!(answer.over());
        answer.end_halt();
        assert!(answer.is_over());
        answer.expect();
        assert!(!answer.over());
    }
}
