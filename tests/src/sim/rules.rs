//! What must always hold, in code: checked where it could break, and behind every event.

mod calls;
mod outcomes;
mod turns;

use std::{
    cell::{Cell, RefCell},
    fmt, io,
    time::Duration,
};

use reveille_executor::Instant;
use reveille_smp::{machine::Evidence, state::Stage};
use strum::{Display, VariantArray};

use self::calls::Accounts;
use super::{EPOCH, Fault, Operation, Setup, world::World};

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Rule {
    /// No code panics.
    NoPanic,
    /// Every future ends, and no later than all deadlines together.
    Ends,
    /// Who waits halts: nobody turns in circles, and nobody is polled for nothing.
    Halts,
    /// A stack and a slot have one user.
    OwnStack,
    /// What a CPU may still use is neither freed nor given away.
    InUse,
    /// INIT hits nobody who holds something.
    Init,
    /// Serialised steps never overlap.
    Serial,
    /// The turn goes to the lowest of those who wait for it.
    Lowest,
    /// In strict order, it goes to nobody before all lower ones have had it.
    Strict,
    /// Where a step asks for it, a core's first thread runs it before the others are started.
    Primaries,
    /// What is said of a CPU is what it did.
    Truth,
    /// A CPU with which nothing is wrong comes up, whatever befalls the others; so does one to which an
    /// INIT or a SIPI was lost.
    Healthy,
    /// Where nothing is wrong, nobody waits for a deadline: no wake is lost.
    Prompt,
    /// A call runs once on each CPU that it is for, or is reported failed there and does not run.
    Once,
    /// A CPU with which nothing is wrong runs what it is called for, and soon.
    Answered,
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which one.
    pub rule: Rule,
    /// How.
    pub text: String,
    /// When, from the beginning of the simulation.
    pub at: Duration,
}

impl Broken {
    pub(super) fn no_memory(error: io::Error) -> Self {
        Self {
            rule: Rule::NoPanic,
            text: format!("no memory for a stack: {error}"),
            at: Duration::ZERO,
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.at.as_nanos() as f64 / 1_000.0;
        write!(f, "rule {} broken at {us:.3} us: {}", self.rule, self.text)
    }
}

impl std::error::Error for Broken {}

/// A step that a model has, as far as the rules go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StepKind {
    pub(super) name: &'static str,
    /// Its place among the steps that APs run; `None` where it runs before the kick.
    pub(super) on_ap: Option<usize>,
    pub(super) is_serialised: bool,
    /// First threads pass it before their siblings are started.
    pub(super) primaries_first: bool,
}

/// What has happened, as far as a rule looks at it. APs are named by their index.
pub(super) struct Rules {
    broken: RefCell<Option<Broken>>,
    pub(super) calls: Accounts,
    aps: Vec<Watch>,
    /// Who runs a serialised step: on APs, and before the kick.
    in_turn: RefCell<Vec<usize>>,
    in_gate: Cell<Option<usize>>,
    /// Who ran the last one, and who should be next while it waits.
    last: Cell<Option<usize>>,
    next: Cell<Option<usize>>,
    /// Whether the operation keeps strict order.
    is_strict: Cell<bool>,
    /// Whether all APs are looked at for what befalls one: not where they are many.
    looks_at_all: bool,
    has_stacks: bool,
    latest: Instant,
    is_bsp_faulty: bool,
    /// Clocks differ.
    has_skew: bool,
    /// Steps before the kick wait, and their attempts are polled for that.
    prepare_waits: bool,
    /// The machine is known to be fast enough for its deadlines.
    meets_deadlines: bool,
    /// How long an operation may take, where nothing is wrong and that is asked.
    longest: Option<Duration>,
    /// How long a bring-up of all at once may take, where CPUs are not alive in time and nothing else
    /// is wrong: each CPU has one deadline, siblings behind that of their first thread.
    longest_of_silent: Option<Duration>,
}

/// What is known of one AP.
struct Watch {
    /// The CPU that is on its stack.
    user: Cell<Option<usize>>,
    has_stack: Cell<bool>,
    /// Which generation was claimed last.
    claimed: Cell<Option<u32>>,
    /// How many of the steps that APs run its user has passed.
    passed: Cell<usize>,
    /// Its executor has polled since.
    has_polled: Cell<bool>,
    stage: Cell<Stage>,
    /// It waits for its turn, and the BSP has put it into the queue.
    is_queued: Cell<bool>,
    /// When it was given up last.
    given_up: Cell<Option<Instant>>,
    /// When it was first seen since it was last kicked.
    seen: Cell<Option<Instant>>,
    /// How far it was seen to come since then: what the bring-up reads may be of an earlier life.
    evidence: Cell<Evidence>,
    is_faulty: bool,
    /// Nothing else is wrong with it but that steps are told to fail.
    is_told_to_fail: bool,
    /// It comes up, whatever befalls the others.
    comes_up: bool,
}

/// With more APs than that, a look at each of them behind each event would take too long.
const MOST_LOOKED_AT: usize = 128;

impl Rules {
    pub(super) fn new(aps: usize, setup: &Setup) -> Self {
        let is_wrong = |(_, fault): &&(usize, Fault)| !fault.is_harmless();
        let is_faulty = |cpu: usize| {
            let mut wrong = setup.faults.iter().filter(is_wrong);
            wrong.any(|(other, _)| *other == cpu)
        };
        let is_told_to_fail = |cpu: usize| {
            let told = |fault: &Fault| matches!(fault, Fault::FailsUp(_) | Fault::FailsDown(_));
            let mut wrong = setup.faults.iter().filter(is_wrong);
            is_faulty(cpu) && wrong.all(|(other, fault)| *other != cpu || told(fault))
        };
        let has_worse = |cpu: usize| {
            let of_it = setup.faults.iter().filter(|(other, _)| *other == cpu);
            let lost = of_it.clone().filter(is_wrong).count();
            lost > 1 || of_it.clone().any(|(_, fault)| !fault.is_overcome())
        };
        let watch = |index: usize| Watch {
            user: Cell::new(None),
            has_stack: Cell::new(false),
            claimed: Cell::new(None),
            passed: Cell::new(0),
            has_polled: Cell::new(false),
            stage: Cell::new(Stage::Ready),
            is_queued: Cell::new(false),
            given_up: Cell::new(None),
            seen: Cell::new(None),
            evidence: Cell::new(Evidence::None),
            is_faulty: is_faulty(index + 1),
            is_told_to_fail: is_told_to_fail(index + 1),
            comes_up: !has_worse(index + 1),
        };
        Self {
            broken: RefCell::new(None),
            calls: Accounts::of(&setup.calls),
            aps: (0..aps).map(watch).collect(),
            in_turn: RefCell::default(),
            in_gate: Cell::new(None),
            last: Cell::new(None),
            next: Cell::new(None),
            is_strict: Cell::new(false),
            looks_at_all: aps <= MOST_LOOKED_AT,
            has_stacks: false,
            latest: latest(aps, setup),
            is_bsp_faulty: is_faulty(0),
            has_skew: setup
                .faults
                .iter()
                .any(|(_, fault)| matches!(fault, Fault::Skew(_))),
            prepare_waits: setup.spreads_prepare,
            meets_deadlines: setup.longest.is_some(),
            longest: match setup.faults.iter().find(is_wrong) {
                Some(_) => None,
                None => setup.longest.map(|longest| longest + stalls(setup)),
            },
            longest_of_silent: setup
                .faults
                .iter()
                .filter(is_wrong)
                .all(|(_, fault)| fault.is_before_alive())
                .then_some(setup.longest)
                .flatten()
                .map(|longest| 2 * (setup.timing.alive_timeout + longest) + stalls(setup)),
        }
    }

    /// The same where a step gives APs their stacks.
    pub(super) fn with_stacks(self, has_stacks: bool) -> Self {
        Self { has_stacks, ..self }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.borrow().is_some()
    }

    /// Only the first one counts: the others may follow from it. A machine that may be too slow for its
    /// deadlines loses CPUs with which nothing is wrong, and is told of by their outcomes.
    pub(super) fn broke(&self, broken: Broken) {
        if broken.rule == Rule::Healthy && !self.meets_deadlines {
            return;
        }
        self.broken.borrow_mut().get_or_insert(broken);
    }

    pub(super) fn verdict(&self) -> Result<(), Broken> {
        self.broken.borrow().clone().map_or(Ok(()), Err)
    }

    // ---- behind every event ----

    pub(super) fn look(&self, world: &World) {
        if world.now() > self.latest {
            let text = "it takes longer than all deadlines together";
            world.broke(Rule::Ends, text.to_owned());
        }
        if !self.looks_at_all {
            return;
        }
        let is_bsp_asleep = world.cpus[0].is_halted.get();
        for (watch, ap) in self.aps.iter().zip(world.aps.iter()) {
            let state = ap.slot.state().load();
            let stage = state.stage();
            if watch.stage.replace(stage) != stage {
                world.tell(ap.cpu.0 as usize, || format!("its slot says {state:?}"));
                match stage {
                    Stage::GivenUp => watch.given_up.set(Some(world.now())),
                    Stage::Online if !watch.has_polled.get() => {
                        let text = format!("CPU {} is online and has not polled", ap.cpu);
                        world.broke(Rule::Truth, text);
                    }
                    _ => {}
                }
            }
            let waits = ap.slot.waits_for_turn();
            watch
                .is_queued
                .set(waits && (is_bsp_asleep || watch.is_queued.get()));
        }
        let still_waits = |&index: &usize| self.aps[index].is_queued.get();
        self.next.set(self.next.get().filter(still_waits));
    }

    // ---- stacks ----

    /// A CPU has claimed a slot, and is on its stack.
    pub(super) fn enters(&self, world: &World, cpu: usize, index: usize) {
        let watch = &self.aps[index];
        if let Some(other) = watch.user.replace(Some(cpu)) {
            let text = format!("CPU {cpu} enters stack {index}, on which CPU {other} is");
            world.broke(Rule::OwnStack, text);
        }
        if self.has_stacks && !watch.has_stack.get() {
            let text = format!("CPU {cpu} enters stack {index}, which was freed");
            world.broke(Rule::InUse, text);
        }
        let generation = world.state(index).generation();
        if watch.claimed.replace(Some(generation)) == Some(generation) {
            let text = format!("CPU {cpu} claims generation {generation} of stack {index} again");
            world.broke(Rule::OwnStack, text);
        }
        watch.passed.set(0);
    }

    pub(super) fn leaves(&self, index: usize) {
        self.aps[index].user.set(None);
    }

    pub(super) fn stack_given(&self, world: &World, index: usize) {
        self.is_free(world, index, "made");
        self.aps[index].has_stack.set(true);
    }

    pub(super) fn stack_taken(&self, world: &World, index: usize) {
        self.is_free(world, index, "freed");
        self.aps[index].has_stack.set(false);
    }

    fn is_free(&self, world: &World, index: usize, what: &str) {
        if let Some(user) = self.aps[index].user.get() {
            let text = format!("stack {index} is {what} while CPU {user} is on it");
            world.broke(Rule::InUse, text);
        }
    }

    pub(super) fn hit_by_init(&self, world: &World, cpu: usize) {
        let power = world.cpus[cpu].power.get();
        if !power.may_be_reset() {
            world.broke(Rule::Init, format!("INIT hits CPU {cpu} at {power:?}"));
        }
    }
}

/// How long CPUs are held up in all.
fn stalls(setup: &Setup) -> Duration {
    let stall = |(_, fault): &(usize, Fault)| match *fault {
        Fault::Stall(_, us) => Duration::from_micros(u64::from(us)),
        _ => Duration::ZERO,
    };
    setup.faults.iter().map(stall).sum()
}

/// When all deadlines have passed, of each AP behind the other.
fn latest(aps: usize, setup: &Setup) -> Instant {
    let each =
        setup.timing.alive_timeout + 8 * setup.timing.online_timeout + Duration::from_secs(3);
    let waits = setup.operations.iter().map(|operation| match *operation {
        Operation::Wait(us) => Duration::from_micros(u64::from(us)),
        _ => each * (aps as u32 + 1),
    });
    // A fault on the BSP holds everything up once.
    let faults = setup.faults.len() as u32 * Duration::from_secs(10);
    EPOCH + waits.sum::<Duration>() + faults
}
