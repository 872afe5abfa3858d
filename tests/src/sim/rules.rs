//! What must always hold, in code: checked where it could break, and behind every event.

use std::{
    cell::{Cell, RefCell},
    fmt, io,
    time::Duration,
};

use reveille_executor::Instant;
use reveille_smp::{
    bringup::{Moved, NotDown, Round},
    ladder::Rung,
    machine::Evidence,
    order::Order,
    outcome::Outcome,
    state::Stage,
    step::Direction,
    strategy::Strategy,
};
use strum::{Display, VariantArray};

use super::{EPOCH, Fault, Operation, Setup, cpu::Power, world::World};

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

    // ---- steps ----

    pub(super) fn begins(&self, world: &World, cpu: usize, step: StepKind, direction: Direction) {
        let index = cpu - 1;
        let here = world.here();
        world.tell(here.unwrap_or(cpu), || {
            format!("begins with {} for CPU {cpu}", step.name)
        });
        let right = match step.on_ap {
            Some(_) => self.aps[index].user.get(),
            None => Some(0),
        };
        if here != right {
            let text = format!(
                "{} of CPU {cpu} runs on {here:?}, not on {right:?}",
                step.name
            );
            world.broke(Rule::Truth, text);
        }
        if step.primaries_first && direction == Direction::Up {
            self.is_before_siblings(world, cpu, step);
        }
        if !step.is_serialised {
            return;
        }
        if let Some(place) = step.on_ap
            && direction == Direction::Up
            && self.is_strict.get()
        {
            self.is_behind_lower_ones(world, cpu, step, place);
        }
        if step.on_ap.is_none() {
            if let Some(other) = self.in_gate.replace(Some(index)) {
                world.broke(Rule::Serial, overlap(step.name, cpu, other + 1));
            }
            return;
        }
        let mut in_turn = self.in_turn.borrow_mut();
        // Whoever is waited for no longer may not know that yet.
        let is_abandoned = |other: usize| world.stage(other) == Stage::Abandoned;
        for &other in in_turn.iter() {
            if !is_abandoned(other) && !is_abandoned(index) {
                world.broke(Rule::Serial, overlap(step.name, cpu, other + 1));
            }
        }
        in_turn.push(index);
        if self.last.replace(Some(index)) != Some(index)
            && let Some(next) = self.next.take()
            && next < index
        {
            let text = format!("CPU {cpu} has the turn, for which CPU {} waits", next + 1);
            world.broke(Rule::Lowest, text);
        }
    }

    /// While a core's first thread runs such a step, the others must not run yet.
    fn is_before_siblings(&self, world: &World, cpu: usize, step: StepKind) {
        // One with which something is wrong may still be stuck where an earlier attempt left it.
        let is_faulty = |cpu: usize| self.aps[cpu - 1].is_faulty;
        let place = |cpu: usize| world.aps[cpu - 1].place;
        let core = |cpu: usize| (place(cpu).package, place(cpu).core);
        if place(cpu).thread > 0 || is_faulty(cpu) || !self.looks_at_all {
            return;
        }
        let is_early = |&other: &usize| {
            let stage = world.stage(other - 1);
            let is_on_its_way = matches!(stage, Stage::Kicked | Stage::Claimed);
            !is_faulty(other) && other != cpu && core(other) == core(cpu) && is_on_its_way
        };
        if let Some(other) = (1..=self.aps.len()).find(is_early) {
            let text = format!(
                "CPU {cpu} begins with {}, and CPU {other} is started",
                step.name
            );
            world.broke(Rule::Primaries, text);
        }
    }

    /// In strict order, all lower CPUs have had their turn. Siblings that are kicked behind the first
    /// threads come behind them here too.
    fn is_behind_lower_ones(&self, world: &World, cpu: usize, step: StepKind, place: usize) {
        let thread = |index: usize| world.aps[index].place.thread;
        let is_missed = |&index: &usize| {
            let watch = &self.aps[index];
            let comes_before = thread(index) == 0 || thread(cpu - 1) > 0;
            comes_before && !watch.is_faulty && watch.passed.get() <= place
        };
        if let Some(index) = (0..cpu - 1).find(is_missed).filter(|_| !self.is_bsp_faulty) {
            let text = format!("CPU {cpu} runs {} before CPU {}", step.name, index + 1);
            world.broke(Rule::Strict, text);
        }
    }

    /// An operation begins.
    pub(super) fn begins_operation(&self, operation: Operation, order: Order) {
        // In two passes the waves go before the order.
        let keeps_order =
            matches!(operation, Operation::BringUp(strategy) if strategy != Strategy::TwoPass);
        self.is_strict.set(keeps_order && order == Order::Strict);
    }

    /// The AP's executor has polled.
    pub(super) fn has_polled(&self, index: usize) {
        self.aps[index].has_polled.set(true);
    }

    /// A step has been passed by a CPU.
    pub(super) fn has_passed(
        &self,
        world: &World,
        cpu: usize,
        step: StepKind,
        direction: Direction,
    ) {
        let here = world.here().unwrap_or(cpu);
        world.tell(here, || {
            format!("passes {} of CPU {cpu}, {direction:?}", step.name)
        });
        let Some(place) = step.on_ap else { return };
        self.aps[cpu - 1].has_polled.set(false);
        let passed = &self.aps[cpu - 1].passed;
        let (before, behind) = match direction {
            Direction::Up => (place, place + 1),
            Direction::Down => (place + 1, place),
        };
        if passed.replace(behind) != before {
            let text = format!("CPU {cpu} passes {} out of order", step.name);
            world.broke(Rule::Truth, text);
        }
    }

    /// A step has ended, or was cancelled.
    pub(super) fn ends(&self, cpu: usize, step: StepKind) {
        if !step.is_serialised {
            return;
        }
        if step.on_ap.is_none() {
            return self.in_gate.set(None);
        }
        self.in_turn.borrow_mut().retain(|&other| other != cpu - 1);
        if self.looks_at_all {
            let lowest = self.aps.iter().position(|watch| watch.is_queued.get());
            self.next.set(lowest);
        }
    }

    // ---- outcomes ----

    /// An operation has ended that began then; `pauses` are those that belong to it.
    pub(super) fn has_ended(
        &self,
        world: &World,
        operation: Operation,
        began: Instant,
        pauses: Duration,
    ) {
        let took = world.now() - began;
        let is_of_all_at_once = matches!(
            operation,
            Operation::BringUp(Strategy::Parallel | Strategy::Broadcast)
        );
        if let Some(longest) = self.longest_of_silent.filter(|_| is_of_all_at_once)
            && took > longest
        {
            let text = format!("all deadlines are to pass at once, and it took {took:?}");
            world.broke(Rule::Ends, text);
        }
        if self.longest.is_some_and(|longest| took > longest + pauses) {
            world.broke(
                Rule::Prompt,
                format!("nothing is wrong, and it took {took:?}"),
            );
        }
    }

    /// A CPU has left evidence under the id of this AP.
    pub(super) fn seen(&self, index: usize, evidence: Evidence, now: Instant) {
        let watch = &self.aps[index];
        watch.seen.set(watch.seen.get().or(Some(now)));
        watch.evidence.set(evidence);
    }

    pub(super) fn forgotten(&self, index: usize) {
        self.aps[index].seen.set(None);
        self.aps[index].evidence.set(Evidence::None);
    }

    pub(super) fn has_brought_up(&self, world: &World, round: &Round, on_ap: usize) {
        for (index, report) in round.reports.iter().enumerate() {
            world.tell(index + 1, || match report.reason {
                None => report.outcome.to_string(),
                Some(reason) => format!("{}: {reason}", report.outcome),
            });
            let (cpu, watch) = (index + 1, &self.aps[index]);
            let outcome = report.outcome;
            let untrue = |what: &str| {
                world.broke(Rule::Truth, format!("CPU {cpu} is {outcome}, and {what}"));
            };
            let stage = world.stage(index);
            match outcome {
                Outcome::Online => {
                    let is_there = watch.user.get().is_some_and(|user| {
                        let power = world.cpus[user].power.get();
                        matches!(power, Power::Runs(Some(on)) | Power::Dead(Some(on)) if on == index)
                    });
                    if !is_there || stage != Stage::Online {
                        untrue(&format!("its slot says {stage:?}"));
                    } else if watch.passed.get() != on_ap {
                        untrue(&format!(
                            "it has passed {} of {on_ap} steps",
                            watch.passed.get()
                        ));
                    }
                }
                // Where a step down fails, it stays up, and the report says so.
                _ if stage == Stage::Online && report.rollback.is_none() => {
                    untrue("it is online");
                }
                Outcome::NeverStarted | Outcome::StuckRealMode if !stage.is_down() => {
                    untrue(&format!("its slot says {stage:?}, and is not closed"));
                }
                Outcome::NeverStarted if report.reason.is_none() => {
                    if let (Some(seen), Some(given_up)) = (watch.seen.get(), watch.given_up.get())
                        && seen < given_up
                    {
                        untrue("it was seen before it was given up");
                    }
                }
                Outcome::StuckRealMode if watch.seen.get().is_none() => {
                    untrue("it never was in real mode");
                }
                Outcome::StuckLongMode if watch.evidence.get() != Evidence::LongMode => {
                    untrue("it never was in long mode");
                }
                _ => {}
            }
            // Where INIT was lost, a CPU that an earlier SIPI started may come before it.
            let sent = [report.init, report.sipi, Some(round.end)];
            let stamps = [
                report.real,
                report.long,
                report.alive,
                report.online,
                Some(round.end),
            ];
            let are_in_order =
                sent.into_iter().flatten().is_sorted() && stamps.into_iter().flatten().is_sorted();
            if !self.has_skew && !are_in_order {
                untrue("its times are not in order");
            }
            if outcome != Outcome::Online && watch.comes_up && !self.is_bsp_faulty {
                let why = report.reason.unwrap_or("no reason is given");
                let text = format!("CPU {cpu} is {outcome} ({why}), and should have come up");
                world.broke(Rule::Healthy, text);
            }
            if !self.prepare_waits && report.spurious_polls > self.most_spurious(watch) {
                let text = format!(
                    "CPU {cpu} was polled {} times for nothing",
                    report.spurious_polls
                );
                world.broke(Rule::Halts, text);
            }
        }
    }

    /// A wake that comes while its task looks at the words has it polled once more for nothing; a
    /// fault may bring more of these about.
    fn most_spurious(&self, watch: &Watch) -> u32 {
        match watch.is_faulty || self.is_bsp_faulty {
            true => 8,
            false => 4,
        }
    }

    pub(super) fn has_moved(&self, world: &World, moved: &[Moved]) {
        for moved in moved {
            let cpu = moved.cpu.0 as usize;
            let watch = &self.aps[cpu - 1];
            world.tell(cpu, || format!("has moved: {moved:?}"));
            match &moved.failure {
                None if moved.rung != moved.to || !self.is_on(world, cpu - 1, moved.to) => {
                    let text = format!("CPU {cpu} has moved, and is at {:?}", moved.rung);
                    world.broke(Rule::Truth, text);
                }
                Some(failure)
                    if watch.is_told_to_fail
                        && !self.is_bsp_faulty
                        && failure.rollback.is_none()
                        && moved.rung != moved.from =>
                {
                    let text = format!("CPU {cpu}: {failure}, and is not back where it was");
                    world.broke(Rule::Truth, text);
                }
                Some(failure) if !watch.is_faulty && !self.is_bsp_faulty => {
                    let text = format!("CPU {cpu}: {failure}, and nothing is wrong with it");
                    world.broke(Rule::Healthy, text);
                }
                _ => {}
            }
        }
    }

    /// Whether a CPU rests on a rung by what it did itself.
    fn is_on(&self, world: &World, index: usize, rung: Rung) -> bool {
        let watch = &self.aps[index];
        let stage = world.stage(index);
        if rung <= world.ladder.prepared() {
            return stage.is_down() && watch.user.get().is_none();
        }
        let rest = match rung == world.ladder.top() {
            true => Stage::Online,
            false => Stage::Alive,
        };
        let steps = usize::from(rung.0 - world.ladder.prepared().0 - 1);
        stage == rest && watch.passed.get() == steps
    }

    pub(super) fn has_taken_down(&self, world: &World, down: &Result<(), NotDown>) {
        for (index, watch) in self.aps.iter().enumerate() {
            if watch.is_faulty || self.is_bsp_faulty {
                continue;
            }
            let is_down = self.is_on(world, index, Rung::OFFLINE) && !watch.has_stack.get();
            if !is_down {
                let text = format!("CPU {} was taken down and is up ({down:?})", index + 1);
                world.broke(Rule::Healthy, text);
            }
        }
    }
}

fn overlap(step: &str, cpu: usize, other: usize) -> String {
    format!("CPU {cpu} begins with {step} while CPU {other} is in its turn")
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
