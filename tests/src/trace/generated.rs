//! Machines that do random things, for tests: what their CPUs noted, and the truth on which send each
//! arrival was the answer to.
//!
//! The machine keeps the rules that the records state: polls, sleeps, interrupts and calls nest, a step
//! ends in a poll of the task that it began in, and an APIC keeps one bit a vector.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};
use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    record::{
        TraceNames,
        trace::{TraceEvent, VectorName},
    },
};

use super::{
    arrows::{CALL, Flight, IPI, KICK},
    timeline::{Cpu, Event, Place, Timeline},
};

/// What a machine did.
#[derive(Clone, Debug)]
pub(super) struct Generated {
    /// What its CPUs noted.
    pub(super) timeline: Timeline,
    /// What arrived where, in the order of the sends.
    pub(super) flights: Vec<Flight>,
}

impl Generated {
    /// When an event was.
    pub(super) fn at(&self, place: Place) -> u64 {
        self.timeline.event(place).uptime_ns
    }
}

/// The vectors that it uses.
const VECTORS: [u8; 2] = [65, 66];

/// Names for its numbers.
pub(crate) fn names() -> TraceNames {
    TraceNames {
        steps: ["tables", "join", "idle"].map(str::to_owned).to_vec(),
        serialised: Some(vec![1]),
        vectors: VECTORS
            .map(|vector| VectorName {
                vector,
                name: format!("vector-{vector}"),
            })
            .to_vec(),
    }
}

/// A CPU that noted `events`, each with its time.
pub(crate) fn cpu(number: u32, events: impl IntoIterator<Item = (u64, Event)>) -> Cpu {
    let events = events.into_iter();
    Cpu {
        cpu: CpuIndex(number),
        apic_id: ApicId(number),
        overwritten: 0,
        uncertainty_ns: Some(0),
        events: events
            .map(|(uptime_ns, event)| TraceEvent { uptime_ns, event })
            .collect(),
    }
}

/// Up to 5 CPUs that do up to 300 things.
pub(super) fn machine() -> impl Strategy<Value = Generated> {
    let thing = (any::<u8>(), 0..16_u8, any::<u8>(), 1..100_u64);
    (1..6_usize, vec(thing, 0..300)).prop_map(|(cpus, things)| {
        let mut machine = Machine::new(cpus);
        for (cpu, what, other, passes_ns) in things {
            machine.now_ns += passes_ns;
            machine.act(usize::from(cpu) % cpus, what, usize::from(other));
        }
        machine.end()
    })
}

/// What a CPU is in.
#[derive(Clone, Copy, PartialEq)]
enum In {
    Poll(Option<u32>),
    Idle,
    Interrupt(u8),
    Call(u64),
}

#[derive(Default)]
struct Acting {
    events: Vec<(u64, Event)>,
    /// How far it has come: down, in real mode, in long mode, alive, online.
    stage: usize,
    within: Vec<In>,
    /// The step that each task is in.
    steps: BTreeMap<Option<u32>, u16>,
    /// The sends that each vector's bit stands for.
    pending: BTreeMap<u8, Vec<Place>>,
    /// An interrupt that the APIC has given to the CPU, which has not noted it yet.
    given: Option<(u8, Vec<Place>)>,
    calls: Vec<(u64, Place)>,
}

struct Machine {
    cpus: Vec<Acting>,
    flights: Vec<Flight>,
    now_ns: u64,
    ids: u64,
}

impl Machine {
    fn new(cpus: usize) -> Self {
        let mut machine = Self {
            cpus: (0..cpus).map(|_| Acting::default()).collect(),
            flights: Vec::new(),
            now_ns: 0,
            ids: 0,
        };
        machine.cpus[0].stage = 4;
        machine
    }

    fn note(&mut self, cpu: usize, event: Event) -> Place {
        let events = &mut self.cpus[cpu].events;
        events.push((self.now_ns, event));
        Place {
            cpu,
            event: events.len() - 1,
        }
    }

    fn flight(&mut self, name: &'static str, from: Place, to: Place) {
        self.flights.push(Flight { name, from, to });
    }

    fn begin(&mut self, cpu: usize, within: In, event: Event) -> Place {
        self.cpus[cpu].within.push(within);
        self.note(cpu, event)
    }

    fn end_innermost(&mut self, cpu: usize) {
        let event = match self.cpus[cpu].within.pop() {
            Some(In::Poll(_)) => Event::PollEnd,
            Some(In::Idle) => Event::IdleEnd,
            Some(In::Interrupt(vector)) => Event::IrqExit { vector },
            Some(In::Call(id)) => Event::CsdExit { id },
            None => return,
        };
        self.note(cpu, event);
    }

    /// Lets a CPU do something, if it can.
    fn act(&mut self, cpu: usize, what: u8, other: usize) {
        let to = other % self.cpus.len();
        let it = &self.cpus[cpu];
        let (stage, innermost) = (it.stage, it.within.last().copied());
        match (stage, what) {
            (0, _) => self.start(cpu),
            (1, _) => self.advance(cpu, Event::LongMode),
            (_, 0..2) if innermost.is_none() => {
                let task = (other % 3).checked_sub(1).map(|task| task as u32);
                self.begin(cpu, In::Poll(task), Event::PollStart { task });
            }
            (_, 2) if innermost.is_none() => {
                self.begin(cpu, In::Idle, Event::IdleStart);
            }
            (_, 3..6) => self.end_innermost(cpu),
            (_, 6..8) => self.step(cpu, other),
            (_, 8..10) if self.cpus[to].stage >= 2 => self.send(cpu, to, other),
            (_, 10..12) => self.take_interrupt(cpu),
            (_, 12) if self.cpus[to].stage >= 2 => self.queue(cpu, to),
            (_, 13) => self.run_call(cpu, other.is_multiple_of(4)),
            (2, 14) => self.advance(cpu, Event::Alive),
            (3, 14) => self.advance(cpu, Event::Online),
            (4, 15) if cpu > 0 => self.park(cpu),
            _ => {}
        }
    }

    fn start(&mut self, cpu: usize) {
        let to = Some(CpuIndex(cpu as u32));
        let from = self.note(0, Event::Sipi { to });
        self.now_ns += 1;
        let start = self.note(cpu, Event::RealMode);
        self.flight(KICK, from, start);
        self.cpus[cpu].stage = 1;
    }

    fn advance(&mut self, cpu: usize, event: Event) {
        self.note(cpu, event);
        self.cpus[cpu].stage += 1;
    }

    /// The task that is polled begins a step, or ends it.
    fn step(&mut self, cpu: usize, other: usize) {
        let Some(In::Poll(task)) = self.cpus[cpu].within.last().copied() else {
            return;
        };
        let (of, down) = (CpuIndex(cpu as u32), false);
        let event = match self.cpus[cpu].steps.remove(&task) {
            Some(step) => Event::StepEnd {
                of,
                step,
                down,
                failed: other.is_multiple_of(7),
            },
            None => {
                // No two tasks are in the same step: the records could not tell them apart.
                let step = task.map_or(0, |task| task as u16 + 1);
                self.cpus[cpu].steps.insert(task, step);
                Event::StepStart { of, step, down }
            }
        };
        self.note(cpu, event);
    }

    fn send(&mut self, cpu: usize, target: usize, other: usize) {
        let vector = VECTORS[other / 16 % 2];
        let (to, id) = (Some(CpuIndex(target as u32)), self.next_id());
        let place = self.note(cpu, Event::IpiSend { to, vector, id });
        let pending = &mut self.cpus[target].pending;
        pending.entry(vector).or_default().push(place);
    }

    fn take_interrupt(&mut self, cpu: usize) {
        let within = &self.cpus[cpu].within;
        if within.iter().any(|it| matches!(it, In::Interrupt(_))) {
            return;
        }
        if let Some((vector, sends)) = self.cpus[cpu].given.take() {
            let entry = self.begin(cpu, In::Interrupt(vector), Event::IrqEntry { vector });
            for send in sends {
                self.flight(IPI, send, entry);
            }
        } else {
            self.cpus[cpu].given = self.cpus[cpu].pending.pop_first();
        }
    }

    fn queue(&mut self, cpu: usize, target: usize) {
        let (to, id) = (Some(CpuIndex(target as u32)), self.next_id());
        let place = self.note(cpu, Event::CsdQueue { to, id });
        self.cpus[target].calls.push((id, place));
    }

    /// In an interrupt the CPU runs a call, or drops it.
    fn run_call(&mut self, cpu: usize, drops: bool) {
        let is_in_interrupt = matches!(self.cpus[cpu].within.last(), Some(In::Interrupt(_)));
        if !is_in_interrupt || self.cpus[cpu].calls.is_empty() {
            return;
        }
        let (id, from) = self.cpus[cpu].calls.remove(0);
        let to = match drops {
            true => self.note(cpu, Event::CsdDrop { id }),
            false => self.begin(cpu, In::Call(id), Event::CsdEntry { id }),
        };
        self.flight(CALL, from, to);
    }

    /// A CPU goes down if nobody wants anything of it.
    fn park(&mut self, cpu: usize) {
        let it = &mut self.cpus[cpu];
        let is_asked = !it.pending.is_empty() || it.given.is_some() || !it.calls.is_empty();
        if it.within.is_empty() && !is_asked {
            it.steps.clear();
            it.stage = 0;
        }
    }

    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// All that has begun ends, and all that was sent arrives.
    fn end(mut self) -> Generated {
        for cpu in 0..self.cpus.len() {
            self.now_ns += 1;
            while !self.cpus[cpu].within.is_empty() {
                self.end_innermost(cpu);
            }
            while !self.cpus[cpu].pending.is_empty() || self.cpus[cpu].given.is_some() {
                self.take_interrupt(cpu);
                self.end_innermost(cpu);
            }
            // By a vector of its own, which nobody has sent.
            let vector = VECTORS[1] + 1;
            self.begin(cpu, In::Interrupt(vector), Event::IrqEntry { vector });
            while !self.cpus[cpu].calls.is_empty() {
                self.run_call(cpu, false);
                self.end_innermost(cpu);
            }
            self.end_innermost(cpu);
            let tasks: BTreeSet<_> = self.cpus[cpu].steps.keys().copied().collect();
            for task in tasks {
                self.begin(cpu, In::Poll(task), Event::PollStart { task });
                self.step(cpu, 1);
                self.end_innermost(cpu);
            }
        }
        let cpus = (0..)
            .zip(self.cpus)
            .map(|(number, it)| cpu(number, it.events));
        let timeline = Timeline {
            names: names(),
            cpus: cpus.collect(),
        };
        let mut flights = self.flights;
        flights.sort_by_key(|it| (timeline.event(it.from).uptime_ns, it.from, it.to));
        Generated { timeline, flights }
    }
}
