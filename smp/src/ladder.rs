//! The ladder: all steps of a kernel in their order, and the rungs between them.
//!
//! ```text
//!   offline │ prepare … │ kick │ starting … │ online … │ online
//!           └── whoever drives ─┘└───────── the AP ────────┘
//!                                          ALIVE          ONLINE
//! ```
//!
//! A CPU is on rung n when it has passed the first n steps. It can be driven to any rung on which it
//! can be woken again. The kick stands among the steps: to pass it is to be started, by INIT and SIPI
//! or by a mailbox, and to arrive in Rust, to undo it is to park.

use core::{fmt, time::Duration};

use alloc::vec::Vec;

use crate::step::{Direction, Mode, Run, Section, Site, Step};

/// How many steps a CPU has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rung(pub u16);

impl Rung {
    /// The lowest rung: nothing has been done for the CPU.
    pub const OFFLINE: Self = Self(0);

    /// The step that leads from here in a direction, by its place in the ladder.
    pub(crate) fn step_towards(self, direction: Direction) -> usize {
        match direction {
            Direction::Up => usize::from(self.0),
            Direction::Down => usize::from(self.0) - 1,
        }
    }

    /// The next rung in a direction.
    pub(crate) fn next(self, direction: Direction) -> Self {
        match direction {
            Direction::Up => Self(self.0 + 1),
            Direction::Down => Self(self.0 - 1),
        }
    }

    /// The way to another rung; `None` when this is it.
    pub(crate) fn direction_to(self, to: Self) -> Option<Direction> {
        match self.cmp(&to) {
            core::cmp::Ordering::Less => Some(Direction::Up),
            core::cmp::Ordering::Equal => None,
            core::cmp::Ordering::Greater => Some(Direction::Down),
        }
    }
}

/// The steps of a kernel in their order.
pub struct Ladder {
    steps: Vec<&'static dyn Step>,
    prepared: Rung,
    started: Rung,
    primaries: Option<Rung>,
}

/// The step from the CPU that drives to the AP. What it does is the driver's to do.
struct Kick {
    /// Whether an AP can be woken as soon as it is in Rust.
    can_rest: bool,
}

/// Its name.
const KICK: &str = "kick";

impl Step for Kick {
    fn name(&self) -> &'static str {
        KICK
    }

    fn section(&self) -> Section {
        Section::Starting
    }

    fn rank(&self) -> u16 {
        0
    }

    fn can_rest(&self) -> bool {
        self.can_rest
    }

    fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        Run::Now(Ok(()))
    }
}

static KICK_AND_REST: Kick = Kick { can_rest: true };
static KICK_ONLY: Kick = Kick { can_rest: false };

/// The name of the lowest rung.
const OFFLINE: &str = "offline";
/// The other name of the highest one.
const ONLINE: &str = "online";

impl Ladder {
    /// As many steps as the words between the BSP and an AP have room for.
    pub const MAX_STEPS: usize = (1 << 10) - 1;

    /// A ladder of these steps, which are sorted by section, rank and name.
    ///
    /// # Errors
    ///
    /// [`LadderError`] when the steps do not make a ladder.
    pub fn new(steps: impl IntoIterator<Item = &'static dyn Step>) -> Result<Self, LadderError> {
        let mut steps: Vec<_> = steps.into_iter().collect();
        steps.sort_by_key(|step| (step.section(), step.rank(), step.name()));
        if steps.len() >= Self::MAX_STEPS {
            return Err(LadderError::TooHigh);
        }
        for (index, step) in steps.iter().enumerate() {
            let name = step.name();
            let is_taken = steps[..index].iter().any(|other| other.name() == name);
            if is_taken || [OFFLINE, KICK, ONLINE].contains(&name) {
                return Err(LadderError::NameTaken(name));
            }
            if step.section() == Section::Starting && step.mode() == Mode::Serialised {
                return Err(LadderError::TurnBeforeAlive(name));
            }
        }
        let is_starting = |step: &&&dyn Step| step.section() == Section::Starting;
        let kick: &dyn Step = match steps.iter().filter(is_starting).all(|step| step.can_rest()) {
            true => &KICK_AND_REST,
            false => &KICK_ONLY,
        };
        let first = steps.partition_point(|step| step.section() == Section::Prepare);
        steps.insert(first, kick);
        let up_to = |section| {
            let below = steps.partition_point(|step: &&dyn Step| step.section() <= section);
            Rung(below as u16)
        };
        // There the AP waits to be called: behind its first way, and for the next leg.
        let last_starting = steps.partition_point(|step| step.section() <= Section::Starting) - 1;
        if last_starting > first && !steps[last_starting].can_rest() {
            return Err(LadderError::NobodyCanRest(steps[last_starting].name()));
        }
        for pair in steps[first + 1..].windows(2) {
            let [below, above] = [pair[0], pair[1]];
            let ends_leg = below.is_serialised() != above.is_serialised();
            if ends_leg && !below.can_rest() {
                return Err(LadderError::NobodyCanRest(below.name()));
            }
        }
        let last_primary = steps.iter().rposition(|step| step.primaries_first());
        Ok(Self {
            prepared: up_to(Section::Prepare),
            started: up_to(Section::Starting),
            primaries: last_primary.map(|index| Rung(index as u16 + 1)),
            steps,
        })
    }

    /// The steps, lowest first.
    pub fn steps(&self) -> &[&'static dyn Step] {
        &self.steps
    }

    /// The rung behind all steps of the first section, from which a CPU is kicked and on which it
    /// parks.
    pub fn prepared(&self) -> Rung {
        self.prepared
    }

    /// The rung behind the kick, on which an AP arrives in Rust.
    pub fn kicked(&self) -> Rung {
        self.prepared.next(Direction::Up)
    }

    /// The rung behind all steps that run with interrupts off.
    pub fn started(&self) -> Rung {
        self.started
    }

    /// The highest rung: the CPU is online.
    pub fn top(&self) -> Rung {
        Rung(self.steps.len() as u16)
    }

    /// All rungs, lowest first.
    pub fn rungs(&self) -> impl DoubleEndedIterator<Item = Rung> + use<> {
        (0..=self.top().0).map(Rung)
    }

    /// A rung's name is that of the last step below it.
    pub fn name(&self, rung: Rung) -> &'static str {
        match self.step_below(rung) {
            None => OFFLINE,
            Some(step) => step.name(),
        }
    }

    /// The rung with this name; the highest one is also called `online`.
    pub fn find(&self, name: &str) -> Option<Rung> {
        match name {
            ONLINE => Some(self.top()),
            _ => self.rungs().find(|&rung| self.name(rung) == name),
        }
    }

    /// The step that a CPU on this rung has passed last.
    pub fn step_below(&self, rung: Rung) -> Option<&'static dyn Step> {
        let index = usize::from(rung.0).checked_sub(1)?;
        self.steps.get(index).copied()
    }

    /// Whether a CPU can stay here and be woken again.
    pub fn can_rest(&self, rung: Rung) -> bool {
        rung <= self.prepared || self.step_below(rung).is_some_and(|step| step.can_rest())
    }

    /// The lowest rung on which an AP that runs can stay and be called.
    pub(crate) fn lowest_awake(&self) -> Rung {
        let can_stay = |rung: &Rung| *rung > self.prepared && self.can_rest(*rung);
        self.rungs().find(can_stay).unwrap_or(self.started)
    }

    /// Where the first thread of a core must have come before the others are kicked.
    pub(crate) fn primaries(&self) -> Option<Rung> {
        self.primaries
    }

    /// How many times a CPU takes the turn on its whole way up.
    pub(crate) fn turns(&self) -> usize {
        self.turns_below(self.top())
    }

    /// How many times it does so before it has come here.
    fn turns_below(&self, rung: Rung) -> usize {
        let begins = |&index: &usize| {
            self.runs_serialised(index)
                && !index
                    .checked_sub(1)
                    .is_some_and(|before| self.runs_serialised(before))
        };
        (0..usize::from(rung.0)).filter(begins).count()
    }

    /// Whether a step of the AP's is serialised.
    fn runs_serialised(&self, index: usize) -> bool {
        let on_ap = usize::from(self.prepared.0)..self.steps.len();
        on_ap.contains(&index) && self.steps[index].is_serialised()
    }

    /// The next part of an AP's way from one rung to another.
    pub(crate) fn leg(&self, from: Rung, to: Rung) -> Leg {
        let mut leg = Leg {
            needs_turn: false,
            turn: self.turns_below(Rung(from.0 + 1)).saturating_sub(1),
            end: from,
            allowance: Duration::ZERO,
        };
        let Some(direction) = from.direction_to(to) else {
            return leg;
        };
        let step = |rung: Rung| self.steps[rung.step_towards(direction)];
        leg.needs_turn = step(from).is_serialised();
        let mut is_before_concurrent = leg.needs_turn;
        while leg.end != to {
            let next = step(leg.end);
            if next.is_serialised() && !is_before_concurrent {
                break;
            }
            is_before_concurrent &= next.is_serialised();
            leg.end = leg.end.next(direction);
            leg.allowance += next.deadline().unwrap_or_default();
            // Whoever waits for primaries is told here that one has come so far.
            if direction == Direction::Up && Some(leg.end) == self.primaries {
                break;
            }
        }
        leg
    }
}

impl fmt::Debug for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.steps.iter().map(|step| step.name());
        f.debug_list().entries(names).finish()
    }
}

/// A part of the way along the ladder that an AP goes without another word from the BSP:
/// serialised steps, for which it takes its turn, and the concurrent ones behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leg {
    /// Whether it begins with serialised steps.
    pub(crate) needs_turn: bool,
    /// Which of the turns that a CPU takes on its whole way up it is; of no meaning on the way down.
    pub(crate) turn: usize,
    /// Where it ends.
    pub(crate) end: Rung,
    /// What its steps' own deadlines add up to.
    pub(crate) allowance: Duration,
}

/// Why steps do not make a ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LadderError {
    /// Two steps have this name, or it is that of the lowest or highest rung.
    NameTaken(&'static str),
    /// This step is serialised, and runs before the AP is alive: there nobody takes turns.
    TurnBeforeAlive(&'static str),
    /// A CPU cannot rest behind this step, and would have to: there it waits to be called, as soon as
    /// it is alive or before it takes a turn.
    NobodyCanRest(&'static str),
    /// There are more than [`Ladder::MAX_STEPS`].
    TooHigh,
}

impl fmt::Display for LadderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameTaken(name) => write!(f, "the name `{name}` of a step is taken"),
            Self::TurnBeforeAlive(name) => write!(
                f,
                "the step `{name}` runs before the CPU is alive and cannot be serialised"
            ),
            Self::NobodyCanRest(name) => write!(
                f,
                "a CPU cannot rest behind the step `{name}`, and has to wait there to be called"
            ),
            Self::TooHigh => write!(f, "there are more than {} steps", Ladder::MAX_STEPS),
        }
    }
}

impl core::error::Error for LadderError {}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::{boxed::Box, vec};

    use proptest::prelude::*;

    use super::*;
    use crate::step::{Run, Site};

    #[derive(Clone, Copy)]
    struct Dummy {
        name: &'static str,
        section: Section,
        rank: u16,
        mode: Mode,
        can_rest: bool,
    }

    impl Step for Dummy {
        fn name(&self) -> &'static str {
            self.name
        }
        fn section(&self) -> Section {
            self.section
        }
        fn rank(&self) -> u16 {
            self.rank
        }
        fn mode(&self) -> Mode {
            self.mode
        }
        fn can_rest(&self) -> bool {
            self.can_rest
        }
        fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
            Run::Now(Ok(()))
        }
    }

    const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

    fn ladder(steps: &[Dummy]) -> Result<Ladder, LadderError> {
        let leak = |step: &Dummy| -> &'static dyn Step { Box::leak(Box::new(*step)) };
        Ladder::new(steps.iter().map(leak))
    }

    fn step(name: &'static str, section: Section, rank: u16) -> Dummy {
        Dummy {
            name,
            section,
            rank,
            mode: Mode::Concurrent,
            can_rest: true,
        }
    }

    /// Online steps of these modes, one behind the other, above the kick.
    fn online(modes: &[Mode]) -> Ladder {
        let steps = modes
            .iter()
            .zip(NAMES)
            .zip(0..)
            .map(|((&mode, name), rank)| Dummy {
                mode,
                ..step(name, Section::Online, rank)
            });
        ladder(&steps.collect::<Vec<_>>()).unwrap()
    }

    fn legs(ladder: &Ladder, mut from: Rung, to: Rung) -> Vec<(bool, u16)> {
        let mut legs = Vec::new();
        while from != to {
            let leg = ladder.leg(from, to);
            legs.push((leg.needs_turn, leg.end.0));
            from = leg.end;
        }
        legs
    }

    const S: Mode = Mode::Serialised;
    const C: Mode = Mode::Concurrent;

    #[test]
    fn steps_stand_by_section_and_rank_whatever_order_they_are_registered_in() {
        let ladder = ladder(&[
            step("d", Section::Online, 1),
            step("c", Section::Starting, 9),
            step("b", Section::Prepare, 2),
            step("a", Section::Prepare, 1),
        ])
        .unwrap();
        let names: Vec<_> = ladder.rungs().map(|rung| ladder.name(rung)).collect();
        assert_eq!(names, ["offline", "a", "b", "kick", "c", "d"]);
        let marks = [
            ladder.prepared(),
            ladder.kicked(),
            ladder.started(),
            ladder.top(),
        ];
        assert_eq!(marks, [2, 3, 4, 5].map(Rung));
        let found = ["offline", "c", "online", "x"].map(|name| ladder.find(name));
        assert_eq!(found, [Some(Rung(0)), Some(Rung(4)), Some(Rung(5)), None]);
    }

    #[test]
    fn an_ap_can_wait_behind_the_kick_unless_a_starting_step_is_what_makes_it_wakeable() {
        let plain = ladder(&[step("a", Section::Starting, 1)]).unwrap();
        assert!(plain.can_rest(plain.kicked()));
        let blind = Dummy {
            can_rest: false,
            ..step("a", Section::Starting, 1)
        };
        let blind = ladder(&[blind, step("b", Section::Starting, 2)]).unwrap();
        let rests: Vec<_> = blind.rungs().map(|rung| blind.can_rest(rung)).collect();
        assert_eq!(rests, [true, false, false, true]);
    }

    #[test]
    fn a_step_behind_which_nobody_can_rest_is_refused_where_a_turn_is_waited_for_behind_it() {
        let blind = |mode, rank| Dummy {
            mode,
            can_rest: false,
            ..step("a", Section::Online, rank)
        };
        let with = |mode, rank| Dummy {
            mode,
            ..step("b", Section::Online, rank)
        };
        for (steps, is_refused) in [
            ([blind(C, 1), with(S, 2)], true),
            ([blind(S, 1), with(C, 2)], true),
            ([blind(S, 1), with(S, 2)], false),
            ([blind(C, 1), with(C, 2)], false),
        ] {
            let refused = LadderError::NobodyCanRest("a");
            assert_eq!(ladder(&steps).err(), is_refused.then_some(refused));
        }
    }

    #[test]
    fn what_cannot_stand_in_a_ladder_is_refused() {
        let blind = Dummy {
            can_rest: false,
            ..step("a", Section::Starting, 1)
        };
        assert_eq!(
            ladder(&[blind]).unwrap_err(),
            LadderError::NobodyCanRest("a")
        );
        let twice = [
            step("a", Section::Prepare, 1),
            step("a", Section::Online, 1),
        ];
        assert_eq!(ladder(&twice).unwrap_err(), LadderError::NameTaken("a"));
        let reserved = step("offline", Section::Online, 1);
        assert_eq!(
            ladder(&[reserved]).unwrap_err(),
            LadderError::NameTaken("offline")
        );
        let early = Dummy {
            mode: S,
            ..step("a", Section::Starting, 1)
        };
        assert_eq!(
            ladder(&[early]).unwrap_err(),
            LadderError::TurnBeforeAlive("a")
        );
    }

    #[test]
    fn a_leg_ends_where_another_turn_is_needed_in_both_directions() {
        let mixed = online(&[C, S, S, C, C, S]);
        let (bottom, top) = (mixed.kicked(), mixed.top());
        assert_eq!(
            legs(&mixed, bottom, top),
            [(false, 2), (true, 6), (true, 7)]
        );
        assert_eq!(legs(&mixed, top, bottom), [(true, 4), (true, 1)]);
        assert_eq!(legs(&mixed, top, mixed.prepared()), [(true, 4), (true, 0)]);
        assert_eq!(legs(&online(&[S, C]), bottom, Rung(3)), [(true, 3)]);
        assert_eq!(legs(&mixed, Rung(3), Rung(5)), [(true, 5)]);
        let turns: Vec<_> = [1, 2, 3, 6].map(|at| mixed.leg(Rung(at), top).turn).into();
        assert_eq!((turns, mixed.turns()), (vec![0, 0, 0, 1], 2));
    }

    proptest! {
        #[test]
        fn every_way_is_cut_into_legs_with_one_turn_each_and_none_between_concurrent_steps(
            serialised in proptest::collection::vec(any::<bool>(), 1..6),
            ends in any::<(prop::sample::Index, prop::sample::Index)>(),
        ) {
            let modes: Vec<_> = serialised.iter().map(|&it| if it { S } else { C }).collect();
            let ladder = online(&modes);
            let rung = |end: prop::sample::Index| Rung(1 + end.index(modes.len() + 1) as u16);
            let (mut at, to) = (rung(ends.0), rung(ends.1));
            let is_serialised = |at: Rung, direction| modes[at.step_towards(direction) - 1] == S;
            while let Some(direction) = at.direction_to(to) {
                let leg = ladder.leg(at, to);
                let mut had_concurrent = false;
                prop_assert_eq!(leg.needs_turn, is_serialised(at, direction));
                prop_assert_ne!(leg.end, at);
                while at != leg.end {
                    let takes_turn = is_serialised(at, direction);
                    prop_assert!(!(takes_turn && had_concurrent));
                    prop_assert!(!takes_turn || leg.needs_turn);
                    had_concurrent |= !takes_turn;
                    at = at.next(direction);
                }
            }
        }
    }
}
