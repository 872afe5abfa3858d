//! What the BSP and one CPU share to compare their clocks: the BSP asks, the CPU reads its clock.
//!
//! ```text
//!   BSP, a task       ask      its count, asked_for = n ── an interrupt ──▶
//!   the CPU's handler give                                  sees n; its count; given = n
//!   BSP's handler     take    ◀── an interrupt ── sees n; its count; taken = n
//!   BSP, a task       exchange
//! ```
//!
//! **Causality**: each clock is read behind the sight of what the other one wrote, and before one's own
//! word is written. So a reading lies between the two counts of the BSP, whatever came in between, and
//! `clock_offset.rs` may lean on that. The words are the truth, the interrupts a hint: one that comes
//! for nothing does nothing, and a reading that is late is taken late, and only less exact.
//!
//! # Memory ordering
//!
//! `given` is released behind `count`, and acquired before it is read. `asked_for` is released behind
//! the BSP's count and acquired before the CPU reads its clock; it carries no data, and the acquire
//! keeps the reading behind it. The other words belong to the BSP alone, whose handlers and tasks see
//! what the one before them did: relaxed. The reading of a clock is no access to memory: who passes
//! one must make it wait for the loads before it (LFENCE and RDTSC, SDM volume 2), and stores are
//! seen in the order of the program on x86 anyway.

use crate::{
    clock_offset::Exchange,
    sync::{AtomicU32, AtomicU64, Ordering},
};

/// The line of one CPU. Readings are numbered from 1; one is asked for at a time.
#[repr(align(64))]
#[derive(Debug)]
pub struct ClockLine {
    /// The reading that the BSP asked for last; only the BSP writes it.
    asked_for: AtomicU32,
    /// The reading that the CPU gave last; only the CPU writes it.
    given: AtomicU32,
    /// What it showed.
    count: AtomicU64,
    /// The BSP's own: the reading that it took last, and its counts around that.
    taken: AtomicU32,
    asked: AtomicU64,
    received: AtomicU64,
}

impl ClockLine {
    /// The line of a CPU that nobody has asked.
    pub fn new() -> Self {
        Self {
            asked_for: AtomicU32::new(0),
            given: AtomicU32::new(0),
            count: AtomicU64::new(0),
            taken: AtomicU32::new(0),
            asked: AtomicU64::new(0),
            received: AtomicU64::new(0),
        }
    }

    /// Whether a reading was asked for and has not been taken.
    pub fn is_open(&self) -> bool {
        self.taken.load(Ordering::Relaxed) != self.asked_for.load(Ordering::Relaxed)
    }

    /// BSP: asks for a reading, unless one is open. The CPU is to be interrupted behind that.
    pub fn ask(&self, now: impl FnOnce() -> u64) {
        if self.is_open() {
            return;
        }
        let next = self.asked_for.load(Ordering::Relaxed).wrapping_add(1);
        self.asked.store(now(), Ordering::Relaxed);
        self.asked_for.store(next, Ordering::Release);
    }

    /// The CPU itself, in its handler: gives the reading that was asked for. `true` if one was; then
    /// the BSP is to be interrupted.
    #[must_use]
    pub fn give(&self, now: impl FnOnce() -> u64) -> bool {
        let number = self.asked_for.load(Ordering::Acquire);
        if self.given.load(Ordering::Relaxed) == number {
            return false;
        }
        self.count.store(now(), Ordering::Relaxed);
        self.given.store(number, Ordering::Release);
        true
    }

    /// BSP, in its handler or a task: takes the reading that was asked for, if it is there.
    pub fn take(&self, now: impl FnOnce() -> u64) -> bool {
        let number = self.asked_for.load(Ordering::Relaxed);
        if !self.is_open() || self.given.load(Ordering::Acquire) != number {
            return false;
        }
        // A handler that comes right here takes the same reading, a little earlier. Then the later
        // count stands, which is right as well.
        self.received.store(now(), Ordering::Relaxed);
        self.taken.store(number, Ordering::Relaxed);
        true
    }

    /// BSP, in a task: the exchange that came to its end last; `None` while one is open, and before
    /// the first.
    pub fn exchange(&self) -> Option<Exchange> {
        let is_first = self.asked_for.load(Ordering::Relaxed) == 0;
        (!is_first && !self.is_open()).then(|| Exchange {
            asked: self.asked.load(Ordering::Relaxed),
            // Its giver leaves it alone until it is asked again.
            count: self.count.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
        })
    }
}

impl Default for ClockLine {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_asked_for_given_and_taken_once() {
        let line = ClockLine::new();
        assert_eq!(line.exchange(), None);
        assert!(!line.give(|| unreachable!("nobody asked")));
        assert!(!line.take(|| unreachable!("nothing was given")));
        line.ask(|| 10);
        assert!(line.is_open() && !line.take(|| unreachable!("nothing was given")));
        line.ask(|| unreachable!("one is open"));
        assert!(line.give(|| 25));
        assert!(!line.give(|| unreachable!("it was given")));
        assert_eq!(line.exchange(), None);
        assert!(line.take(|| 30));
        assert!(!line.take(|| unreachable!("it was taken")));
        let exchange = Exchange {
            asked: 10,
            count: 25,
            received: 30,
        };
        assert_eq!(line.exchange(), Some(exchange));
    }
}
