//! The simulated machine: its CPUs, its clock, and what happens when.
//!
//! One CPU runs at a time, until it touches the machine; time passes between. What a CPU does at one
//! moment is seen by all others from that moment on.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use rand_distr::{Distribution, Uniform};
use reveille_executor::Instant;
use reveille_smp::{
    bringup::Ap,
    cpu::ApicId,
    ladder::Ladder,
    machine::Evidence,
    state::{Stage, State},
};

use super::{
    EPOCH, Happened, Span,
    agenda::Agenda,
    cpu::{Cpu, Power, count},
    fault::Fault,
    fiber::{Fiber, suspend},
    life,
    model::{At, Model, On, Piece, Stream},
    rules::{Broken, Rule, Rules},
    share::{Claim, Share},
    steps,
    wait::Wait,
};

/// What is to happen.
pub(super) enum Event {
    /// The CPU's wait is over.
    Go(Claim),
    /// The CPU has got what it waited for of this resource.
    Granted(Claim, usize),
    /// The CPU has used up its time on a core of the host.
    Slice(Claim, Duration),
    /// A doorbell comes to the CPU.
    Doorbell(usize),
    /// A machine check hits the CPU and keeps it for so long.
    MachineCheck(usize, Duration),
    /// The host lets the CPU run at last.
    LetRun(usize),
}

/// The machine.
pub(super) struct World {
    pub(super) model: Rc<Model>,
    pub(super) aps: Arc<[Ap]>,
    pub(super) ladder: &'static Ladder,
    pub(super) rules: Rules,
    /// The BSP, the APs in the order of their numbers, and behind them those that have another one's
    /// id.
    pub(super) cpus: Vec<Cpu>,
    pub(super) evidence: RefCell<BTreeMap<ApicId, Evidence>>,
    pub(super) strangers: Cell<(u32, ApicId)>,
    pub(super) spans: Option<RefCell<Vec<Span>>>,
    pub(super) events: Cell<u64>,
    index_of: BTreeMap<ApicId, usize>,
    now: Cell<Instant>,
    agenda: RefCell<Agenda<Event>>,
    current: Cell<Option<usize>>,
    has_bsp_ended: Cell<bool>,
    resources: RefCell<Vec<Share>>,
    host: Option<RefCell<Share>>,
    streams: RefCell<BTreeMap<(usize, &'static str), Stream>>,
    /// Fibers of CPUs that were reset, to be dropped when no fiber runs.
    graveyard: RefCell<Vec<Fiber>>,
    seed: u64,
    grain: Option<Duration>,
    tell: Option<fn(&Happened)>,
    pub(super) spreads_prepare: bool,
    /// APs that may help others, once for each kind of help.
    pub(super) helpers: [RefCell<VecDeque<usize>>; 2],
}

thread_local! {
    /// The machine that is simulated on this thread.
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

/// What a CPU may pass at one moment: more means that it turns in circles.
const MOST_PLACES_AT_ONCE: u32 = 100_000;

/// How often an AP, which has one task, polls before it halts: more means that it spins.
const MOST_POLLS_AWAKE: u32 = 100;

impl World {
    pub(super) fn new(
        model: Rc<Model>,
        aps: Arc<[Ap]>,
        ladder: &'static Ladder,
        setup: &super::Setup,
    ) -> Self {
        let of_cpu = |cpu: usize| {
            let of_it = setup.faults.iter().filter(|(other, _)| *other == cpu);
            of_it.map(|(_, fault)| fault.clone()).collect::<Vec<_>>()
        };
        let id = |cpu: usize| model.shape.apic_id(cpu);
        let all = 0..model.shape.cpus();
        let mut cpus: Vec<_> = all
            .clone()
            .map(|cpu| Cpu::new(id(cpu), arrives_as(id(cpu), &of_cpu(cpu)), of_cpu(cpu)))
            .collect();
        for cpu in all.clone() {
            for fault in of_cpu(cpu) {
                if let Fault::Twice(later) = fault {
                    cpus.push(Cpu::new(id(cpu), id(cpu), vec![Fault::Late(later)]));
                }
            }
        }
        let share = |resource: &super::model::Resource| Share::new(resource.capacity);
        Self {
            rules: Rules::new(aps.len(), setup).with_stacks(steps::gives_stacks(&model)),
            cpus,
            evidence: RefCell::default(),
            strangers: Cell::new((0, ApicId(0))),
            spans: setup.keeps_spans.then(RefCell::default),
            events: Cell::new(0),
            index_of: all.map(|cpu| (id(cpu), cpu)).collect(),
            now: Cell::new(EPOCH),
            agenda: RefCell::new(Agenda::new()),
            current: Cell::new(None),
            has_bsp_ended: Cell::new(false),
            resources: RefCell::new(model.resources.iter().map(share).collect()),
            host: model.host.map(|host| RefCell::new(Share::new(host.cores))),
            streams: RefCell::default(),
            graveyard: RefCell::default(),
            seed: setup.seed,
            grain: setup.grain,
            tell: setup.tell,
            spreads_prepare: setup.spreads_prepare,
            helpers: Default::default(),
            model,
            aps,
            ladder,
        }
    }

    /// The machine that is simulated on this thread, if a CPU of it runs.
    pub(super) fn current() -> Option<Rc<Self>> {
        WORLD.with_borrow(Clone::clone)
    }

    /// Runs `bsp` on the BSP to its end, and all that comes behind it until `settles`; then all
    /// CPUs are gone.
    pub(super) fn run(self: &Rc<Self>, bsp: Fiber, settles: Duration) {
        WORLD.set(Some(Rc::clone(self)));
        self.cpus[0].power.set(Power::Runs(None));
        self.cpus[0].has_handlers.set(true);
        self.begin(0, bsp, Duration::ZERO);
        for (number, cpu) in self.cpus.iter().enumerate() {
            for fault in &cpu.faults {
                if let Fault::MachineCheck(at, span) = *fault {
                    self.plan_at(
                        EPOCH + micros(at),
                        Event::MachineCheck(number, micros(span)),
                    );
                }
            }
            if let Some(until) = cpu.held_until() {
                self.plan_at(until, Event::LetRun(number));
            }
        }
        self.go_on(|| !self.has_bsp_ended.get());
        let end = self.now().saturating_add(settles);
        self.go_on(|| self.now() <= end);
        for cpu in &self.cpus {
            let fiber = cpu.fiber.borrow_mut().take();
            self.bury(fiber);
        }
        self.graveyard.take();
        WORLD.set(None);
    }

    fn go_on(self: &Rc<Self>, condition: impl Fn() -> bool) {
        while condition() && !self.rules.is_broken() {
            let next = self.agenda.borrow_mut().next();
            let Some((at, event)) = next else {
                if !self.has_bsp_ended.get() {
                    let text = "the BSP sleeps without a deadline, and nothing is under way";
                    self.broke(Rule::Ends, text.to_owned());
                }
                return;
            };
            if self.now() < at {
                self.now.set(at);
            }
            self.events.set(self.events.get() + 1);
            self.happen(event);
            drop(self.graveyard.take());
            self.rules.look(self);
        }
    }

    fn happen(self: &Rc<Self>, event: Event) {
        match event {
            Event::Go(claim) => self.go(claim),
            Event::Granted(claim, _) if self.still_waits(claim) => self.go(claim),
            Event::Granted(_, resource) => self.give_back(resource),
            Event::Slice(claim, slice) => self.slice_is_over(claim, slice),
            Event::Doorbell(number) => {
                let cpu = &self.cpus[number];
                self.tell(number, || format!("doorbell, at {:?}", cpu.power.get()));
                match cpu.power.get() {
                    Power::Runs(_) if cpu.is_halted.get() => self.go(cpu.claim(number)),
                    Power::Runs(_) => cpu.is_pending.set(true),
                    _ => {}
                }
            }
            Event::MachineCheck(number, span) => {
                let cpu = &self.cpus[number];
                self.tell(number, || format!("machine check, {span:?}"));
                match cpu.power.get() {
                    Power::Runs(_) if cpu.has_handlers.get() => {
                        cpu.steal(self.now(), span);
                    }
                    Power::Runs(index) => self.die(number, index),
                    Power::Starts => self.die(number, None),
                    _ => {}
                }
            }
            Event::LetRun(number) => {
                self.tell(number, || "its host lets it run".to_owned());
                let (init, sipi) = self.cpus[number].held.take();
                if init {
                    self.reset(number);
                }
                if sipi {
                    self.start(number);
                }
            }
        }
    }

    // ---- processors ----

    /// A wait is over, unless it was another one, or somebody has taken the processor meanwhile.
    fn go(self: &Rc<Self>, claim: Claim) {
        let cpu = &self.cpus[claim.cpu];
        if cpu.claim(claim.cpu) != claim {
            return;
        }
        if self.now() < cpu.ready_at.get() {
            return self.plan_at(cpu.ready_at.get(), Event::Go(claim));
        }
        let Some(mut fiber) = cpu.fiber.borrow_mut().take() else {
            return;
        };
        cpu.renew();
        cpu.places_now.set(0);
        self.current.set(Some(claim.cpu));
        loop {
            match catch_unwind(AssertUnwindSafe(|| fiber.resume())) {
                Ok(Some(wait)) if self.is_over_at_once(claim.cpu, wait) => {}
                Ok(Some(_)) => {
                    cpu.fiber.replace(Some(fiber));
                    break;
                }
                Ok(None) => {
                    self.has_bsp_ended.set(claim.cpu == 0);
                    break;
                }
                Err(panic) => {
                    self.broke(Rule::NoPanic, text_of(&*panic));
                    break;
                }
            }
        }
        self.current.set(None);
    }

    /// Begins a wait of the CPU; `true` if it need not wait.
    fn is_over_at_once(&self, number: usize, wait: Wait) -> bool {
        let cpu = &self.cpus[number];
        let claim = cpu.claim(number);
        match wait {
            Wait::Busy(span) => {
                let ready_at = cpu.take(self.now(), span);
                match &self.host {
                    None => self.plan_at(ready_at, Event::Go(claim)),
                    Some(host) => {
                        cpu.left.set(ready_at - self.now());
                        if host.borrow_mut().take(claim) {
                            self.run_on_core(claim);
                        }
                    }
                }
                false
            }
            Wait::Halt(until) => {
                if cpu.is_pending.take() || until.is_some_and(|until| until <= self.now()) {
                    return true;
                }
                cpu.is_halted.set(true);
                cpu.polls_awake.set(0);
                if let Some(until) = until {
                    self.plan_at(until, Event::Go(claim));
                }
                false
            }
            Wait::Resource(which) => self.resources.borrow_mut()[which].take(claim),
            Wait::Forever => false,
        }
    }

    /// Whether the wait for which something was claimed goes on.
    fn still_waits(&self, claim: Claim) -> bool {
        self.cpus[claim.cpu].claim(claim.cpu) == claim
    }

    /// The CPU runs on a core of the host for as long as it may.
    fn run_on_core(&self, claim: Claim) {
        let cpu = &self.cpus[claim.cpu];
        cpu.is_on_core.set(true);
        let longest = self.model.host.map_or(Duration::MAX, |host| host.slice);
        let slice = cpu.left.get().min(longest);
        self.plan(slice, Event::Slice(claim, slice));
    }

    fn slice_is_over(self: &Rc<Self>, claim: Claim, slice: Duration) {
        let Some(host) = self.host.as_ref().filter(|_| self.still_waits(claim)) else {
            return;
        };
        let cpu = &self.cpus[claim.cpu];
        cpu.left.set(cpu.left.get() - slice);
        let is_done = cpu.left.get().is_zero();
        if !is_done && !host.borrow().has_queue() {
            return self.run_on_core(claim);
        }
        self.leave_core(cpu);
        if is_done {
            self.go(claim);
        } else if host.borrow_mut().take(claim) {
            self.run_on_core(claim);
        }
    }

    /// What the CPU has of things that are shared is free again.
    fn let_go(&self, cpu: &Cpu) {
        self.leave_core(cpu);
        cpu.holds
            .take()
            .into_iter()
            .for_each(|held| self.give_back(held));
    }

    fn leave_core(&self, cpu: &Cpu) {
        if let Some(host) = self.host.as_ref().filter(|_| cpu.is_on_core.take()) {
            let next = host.borrow_mut().give_back(|claim| self.still_waits(claim));
            if let Some(next) = next {
                self.run_on_core(next);
            }
        }
    }

    // ---- what the hardware does with a CPU ----

    /// INIT has reached the CPU.
    pub(super) fn reset(&self, number: usize) {
        let cpu = &self.cpus[number];
        self.tell(number, || format!("INIT, at {:?}", cpu.power.get()));
        self.rules.hit_by_init(self, number);
        self.end_life(cpu);
        cpu.power.set(Power::WaitsForSipi);
    }

    /// A SIPI has reached the CPU.
    pub(super) fn start(self: &Rc<Self>, number: usize) {
        let cpu = &self.cpus[number];
        self.tell(number, || format!("SIPI, at {:?}", cpu.power.get()));
        if cpu.power.get() != Power::WaitsForSipi || cpu.has(&Fault::Silent) {
            return;
        }
        cpu.power.set(Power::Starts);
        cpu.places.set(0);
        let started = count(&cpu.starts);
        let late = cpu.faults.iter().map(|fault| match fault {
            Fault::Late(us) if started == 1 => micros(*us),
            _ => Duration::ZERO,
        });
        let after = self.latency(At::Start, number) + late.sum::<Duration>();
        self.note(
            "start",
            number,
            self.now(),
            self.now().saturating_add(after),
        );
        let body = {
            let world = Rc::clone(self);
            move || life::live(&world, number)
        };
        match Fiber::new(body) {
            Ok(fiber) => self.begin(number, fiber, after),
            Err(error) => self.broke(Rule::NoPanic, format!("no memory for a stack: {error}")),
        }
    }

    /// The CPU stops for good, with what it holds.
    pub(super) fn die(&self, number: usize, holds: Option<usize>) {
        let cpu = &self.cpus[number];
        cpu.renew();
        self.let_go(cpu);
        cpu.power.set(Power::Dead(holds));
        self.tell(number, || "stops for good".to_owned());
    }

    fn begin(&self, number: usize, fiber: Fiber, after: Duration) {
        let cpu = &self.cpus[number];
        cpu.renew();
        cpu.is_pending.set(false);
        cpu.ready_at.set(self.now());
        cpu.left.set(Duration::ZERO);
        cpu.polls_awake.set(0);
        cpu.fiber.replace(Some(fiber));
        self.plan(after, Event::Go(cpu.claim(number)));
    }

    fn end_life(&self, cpu: &Cpu) {
        cpu.renew();
        self.let_go(cpu);
        cpu.is_pending.set(false);
        cpu.has_handlers.set(false);
        let fiber = cpu.fiber.borrow_mut().take();
        self.bury(fiber);
    }

    fn bury(&self, fiber: Option<Fiber>) {
        self.graveyard.borrow_mut().extend(fiber);
    }

    /// The CPUs that have this id: one, but for faults.
    pub(super) fn with_id(&self, id: ApicId) -> impl Iterator<Item = usize> {
        let listed = self.index_of.get(&id).copied();
        let others = self.model.shape.cpus()..self.cpus.len();
        let others = others.filter(move |&number| self.cpus[number].apic_id == id);
        listed.into_iter().chain(others)
    }

    /// From now on a CPU with this id is about to be started anew: what was seen of it counts no more.
    pub(super) fn will_start(&self, id: ApicId) {
        if let Some(index) = self.listed(id).and_then(|number| number.checked_sub(1)) {
            self.rules.forgotten(index);
        }
    }

    /// The number of the CPU that is listed with this id.
    pub(super) fn listed(&self, id: ApicId) -> Option<usize> {
        self.index_of.get(&id).copied()
    }

    // ---- what CPUs do, called on them ----

    /// Which CPU runs.
    pub(super) fn here(&self) -> Option<usize> {
        self.current.get()
    }

    /// The machine's clock.
    pub(super) fn now(&self) -> Instant {
        self.now.get()
    }

    /// The clock of the CPU that runs.
    pub(super) fn local_now(&self) -> Instant {
        let skew = self.here().map_or(0, |number| self.cpus[number].skew_ns());
        shifted(self.now(), skew)
    }

    /// A moment of the clock of the CPU that runs, on the machine's.
    pub(super) fn global(&self, local: Instant) -> Instant {
        let skew = self.here().map_or(0, |number| self.cpus[number].skew_ns());
        shifted(local, -skew)
    }

    /// [`pass_place`](Self::pass_place) of the machine that is simulated on this thread, if a CPU of it
    /// runs.
    pub(super) fn pass_place_here() {
        if let Some(world) = Self::current() {
            world.pass_place();
        }
    }

    /// The state of the AP with this index, as the simulator looks at it and no CPU does: nobody is
    /// stopped in front of that.
    pub(super) fn state(&self, index: usize) -> State {
        let here = self.current.take();
        let state = self.aps[index].slot.state().load();
        self.current.set(here);
        state
    }

    /// Its stage, likewise.
    pub(super) fn stage(&self, index: usize) -> Stage {
        self.state(index).stage()
    }

    /// A place in front of which the CPU that runs may be stopped.
    pub(super) fn pass_place(&self) {
        let Some(number) = self.here().filter(|_| !std::thread::panicking()) else {
            return;
        };
        let cpu = &self.cpus[number];
        if count(&cpu.places_now) > MOST_PLACES_AT_ONCE {
            self.broke(Rule::Halts, format!("CPU {number} turns in circles"));
            return suspend(Wait::Forever);
        }
        let place = count(&cpu.places);
        if let Some(grain) = self.grain {
            self.pause(number, grain);
        }
        for fault in &cpu.faults {
            match *fault {
                Fault::Dies(at) if at == place => {
                    let holds = match cpu.power.get() {
                        Power::Runs(index) => index,
                        _ => None,
                    };
                    self.die(number, holds);
                    suspend(Wait::Forever);
                }
                Fault::Stall(at, us) if at == place => {
                    self.tell(number, || format!("is held up for {us} us"));
                    self.work("stall", number, micros(us));
                }
                _ => {}
            }
        }
    }

    /// The executor of a CPU polls.
    pub(super) fn has_polled(&self, number: usize) {
        let cpu = &self.cpus[number];
        if let Power::Runs(Some(index)) = cpu.power.get() {
            self.rules.has_polled(index);
            if count(&cpu.polls_awake) > MOST_POLLS_AWAKE {
                self.broke(Rule::Halts, format!("CPU {number} polls and does not halt"));
                suspend(Wait::Forever);
            }
        }
    }

    /// Between two places passes a little time, and mostly none: so what other CPUs do falls in
    /// between now here, now there.
    fn pause(&self, number: usize, grain: Duration) {
        let nanos = grain.as_nanos() as u64;
        let drawn = self.draw(number, "grain", |stream| {
            Uniform::new(0, 4 * nanos).map_or(0, |uniform| uniform.sample(stream))
        });
        if drawn < nanos {
            suspend(Wait::Busy(Duration::from_nanos(drawn)));
        }
    }

    /// The CPU that runs is busy for so long, with something for a CPU.
    pub(super) fn work(&self, what: &'static str, for_cpu: usize, span: Duration) {
        let Some(number) = self.here().filter(|_| !span.is_zero()) else {
            return;
        };
        let cpu = &self.cpus[number];
        let (start, stolen) = (cpu.free_at(self.now()), cpu.stolen.get());
        suspend(Wait::Busy(span));
        // What was stolen meanwhile came behind that, and stands where it was stolen.
        let took = (self.now() - start).saturating_sub(cpu.stolen.get() - stolen);
        self.note_on(
            Some(number),
            what,
            for_cpu,
            start,
            start.saturating_add(took),
        );
    }

    /// The CPU that runs halts until a doorbell comes, or this moment of its own clock.
    pub(super) fn halt(&self, until: Option<Instant>) {
        let rings = |until| {
            let here = self.here().unwrap_or_default();
            self.global(until)
                .max(self.now())
                .saturating_add(self.latency(At::Wake, here))
        };
        suspend(Wait::Halt(until.map(rings)));
    }

    /// What this takes for a CPU: the CPU that runs is busy with its part, and the latency is the
    /// answer.
    pub(super) fn take_time(&self, at: At, for_cpu: usize) -> Duration {
        let role = match self.here() {
            Some(0) => On::Bsp,
            _ => On::Ap,
        };
        for piece in self.pieces(at, for_cpu, role) {
            self.do_here(at.into(), piece, for_cpu);
        }
        self.latency(at, for_cpu)
    }

    /// The CPU that runs does a piece of work, and holds what it needs for that.
    pub(super) fn do_here(&self, what: &'static str, piece: &Piece, for_cpu: usize) {
        let span = self.span_of(what, piece, for_cpu);
        match piece.holds {
            None => self.work(what, for_cpu, span),
            Some(resource) => {
                suspend(Wait::Resource(resource));
                self.hold(Some(resource));
                self.work(what, for_cpu, span);
                self.hold(None);
            }
        }
    }

    /// How long a piece of work takes this time.
    pub(super) fn span_of(&self, what: &'static str, piece: &Piece, for_cpu: usize) -> Duration {
        self.draw(for_cpu, what, |stream| piece.time.draw(stream))
    }

    /// The CPU that runs holds a resource, or none any more.
    fn hold(&self, resource: Option<usize>) {
        if let Some(number) = self.here() {
            let held = self.cpus[number].holds.replace(resource);
            held.into_iter().for_each(|held| self.give_back(held));
        }
    }

    fn give_back(&self, resource: usize) {
        let still_waits = |claim| self.still_waits(claim);
        let next = self.resources.borrow_mut()[resource].give_back(still_waits);
        if let Some(next) = next {
            self.plan(Duration::ZERO, Event::Granted(next, resource));
        }
    }

    fn latency(&self, at: At, for_cpu: usize) -> Duration {
        let pieces = self.pieces(at, for_cpu, On::Latency);
        pieces
            .map(|piece| self.span_of(at.into(), piece, for_cpu))
            .sum()
    }

    fn pieces(&self, at: At, for_cpu: usize, on: On) -> impl Iterator<Item = &Piece> {
        let shape = &self.model.shape;
        let costs = self.model.costs.iter().filter(move |cost| cost.at == at);
        costs
            .map(|cost| &cost.piece)
            .filter(move |piece| piece.on == on && piece.who.includes(shape, for_cpu))
    }

    fn draw<T>(&self, cpu: usize, what: &'static str, job: impl FnOnce(&mut Stream) -> T) -> T {
        let mut streams = self.streams.borrow_mut();
        let stream = streams
            .entry((cpu, what))
            .or_insert_with(|| Stream::new(self.seed, cpu, what));
        job(stream)
    }

    /// Rings for the CPU that is listed with this number.
    pub(super) fn ring(&self, number: usize) {
        if std::thread::panicking() {
            return;
        }
        self.pass_place();
        if let Some(here) = self.here() {
            self.tell(here, || format!("rings for CPU {number}"));
        }
        let latency = self.take_time(At::Ring, number) + self.latency(At::Wake, number);
        for target in self.with_id(self.cpus[number].apic_id) {
            let cpu = &self.cpus[target];
            let rung = count(&cpu.doorbells);
            if cpu.has(&Fault::LostDoorbell(rung)) {
                continue;
            }
            let late = cpu.faults.iter().map(|fault| match *fault {
                Fault::LateDoorbell(which, us) if which == rung => micros(us),
                _ => Duration::ZERO,
            });
            self.plan(latency + late.sum(), Event::Doorbell(target));
        }
    }

    // ---- for the record ----

    /// A rule was broken, at this moment.
    pub(super) fn broke(&self, rule: Rule, text: String) {
        self.rules.broke(Broken {
            rule,
            text,
            at: self.now() - EPOCH,
        });
    }

    /// Tells of something that happened to a CPU, if anybody listens.
    pub(super) fn tell(&self, cpu: usize, what: impl FnOnce() -> String) {
        if let Some(tell) = self.tell {
            tell(&Happened {
                at: self.now() - EPOCH,
                cpu,
                what: what(),
            });
        }
    }

    fn note(&self, what: &'static str, cpu: usize, start: Instant, end: Instant) {
        self.note_on(Some(cpu), what, cpu, start, end);
    }

    pub(super) fn note_on(
        &self,
        cpu: Option<usize>,
        what: &'static str,
        for_cpu: usize,
        start: Instant,
        end: Instant,
    ) {
        if let (Some(spans), Some(cpu)) = (&self.spans, cpu) {
            spans.borrow_mut().push(Span {
                cpu,
                what,
                for_cpu,
                start,
                end,
            });
        }
    }

    fn plan(&self, after: Duration, event: Event) {
        self.plan_at(self.now().saturating_add(after), event);
    }

    fn plan_at(&self, at: Instant, event: Event) {
        self.agenda.borrow_mut().plan(at, event);
    }
}

fn arrives_as(listed: ApicId, faults: &[Fault]) -> ApicId {
    /// Above all ids that a shape gives away.
    const UNLISTED: ApicId = ApicId(0xbad_0000);
    match faults.contains(&Fault::WrongId) {
        true => UNLISTED,
        false => listed,
    }
}

fn micros(count: u32) -> Duration {
    Duration::from_micros(u64::from(count))
}

fn shifted(at: Instant, nanos: i64) -> Instant {
    Instant::from_nanos(at.as_nanos().saturating_add_signed(nanos))
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "it panicked".to_owned())
}
