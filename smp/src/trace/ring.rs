//! The ring: where a CPU keeps its latest events, each in a place of 32 bytes.
//!
//! An interrupt or an NMI may come in the middle of a write and note events itself, and another CPU may
//! read meanwhile. **An event that is told is whole**, as it was noted; what cannot be told is counted.
//! Nobody waits, for there may be nobody to wait for: the write that an NMI has interrupted goes on only
//! behind it.
//!
//! ```text
//!                  claim (compare-and-swap)            words, then the stamp
//!   n, written  ──────────────────────────▶  n + c, being written  ──────────▶  n + c, written
//!                                               │
//!                    a write of any other number finds it so: it is given up
//! ```
//!
//! A number is taken first, so every event has its own, in the order in which they were begun. It says
//! the place, which was that of the event c numbers before in a ring of c places. One that is begun in
//! the middle of c others, all of which an NMI noted, finds a later number there and is given up too:
//! what is lost is the older one, as always in a ring.
//!
//! # Memory ordering
//!
//! The words of a place belong to whoever has claimed it. A claim acquires what the write before released
//! with its stamp, so of two writes the later one is seen last. A word is released behind the claim, and
//! acquired by who reads it: who reads a word of a later event sees that claim, or what followed, as it
//! looks at the stamp for the second time. The first look acquires what the stamp released, which is all
//! words of the event. So where both looks show the event, all that was read between them is of it. The
//! number orders nothing. On x86 all of this costs nothing but the number and the claim, which an NMI must
//! not split. `loom_trace.rs` fails without any of it.

use alloc::{boxed::Box, collections::TryReserveError, vec::Vec};

use reveille_executor::Instant;

use super::event::{Event, Packed, Target};
use crate::sync::{AtomicU64, Ordering};

/// The latest events of one CPU.
#[derive(Debug)]
pub struct Ring {
    /// How many were begun: the number of the next one.
    begun: AtomicU64,
    /// The id of number 0.
    first_id: u64,
    /// A power of two of them.
    places: Box<[Place]>,
}

/// An event that was read from a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// How many the CPU had begun before.
    pub number: u64,
    /// When, by the clock of whoever noted it.
    pub at: Instant,
    /// What.
    pub event: Event<Target>,
}

/// What a ring holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The events, in the order of their numbers.
    pub events: Vec<Noted>,
    /// Those that are not there any more.
    pub overwritten: u64,
}

impl Ring {
    /// Room for so many events, rounded up to a power of two. Those that have ids count on from
    /// `first_id`.
    ///
    /// # Errors
    ///
    /// When there is no memory for it.
    pub fn with_room_for(events: usize, first_id: u64) -> Result<Self, TryReserveError> {
        let length = events.next_power_of_two();
        let mut places = Vec::new();
        places.try_reserve_exact(length)?;
        places.resize_with(length, Place::new);
        Ok(Self {
            begun: AtomicU64::new(0),
            first_id,
            places: places.into_boxed_slice(),
        })
    }

    /// The bytes that a ring with room for so many events takes.
    pub const fn bytes(events: usize) -> usize {
        events.next_power_of_two() * size_of::<Place>()
    }

    /// How many events it has room for.
    pub fn room(&self) -> usize {
        self.places.len()
    }

    /// Notes an event, on the CPU whose ring it is, in any context. Neither allocates nor waits.
    #[inline]
    pub fn note(&self, at: Instant, Packed { what, wide }: Packed) {
        let number = self.begin();
        let place = self.place(number);
        place.write(number, [at.as_nanos(), what, wide]);
    }

    /// The same for an event that has an id of its own, which takes the place of the one that it has, and
    /// is returned.
    #[inline]
    pub fn note_with_id(&self, at: Instant, event: Packed) -> u64 {
        let number = self.begin();
        let id = self.first_id + number;
        let place = self.place(number);
        place.write(number, [at.as_nanos(), event.what, id]);
        id
    }

    #[inline]
    fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::Relaxed)
    }

    /// What it holds. Events that are noted or overwritten meanwhile may be missing. Who reads behind
    /// a word by which the CPU has said that it was done sees all that it had noted.
    ///
    /// # Errors
    ///
    /// When there is no memory for the copy.
    pub fn read(&self) -> Result<Kept, TryReserveError> {
        let begun = self.begun.load(Ordering::Relaxed);
        let oldest = begun.saturating_sub(self.places.len() as u64);
        let mut events = Vec::new();
        events.try_reserve_exact((begun - oldest) as usize)?;
        events.extend((oldest..begun).filter_map(|number| self.place(number).read(number)));
        Ok(Kept {
            overwritten: begun - events.len() as u64,
            events,
        })
    }

    #[inline]
    fn place(&self, number: u64) -> &Place {
        &self.places[number as usize & (self.places.len() - 1)]
    }
}

/// One event.
#[repr(align(32))]
#[derive(Debug)]
struct Place {
    stamp: AtomicU64,
    /// When, and the two words of the event.
    words: [AtomicU64; 3],
}

/// Of a place that was never written.
const EMPTY: u64 = 0;

/// An event is being written: an odd number. Later ones have higher stamps.
const fn writing(number: u64) -> u64 {
    2 * number + 1
}

const fn written(number: u64) -> u64 {
    2 * number + 2
}

const fn is_being_written(stamp: u64) -> bool {
    stamp % 2 == 1
}

impl Place {
    fn new() -> Self {
        Self {
            stamp: AtomicU64::new(EMPTY),
            words: [(); 3].map(|()| AtomicU64::new(0)),
        }
    }

    #[inline]
    fn write(&self, number: u64, words: [u64; 3]) {
        if !self.claim(number) {
            return;
        }
        for (word, value) in self.words.iter().zip(words) {
            word.store(value, Ordering::Release);
        }
        self.stamp.store(written(number), Ordering::Release);
    }

    #[inline]
    fn claim(&self, number: u64) -> bool {
        let before = self.stamp.load(Ordering::Relaxed);
        if is_being_written(before) || before > writing(number) {
            return false;
        }
        let claimed = self.stamp.compare_exchange(
            before,
            writing(number),
            Ordering::Acquire,
            Ordering::Relaxed,
        );
        claimed.is_ok()
    }

    fn read(&self, number: u64) -> Option<Noted> {
        if self.stamp.load(Ordering::Acquire) != written(number) {
            return None;
        }
        let load = |word: &AtomicU64| word.load(Ordering::Acquire);
        let [at, what, wide] = self.words.each_ref().map(load);
        if self.stamp.load(Ordering::Relaxed) != written(number) {
            return None;
        }
        Some(Noted {
            number,
            at: Instant::from_nanos(at),
            event: Event::unpack(Packed { what, wide })?,
        })
    }
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Place>() == 32);

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn note(ring: &Ring, at: u64) -> u64 {
        let at = Instant::from_nanos(at);
        ring.note_with_id(at, Event::CsdEntry { id: 0 }.pack())
    }

    #[test]
    fn a_ring_keeps_the_latest_events_and_counts_the_others() {
        let ring = Ring::with_room_for(3, 70).unwrap();
        assert_eq!(ring.read().unwrap(), Kept::default());
        for number in 0..10 {
            assert_eq!(note(&ring, 100 + number), 70 + number);
            let kept = ring.read().unwrap();
            let oldest = (number + 1).saturating_sub(4);
            assert_eq!(kept.overwritten, oldest);
            let told = kept.events.into_iter();
            assert!(told.eq((oldest..=number).map(|number| Noted {
                number,
                at: Instant::from_nanos(100 + number),
                event: Event::CsdEntry { id: 70 + number },
            })));
        }
    }

    #[test]
    fn a_place_that_is_being_written_is_left_alone_and_nothing_is_told_of_it() {
        let place = Place::new();
        let write = |number| place.write(number, [0, Event::Alive.pack().what, 0]);
        write(0);
        // An interrupted write, and one that an NMI begins in the middle of it.
        assert!(place.claim(1));
        write(2);
        for number in 0..=2 {
            assert_eq!(place.read(number), None);
        }
        place.stamp.store(written(1), Ordering::Relaxed);
        assert!(place.read(1).is_some());
    }

    #[test]
    fn an_event_does_not_take_the_place_of_a_later_one() {
        let place = Place::new();
        let write = |number| place.write(number, [number, Event::Alive.pack().what, 0]);
        write(7);
        write(3);
        assert_eq!(place.read(3), None);
        assert_eq!(place.read(7).map(|it| it.at.as_nanos()), Some(7));
    }

    #[test]
    fn a_ring_takes_32_bytes_an_event() {
        assert_eq!([1, 5, 64].map(Ring::bytes), [32, 256, 2048]);
    }
}
