//! Which places of a queue are taken, who waits for one, and whether the owner looks by itself: one word.
//!
//! ```text
//!   a place                                           its cell belongs to
//!     FREE ◀────────────────────┐                     nobody
//!      │ reserve (open?)        │ free
//!     TAKEN ────────────────────┤ closed meanwhile    the sender who took it
//!      │ fill (still open?)     │
//!     TAKEN | FULL ─────────────┘ emptied             the queue's owner
//!
//!   the owner             look                stop (no place is full)
//!     AWAY ─────────────────────────▶ LOOKS ───────────────────────▶ AWAY, one pass later
//!      │ fill, interrupt, rung(pass)    ▲
//!      └───▶ AWAY | RUNG ───────────────┘ look
//! ```
//!
//! **Elision Invariant**: a place that is full is looked at without anything that its sender has yet
//! to do, or its sender sends an interrupt. To fill a place and to learn which of the two it is are
//! one read-modify-write. The owner stops by another, which fails while a place is full. So one of
//! the two comes first in the word's own order: if it is the fill, the owner does not stop and finds
//! the place; if it is the stop, the sender finds the owner away. There is no third case, so no fence
//! is needed and no second look.
//!
//! A sender marks RUNG *behind* its interrupt, and others rely on that mark alone: one that is held
//! up between the two holds up nobody else. The mark is for one pass of the owner: the passes are
//! counted in the word, so a mark that comes late cannot silence the next. The count returns after
//! 2^28 passes; a sender would have to be held up for exactly that many, which are minutes of
//! nothing but interrupts, and [`CallQueue::remind`](super::CallQueue::remind) would mend it.
//!
//! # Memory ordering
//!
//! `reserve` acquires what `free` and `open` release: the cell is left as its former owner left it,
//! and a sender sees what the CPU did before it opened. `full` acquires what `fill` releases: the
//! call. Whoever takes WANTED back acquires what `want_room` releases: the waker of who
//! waits. All are read-modify-writes of one word but `full`, so what one releases reaches all behind
//! it, whoever comes in between.

use crate::sync::{AtomicU64, Ordering};

/// Places of a queue: so many calls may be on their way to one CPU at once. More than a CPU has
/// neighbours that are quick, few enough that a queue is a page's part and no more.
#[cfg(not(loom))]
pub(super) const PLACES: usize = 16;
/// As few as fill up in a model.
#[cfg(loom)]
pub(super) const PLACES: usize = 2;

/// The word.
#[derive(Debug)]
pub(super) struct Word(AtomicU64);

/// One bit a place from here on: somebody has it.
const TAKEN: u64 = 1;
/// One bit a place from here on: a call lies in it.
const FULL: u64 = 1 << PLACES;
/// Calls are taken.
const OPEN: u64 = 1 << (2 * PLACES);
/// The owner will look once more before it stops.
const LOOKS: u64 = OPEN << 1;
/// In this pass an interrupt has been sent to the owner.
const RUNG: u64 = OPEN << 2;
/// Somebody waits for a free place.
const WANTED: u64 = OPEN << 3;
/// One pass, in the number above the flags.
const ONE_PASS: u64 = OPEN << 4;

const ALL_TAKEN: u64 = FULL - TAKEN;
const ALL_FULL: u64 = ALL_TAKEN << PLACES;

/// Why no place was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    Closed,
    AllTaken,
}

/// What came of filling a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Filled {
    /// The owner looks by itself.
    Seen,
    /// The owner is away, and somebody has interrupted it.
    Rung,
    /// The sender is to interrupt the owner, and then to say so.
    Unseen(Pass),
    /// The queue has been closed meanwhile; the place is still the sender's.
    Closed,
}

/// From one stop of the owner to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pass(u64);

impl Pass {
    fn of(word: u64) -> Self {
        Self(word / ONE_PASS)
    }
}

/// Places, as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places(u64);

impl Places {
    fn full(word: u64) -> Self {
        Self((word & ALL_FULL) >> PLACES)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn len(self) -> u32 {
        self.0.count_ones()
    }
}

impl Iterator for Places {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let place = self.0.trailing_zeros() as usize;
        self.0 &= self.0.wrapping_sub(1);
        (place < PLACES).then_some(place)
    }
}

impl Word {
    /// All free, closed, and the owner away.
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    // ---- senders ----

    /// Takes a free place.
    pub(super) fn reserve(&self) -> Result<usize, NoPlace> {
        let lowest_free = |word: u64| (word & ALL_TAKEN).trailing_ones() as usize;
        let take = |word: u64| {
            let place = lowest_free(word);
            (word & OPEN != 0 && place < PLACES).then_some(word | TAKEN << place)
        };
        match self.change(Ordering::Acquire, take) {
            Ok(word) => Ok(lowest_free(word)),
            Err(word) if word & OPEN == 0 => Err(NoPlace::Closed),
            Err(_) => Err(NoPlace::AllTaken),
        }
    }

    /// Hands a place over to the owner, unless the queue has been closed meanwhile.
    pub(super) fn fill(&self, place: usize) -> Filled {
        let fill = |word: u64| (word & OPEN != 0).then_some(word | FULL << place);
        match self.change(Ordering::Release, fill) {
            Ok(word) if word & LOOKS != 0 => Filled::Seen,
            Ok(word) if word & RUNG != 0 => Filled::Rung,
            Ok(word) => Filled::Unseen(Pass::of(word)),
            Err(_) => Filled::Closed,
        }
    }

    /// Says that an interrupt has been sent to the owner in this pass, if it is not over.
    pub(super) fn rung(&self, pass: Pass) {
        let mark = |word| (Pass::of(word) == pass).then_some(word | RUNG);
        let _ = self.change(Ordering::Relaxed, mark);
    }

    /// Says that the caller waits for a place, and will look when it is woken: its waker is
    /// registered. `false` if there is one, and it is to look now, perhaps to see that the queue is
    /// closed: who closes it empties it too.
    pub(super) fn want_room(&self) -> bool {
        let want = |word: u64| (word & ALL_TAKEN == ALL_TAKEN).then_some(word | WANTED);
        self.change(Ordering::Release, want).is_ok()
    }

    /// Frees a place, by the sender that has it. `true` if those who wait for one are to be woken.
    #[must_use]
    pub(super) fn give_back(&self, place: usize) -> bool {
        let free = !(TAKEN << place | WANTED);
        self.0.fetch_and(free, Ordering::AcqRel) & WANTED != 0
    }

    // ---- the owner ----

    /// From now on no interrupt is needed.
    pub(super) fn look(&self) {
        self.0.fetch_or(LOOKS, Ordering::Relaxed);
    }

    /// The places that are full.
    pub(super) fn full(&self) -> Places {
        Places::full(self.0.load(Ordering::Acquire))
    }

    /// Frees a place that was full.
    pub(super) fn free(&self, place: usize) {
        self.0
            .fetch_and(!((TAKEN | FULL) << place), Ordering::Release);
    }

    /// Whether somebody waits for a place, and is to be woken now.
    #[must_use]
    pub(super) fn take_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed) & WANTED != 0
            && self.0.fetch_and(!WANTED, Ordering::Acquire) & WANTED != 0
    }

    /// From now on an interrupt is needed. Fails, and changes nothing, while a place is full.
    ///
    /// Who waits for a place goes on waiting: if there is none now, those who have them all will fill
    /// them or give them back.
    pub(super) fn stop(&self) -> Result<(), Places> {
        let stop = |word: u64| (word & ALL_FULL == 0).then_some(Self::away(word));
        let stopped = self.change(Ordering::Relaxed, stop);
        stopped.map(drop).map_err(|_| self.full())
    }

    /// Stops whatever lies there. `true` if something does, and the owner is to be interrupted.
    #[must_use]
    pub(super) fn break_off(&self) -> bool {
        let was = self.change(Ordering::Relaxed, |word| Some(Self::away(word)));
        !was.map_or(Places(0), Places::full).is_empty()
    }

    fn away(word: u64) -> u64 {
        (word & !(LOOKS | RUNG)).wrapping_add(ONE_PASS)
    }

    /// Takes calls from now on.
    pub(super) fn open(&self) {
        self.0.fetch_or(OPEN, Ordering::Release);
    }

    /// From now on no place is given, and none becomes full. Who waits for one is to be woken, as
    /// [`take_wanted`](Self::take_wanted) tells.
    pub(super) fn close(&self) {
        self.0.fetch_and(!OPEN, Ordering::Relaxed);
    }

    // ---- anybody ----

    /// Whether calls are taken, as a hint.
    pub(super) fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed) & OPEN != 0
    }

    /// Whether the owner looks, as a hint.
    pub(super) fn is_looking(&self) -> bool {
        self.0.load(Ordering::Relaxed) & LOOKS != 0
    }

    /// How many places are full.
    pub(super) fn waiting(&self) -> u32 {
        Places::full(self.0.load(Ordering::Relaxed)).len()
    }

    fn change(&self, ordering: Ordering, change: impl Fn(u64) -> Option<u64>) -> Result<u64, u64> {
        self.0.fetch_update(ordering, Ordering::Relaxed, change)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn open() -> Word {
        let word = Word::new();
        word.open();
        word
    }

    /// Fills the lowest free place.
    fn fill(word: &Word) -> Filled {
        word.fill(word.reserve().unwrap())
    }

    fn empty(word: &Word) {
        for place in word.full() {
            word.free(place);
        }
    }

    #[test]
    fn each_place_is_given_once_until_it_is_free_again() {
        let word = open();
        let given: Vec<_> = (0..PLACES).map(|_| word.reserve().unwrap()).collect();
        assert_eq!(given, (0..PLACES).collect::<Vec<_>>());
        assert_eq!(word.reserve(), Err(NoPlace::AllTaken));
        word.free(7);
        assert_eq!(word.reserve(), Ok(7));
        assert!(!word.give_back(3));
        assert_eq!(word.reserve(), Ok(3));
    }

    #[test]
    fn who_fills_a_place_interrupts_an_owner_who_is_away_once_in_each_pass() {
        let word = open();
        let Filled::Unseen(pass) = fill(&word) else {
            panic!("nobody looks");
        };
        // The interrupt may not have been sent.
        assert_eq!(fill(&word), Filled::Unseen(pass));
        word.rung(pass);
        assert_eq!(fill(&word), Filled::Rung);
        word.look();
        assert_eq!(word.full().len(), 3);
        empty(&word);
        assert_eq!(word.stop(), Ok(()));
        assert!(matches!(fill(&word), Filled::Unseen(next) if next != pass));
    }

    #[test]
    fn a_mark_that_comes_late_silences_nobody() {
        let word = open();
        let Filled::Unseen(pass) = fill(&word) else {
            panic!("nobody looks");
        };
        word.look();
        empty(&word);
        assert_eq!(word.stop(), Ok(()));
        word.rung(pass);
        assert!(matches!(fill(&word), Filled::Unseen(_)));
    }

    #[test]
    fn an_owner_who_looks_is_not_interrupted_and_does_not_stop_while_a_place_is_full() {
        let word = open();
        word.look();
        assert!(word.full().is_empty() && word.is_looking());
        assert_eq!(fill(&word), Filled::Seen);
        let full = word.stop().unwrap_err();
        assert_eq!(full.collect::<Vec<_>>(), [0]);
        word.free(0);
        assert_eq!(word.stop(), Ok(()));
        assert!(!word.is_looking());
    }

    #[test]
    fn an_owner_who_breaks_off_is_told_whether_something_lies_there() {
        let word = open();
        word.look();
        assert!(!word.break_off());
        assert!(!word.is_looking());
        word.look();
        assert_eq!(fill(&word), Filled::Seen);
        assert!(word.break_off());
        assert!(matches!(fill(&word), Filled::Unseen(_)));
    }

    #[test]
    fn who_waits_for_a_place_is_told_of_by_whoever_next_could_have_made_one() {
        let word = open();
        assert!(!word.want_room());
        let places: Vec<_> = (0..PLACES).map(|_| word.reserve().unwrap()).collect();
        assert!(word.want_room());
        assert!(word.give_back(places[0]));
        assert!(!word.give_back(places[1]));
        let _ = (word.reserve(), word.reserve());
        assert!(!word.take_wanted());
        assert!(word.want_room());
        assert!(word.take_wanted());
        assert!(!word.take_wanted());
        // Also when the owner has stopped in between.
        assert!(word.want_room());
        assert_eq!(word.stop(), Ok(()));
        assert!(word.take_wanted());
    }

    #[test]
    fn a_closed_queue_gives_no_place_and_fills_none_and_keeps_what_was_full() {
        let word = Word::new();
        assert_eq!(word.reserve(), Err(NoPlace::Closed));
        assert!(!word.want_room());
        word.open();
        let _ = fill(&word);
        let late = word.reserve().unwrap();
        word.close();
        assert_eq!(word.reserve(), Err(NoPlace::Closed));
        assert_eq!(word.fill(late), Filled::Closed);
        assert_eq!(word.full().collect::<Vec<_>>(), [0]);
        assert!(!word.give_back(late));
    }

    #[test]
    fn the_number_of_a_pass_overflows_into_nothing_else() {
        let word = open();
        word.0.fetch_or(!(ONE_PASS - 1), Ordering::Relaxed);
        let pass = || Pass::of(word.0.load(Ordering::Relaxed));
        assert_ne!(pass(), Pass(0));
        assert_eq!(word.stop(), Ok(()));
        assert_eq!((word.waiting(), pass()), (0, Pass(0)));
        assert_eq!(word.reserve(), Ok(0));
    }
}
