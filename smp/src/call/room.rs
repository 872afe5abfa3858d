//! Those who wait for a place in a queue: a waker each, and all are woken when places have become free.
//!
//! Each has a seat of its own here, from its first wait until it has its place or gives up; so to
//! wake is to look at a few words, and nothing is allocated, freed or locked for it. That somebody
//! waits at all stands in the queue's word (`word.rs`), where it meets the freeing of a place: whoever
//! could have made room wakes, or the one who waits sees the room.
//!
//! Who finds no seat, because [`SEATS`] others wait for the same CPU, looks again in the next round of
//! its executor.
//!
//! # Memory ordering
//!
//! A seat is taken and its waker registered before `want_room` releases both; who wakes has acquired
//! that. A seat that is given back is taken again by a read-modify-write that acquires it, for a waker
//! is registered by one at a time.

use core::task::Waker;

use crate::{
    slot::register,
    sync::{AtomicU64, AtomicWaker, Ordering},
};

/// So many futures wait for the same CPU at once.
pub(super) const SEATS: usize = if cfg!(loom) { 2 } else { 64 };

/// The seats.
pub(super) struct Room {
    /// One bit a seat.
    taken: AtomicU64,
    wakers: [AtomicWaker; SEATS],
}

/// A seat, given back when it is dropped.
pub(super) struct Seat {
    room: &'static Room,
    pub(super) number: usize,
}

impl Room {
    pub(super) fn new() -> Self {
        Self {
            taken: AtomicU64::new(0),
            wakers: core::array::from_fn(|_| AtomicWaker::new()),
        }
    }

    /// Takes a seat; `None` if there is none.
    pub(super) fn sit(&'static self) -> Option<Seat> {
        let lowest_free = |taken: u64| taken.trailing_ones() as usize;
        let take = |taken: u64| {
            let number = lowest_free(taken);
            (number < SEATS).then(|| taken | 1 << number)
        };
        let taken = self
            .taken
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, take);
        Some(Seat {
            room: self,
            number: lowest_free(taken.ok()?),
        })
    }

    /// Wakes all who sit here.
    pub(super) fn wake_all(&self) {
        let mut taken = self.taken.load(Ordering::Relaxed);
        while taken != 0 {
            self.wakers[taken.trailing_zeros() as usize].wake();
            taken &= taken - 1;
        }
    }
}

impl Seat {
    /// Whom to wake.
    pub(super) fn register(&self, waker: &Waker) {
        register(&self.room.wakers[self.number], waker);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Nobody keeps the memory that the waker may have, until the next one sits here.
        self.register(Waker::noop());
        self.room
            .taken
            .fetch_and(!(1 << self.number), Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::{boxed::Box, vec::Vec};

    use super::*;

    #[test]
    fn a_seat_belongs_to_one_until_it_is_given_back() {
        let room: &'static Room = Box::leak(Box::new(Room::new()));
        let mut seats: Vec<_> = (0..SEATS).map(|_| room.sit().unwrap()).collect();
        let numbers: Vec<_> = seats.iter().map(|seat| seat.number).collect();
        assert_eq!(numbers, (0..SEATS).collect::<Vec<_>>());
        assert!(room.sit().is_none());
        drop(seats.remove(5));
        assert_eq!(room.sit().unwrap().number, 5);
    }
}
