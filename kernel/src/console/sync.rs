//! What [`ring`](super::ring) is made of; its model puts loom's in their place.

pub(super) use core::sync::atomic::{AtomicU32, Ordering};

use core::sync::atomic::AtomicU8;

/// A place for a byte, which the counts around it hand from one side to the other. Relaxed: all order is the
/// counts'. So a place might be any memory, as it is in the model, and is an atomic that the code may be safe.
#[derive(Debug)]
pub(super) struct Place(AtomicU8);

impl Place {
    pub(super) const fn new() -> Self {
        Self(AtomicU8::new(0))
    }

    pub(super) fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, byte: u8) {
        self.0.store(byte, Ordering::Relaxed);
    }
}
