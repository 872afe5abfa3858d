//! Bytes on their way from whoever fetches them out of the UART to whoever reads them: a ring with one
//! producer and one consumer, neither of which waits for the other.
//!
//! Two counts say all: how many bytes were ever put, which the producer alone writes, and how many were ever
//! taken, which the consumer alone writes. The bytes between the two are in the ring.
//!
//! **Memory ordering.** A byte is written before the count that announces it (Release), and read after that
//! count (Acquire): so the consumer sees the byte. It is read before the count that gives its place back
//! (Release), and overwritten after that count (Acquire): so it is not overwritten before. Here the producer
//! is mostly an interrupt of the consumer's own CPU, which needs none of that; the argument makes the ring
//! right wherever the two are. `ring_model.rs` fails where an order is weakened.

use super::sync::{AtomicU32, Ordering, Place};

/// The ring. `N` is a power of two, so that the counts may overflow.
#[derive(Debug)]
pub(super) struct Ring<const N: usize> {
    places: [Place; N],
    put: AtomicU32,
    taken: AtomicU32,
}

impl<const N: usize> Ring<N> {
    const SIZE: u32 = {
        assert!(N.is_power_of_two() && N <= 1 << 16);
        N as u32
    };

    /// An empty ring, made of places and of counts that are equal.
    pub(super) const fn made_of(places: [Place; N], put: AtomicU32, taken: AtomicU32) -> Self {
        Self { places, put, taken }
    }

    /// Puts a byte; `false` if there is no room. For the producer.
    pub(super) fn put(&self, byte: u8) -> bool {
        let put = self.put.load(Ordering::Relaxed);
        if put.wrapping_sub(self.taken.load(Ordering::Acquire)) == Self::SIZE {
            return false;
        }
        self.place(put).set(byte);
        self.put.store(put.wrapping_add(1), Ordering::Release);
        true
    }

    /// Takes as many bytes as there are and fit, and tells how many. For the consumer.
    pub(super) fn take(&self, buffer: &mut [u8]) -> usize {
        let taken = self.taken.load(Ordering::Relaxed);
        let there = self.put.load(Ordering::Acquire).wrapping_sub(taken);
        let count = buffer.len().min(there as usize);
        for (at, byte) in (0..).zip(&mut buffer[..count]) {
            *byte = self.place(taken.wrapping_add(at)).get();
        }
        let taken = taken.wrapping_add(count as u32);
        self.taken.store(taken, Ordering::Release);
        count
    }

    /// How many bytes more can be put. For the producer it is at least as many until it puts one, for the
    /// consumer at most as many until it takes one.
    pub(super) fn room(&self) -> u32 {
        let taken = self.taken.load(Ordering::Acquire);
        let length = self.put.load(Ordering::Acquire).wrapping_sub(taken);
        Self::SIZE - length
    }

    fn place(&self, count: u32) -> &Place {
        &self.places[(count % Self::SIZE) as usize]
    }
}
