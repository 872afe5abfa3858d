//! Which places of an inbox are taken, and whether it takes more: one word.
//!
//! ```text
//!   a place                                           its cell belongs to
//!     FREE ◀────────────────────┐                     nobody
//!      │ reserve (open?)        │ free
//!     TAKEN ────────────────────┤ closed meanwhile    the sender who took it
//!      │ fill (still open?)     │
//!     TAKEN | FULL ─────────────┘ emptied             the inbox's own CPU
//!
//!   the inbox
//!     CLOSED ──open──▶ OPEN ──begin_to_close──▶ CLOSING ──conclude──▶ CLOSED
//!                       ◀─────────open──────────
//! ```
//!
//! **Cell Invariant**: a place's cell is touched by nobody but the one to whom it belongs. So no
//! cell needs a lock, and a sender that is held up half-way has its own place and is in nobody's
//! way.
//!
//! A place becomes FULL only while the inbox is open, and one read-modify-write says both. So
//! whoever has closed the inbox finds every place that will ever be FULL, and a sender who was
//! slower keeps its job and knows. There is no third case, and no second look is needed.
//!
//! # Memory ordering
//!
//! `reserve` acquires what `free` and `open` release: the cell is left as its former owner left it,
//! and a sender sees what the CPU did before it opened. `full` acquires what `fill` releases: the
//! job. All are read-modify-writes of one word but `full`, so what one releases reaches all behind
//! it, whoever comes in between. Only the inbox's own CPU opens and closes, and looks at what it
//! did itself; what it closes, it closes for those whose `fill` comes later in the word's own order.

use crate::sync::{AtomicU64, Ordering};

/// Places of an inbox. The CPU takes all jobs that lie there when it next looks, so this bounds how
/// many may come at once, and not how many may run.
pub(crate) const PLACES: usize = 16;

/// The word.
#[derive(Debug)]
pub(crate) struct Places(AtomicU64);

/// One bit a place from here on: somebody has it.
const TAKEN: u64 = 1;
/// One bit a place from here on: a job lies in it.
const FULL: u64 = 1 << PLACES;
/// Jobs are taken.
const OPEN: u64 = 1 << (2 * PLACES);
/// No more jobs are taken, and those that were are being ended.
const CLOSING: u64 = OPEN << 1;

const ALL_TAKEN: u64 = FULL - TAKEN;

/// Why no place was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Closed,
    Full,
}

impl Places {
    /// All free, and closed.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Sender: takes a free place.
    pub(crate) fn reserve(&self) -> Result<usize, Refused> {
        let lowest_free = |word: u64| (word & ALL_TAKEN).trailing_ones() as usize;
        let take = |word: u64| {
            let place = lowest_free(word);
            (word & OPEN != 0 && place < PLACES).then_some(word | TAKEN << place)
        };
        match self
            .0
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, take)
        {
            Ok(word) => Ok(lowest_free(word)),
            Err(word) if word & OPEN == 0 => Err(Refused::Closed),
            Err(_) => Err(Refused::Full),
        }
    }

    /// Sender: hands its place over to the inbox's CPU, unless the inbox has been closed meanwhile;
    /// `false` if so, and the place is still the sender's.
    #[must_use]
    pub(crate) fn fill(&self, place: usize) -> bool {
        let fill = |word: u64| (word & OPEN != 0).then_some(word | FULL << place);
        self.0
            .fetch_update(Ordering::Release, Ordering::Relaxed, fill)
            .is_ok()
    }

    /// Frees a place, by whom it belongs to.
    pub(crate) fn free(&self, place: usize) {
        self.0
            .fetch_and(!((TAKEN | FULL) << place), Ordering::Release);
    }

    /// Own CPU: the places in which a job lies.
    pub(crate) fn full(&self) -> impl Iterator<Item = usize> + use<> {
        let word = self.0.load(Ordering::Acquire);
        (0..PLACES).filter(move |place| word & FULL << place != 0)
    }

    /// Own CPU: opens, also an inbox that was about to be closed.
    pub(crate) fn open(&self) {
        self.be((OPEN, CLOSING), Ordering::Release);
    }

    /// Own CPU: from now on no place is given, and none becomes full. What is full is to be emptied
    /// before [`conclude`](Self::conclude).
    pub(crate) fn begin_to_close(&self) {
        if self.0.load(Ordering::Relaxed) & OPEN != 0 {
            self.be((CLOSING, OPEN), Ordering::Relaxed);
        }
    }

    /// Own CPU: whether it began to close and has not concluded.
    pub(crate) fn is_closing(&self) -> bool {
        self.0.load(Ordering::Relaxed) & CLOSING != 0
    }

    /// Own CPU: all that there was has ended.
    pub(crate) fn conclude(&self) {
        self.be((0, CLOSING), Ordering::Relaxed);
    }

    /// Sets the bits of the one, clears those of the other.
    fn be(&self, (set, clear): (u64, u64), ordering: Ordering) {
        let change = |word| Some(word & !clear | set);
        let _ = self.0.fetch_update(ordering, Ordering::Relaxed, change);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn each_place_is_given_once_until_it_is_free_again() {
        let places = Places::new();
        places.open();
        let given: Vec<_> = (0..PLACES).map(|_| places.reserve().unwrap()).collect();
        assert_eq!(given, (0..PLACES).collect::<Vec<_>>());
        assert_eq!(places.reserve(), Err(Refused::Full));
        places.free(7);
        assert_eq!(places.reserve(), Ok(7));
    }

    #[test]
    fn a_place_that_is_reserved_is_not_full_and_one_that_is_full_not_free() {
        let places = Places::new();
        places.open();
        let (first, second) = (places.reserve().unwrap(), places.reserve().unwrap());
        assert_eq!(places.full().count(), 0);
        assert!(places.fill(second));
        assert_eq!(places.full().collect::<Vec<_>>(), [second]);
        assert!(places.fill(first));
        assert_eq!(places.full().collect::<Vec<_>>(), [first, second]);
        places.free(first);
        assert_eq!(places.full().collect::<Vec<_>>(), [second]);
    }

    #[test]
    fn a_closed_inbox_gives_no_place_and_fills_none_and_keeps_what_was_full() {
        let places = Places::new();
        assert_eq!(places.reserve(), Err(Refused::Closed));
        places.open();
        let (full, late) = (places.reserve().unwrap(), places.reserve().unwrap());
        assert!(places.fill(full));
        places.begin_to_close();
        assert!(places.is_closing());
        assert_eq!(places.reserve(), Err(Refused::Closed));
        assert!(!places.fill(late));
        assert_eq!(places.full().collect::<Vec<_>>(), [full]);
        places.conclude();
        assert!(!places.is_closing());
        // Nothing was opened, so there is nothing to close.
        places.begin_to_close();
        assert!(!places.is_closing());
    }

    #[test]
    fn an_inbox_that_opens_while_it_closes_is_open() {
        let places = Places::new();
        places.open();
        places.begin_to_close();
        places.open();
        assert!(!places.is_closing());
        assert_eq!(places.reserve(), Ok(0));
        assert!(places.fill(0));
    }
}
