//! What one CPU has of a rendezvous: whether it is there to be called, to which meeting it was called
//! and what it does there, and how far it has come.

use super::Generation;
use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};

/// What one CPU has of a rendezvous. The caller writes whom it calls, and the CPU all else.
#[derive(Debug)]
pub struct Seat {
    /// Whether the CPU takes the interrupts by which it is called: 0 or 1.
    present: AtomicU32,
    /// The generation in which the CPU was called last, and its [`Part`] in that.
    called: AtomicU64,
    /// The one in which it arrived last.
    arrived: AtomicU64,
    /// The one in which it was done with its work last.
    finished: AtomicU64,
}

/// What a CPU does in a meeting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// It has something to do before it is counted.
    pub prepares: bool,
    /// It has work while all others stand.
    pub works: bool,
}

impl Seat {
    const WORKS: u64 = 1 << 32;
    const PREPARES: u64 = 1 << 33;
    /// No generation, as those have 32 bits.
    const NEVER: u64 = u64::MAX;

    /// That of a CPU that was never called, and is not present.
    pub fn new() -> Self {
        Self {
            present: AtomicU32::new(0),
            called: AtomicU64::new(Self::NEVER),
            arrived: AtomicU64::new(Self::NEVER),
            finished: AtomicU64::new(Self::NEVER),
        }
    }

    // ---- the caller ----

    /// Whether the CPU is to be called. Asked behind the opening of a meeting, whoever is not stands, or
    /// does nothing of weight; asked once the turn was given back, whoever is not does not halt for it.
    pub fn is_present(&self) -> bool {
        self.present.load(Ordering::Acquire) == 1
    }

    /// The CPU is called to this meeting, which is open, and whose CPUs are not counted yet.
    pub fn call(&self, generation: Generation, part: Part) {
        let works = if part.works { Self::WORKS } else { 0 };
        let prepares = if part.prepares { Self::PREPARES } else { 0 };
        let called = u64::from(generation.0) | works | prepares;
        self.called.store(called, Ordering::Relaxed);
    }

    /// Whether the CPU was called to this meeting, and what for.
    pub fn called_to(&self, generation: Generation) -> Option<Part> {
        let called = self.called.load(Ordering::Relaxed);
        let part = Part {
            prepares: called & Self::PREPARES != 0,
            works: called & Self::WORKS != 0,
        };
        let is_called = called & !(Self::WORKS | Self::PREPARES) == u64::from(generation.0);
        is_called.then_some(part)
    }

    /// Whether the CPU has come to this meeting. Asked once it was ended before all had
    /// come, one that is about to find that out may still say so: it came, but too late to be
    /// counted.
    pub fn has_arrived(&self, generation: Generation) -> bool {
        self.arrived.load(Ordering::Relaxed) == u64::from(generation.0)
    }

    /// Whether the CPU is done with its work in this meeting. Asked once it was ended before all were,
    /// one that has not begun, and will not, is not.
    pub fn has_finished(&self, generation: Generation) -> bool {
        self.finished.load(Ordering::Relaxed) == u64::from(generation.0)
    }

    // ---- the CPU ----

    /// It can be called from now on. A swap, for the model: loom orders a fence only after a
    /// read-modify-write.
    pub(super) fn come(&self) {
        self.present.swap(1, Ordering::AcqRel);
        fence(Ordering::SeqCst);
    }

    /// It cannot be called any more.
    pub(super) fn go(&self) {
        self.present.swap(0, Ordering::AcqRel);
        fence(Ordering::SeqCst);
    }

    /// The CPU arrives; `false` if it has already.
    pub(super) fn mark(&self, generation: Generation) -> bool {
        let generation = u64::from(generation.0);
        self.arrived.swap(generation, Ordering::Relaxed) != generation
    }

    /// It was too late.
    pub(super) fn unmark(&self) {
        self.arrived.store(Self::NEVER, Ordering::Relaxed);
    }

    /// It has done its work.
    pub(super) fn finish(&self, generation: Generation) {
        self.finished
            .store(u64::from(generation.0), Ordering::Relaxed);
    }
}

impl Default for Seat {
    fn default() -> Self {
        Self::new()
    }
}
