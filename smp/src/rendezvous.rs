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
//! Any CPU may call. Whoever wants to takes the [`Turn`]; one that finds it taken halts with interrupts
//! on, comes to the other's meeting as everybody, and looks again behind it. So of any number of callers
//! one goes on, and none keeps another from coming.
//!
//! Called is who is **present**: who has come in by [`come_in`](Rendezvous::come_in) and has not left by
//! [`go_out`](Rendezvous::go_out). CPUs do both as they like, on their way up and down. One that does so
//! while a meeting is on stands until that is over, whether it is called or not.
//!
//! The crate knows no interrupts. Whoever moves the rendezvous on ([`Stage`] tells it) wakes the
//! caller, and the caller the others; they halt, and look at the stage each time they wake.
//!
//! # Memory ordering
//!
//! The stage is one word: the generation, how many have yet to arrive, how many have yet to work.
//! Each change of it is one compare-and-swap with acquire-release ordering, and each look an acquire
//! load. So what a CPU did before it arrived is seen by all who work, and what these did by all who
//! see the end, the caller among them. A seat is written by the caller before it counts those whom it
//! calls; a CPU that was interrupted reads it behind the look that showed that count, so it
//! needs no ordering of its own. That a CPU has arrived is written before it is counted, and so read
//! rightly by a caller that saw it counted.
//!
//! A caller that opens a meeting and a CPU that comes in or goes out must not miss each other. Each first
//! says what it does and then looks at the other, with a sequentially consistent fence between: the caller
//! at who is present, the CPU at the stage. So either the caller calls it, or the CPU finds the meeting
//! on and stands. In the same way the caller ends the meeting, gives the turn back, and then looks whom it
//! has to wake; and a CPU comes in and then looks whether it has to halt, be it for the meeting or for the
//! turn. That a CPU has gone out is released and acquired by these words too: what it did before is seen by
//! who works without it.
//!
//! The turn is taken and given back by read-modify-writes, acquire and release: the next caller sees what
//! the last one did.

mod seat;
mod work;

pub use self::seat::{Part, Seat};

use crate::{
    cpu::CpuIndex,
    sync::{AtomicU32, AtomicU64, Ordering, fence},
};

/// The meeting point of all CPUs of a machine.
#[derive(Debug)]
pub struct Rendezvous {
    meeting: AtomicU64,
    /// The number of the CPU that has the turn; [`NOBODY`] while none has.
    caller: AtomicU32,
    work: work::Words,
}

/// No CPU has this number.
const NOBODY: u32 = u32::MAX;

/// That this CPU is the one that calls. Given back when it is dropped; behind that all who are present are
/// to be woken, for some may wait for it.
#[derive(Debug)]
pub struct Turn<'a>(&'a Rendezvous);

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
    /// Added to those who are missing until it is known how many are called.
    const UNCOUNTED: u16 = 1 << 15;

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

impl Turn<'_> {
    /// Says what those do that have work, before the meeting is opened: in two words that are theirs to
    /// read ([`Rendezvous::work`]).
    pub fn set_work(&self, work: [u64; 2]) {
        self.0.work.write(work);
    }

    /// Opens a meeting. Behind this the caller looks who is present, calls each by its seat, and then
    /// [gathers](Self::gather) them.
    pub fn open(&self) -> Generation {
        let generation = Generation(self.0.look().generation.0.wrapping_add(1));
        let word = Word {
            generation,
            missing: Word::UNCOUNTED,
            at_work: 0,
        };
        // Nobody else changes the word of a meeting that is over.
        self.0.meeting.swap(word.pack(), Ordering::AcqRel);
        fence(Ordering::SeqCst);
        generation
    }

    /// So many were called, the caller not among them, and so many of these have work. They are to be
    /// interrupted behind this. The stage is another than [`Stage::Gathering`] if all have come, as
    /// there is nobody else, or as they were about to leave and saw that they are called.
    ///
    /// # Panics
    ///
    /// For more than 32767 CPUs.
    pub fn gather(&self, generation: Generation, cpus: u16, at_work: u16) -> Stage {
        assert!(cpus < Word::UNCOUNTED, "too many CPUs for a meeting");
        let counted = self.0.change(|word| {
            (word.generation == generation).then(|| Word {
                missing: word.missing + cpus - Word::UNCOUNTED,
                at_work,
                ..word
            })
        });
        counted.map_or(Stage::Over, |(_, now)| now.stage())
    }

    /// Ends a meeting, and tells the stage that it was in: [`Stage::Gathering`] if nobody has worked
    /// and nobody will, [`Stage::Working`] if somebody may still be at it, [`Stage::Over`] if it had
    /// ended by itself. Then the turn is to be given back, and all who are present to be woken.
    pub fn end(&self, generation: Generation) -> Stage {
        let was = self
            .0
            .change(|word| (word.generation == generation).then(|| word.over()));
        was.map_or(Stage::Over, |(was, _)| was.stage())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.caller.swap(NOBODY, Ordering::AcqRel);
        fence(Ordering::SeqCst);
    }
}

impl Rendezvous {
    /// One at which nobody has met.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self {
            meeting: AtomicU64::new(0),
            caller: AtomicU32::new(NOBODY),
            work: work::Words::new(),
        }
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self {
            meeting: AtomicU64::new(0),
            caller: AtomicU32::new(NOBODY),
            work: work::Words::new(),
        }
    }

    // ---- the caller ----

    /// Makes `cpu` the one that calls.
    ///
    /// # Errors
    ///
    /// The CPU that has the turn. When that gives it back it wakes all who are present.
    pub fn take_turn(&self, cpu: CpuIndex) -> Result<Turn<'_>, CpuIndex> {
        self.caller
            .compare_exchange(NOBODY, cpu.0, Ordering::Acquire, Ordering::Relaxed)
            .map(|_| Turn(self))
            .map_err(CpuIndex)
    }

    /// The CPU that has the turn: for those whom it has called.
    pub fn caller(&self) -> Option<CpuIndex> {
        match self.caller.load(Ordering::Relaxed) {
            NOBODY => None,
            cpu => Some(CpuIndex(cpu)),
        }
    }

    // ---- those who are called ----

    /// The CPU of this seat comes, because it was interrupted. `None` if nobody waits for it: the
    /// meeting is over, or it was not called to this one, or it has come already. Otherwise it
    /// stands, until the stage is [`Stage::Over`]. If the caller asks all to `prepare`, the CPU does
    /// that before it is counted.
    pub fn arrive(&self, seat: &Seat, prepare: impl FnOnce()) -> Option<Arrival> {
        let Word {
            generation,
            missing,
            ..
        } = self.look();
        let part = seat.called_to(generation)?;
        if missing == 0 {
            return None;
        }
        if part.prepares {
            prepare();
        }
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
            has_work: part.works,
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

    /// What the caller of a meeting has said that is to be done, for a CPU that has work in it and has seen
    /// [`Stage::Working`]. `None` if the meeting has been ended meanwhile. It may also end behind this, with
    /// the CPU at work.
    pub fn work(&self, generation: Generation) -> Option<[u64; 2]> {
        let work = self.work.read();
        // Behind that: what was read of a later meeting's shows that this one is over (`work.rs`).
        (self.stage(generation) == Stage::Working).then_some(work)
    }

    /// The CPU of this seat has done its work, which it began when the stage was [`Stage::Working`]. If
    /// the stage is [`Stage::Over`] now, the caller is to be woken.
    pub fn done(&self, seat: &Seat, generation: Generation) -> Stage {
        seat.finish(generation);
        let counted = self.change(|word| {
            let is_at_work = word.generation == generation && word.at_work > 0;
            is_at_work.then(|| Word {
                at_work: word.at_work - 1,
                ..word
            })
        });
        counted.map_or(Stage::Over, |(_, now)| now.stage())
    }

    // ---- those who come and go ----

    /// The CPU of this seat takes interrupts from now on, and is present. If a meeting is on, `stand` is
    /// called, which is to halt until that is over; if the CPU is called to it, the interrupt comes then.
    pub fn come_in(&self, seat: &Seat, stand: impl FnOnce(Generation)) {
        seat.come();
        if let Some(generation) = self.in_progress() {
            stand(generation);
        }
    }

    /// The CPU of this seat is about to take no interrupts any more, and is not present behind this. For
    /// each meeting that is on as it wants to leave `stand` is called, as in [`come_in`](Self::come_in).
    pub fn go_out(&self, seat: &Seat, stand: impl Fn(Generation)) {
        loop {
            seat.go();
            let Some(generation) = self.in_progress() else {
                return;
            };
            // The caller may have seen it present. It has to stand, and to be woken.
            seat.come();
            stand(generation);
        }
    }

    fn in_progress(&self) -> Option<Generation> {
        let word = self.look();
        (word.stage() != Stage::Over).then_some(word.generation)
    }

    fn look(&self) -> Word {
        Word::unpack(self.meeting.load(Ordering::Acquire))
    }

    /// Changes the word in one compare-and-swap to what `change` makes of it, if it makes something,
    /// and tells what it was and what it is. It is tried again at most once for each other CPU.
    fn change(&self, change: impl Fn(Word) -> Option<Word>) -> Option<(Word, Word)> {
        let mut now = self.look();
        loop {
            let next = change(now)?;
            match self.meeting.compare_exchange(
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
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::vec::Vec;
    use core::cell::Cell;

    use super::*;

    const CALLER: CpuIndex = CpuIndex(9);

    const WORKS: Part = Part {
        prepares: false,
        works: true,
    };

    const STANDS: Part = Part {
        prepares: false,
        works: false,
    };

    fn seats() -> [Seat; 3] {
        [(); 3].map(|()| Seat::new())
    }

    /// Calls these seats to a meeting; the first has work.
    fn call(turn: &Turn<'_>, seats: &[Seat]) -> Generation {
        let generation = turn.open();
        for (index, seat) in seats.iter().enumerate() {
            seat.call(generation, if index == 0 { WORKS } else { STANDS });
        }
        turn.gather(generation, seats.len() as u16, 1);
        generation
    }

    #[test]
    fn work_begins_when_all_have_come_and_ends_when_it_is_done() {
        let (rendezvous, seats) = (Rendezvous::new(), seats());
        let turn = rendezvous.take_turn(CALLER).unwrap();
        let generation = call(&turn, &seats);
        let stages: Vec<_> = seats
            .iter()
            .map(|seat| rendezvous.arrive(seat, || ()).unwrap())
            .map(|arrival| (arrival.has_work, arrival.stage))
            .collect();
        let expected = [
            (true, Stage::Gathering),
            (false, Stage::Gathering),
            (false, Stage::Working),
        ];
        assert_eq!(stages, expected);
        assert_eq!(rendezvous.stage(generation), Stage::Working);
        assert!(!seats[0].has_finished(generation));
        assert_eq!(rendezvous.done(&seats[0], generation), Stage::Over);
        assert!(seats[0].has_finished(generation));
        assert_eq!(turn.end(generation), Stage::Over);
    }

    #[test]
    fn whoever_comes_twice_or_was_not_called_is_not_counted() {
        let (rendezvous, seats) = (Rendezvous::new(), seats());
        let turn = rendezvous.take_turn(CALLER).unwrap();
        let generation = call(&turn, &seats[..2]);
        assert!(rendezvous.arrive(&seats[0], || ()).is_some());
        assert_eq!(rendezvous.arrive(&seats[0], || ()), None);
        assert_eq!(rendezvous.arrive(&seats[2], || ()), None);
        assert_eq!(rendezvous.stage(generation), Stage::Gathering);
    }

    #[test]
    fn once_it_was_ended_nobody_works_and_whoever_comes_goes_right_on() {
        let (rendezvous, seats) = (Rendezvous::new(), seats());
        let turn = rendezvous.take_turn(CALLER).unwrap();
        let generation = call(&turn, &seats);
        rendezvous.arrive(&seats[0], || ()).unwrap();
        rendezvous.arrive(&seats[2], || ()).unwrap();
        assert_eq!(turn.end(generation), Stage::Gathering);
        assert_eq!(rendezvous.stage(generation), Stage::Over);
        let came = seats.each_ref().map(|seat| seat.has_arrived(generation));
        assert_eq!(came, [true, false, true]);
        assert_eq!(rendezvous.arrive(&seats[1], || ()), None);
        assert!(!seats[1].has_arrived(generation));
    }

    #[test]
    fn a_cpu_that_comes_late_from_one_meeting_does_not_count_in_the_next() {
        let (rendezvous, seats) = (Rendezvous::new(), seats());
        let turn = rendezvous.take_turn(CALLER).unwrap();
        let first = call(&turn, &seats);
        turn.end(first);
        let second = call(&turn, &seats[..1]);
        assert_ne!(first, second);
        assert_eq!(rendezvous.arrive(&seats[1], || ()), None);
        assert_eq!(rendezvous.stage(second), Stage::Gathering);
        assert_eq!(rendezvous.stage(first), Stage::Over);
        let arrival = rendezvous.arrive(&seats[0], || ()).unwrap();
        assert_eq!(
            (arrival.generation, arrival.stage),
            (second, Stage::Working)
        );
    }

    #[test]
    fn work_that_is_ended_half_way_is_told_and_its_end_changes_nothing() {
        let (rendezvous, seats) = (Rendezvous::new(), seats());
        let turn = rendezvous.take_turn(CALLER).unwrap();
        let generation = call(&turn, &seats[..1]);
        rendezvous.arrive(&seats[0], || ()).unwrap();
        assert_eq!(turn.end(generation), Stage::Working);
        assert!(!seats[0].has_finished(generation));
        let next = call(&turn, &seats[1..2]);
        assert_eq!(rendezvous.done(&seats[0], generation), Stage::Over);
        assert_eq!(rendezvous.stage(next), Stage::Gathering);
    }

    #[test]
    fn a_meeting_without_work_is_over_when_all_have_come() {
        let (rendezvous, seat) = (Rendezvous::new(), Seat::new());
        let turn = rendezvous.take_turn(CALLER).unwrap();
        let generation = turn.open();
        seat.call(generation, STANDS);
        assert_eq!(turn.gather(generation, 1, 0), Stage::Gathering);
        let arrival = rendezvous.arrive(&seat, || ()).unwrap();
        assert_eq!(arrival.stage, Stage::Over);
    }

    #[test]
    fn a_meeting_to_which_nobody_is_called_has_all_it_waits_for() {
        let rendezvous = Rendezvous::new();
        let turn = rendezvous.take_turn(CALLER).unwrap();
        let generation = turn.open();
        assert_eq!(rendezvous.stage(generation), Stage::Gathering);
        assert_eq!(turn.gather(generation, 0, 0), Stage::Over);
    }

    #[test]
    fn whoever_looks_for_himself_before_all_are_counted_counts_too() {
        let (rendezvous, seats) = (Rendezvous::new(), seats());
        let turn = rendezvous.take_turn(CALLER).unwrap();
        let generation = turn.open();
        seats[0].call(generation, WORKS);
        let early = rendezvous.arrive(&seats[0], || ()).unwrap();
        assert_eq!(early.stage, Stage::Gathering);
        seats[1].call(generation, STANDS);
        assert_eq!(turn.gather(generation, 2, 1), Stage::Gathering);
        let last = rendezvous.arrive(&seats[1], || ()).unwrap();
        assert_eq!(last.stage, Stage::Working);
    }

    #[test]
    fn one_is_asked_to_prepare_before_it_is_counted_and_only_if_it_is_awaited() {
        let (rendezvous, seats) = (Rendezvous::new(), seats());
        let turn = rendezvous.take_turn(CALLER).unwrap();
        let generation = turn.open();
        let part = Part {
            prepares: true,
            works: false,
        };
        seats[0].call(generation, part);
        seats[1].call(generation, STANDS);
        turn.gather(generation, 2, 0);
        let prepared = Cell::new(0);
        let prepare = || {
            assert!(!seats[0].has_arrived(generation));
            prepared.set(prepared.get() + 1);
        };
        rendezvous.arrive(&seats[0], prepare).unwrap();
        rendezvous
            .arrive(&seats[1], || panic!("it is not asked to"))
            .unwrap();
        assert_eq!(prepared.get(), 1);
        turn.end(generation);
        rendezvous.arrive(&seats[0], || panic!("nobody waits"));
    }

    #[test]
    fn there_is_one_caller_and_the_next_one_hears_who_it_is() {
        let rendezvous = Rendezvous::new();
        assert_eq!(rendezvous.caller(), None);
        let turn = rendezvous.take_turn(CALLER).unwrap();
        assert_eq!(rendezvous.take_turn(CpuIndex(1)).unwrap_err(), CALLER);
        assert_eq!(rendezvous.caller(), Some(CALLER));
        drop(turn);
        assert!(rendezvous.take_turn(CpuIndex(1)).is_ok());
    }

    #[test]
    fn whoever_comes_or_goes_while_a_meeting_is_on_stands_until_it_is_over() {
        let (rendezvous, seat) = (Rendezvous::new(), Seat::new());
        assert!(!seat.is_present());
        rendezvous.come_in(&seat, |_| panic!("no meeting is on"));
        assert!(seat.is_present());

        let turn = rendezvous.take_turn(CALLER).unwrap();
        let generation = turn.open();
        let stood = Cell::new(0);
        let stand = |on| {
            assert_eq!(on, generation);
            assert!(seat.is_present(), "it would not be woken");
            stood.set(stood.get() + 1);
        };
        rendezvous.come_in(&seat, stand);
        rendezvous.go_out(&seat, |on| {
            stand(on);
            turn.end(generation);
        });
        assert_eq!(stood.get(), 2);
        assert!(!seat.is_present());
    }
}
