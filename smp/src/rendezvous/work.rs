//! What is to be done at a meeting: two words, for whoever works to read.
//!
//! A meeting that ends at its deadline leaves CPUs behind that were about to work, and the next caller has
//! its own work. So a CPU takes the words first and looks behind that whether its meeting is at work still
//! ([`Rendezvous::work`](super::Rendezvous::work)): then they are this meeting's. The words are the caller's
//! own affair, such as the addresses of a closure and of what calls it.
//!
//! # Memory ordering
//!
//! Words of an earlier meeting are not read: the caller writes its own before it opens the meeting, and
//! whoever has arrived has acquired that. Each word of a later one is released behind the end of this, which
//! the later caller has done itself or has acquired with the turn. A CPU acquires each word: one that read
//! such a word finds in the look that follows that its own meeting is over.

use crate::sync::{AtomicU64, Ordering};

/// The words.
#[derive(Debug)]
pub(super) struct Words([AtomicU64; 2]);

impl Words {
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; 2])
    }

    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Self([(); 2].map(|()| AtomicU64::new(0)))
    }

    pub(super) fn write(&self, work: [u64; 2]) {
        for (word, value) in self.0.iter().zip(work) {
            word.store(value, Ordering::Release);
        }
    }

    pub(super) fn read(&self) -> [u64; 2] {
        self.0.each_ref().map(|word| word.load(Ordering::Acquire))
    }
}
