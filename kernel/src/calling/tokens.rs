//! The account of calls: each ran exactly once where it is said to have run, and never where it is
//! reported failed. It is counted where the call runs, and not concluded from what the caller hears.
//!
//! ```text
//!   the caller                              whoever runs the call, or drops it
//!   issue ─▶ Token ─── the call ─────────▶ run: one more
//!     the answer ◀──────────────────────── drop: gone
//!   settle: so many ran, and no more
//! ```
//!
//! **Token Invariant**: a token goes into one call and is dropped with it, so a place whose token
//! is gone and whose call is settled is free for the next one. One that is never gone was lost on its
//! way. Whoever runs a call of which the token is gone is a stray, and found by the token's number.
//!
//! # Memory ordering
//!
//! Relaxed: all changes of a place are read-modify-writes of one word, so none is missed, and nothing else
//! is told by it. That a run is seen by whoever hears of it is the queue's to see to, and the account adds
//! nothing to that: a queue that orders too little is found out as one whose calls did not run.
//!
//! Who finds no free place registers its waker and looks again; who makes one free changes the word and
//! wakes then. Both do a read-modify-write of the waker's own word, which acquires and releases: the later
//! of the two sees what the other did before, so a place is seen or its waiter is woken.

#![forbid(unsafe_code)]

use core::{
    fmt,
    future::poll_fn,
    mem,
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
    task::Poll,
};

use futures_util::task::AtomicWaker;
use reveille_smp::record::CallTotals;

use super::kind::Kind;

/// Callers on each CPU.
pub const CALLERS: usize = 2;

/// Calls of one caller whose tokens may be out at once: more than it makes at a time, as those of
/// callers that went down may be gone much later.
const PLACES: usize = 32;

/// The tokens of the callers on one CPU, and what came of them.
#[derive(Debug)]
pub struct Tokens {
    places: [Place; PLACES],
    counts: [Counts; Kind::NUMBER],
    /// What was found wrong first, or [`NOTHING`].
    wrong: AtomicU8,
    lost: AtomicU64,
    /// Each caller's, while it waits for a place.
    waiting: [AtomicWaker; CALLERS],
}

#[derive(Debug)]
struct Place {
    /// Number, flags, how many are to have run, how many ran.
    word: AtomicU64,
    /// The kind of the call: the callers of one CPU write and read it, by turns.
    kind: AtomicU8,
}

/// Read when nobody counts any more.
#[derive(Debug, Default)]
struct Counts {
    done: AtomicU64,
    failed: AtomicU64,
    unheard: AtomicU64,
}

/// One run, and the mask of all.
const RUN: u64 = 1;
const RUNS: u64 = 0xffff;
/// How many are to have run, behind `settle`.
const EXPECTED_SHIFT: u32 = 16;
const EXPECTED: u64 = 0xfff << EXPECTED_SHIFT;
/// The caller has gone without having heard.
const UNHEARD: u64 = 1 << 28;
/// The caller has said how many are to have run.
const SETTLED: u64 = 1 << 29;
/// The token was dropped.
const GONE: u64 = 1 << 30;
/// Somebody has the place.
const TAKEN: u64 = 1 << 31;
const NUMBER_SHIFT: u32 = 32;

/// What came of the calls of several callers. It takes no memory of the heap, so that it can be kept
/// while that is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Of each kind those that ran, that failed, and of which nobody heard.
    kinds: [[u64; 3]; Kind::NUMBER],
    /// Calls with which something is wrong.
    pub lost: u64,
}

impl Counted {
    /// For a record.
    pub fn totals(&self) -> CallTotals {
        let mut totals = CallTotals {
            lost: self.lost,
            ..CallTotals::default()
        };
        for (kind, [done, failed, unheard]) in Kind::ALL.iter().zip(self.kinds) {
            totals.add(kind.name(), done, failed, unheard);
        }
        totals
    }
}

/// A call's own, to be moved into what is called. It may go to any CPU.
#[derive(Debug)]
pub struct Token {
    tokens: &'static Tokens,
    place: usize,
    number: u32,
}

/// The caller's half of a token.
///
/// # Cancellation
///
/// A receipt that is dropped says that nobody heard of the call: it may have run, or may still do so,
/// once for each CPU that was called.
#[derive(Debug)]
pub struct Receipt {
    tokens: &'static Tokens,
    place: usize,
    called: u32,
}

/// What is wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Wrong {
    /// It is said to have run, and has not.
    NeverRan = 1,
    /// It ran more often than once.
    RanTwice = 2,
    /// It is reported failed, and ran.
    RanThoughFailed = 3,
    /// It ran when its account was closed.
    Stray = 4,
    /// It was neither run nor dropped, in the end.
    Lost = 5,
}

const NOTHING: u8 = 0;

impl Default for Tokens {
    fn default() -> Self {
        Self::new()
    }
}

impl Tokens {
    /// All places free, nothing counted.
    pub fn new() -> Self {
        Self {
            places: core::array::from_fn(|_| Place {
                word: AtomicU64::new(0),
                kind: AtomicU8::new(0),
            }),
            counts: Default::default(),
            wrong: AtomicU8::new(NOTHING),
            lost: AtomicU64::new(0),
            waiting: [const { AtomicWaker::new() }; CALLERS],
        }
    }

    /// A token for a call of this kind to so many CPUs; `None` while all places are taken. To be
    /// called on the CPU whose tokens these are.
    pub fn issue(&'static self, kind: Kind, called: u32) -> Option<(Token, Receipt)> {
        let (at, word) = self.first_free()?;
        let number = ((word >> NUMBER_SHIFT) as u32).wrapping_add(1);
        let place = &self.places[at];
        // Nobody changes a free place but a stray, which is found here or by its number.
        let fresh = u64::from(number) << NUMBER_SHIFT | TAKEN;
        self.close(at, place.word.swap(fresh, Ordering::Relaxed));
        place.kind.store(kind as u8, Ordering::Relaxed);
        let token = Token {
            tokens: self,
            place: at,
            number,
        };
        let receipt = Receipt {
            tokens: self,
            place: at,
            called,
        };
        Some((token, receipt))
    }

    fn first_free(&self) -> Option<(usize, u64)> {
        let mut places = self.places.iter().enumerate();
        places.find_map(|(at, place)| {
            let word = place.word.load(Ordering::Relaxed);
            is_free(word).then_some((at, word))
        })
    }

    /// Waits until a place is free or `is_over`, of which [`wake`](Self::wake) tells. To be called by the
    /// caller of this number, from 0.
    ///
    /// # Cancellation
    ///
    /// Nothing is taken. A waker that stays behind is called once more at the most.
    ///
    /// # Panics
    ///
    /// When there are not so many callers.
    pub async fn room(&self, caller: usize, is_over: impl Fn() -> bool) {
        poll_fn(|context| {
            self.waiting[caller].register(context.waker());
            match self.first_free().is_some() || is_over() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Waits until the tokens of all calls are gone: one that was posted is under way until its CPU has run
    /// it. To be called once no caller calls, as it waits in the place of the first. It does not end if one was
    /// lost.
    ///
    /// # Cancellation
    ///
    /// As for [`room`](Self::room).
    pub async fn rest(&self) {
        poll_fn(|context| {
            self.waiting[0].register(context.waker());
            let is_free = |place: &Place| is_free(place.word.load(Ordering::Relaxed));
            match self.places.iter().all(is_free) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Lets whoever waits for a place look again. Neither locks nor allocates.
    pub fn wake(&self) {
        self.waiting.iter().for_each(AtomicWaker::wake);
    }

    /// Looks at all tokens once no call is under way and no caller calls: those that are not gone
    /// were lost.
    pub fn audit(&self) {
        for at in 0..PLACES {
            let word = self.places[at].word.swap(0, Ordering::Relaxed);
            match word {
                _ if is_free(word) => self.close(at, word),
                _ => self.is_wrong(Wrong::Lost),
            }
        }
    }

    /// The first thing that was found wrong.
    pub fn wrong(&self) -> Option<Wrong> {
        Wrong::of(self.wrong.load(Ordering::Relaxed))
    }

    /// Adds what was counted, and begins anew.
    pub fn take_counts(&self, counted: &mut Counted) {
        for (counts, of_kind) in self.counts.iter().zip(&mut counted.kinds) {
            let counts = [&counts.done, &counts.failed, &counts.unheard];
            for (count, sum) in counts.into_iter().zip(of_kind) {
                *sum += count.swap(0, Ordering::Relaxed);
            }
        }
        counted.lost += self.lost.swap(0, Ordering::Relaxed);
        self.wrong.store(NOTHING, Ordering::Relaxed);
    }

    /// The last look at a place before it is used again: nothing may have changed since it was settled.
    fn close(&self, at: usize, word: u64) {
        if word & TAKEN == 0 {
            return;
        }
        let (runs, expected) = (word & RUNS, (word & EXPECTED) >> EXPECTED_SHIFT);
        if word & UNHEARD == 0 {
            return self.compare(runs, expected);
        }
        // Here it is the most that may have run.
        if runs > expected {
            self.is_wrong(Wrong::RanTwice);
        }
        self.count_of(at)
            .unheard
            .fetch_add(expected, Ordering::Relaxed);
    }

    fn compare(&self, runs: u64, expected: u64) {
        match runs {
            _ if runs == expected => {}
            _ if runs < expected => self.is_wrong(Wrong::NeverRan),
            _ if expected == 0 => self.is_wrong(Wrong::RanThoughFailed),
            _ => self.is_wrong(Wrong::RanTwice),
        }
    }

    fn is_wrong(&self, wrong: Wrong) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        let (new, now) = (wrong as u8, Ordering::Relaxed);
        // Only the first counts: the others may follow from it.
        let _ = self.wrong.compare_exchange(NOTHING, new, now, now);
    }

    fn count_of(&self, at: usize) -> &Counts {
        &self.counts[usize::from(self.places[at].kind.load(Ordering::Relaxed)) % Kind::NUMBER]
    }
}

/// Nobody has the place, or its token is gone and its call settled.
fn is_free(word: u64) -> bool {
    word & TAKEN == 0 || word & GONE != 0 && word & SETTLED != 0
}

impl Token {
    /// Says that the call runs.
    pub fn run(&self) {
        let word = &self.tokens.places[self.place].word;
        let one_more = |word: u64| {
            let is_mine = (word >> NUMBER_SHIFT) as u32 == self.number && word & TAKEN != 0;
            (is_mine && word & RUNS < RUNS).then_some(word + RUN)
        };
        let ran = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        if ran.is_err() {
            self.tokens.is_wrong(Wrong::Stray);
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let word = &self.tokens.places[self.place].word;
        let gone = |word: u64| {
            let is_mine = (word >> NUMBER_SHIFT) as u32 == self.number;
            is_mine.then_some(word | GONE)
        };
        let before = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, gone);
        if before.is_ok_and(|before| before & SETTLED != 0) {
            self.tokens.wake();
        }
    }
}

impl Receipt {
    /// The caller has heard of the call from all CPUs that were called: on so many it ran, on the
    /// others it failed.
    pub fn settle(self, done: u32) {
        let tokens = self.tokens;
        let runs = self.settle_later(done);
        // Else it is found when the place is used again.
        if runs > u64::from(done) || done > 0 {
            tokens.compare(runs, done.into());
        }
    }

    /// The caller has heard that on so many CPUs the call will run, or has. Tells how often it has.
    pub fn settle_later(self, done: u32) -> u64 {
        let counts = self.tokens.count_of(self.place);
        counts.done.fetch_add(done.into(), Ordering::Relaxed);
        let failed = self.called - done.min(self.called);
        counts.failed.fetch_add(failed.into(), Ordering::Relaxed);
        let runs = self.conclude(done, SETTLED);
        mem::forget(self);
        runs
    }

    /// Says how many are to have run, and tells how many did.
    fn conclude(&self, expected: u32, how: u64) -> u64 {
        let expected = u64::from(expected) << EXPECTED_SHIFT & EXPECTED;
        let word = &self.tokens.places[self.place].word;
        let before = word.fetch_or(expected | how, Ordering::Relaxed);
        if before & GONE != 0 {
            self.tokens.wake();
        }
        before & RUNS
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.conclude(self.called, SETTLED | UNHEARD);
    }
}

impl Wrong {
    const ALL: [Self; 5] = [
        Self::NeverRan,
        Self::RanTwice,
        Self::RanThoughFailed,
        Self::Stray,
        Self::Lost,
    ];

    fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|&it| it as u8 == number)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeverRan => "a call is said to have run and did not",
            Self::RanTwice => "a call ran more often than once",
            Self::RanThoughFailed => "a call is reported failed and ran",
            Self::Stray => "a call ran when its account was closed",
            Self::Lost => "a call was neither run nor reported failed",
        })
    }
}

impl core::error::Error for Wrong {}

#[cfg(test)]
mod tests {
    use core::{
        pin::pin,
        sync::atomic::AtomicBool,
        task::{Context, Waker},
    };
    use std::{boxed::Box, sync::Arc, task::Wake};

    use super::*;

    fn tokens() -> &'static Tokens {
        Box::leak(Box::new(Tokens::new()))
    }

    fn issue(tokens: &'static Tokens, called: u32) -> (Token, Receipt) {
        tokens
            .issue(Kind::Awaited, called)
            .expect("a place is free")
    }

    /// Done, failed, unheard, lost.
    fn totals(tokens: &'static Tokens) -> [u64; 4] {
        tokens.audit();
        let mut counted = Counted::default();
        tokens.take_counts(&mut counted);
        let totals = counted.totals();
        [totals.done, totals.failed, totals.unheard, totals.lost]
    }

    #[test]
    fn calls_that_ran_once_and_calls_that_failed_are_in_order() {
        let tokens = tokens();
        for _ in 0..3 * PLACES {
            let (token, receipt) = issue(tokens, 1);
            token.run();
            drop(token);
            receipt.settle(1);
            let (token, receipt) = issue(tokens, 1);
            receipt.settle(0);
            drop(token);
            let (token, receipt) = issue(tokens, 3);
            token.run();
            token.run();
            receipt.settle(2);
            drop(token);
            let (token, receipt) = issue(tokens, 1);
            receipt.settle_later(1);
            token.run();
        }
        let rounds = 3 * PLACES as u64;
        assert_eq!(totals(tokens), [4 * rounds, 2 * rounds, 0, 0]);
        assert_eq!(tokens.wrong(), None);
    }

    #[test]
    fn whoever_does_not_hear_of_a_call_does_not_know_whether_it_ran() {
        let tokens = tokens();
        let (token, receipt) = issue(tokens, 1);
        drop(receipt);
        token.run();
        drop(token);
        let (token, receipt) = issue(tokens, 1);
        drop((token, receipt));
        assert_eq!(totals(tokens), [0, 0, 2, 0]);
    }

    /// What is found when this is done with a call of which so many CPUs are said to have run it.
    fn found(done: u32, what: impl FnOnce(&'static Tokens, &mut Option<Token>)) -> Option<Wrong> {
        let tokens = tokens();
        let (token, receipt) = issue(tokens, 1);
        let mut token = Some(token);
        what(tokens, &mut token);
        receipt.settle(done);
        drop(token);
        tokens.audit();
        tokens.wrong()
    }

    #[test]
    fn every_other_end_of_a_call_is_found_out() {
        let run = |times: u32| {
            move |_: &'static Tokens, token: &mut Option<Token>| {
                let token = token.as_ref().unwrap();
                (0..times).for_each(|_| token.run());
            }
        };
        assert_eq!(found(1, run(1)), None);
        assert_eq!(found(0, run(0)), None);
        assert_eq!(found(1, run(0)), Some(Wrong::NeverRan));
        assert_eq!(found(1, run(2)), Some(Wrong::RanTwice));
        assert_eq!(found(0, run(1)), Some(Wrong::RanThoughFailed));
        let forget = |_: &'static Tokens, token: &mut Option<Token>| {
            let token = token.take().unwrap();
            token.run();
            mem::forget(token);
        };
        assert_eq!(found(1, forget), Some(Wrong::Lost));
    }

    #[test]
    fn a_call_that_runs_behind_its_account_is_found_out_there_or_as_a_stray() {
        let tokens = tokens();
        let (token, receipt) = issue(tokens, 1);
        receipt.settle(0);
        token.run();
        drop(token);
        tokens.audit();
        assert_eq!(tokens.wrong(), Some(Wrong::RanThoughFailed));
        assert_eq!(totals(tokens)[3], 1);

        let (token, receipt) = issue(tokens, 1);
        let copy = Token {
            tokens: token.tokens,
            place: token.place,
            number: token.number,
        };
        token.run();
        drop(token);
        receipt.settle(1);
        let (token, receipt) = issue(tokens, 1);
        copy.run();
        drop(copy);
        assert_eq!(tokens.wrong(), Some(Wrong::Stray));
        receipt.settle(0);
        drop(token);
        assert_eq!(totals(tokens), [1, 1, 0, 1]);
    }

    #[test]
    fn a_place_is_not_given_again_before_its_token_is_gone_and_its_call_settled() {
        let tokens = tokens();
        let all: std::vec::Vec<_> = (0..PLACES).map(|_| issue(tokens, 1)).collect();
        assert!(tokens.issue(Kind::Posted, 1).is_none());
        let (held, receipts): (std::vec::Vec<_>, std::vec::Vec<_>) = all.into_iter().unzip();
        receipts.into_iter().for_each(|receipt| receipt.settle(0));
        assert!(tokens.issue(Kind::Posted, 1).is_none());
        drop(held);
        assert!(tokens.issue(Kind::Posted, 1).is_some());
    }

    #[test]
    fn who_waits_for_a_place_is_woken_by_whatever_makes_one_free_and_by_who_stops_it() {
        let tokens = tokens();
        let is_over = AtomicBool::new(false);
        // What is done while caller 1 waits in vain, and whether it need not wait any longer then.
        let waits = |what: &mut dyn FnMut()| {
            let woken = Arc::new(Woken::default());
            let waker = Waker::from(Arc::clone(&woken));
            let mut context = Context::from_waker(&waker);
            let mut room = pin!(tokens.room(1, || is_over.load(Ordering::Relaxed)));
            assert!(room.as_mut().poll(&mut context).is_pending());
            what();
            let is_woken = woken.0.load(Ordering::Relaxed);
            assert_eq!(is_woken, room.as_mut().poll(&mut context).is_ready());
            is_woken
        };
        let all: std::vec::Vec<_> = (0..PLACES).map(|_| issue(tokens, 1)).collect();
        let (held, mut receipts): (std::vec::Vec<_>, std::vec::Vec<_>) = all.into_iter().unzip();
        let mut held: std::vec::Vec<_> = held.into_iter().map(Some).collect();
        // Settled first, then gone; and the other way round; and nobody heard.
        let mut last = receipts.pop();
        assert!(!waits(&mut || last.take().unwrap().settle(0)));
        assert!(waits(&mut || drop(held.pop())));
        let again = issue(tokens, 1);
        let mut last = Some(again.0);
        assert!(!waits(&mut || drop(last.take())));
        let mut last = Some(again.1);
        assert!(waits(&mut || last.take().unwrap().settle(0)));
        let (_held, _receipt) = issue(tokens, 1);
        assert!(!waits(&mut || drop(held.pop())));
        assert!(waits(&mut || drop(receipts.pop())));
        let (_held, _receipt) = issue(tokens, 1);
        assert!(waits(&mut || {
            is_over.store(true, Ordering::Relaxed);
            tokens.wake();
        }));
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_waits_for_rest_is_woken_by_the_end_of_a_call_that_was_posted() {
        let tokens = tokens();
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        assert!(pin!(tokens.rest()).poll(&mut context).is_ready());
        let (token, receipt) = issue(tokens, 1);
        receipt.settle_later(1);
        let mut rest = pin!(tokens.rest());
        assert!(rest.as_mut().poll(&mut context).is_pending());
        token.run();
        assert!(!woken.0.load(Ordering::Relaxed));
        drop(token);
        assert!(woken.0.load(Ordering::Relaxed));
        assert!(rest.poll(&mut context).is_ready());
        tokens.audit();
        assert_eq!(tokens.wrong(), None);
    }
}
