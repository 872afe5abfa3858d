//! The state word of an AP: who may do what next, with the generation that a SIPI cannot carry.
//!
//! ```text
//!  NOT PRESENT
//!    │ 0 appear
//!    │   ▲ 12 disappear
//!    ▼   │  1 kick          2 claim           3 alive         5 start          6 online
//!  READY ──────────▶ KICKED ────────▶ CLAIMED ───────▶ ALIVE ────────▶ MOVING ─────────▶ ONLINE
//!                      │ 4 give up      │                    ◀────────        ◀─────────
//!                      ▼                │ 11 park             9 rest           5 start
//!                   GIVEN UP            ▼
//!                      │ 10 come late  PARKED
//!                      ▼
//!                    LATE
//!
//!  1 kick        leads from GIVEN UP, LATE and PARKED, too, to KICKED in the next generation
//!  7 abandon     ALIVE, MOVING or ONLINE ──▶ ABANDONED
//!  8 come back   ABANDONED ──▶ ALIVE
//!  11 park       MOVING and ABANDONED, too, ──▶ PARKED
//!  12 disappear  GIVEN UP, LATE and PARKED, too, ──▶ NOT PRESENT
//! ```
//!
//! The BSP makes the transitions 0, 1, 4, 7 and 12, the AP the others. Where both may move, at KICKED,
//! GIVEN UP, ALIVE, MOVING and ONLINE, the compare-and-swap lets exactly one win: an AP that claims
//! is never given up, an AP that is given up never claims and so never touches its stack, and an AP
//! that is abandoned never becomes online before it is called again. An AP is sent INIT only from
//! READY, GIVEN UP, LATE or PARKED: it has not run yet, or it halts on the trampoline's page, or it
//! is on its way there.
//!
//! A CPU that is taken out of the machine disappears first and is ejected then; one that is put in its
//! place appears when it is there. So no CPU that is on its way to a slot that was given up outlives
//! the generation: in NOT PRESENT it finds nothing to claim and parks, and by READY it is gone.
//!
//! # Memory ordering
//!
//! Every transition is one compare-and-swap with acquire-release ordering, and every look is an
//! acquire load. What the BSP prepared before KICKED is seen by the AP that claims; what the AP
//! wrote before ALIVE, ONLINE or PARKED is seen by the BSP that reads it. A CPU that comes in the place of
//! one that was taken out is another one: what the first wrote before PARKED is seen by the BSP as it makes
//! the slot NOT PRESENT, and by the second as it claims, by way of READY and KICKED. The claim in
//! the trampoline is a locked CMPXCHG, which on x86 orders at least as strongly. Two words are
//! never compared with each other, so nothing stronger is needed.

use core::fmt;

use crate::sync::{AtomicU32, Ordering};

/// Where an AP is on its way. The word holds it in its lowest eight bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Stage {
    /// Never kicked since the slot was made, or since the CPU was last added.
    Ready = 0,
    /// A SIPI is on its way or will be in a moment.
    Kicked = 1,
    /// The AP owns its stack and slot.
    Claimed = 2,
    /// The AP runs in Rust, rests on a rung of the ladder, and waits to be called.
    Alive = 3,
    /// The AP moves along the ladder, or waits for its turn to.
    Moving = 4,
    /// The AP is on the highest rung and polls its own executor.
    Online = 5,
    /// The AP halts on the trampoline's page and uses nothing else.
    Parked = 6,
    /// The BSP gave up waiting before anybody claimed the slot.
    GivenUp = 7,
    /// The AP came after that, and halts on the trampoline's page.
    Late = 8,
    /// The AP took too long to answer or to run a step, and the BSP does not wait for it any more.
    /// Should it ever come out of that, it rests where it is.
    Abandoned = 9,
    /// The slot waits for a CPU that may be added, for the first time or again. Nobody kicks it, and nobody
    /// claims it.
    NotPresent = 10,
}

impl Stage {
    const ALL: [Self; 11] = [
        Self::Ready,
        Self::Kicked,
        Self::Claimed,
        Self::Alive,
        Self::Moving,
        Self::Online,
        Self::Parked,
        Self::GivenUp,
        Self::Late,
        Self::Abandoned,
        Self::NotPresent,
    ];

    /// Whether the CPU can be kicked: nobody is on the slot, or the one who is has parked.
    pub const fn is_down(self) -> bool {
        matches!(
            self,
            Self::Ready | Self::Parked | Self::GivenUp | Self::Late
        )
    }
}

/// One value of the state word: a stage in one generation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct State(u32);

impl State {
    const STAGE_BITS: u32 = 8;
    const STAGE_MASK: u32 = (1 << Self::STAGE_BITS) - 1;

    const fn new(stage: Stage, generation: u32) -> Self {
        Self(generation << Self::STAGE_BITS | stage as u32)
    }

    /// The stage.
    pub fn stage(self) -> Stage {
        // Only `new` makes values, so the index is always there.
        Stage::ALL[(self.0 & Self::STAGE_MASK) as usize]
    }

    /// How often the slot had been kicked, modulo 2^24.
    pub const fn generation(self) -> u32 {
        self.0 >> Self::STAGE_BITS
    }

    /// The word as it stands in memory, for code that writes it in assembly.
    pub const fn to_bits(self) -> u32 {
        self.0
    }

    /// The same generation at another stage.
    const fn at(self, stage: Stage) -> Self {
        Self::new(stage, self.generation())
    }

    /// What [`StateWord::park`] would write; for the assembly in which a CPU parks.
    pub const fn parked(self) -> Self {
        self.at(Stage::Parked)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({})", self.stage(), self.generation())
    }
}

/// How assembly claims a slot, or leaves word that it came too late: the stage bits, the stages
/// at which it may do so, and what leads on from there by addition.
pub mod claim {
    use super::{Stage, State};

    /// Selects the stage.
    pub const STAGE_MASK: u32 = State::STAGE_MASK;
    /// The stage of a slot that may be claimed.
    pub const KICKED: u32 = Stage::Kicked as u32;
    /// What the claim adds.
    pub const CLAIM: u32 = Stage::Claimed as u32 - Stage::Kicked as u32;
    /// The stage of a slot that was given up.
    pub const GIVEN_UP: u32 = Stage::GivenUp as u32;
    /// What coming late adds.
    pub const COME_LATE: u32 = Stage::Late as u32 - Stage::GivenUp as u32;
}

/// A transition that the word did not allow, because somebody else moved it first or because the
/// caller is wrong; it holds what the word really was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub State);

/// The word that the BSP and one AP share.
#[derive(Debug)]
#[repr(transparent)]
pub struct StateWord(AtomicU32);

impl StateWord {
    /// A slot that was never kicked.
    pub fn new() -> Self {
        Self(AtomicU32::new(State::new(Stage::Ready, 0).0))
    }

    /// A slot whose CPU is not there yet.
    pub fn not_present() -> Self {
        Self(AtomicU32::new(State::new(Stage::NotPresent, 0).0))
    }

    /// The word itself, for the trampoline, which claims in assembly.
    #[cfg(not(loom))]
    pub fn as_atomic(&self) -> &core::sync::atomic::AtomicU32 {
        &self.0
    }

    /// What the word is now.
    pub fn load(&self) -> State {
        State(self.0.load(Ordering::Acquire))
    }

    /// 0, BSP: the CPU has been added, and may be kicked from now on.
    pub fn appear(&self) -> Result<State, Refused> {
        self.advance(&[Stage::NotPresent], Stage::Ready)
    }

    /// 1, BSP: announces a SIPI and begins a generation. To be called when INIT has taken effect
    /// and before SIPI, so that nobody runs who could claim the new generation by an old SIPI.
    pub fn kick(&self) -> Result<State, Refused> {
        let mut now = self.load();
        loop {
            if !now.stage().is_down() {
                return Err(Refused(now));
            }
            let generation = now.generation().wrapping_add(1) & (u32::MAX >> State::STAGE_BITS);
            match self.exchange(now, State::new(Stage::Kicked, generation)) {
                // It came late at this very moment, and is down all the same.
                Err(Refused(changed)) => now = changed,
                kicked => return kicked,
            }
        }
    }

    /// 2, AP: takes the slot. The winner alone may use the AP's stack.
    pub fn claim(&self) -> Result<State, Refused> {
        self.advance(&[Stage::Kicked], Stage::Claimed)
    }

    /// 3, AP: runs in Rust and waits to be called.
    pub fn alive(&self) -> Result<State, Refused> {
        self.advance(&[Stage::Claimed], Stage::Alive)
    }

    /// 4, BSP: gives up an AP that nobody has claimed the slot for. Refused when the AP came first.
    pub fn give_up(&self) -> Result<State, Refused> {
        self.advance(&[Stage::Kicked], Stage::GivenUp)
    }

    /// 4, BSP: gives up an AP that nobody has claimed the slot for, and tells whether nobody is on the slot
    /// behind that, nor will be before it is kicked again. Whoever has claimed it is to park; then
    /// this tells so.
    pub fn withdraw(&self) -> bool {
        // Refused where somebody has claimed the slot, has parked, or never was to come.
        let _ = self.give_up();
        self.load().stage().is_down()
    }

    /// 5, AP: has been called, and sets out. Refused when it was abandoned first.
    pub fn start(&self) -> Result<State, Refused> {
        self.advance(&[Stage::Alive, Stage::Online], Stage::Moving)
    }

    /// 6, AP: is on the highest rung and has polled its executor. Refused when it was abandoned
    /// first.
    pub fn online(&self) -> Result<State, Refused> {
        self.advance(&[Stage::Moving], Stage::Online)
    }

    /// 7, BSP: does not wait any longer for an AP that it has called, unless that has come to its end
    /// at the last moment. Refused then, and when there is no AP that could have been called.
    pub fn abandon(&self, has_ended: impl Fn() -> bool) -> Result<State, Refused> {
        let mut now = self.load();
        loop {
            let can_be_called = matches!(now.stage(), Stage::Alive | Stage::Moving | Stage::Online);
            if !can_be_called || has_ended() {
                return Err(Refused(now));
            }
            match self.exchange(now, now.at(Stage::Abandoned)) {
                // It has started or come to its end at this very moment. An AP to which nothing is
                // permitted any more does so twice at most.
                Err(Refused(changed)) => now = changed,
                abandoned => return abandoned,
            }
        }
    }

    /// 8, AP: has been abandoned, comes back, and waits to be called.
    pub fn come_back(&self) -> Result<State, Refused> {
        self.advance(&[Stage::Abandoned], Stage::Alive)
    }

    /// 9, AP: has come as far as it may, or failed, and waits to be called. Refused when it was
    /// abandoned first.
    pub fn rest(&self) -> Result<State, Refused> {
        self.advance(&[Stage::Moving], Stage::Alive)
    }

    /// 10, AP: found its slot given up. A real AP does this in assembly, as the claim.
    pub fn come_late(&self) -> Result<State, Refused> {
        self.advance(&[Stage::GivenUp], Stage::Late)
    }

    /// 11, AP: the very last thing before it halts for good. A real AP does this in assembly,
    /// where nothing uses the stack behind it (see [`State::parked`]).
    pub fn park(&self) -> Result<State, Refused> {
        self.advance(
            &[Stage::Claimed, Stage::Moving, Stage::Abandoned],
            Stage::Parked,
        )
    }

    /// 12, BSP: the CPU, which is down, is about to be taken out of the machine, and is not kicked any
    /// more. Refused unless it is down.
    pub fn disappear(&self) -> Result<State, Refused> {
        let mut now = self.load();
        loop {
            if !now.stage().is_down() {
                return Err(Refused(now));
            }
            match self.exchange(now, now.at(Stage::NotPresent)) {
                // It came late at this very moment, and is down all the same.
                Err(Refused(changed)) => now = changed,
                gone => return gone,
            }
        }
    }

    fn advance(&self, from: &[Stage], to: Stage) -> Result<State, Refused> {
        let now = self.load();
        if !from.contains(&now.stage()) {
            return Err(Refused(now));
        }
        self.exchange(now, now.at(to))
    }

    fn exchange(&self, from: State, to: State) -> Result<State, Refused> {
        match self
            .0
            .compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => Ok(to),
            Err(now) => Err(Refused(State(now))),
        }
    }
}

impl Default for StateWord {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_way_in_and_out_keeps_its_generation_and_the_next_kick_begins_another() {
        let word = StateWord::new();
        for round in 1..=3 {
            for (step, stage) in [
                (StateWord::kick as fn(&StateWord) -> _, Stage::Kicked),
                (StateWord::claim, Stage::Claimed),
                (StateWord::alive, Stage::Alive),
                (StateWord::start, Stage::Moving),
                (StateWord::rest, Stage::Alive),
                (StateWord::start, Stage::Moving),
                (StateWord::online, Stage::Online),
                (StateWord::start, Stage::Moving),
                (StateWord::park, Stage::Parked),
            ] {
                let state = step(&word).unwrap();
                assert_eq!((state.stage(), state.generation()), (stage, round));
            }
        }
    }

    #[test]
    fn an_ap_that_was_given_up_cannot_claim_until_it_is_kicked_again() {
        let word = StateWord::new();
        word.kick().unwrap();
        word.give_up().unwrap();
        assert_eq!(word.claim().unwrap_err().0.stage(), Stage::GivenUp);
        word.kick().unwrap();
        assert_eq!(word.claim().unwrap().generation(), 2);
    }

    #[test]
    fn who_withdraws_hears_whether_anybody_is_on_the_slot() {
        let word = StateWord::new();
        assert!(word.withdraw());
        word.kick().unwrap();
        assert!(word.withdraw());
        assert!(word.claim().is_err());
        word.kick().unwrap();
        word.claim().unwrap();
        assert!(!word.withdraw());
        word.park().unwrap();
        assert!(word.withdraw());
        assert_eq!(word.kick().unwrap().generation(), 3);
    }

    #[test]
    fn an_ap_that_claimed_can_neither_be_given_up_nor_kicked() {
        let word = StateWord::new();
        word.kick().unwrap();
        word.claim().unwrap();
        assert!(word.give_up().is_err());
        assert!(word.kick().is_err());
    }

    #[test]
    fn the_second_of_two_arrivals_loses() {
        let word = StateWord::new();
        word.kick().unwrap();
        assert!(word.claim().is_ok());
        assert!(word.claim().is_err());
    }

    #[test]
    fn an_ap_that_comes_late_is_noticed_and_can_be_kicked_again() {
        let word = StateWord::new();
        word.kick().unwrap();
        let given_up = word.give_up().unwrap();
        let late = word.come_late().unwrap();
        assert_eq!(given_up.to_bits() & claim::STAGE_MASK, claim::GIVEN_UP);
        assert_eq!(late.to_bits(), given_up.to_bits() + claim::COME_LATE);
        assert_eq!(word.kick().unwrap().generation(), 2);
    }

    fn abandoned() -> StateWord {
        let word = StateWord::new();
        for step in [
            StateWord::kick,
            StateWord::claim,
            StateWord::alive,
            StateWord::start,
        ] {
            step(&word).unwrap();
        }
        word.abandon(|| false).unwrap();
        word
    }

    #[test]
    fn an_abandoned_ap_can_only_come_back_or_park() {
        let word = abandoned();
        assert!(word.online().is_err() && word.rest().is_err() && word.kick().is_err());
        assert!(word.start().is_err() && word.abandon(|| false).is_err());
        word.come_back().unwrap();
        assert!(word.kick().is_err());
        word.start().unwrap();
        let word = abandoned();
        word.park().unwrap();
        assert!(word.kick().is_ok());
    }

    #[test]
    fn an_ap_that_fails_on_its_way_in_is_not_kicked_before_it_has_parked() {
        let word = StateWord::new();
        word.kick().unwrap();
        word.claim().unwrap();
        assert!(word.kick().is_err() && word.abandon(|| false).is_err());
        word.park().unwrap();
        assert!(word.kick().is_ok());
    }

    #[test]
    fn a_cpu_that_is_not_present_is_neither_kicked_nor_claims_until_it_appears() {
        let word = StateWord::not_present();
        assert!(word.kick().is_err() && word.claim().is_err() && word.come_late().is_err());
        word.appear().unwrap();
        assert_eq!(word.kick().unwrap().generation(), 1);
        assert!(word.appear().is_err());
    }

    #[test]
    fn a_cpu_that_is_down_can_disappear_and_another_that_appears_gets_a_generation_of_its_own() {
        type Transition = fn(&StateWord) -> Result<State, Refused>;
        let down: [&[Transition]; 4] = [
            &[],
            &[StateWord::kick, StateWord::give_up],
            &[StateWord::kick, StateWord::give_up, StateWord::come_late],
            &[StateWord::kick, StateWord::claim, StateWord::park],
        ];
        for steps in down {
            let word = StateWord::new();
            steps.iter().for_each(|step| assert!(step(&word).is_ok()));
            let before = word.load().generation();
            assert_eq!(word.disappear().unwrap().stage(), Stage::NotPresent);
            assert!(word.disappear().is_err() && word.kick().is_err());
            assert!(word.claim().is_err() && word.come_late().is_err());
            word.appear().unwrap();
            assert_eq!(word.kick().unwrap().generation(), before + 1);
        }
    }

    #[test]
    fn a_cpu_that_may_run_does_not_disappear() {
        let word = StateWord::new();
        for step in [
            StateWord::kick as fn(&StateWord) -> _,
            StateWord::claim,
            StateWord::alive,
            StateWord::start,
            StateWord::online,
        ] {
            let state: State = step(&word).unwrap();
            assert_eq!(word.disappear(), Err(Refused(state)));
        }
        let word = abandoned();
        assert!(word.disappear().is_err());
    }

    #[test]
    fn the_generation_wraps_without_touching_the_stage() {
        let last = u32::MAX >> State::STAGE_BITS;
        let word = StateWord(AtomicU32::new(State::new(Stage::Parked, last).0));
        let state = word.kick().unwrap();
        assert_eq!((state.stage(), state.generation()), (Stage::Kicked, 0));
    }

    #[test]
    fn the_claim_in_assembly_does_what_the_claim_in_rust_does() {
        let word = StateWord::new();
        let kicked = word.kick().unwrap();
        assert_eq!(kicked.to_bits() & claim::STAGE_MASK, claim::KICKED);
        assert_eq!(
            word.claim().unwrap().to_bits(),
            kicked.to_bits() + claim::CLAIM
        );
    }
}
