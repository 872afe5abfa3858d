//! [`ring`](super::ring) under loom: every interleaving, over loom's atomics; and what one thread sees of it,
//! over the processor's.

mod sync {
    use loom::cell::UnsafeCell;

    pub(super) use loom::sync::atomic::{AtomicU32, Ordering};

    /// Memory without any order of its own: loom reports two who use it at once, or of whom the later one does
    /// not see what the earlier one did.
    #[derive(Debug)]
    pub(super) struct Place(UnsafeCell<u8>);

    // SAFETY: loom checks each access against all others.
    unsafe impl Sync for Place {}

    impl Place {
        pub(super) fn new() -> Self {
            Self(UnsafeCell::new(0))
        }

        pub(super) fn get(&self) -> u8 {
            // SAFETY: the pointer is the cell's.
            self.0.with(|place| unsafe { *place })
        }

        pub(super) fn set(&self, byte: u8) {
            // SAFETY: as above.
            self.0.with_mut(|place| unsafe { *place = byte });
        }
    }
}

#[expect(clippy::duplicate_mod, reason = "the same code, over other atomics")]
#[path = "ring.rs"]
mod ring;

use loom::{sync::Arc, thread};

use self::{
    ring::Ring,
    sync::{AtomicU32, Place},
};
use super::{ring::Ring as RealRing, sync::Place as RealPlace};

/// Tries to put each of these bytes while somebody takes, and expects those that found room, in order. Nobody
/// waits for the other, so the model ends.
fn goes_through<const N: usize>(bytes: &'static [u8]) {
    loom::model(move || {
        let places = core::array::from_fn(|_| Place::new());
        let counts = || AtomicU32::new(0);
        let ring = Arc::new(Ring::<N>::made_of(places, counts(), counts()));
        let producer = {
            let ring = ring.clone();
            thread::spawn(move || {
                let accepted = bytes.iter().copied().filter(|&byte| ring.put(byte));
                accepted.collect::<Vec<_>>()
            })
        };
        let mut seen = Vec::new();
        let mut take = || {
            let mut buffer = [0; 2];
            let count = ring.take(&mut buffer);
            seen.extend_from_slice(&buffer[..count]);
        };
        take();
        take();
        let accepted = producer.join().unwrap();
        take();
        assert!(!accepted.is_empty());
        assert_eq!(seen, accepted);
    });
}

#[test]
fn a_byte_that_is_announced_is_there() {
    goes_through::<2>(&[1, 2]);
}

#[test]
fn a_byte_that_was_not_taken_is_not_overwritten() {
    goes_through::<1>(&[1, 2, 3]);
}

fn ring(counts: u32) -> RealRing<8> {
    let counts = || core::sync::atomic::AtomicU32::new(counts);
    RealRing::made_of([const { RealPlace::new() }; 8], counts(), counts())
}

#[test]
fn bytes_come_out_in_their_order_and_none_is_overwritten() {
    // The second ring's counts overflow on the way.
    for ring in [ring(0), ring(u32::MAX - 20)] {
        let (mut put, mut taken) = (0_u8, 0_u8);
        for round in 0..50 {
            while ring.put(put) {
                put += 1;
            }
            assert_eq!(ring.room(), 0);
            let mut buffer = [0; 5];
            let room = 1 + round % buffer.len();
            assert_eq!(ring.take(&mut buffer[..room]), room);
            for &byte in &buffer[..room] {
                assert_eq!(byte, taken);
                taken += 1;
            }
        }
        while ring.put(put) {
            put += 1;
        }
        let mut rest = [0; 9];
        assert_eq!(ring.take(&mut rest), 8);
        assert_eq!(ring.take(&mut rest), 0);
        assert_eq!(rest[..8], [0, 1, 2, 3, 4, 5, 6, 7].map(|at| taken + at));
    }
}

#[test]
fn the_room_is_what_is_not_taken_up() {
    let ring = ring(u32::MAX - 2);
    for byte in 0..5 {
        assert_eq!(ring.room(), 8 - u32::from(byte));
        assert!(ring.put(byte));
    }
    assert_eq!(ring.take(&mut [0; 2]), 2);
    assert_eq!(ring.room(), 5);
}
