//! The simulated machine: its CPUs, its clock, and what happens when.
//!
//! One CPU runs at a time, until it touches the machine; time passes between. What a CPU does at one
//! moment is seen by all others from that moment on.

mod on_cpu;
mod power;
mod processors;

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    mem,
    rc::Rc,
    sync::Arc,
    task::Waker,
    time::Duration,
};

use reveille_executor::Instant;
use reveille_smp::{bringup::Ap, cpu::ApicId, ladder::Ladder, machine::Evidence};

use super::{
    EPOCH, Happened, Span,
    agenda::Agenda,
    call::{Call, CallKind, Queues},
    cpu::{Cpu, Power},
    fault::Fault,
    fiber::Fiber,
    model::{Model, Stream},
    rules::{Broken, Rule, Rules},
    share::{Claim, Share},
    steps,
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
    /// An interrupt for calls comes to the CPU.
    Called(usize),
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
    /// The calls that CPUs make.
    pub(super) calls: Vec<Call>,
    /// When each operation has begun, and who waits for the next one.
    pub(super) begun: RefCell<Vec<Instant>>,
    pub(super) wait_for_operation: RefCell<Vec<Waker>>,
    /// Who waits until the CPU with this number takes calls.
    pub(super) wait_for_queue: Vec<RefCell<Vec<Waker>>>,
    /// Their queues, where any are made. Last, as `Queues` asks.
    pub(super) queues: Queues,
}

thread_local! {
    /// The machine that is simulated on this thread.
    static WORLD: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

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
        let all_queues = match setup.calls.is_empty() {
            true => 0..0,
            false => all.clone(),
        };
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
            wait_for_queue: all_queues.clone().map(|_| RefCell::default()).collect(),
            queues: Queues::new(all_queues.len()),
            calls: setup.calls.clone(),
            begun: RefCell::default(),
            wait_for_operation: RefCell::default(),
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
        self.rules.calls.end(self);
        for cpu in &self.cpus {
            let fiber = cpu.fiber.borrow_mut().take();
            if cpu.lends.get() {
                // It would wait for its calls as it is dropped, and nobody runs them any more. That is
                // only where a rule was broken.
                mem::forget(fiber);
            } else {
                self.bury(fiber);
            }
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
            Event::Called(number) => {
                let cpu = &self.cpus[number];
                self.tell(number, || {
                    format!("interrupt for calls, at {:?}", cpu.power.get())
                });
                if let Power::Runs(_) = cpu.power.get() {
                    cpu.is_called.set(true);
                    if cpu.is_halted.get() {
                        self.go(cpu.claim(number));
                    }
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

    /// Whether the BSP has come to its end.
    pub(super) fn is_over(&self) -> bool {
        self.has_bsp_ended.get()
    }

    /// Whether a CPU makes calls that borrow from its stack. Whoever has one in its hands does not die
    /// with it: its caller would wait for ever, as it must.
    fn lends(&self) -> bool {
        let lends = |call: &Call| matches!(call.kind, CallKind::Blocking | CallKind::BlockingMany);
        self.calls.iter().any(lends)
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
