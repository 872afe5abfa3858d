//! How the CPU that ends the run and a CPU that just comes do not miss each other.
//!
//! A CPU that ends the run stops all that it sees running, by NMI; one that comes halts by itself
//! if the run is ending. Each first says what it does and then looks at the other:
//!
//! ```text
//!   CPU that ends the run             CPU that comes
//!     1. Ending:   take                 1. Presence: Absent -> Running
//!     2. Presence: is it running?       2. Ending:   is it taken?
//! ```
//!
//! **Memory ordering.** At least one of the two must see what the other one said, or the CPU that
//! comes runs on while the run ends. So a sequentially consistent fence stands between each one's
//! two steps: of two such fences one is first, and what was written before it is seen by what is
//! read after the other. Acquire and Release alone would let both read the old value.
//! `stop_model.rs` fails without either fence.

use super::sync::{AtomicU8, AtomicU64, Ordering, fence};

/// Whether a CPU can be stopped by an NMI.
///
/// ```text
///             come                    stop
///   Absent ----------> Running ----------------> Stopped (for good)
///      ^                  |
///      +------------------+
///             leave
/// ```
#[derive(Debug)]
pub(crate) struct Presence(AtomicU8);

impl Presence {
    const ABSENT: u8 = 0;
    const RUNNING: u8 = 1;
    const STOPPED: u8 = 2;

    /// Absent, kept in a word that is 0.
    pub(crate) const fn in_word(word: AtomicU8) -> Self {
        Self(word)
    }

    /// From now on the CPU takes NMIs. It calls this itself, and then looks at the [`Ending`].
    pub(crate) fn come(&self) {
        // A swap, for the model: loom orders a fence only after a read-modify-write.
        self.0.swap(Self::RUNNING, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// From now on the CPU takes no NMI.
    pub(crate) fn leave(&self) {
        self.0.swap(Self::ABSENT, Ordering::Relaxed);
    }

    /// The CPU halts for good. It calls this itself.
    pub(crate) fn stop(&self) {
        self.0.swap(Self::STOPPED, Ordering::Relaxed);
    }

    /// Whether an NMI would reach the CPU, and be of use.
    pub(crate) fn is_running(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::RUNNING
    }
}

/// Who ends the run.
#[derive(Debug)]
pub(crate) struct Ending(AtomicU64);

/// What a CPU that wants to end the run is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It is the one.
    Won,
    /// It was the one already: it failed while it ended the run.
    Again,
    /// Another CPU is.
    Lost,
}

impl Ending {
    const NOBODY: u64 = 0;

    /// Nobody, kept in a word that is 0.
    pub(crate) const fn in_word(word: AtomicU64) -> Self {
        Self(word)
    }

    /// Makes the CPU with this APIC id the one, if there is none yet.
    pub(crate) fn claim(&self, apic_id: u32) -> Claim {
        let me = Self::word(apic_id);
        let taken = self
            .0
            .compare_exchange(Self::NOBODY, me, Ordering::Relaxed, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        match taken {
            Ok(_) => Claim::Won,
            Err(winner) if winner == me => Claim::Again,
            Err(_) => Claim::Lost,
        }
    }

    /// Whether a CPU other than the one with this APIC id ends the run.
    pub(crate) fn is_by_other_than(&self, apic_id: u32) -> bool {
        let winner = self.0.load(Ordering::Relaxed);
        winner != Self::NOBODY && winner != Self::word(apic_id)
    }

    fn word(apic_id: u32) -> u64 {
        u64::from(apic_id) + 1
    }
}
