//! Which AP is the last one to be alive.
//!
//! The BSP says how many are awaited, each AP counts itself once, however often it is kicked, and exactly one of
//! them learns that it was the last. Once the BSP awaits nobody any more, nobody is: an AP that comes late, or in a later round, learns
//! nothing.
//!
//! **Memory ordering.** Every access is relaxed: the word stands for itself, and nothing is handed over by it.
//! That one AP alone takes it to zero is the read-modify-write's doing, in the word's own order, which all CPUs
//! see alike. What an AP knows of itself is its own: between two of its lives is the BSP's kick. `alive_count_model.rs` fails when it is a load and a store.

use super::sync::{AtomicBool, AtomicU32, Ordering};

/// APs that are awaited, and were not alive yet.
#[derive(Debug)]
pub(super) struct AliveCount(AtomicU32);

impl AliveCount {
    /// So many above zero that no counting gets there: nobody is awaited.
    pub(super) const NOBODY: u32 = 1 << 31;

    /// A count in a word that is [`NOBODY`](Self::NOBODY).
    pub(super) const fn in_word(word: AtomicU32) -> Self {
        Self(word)
    }

    /// From now on so many APs are awaited. By the BSP, before it kicks any of them.
    pub(super) fn expect(&self, aps: u32) {
        self.0.store(aps, Ordering::Relaxed);
    }

    /// Nobody is awaited any more; whether the last one has been alive that was. By the BSP; APs that are
    /// missing may be alive at this moment.
    pub(super) fn stop(&self) -> bool {
        self.0.swap(Self::NOBODY, Ordering::Relaxed) == 0
    }

    /// The AP that calls, which is this one, is alive; whether it is the last that was awaited.
    pub(super) fn is_last(&self, ap: &Counted) -> bool {
        // Most boots await nobody, and then the word is only read: each AP would take it from the one before.
        self.0.load(Ordering::Relaxed) < Self::NOBODY
            && !ap.0.swap(true, Ordering::Relaxed)
            && self.0.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

/// Whether one AP has been counted.
#[derive(Debug)]
pub(super) struct Counted(AtomicBool);

impl Counted {
    /// In a word that is `false`.
    pub(super) const fn in_word(word: AtomicBool) -> Self {
        Self(word)
    }
}
