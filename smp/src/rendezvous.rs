//! The rendezvous: all CPUs stop, some of them do their work while no other runs, and all go on.
//!
//! One CPU calls the others, each by an interrupt. They arrive in its handler and halt there; when
//! all are there, those that have work do it, and when the last of them is done all go on. Nobody
//! waits without an end: the caller has deadlines, at which it ends the rendezvous in whatever stage
//! it is. Ended before all have come, nobody works, and whoever comes afterwards goes right on.
//!
//! ```text
//!              open               the last arrival            the last one is done
//!   OVER(g-1) ──────▶ GATHERING(g) ───────────────▶ WORKING(g) ──────────────▶ OVER(g)
//!                         │ end                         │ end                    ▲
//!                         └─────────────────────────────┴────────────────────────┘
//! ```
//!
//! The crate knows no interrupts. Whoever moves the rendezvous on ([`Stage`] tells it) wakes the
//! caller, and the caller the others; they halt, and look at the stage each time they wake.
//!
//! # Memory ordering
//!
//! The stage is one word: the generation, how many have yet to arrive, how many have yet to work.
//! Each change of it is one compare-and-swap with acquire-release ordering, and each look an acquire
//! load. So what a CPU did before it arrived is seen by all who work, and what these did by all who
//! see the end, the caller among them. A seat is written by the caller before it opens the
//! generation that stands there; a CPU reads it behind the look that showed that generation, so it
//! needs no ordering of its own. That a CPU has arrived is written before it is counted, and so read
//! rightly by a caller that saw it counted.

use crate::sync::{AtomicU64, Ordering};

/// The meeting point of all CPUs of a machine.
#[derive(Debug)]
pub struct Rendezvous(AtomicU64);

/// What one CPU has of it.
#[derive(Debug)]
pub struct Seat {
    /// The generation in which the CPU was called last, and whether it has work there.
    called: AtomicU64,
    /// The one in which it arrived last.
    arrived: AtomicU64,
}

/// One meeting, told from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(u32);

/// How far a meeting has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Not all have arrived.
    Gathering,
    /// All have, and some have work to do.
    Working,
    /// Nobody has to stand there any longer.
    Over,
}

/// What a CPU that has arrived finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The meeting.
    pub generation: Generation,
    /// Whether the CPU has work in it.
    pub has_work: bool,
    /// The stage that its arrival led to. If it is not [`Stage::Gathering`], the caller is to be woken.
    pub stage: Stage,
}

/// The word, taken apart.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Word {
    generation: Generation,
    missing: u16,
    at_work: u16,
}

impl Word {
    fn unpack(bits: u64) -> Self {
        Self {
            generation: Generation((bits >> 32) as u32),
            at_work: (bits >> 16) as u16,
            missing: bits as u16,
        }
    }

    fn pack(self) -> u64 {
        u64::from(self.generation.0) << 32 | u64::from(self.at_work) << 16 | u64::from(self.missing)
    }

    fn stage(self) -> Stage {
        if self.missing > 0 {
            Stage::Gathering
        } else if self.at_work > 0 {
            Stage::Working
        } else {
            Stage::Over
        }
    }

    /// The meeting with nobody left to come or to work.
    fn over(self) -> Self {
        Self {
            missing: 0,
            at_work: 0,
            ..self
        }
    }
}

impl Rendezvous {
    /// One at which nobody has met.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    // ---- the caller ----

    /// The meeting that [`open`](Self::open) would open: for the seats of those who are called.
    /// There is one caller at a time.
    pub fn next(&self) -> Generation {
        Generation(self.look().generation.0.wrapping_add(1))
    }

    /// Opens a meeting of so many CPUs, the caller not among them; so many of these have work. Their
    /// seats say that they are called; after this they are to be interrupted.
    pub fn open(&self, generation: Generation, cpus: u16, at_work: u16) {
        let word = Word {
            generation,
            missing: cpus,
            at_work,
        };
        // Nobody else changes the word of a meeting that is over.
        self.0.store(word.pack(), Ordering::Release);
    }

    /// Ends a meeting, and tells the stage that it was in: [`Stage::Gathering`] if nobody has worked
    /// and nobody will, [`Stage::Working`] if somebody may still be at it, [`Stage::Over`] if it had
    /// ended by itself. All who stand there are to be woken then.
    pub fn end(&self, generation: Generation) -> Stage {
        let was = self.change(|word| (word.generation == generation).then(|| word.over()));
        was.map_or(Stage::Over, |(was, _)| was.stage())
    }

    // ---- those who are called ----

    /// The CPU of this seat comes, because it was interrupted. `None` if nobody waits for it: the
    /// meeting is over, or it was not called to this one, or it has come already. Otherwise it
    /// stands, until the stage is [`Stage::Over`].
    pub fn arrive(&self, seat: &Seat) -> Option<Arrival> {
        let generation = self.look().generation;
        let has_work = seat.called_to(generation)?;
        if !seat.mark(generation) {
            return None;
        }
        let counted = self.change(|word| {
            let is_awaited = word.generation == generation && word.missing > 0;
            is_awaited.then(|| Word {
                missing: word.missing - 1,
                ..word
            })
        });
        let Some((_, now)) = counted else {
            seat.unmark();
            return None;
        };
        Some(Arrival {
            generation,
            has_work,
            stage: now.stage(),
        })
    }

    /// How far a meeting has come.
    pub fn stage(&self, generation: Generation) -> Stage {
        let word = self.look();
        if word.generation == generation {
            word.stage()
        } else {
            Stage::Over
        }
    }

    /// A CPU has done its work, which it began when the stage was [`Stage::Working`]. If the stage is
    /// [`Stage::Over`] now, the caller is to be woken.
    pub fn done(&self, generation: Generation) -> Stage {
        let counted = self.change(|word| {
            let is_at_work = word.generation == generation && word.at_work > 0;
            is_at_work.then(|| Word {
                at_work: word.at_work - 1,
                ..word
            })
        });
        counted.map_or(Stage::Over, |(_, now)| now.stage())
    }

    fn look(&self) -> Word {
        Word::unpack(self.0.load(Ordering::Acquire))
    }

    /// Changes the word in one compare-and-swap to what `change` makes of it, if it makes something,
    /// and tells what it was and what it is. It is tried again at most once for each other CPU.
    fn change(&self, change: impl Fn(Word) -> Option<Word>) -> Option<(Word, Word)> {
        let mut now = self.look();
        loop {
            let next = change(now)?;
            match self.0.compare_exchange(
                now.pack(),
                next.pack(),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some((now, next)),
                Err(changed) => now = Word::unpack(changed),
            }
        }
    }
}

impl Default for Rendezvous {
    fn default() -> Self {
        Self(AtomicU64::new(0))
    }
}

impl Seat {
    const HAS_WORK: u64 = 1 << 32;
    /// No generation, as those have 32 bits.
    const NEVER: u64 = u64::MAX;

    /// That of a CPU that was never called.
    pub fn new() -> Self {
        Self {
            called: AtomicU64::new(Self::NEVER),
            arrived: AtomicU64::new(Self::NEVER),
        }
    }

    /// The caller: the CPU is called to this meeting, which is not open yet.
    pub fn call(&self, generation: Generation, has_work: bool) {
        let work = if has_work { Self::HAS_WORK } else { 0 };
        let called = u64::from(generation.0) | work;
        self.called.store(called, Ordering::Relaxed);
    }

    /// The caller: whether the CPU has come to this meeting. Asked once it was ended before all had
    /// come, one that is about to find that out may still say so: it came, but too late to be
    /// counted.
    pub fn has_arrived(&self, generation: Generation) -> bool {
        self.arrived.load(Ordering::Relaxed) == u64::from(generation.0)
    }

    /// Whether the CPU has work in a meeting; `None` if it is not called to it.
    fn called_to(&self, generation: Generation) -> Option<bool> {
        let called = self.called.load(Ordering::Relaxed);
        let has_work = called & Self::HAS_WORK != 0;
        (called & !Self::HAS_WORK == u64::from(generation.0)).then_some(has_work)
    }

    /// The CPU arrives; `false` if it has already.
    fn mark(&self, generation: Generation) -> bool {
        let generation = u64::from(generation.0);
        self.arrived.swap(generation, Ordering::Relaxed) != generation
    }

    /// It was too late.
    fn unmark(&self) {
        self.arrived.store(Self::NEVER, Ordering::Relaxed);
    }
}

impl Default for Seat {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// A meeting to which the first `called` of these seats are called; the first has work.
    fn meeting(called: usize) -> (Rendezvous, [Seat; 3], Generation) {
        let (rendezvous, seats) = (Rendezvous::new(), [(); 3].map(|()| Seat::new()));
        let generation = rendezvous.next();
        for (index, seat) in seats[..called].iter().enumerate() {
            seat.call(generation, index == 0);
        }
        rendezvous.open(generation, called as u16, 1);
        (rendezvous, seats, generation)
    }

    #[test]
    fn work_begins_when_all_have_come_and_ends_when_it_is_done() {
        let (rendezvous, seats, generation) = meeting(3);
        let stages: Vec<_> = seats
            .iter()
            .map(|seat| rendezvous.arrive(seat).unwrap())
            .map(|arrival| (arrival.has_work, arrival.stage))
            .collect();
        let expected = [
            (true, Stage::Gathering),
            (false, Stage::Gathering),
            (false, Stage::Working),
        ];
        assert_eq!(stages, expected);
        assert_eq!(rendezvous.stage(generation), Stage::Working);
        assert_eq!(rendezvous.done(generation), Stage::Over);
        assert_eq!(rendezvous.end(generation), Stage::Over);
    }

    #[test]
    fn whoever_comes_twice_or_was_not_called_is_not_counted() {
        let (rendezvous, seats, generation) = meeting(2);
        assert!(rendezvous.arrive(&seats[0]).is_some());
        assert_eq!(rendezvous.arrive(&seats[0]), None);
        assert_eq!(rendezvous.arrive(&seats[2]), None);
        assert_eq!(rendezvous.stage(generation), Stage::Gathering);
    }

    #[test]
    fn once_it_was_ended_nobody_works_and_whoever_comes_goes_right_on() {
        let (rendezvous, seats, generation) = meeting(3);
        rendezvous.arrive(&seats[0]).unwrap();
        rendezvous.arrive(&seats[2]).unwrap();
        assert_eq!(rendezvous.end(generation), Stage::Gathering);
        assert_eq!(rendezvous.stage(generation), Stage::Over);
        let came = seats.each_ref().map(|seat| seat.has_arrived(generation));
        assert_eq!(came, [true, false, true]);
        assert_eq!(rendezvous.arrive(&seats[1]), None);
        assert!(!seats[1].has_arrived(generation));
    }

    #[test]
    fn a_cpu_that_comes_late_from_one_meeting_does_not_count_in_the_next() {
        let (rendezvous, seats, first) = meeting(3);
        rendezvous.end(first);
        let second = rendezvous.next();
        assert_ne!(first, second);
        seats[0].call(second, true);
        rendezvous.open(second, 1, 1);
        assert_eq!(rendezvous.arrive(&seats[1]), None);
        assert_eq!(rendezvous.stage(second), Stage::Gathering);
        assert_eq!(rendezvous.stage(first), Stage::Over);
        let arrival = rendezvous.arrive(&seats[0]).unwrap();
        assert_eq!(
            (arrival.generation, arrival.stage),
            (second, Stage::Working)
        );
    }

    #[test]
    fn work_that_is_ended_half_way_is_told_and_its_end_changes_nothing() {
        let (rendezvous, seats, generation) = meeting(1);
        rendezvous.arrive(&seats[0]).unwrap();
        assert_eq!(rendezvous.end(generation), Stage::Working);
        let next = rendezvous.next();
        rendezvous.open(next, 1, 1);
        assert_eq!(rendezvous.done(generation), Stage::Over);
        assert_eq!(rendezvous.stage(next), Stage::Gathering);
    }

    #[test]
    fn a_meeting_without_work_is_over_when_all_have_come() {
        let (rendezvous, seat) = (Rendezvous::new(), Seat::new());
        let generation = rendezvous.next();
        seat.call(generation, false);
        rendezvous.open(generation, 1, 0);
        assert_eq!(rendezvous.arrive(&seat).unwrap().stage, Stage::Over);
    }
}
