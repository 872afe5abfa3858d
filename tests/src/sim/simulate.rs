//! One simulation: a model, what is to be done with its CPUs, and what is wrong with them.

use std::{cell::RefCell, pin::pin, rc::Rc, sync::Arc, time::Duration};

use anyhow::Result;
use futures_util::future::{Either, select};
use reveille_smp::{
    bringup::{Ap, BringUp, Moved, NotDown, Round, Timing},
    cpu::CpuIndex,
    injection::Injection,
    ladder::{Ladder, Rung},
    order::Order,
    preemption,
    step::Direction,
    strategy::Strategy,
};

use super::{
    Happened, Span,
    call::{self, Call},
    fault::Fault,
    fiber::Fiber,
    machine,
    model::Model,
    platform::{Resident, Seat},
    rules::Broken,
    steps,
    world::World,
};

/// A machine that can be simulated again and again.
#[derive(Clone)]
pub struct Simulator {
    model: Rc<Model>,
    ladder: &'static Ladder,
}

/// What is to be simulated on it.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What is done, one after the other.
    pub operations: Vec<Operation>,
    /// Who may go through the serialised steps when.
    pub order: Order,
    /// How long the bring-up waits.
    pub timing: Timing,
    /// What all random numbers come from.
    pub seed: u64,
    /// What CPUs call each other for.
    pub calls: Vec<Call>,
    /// What is wrong with which CPU.
    pub faults: Vec<(usize, Fault)>,
    /// Between two places of a CPU's way passes up to so much time.
    pub grain: Option<Duration>,
    /// How long an operation may take where nothing is wrong, if that is to be checked: less than the
    /// first deadline.
    pub longest: Option<Duration>,
    /// Hears of all that happens, as it happens.
    pub tell: Option<fn(&Happened)>,
    /// Whether spans are wanted.
    pub keeps_spans: bool,
    /// What the bring-up itself does not do yet: the steps before the kick run on whoever is online and
    /// free.
    pub spreads_prepare: bool,
}

/// What can be done with the CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Brings all up.
    BringUp(Strategy),
    /// Takes all down.
    TakeDown,
    /// Drives these CPUs to a rung: CPU n is one of them if bit n is set, of the lowest 64.
    Drive(u64, u16),
    /// Lets so many microseconds pass.
    Wait(u32),
}

/// How an operation ended.
#[derive(Clone, Debug)]
pub enum Done {
    /// A bring-up.
    Round(Round),
    /// A way down.
    Down(Result<(), NotDown>),
    /// Some CPUs were driven.
    Moved(Vec<Moved>),
    /// Time has passed.
    Waited,
}

/// What a simulation gave.
#[derive(Debug)]
pub struct Simulated {
    /// How each operation ended.
    pub done: Vec<Done>,
    /// Doorbells that the BSP's executor rang for itself or had rung.
    pub doorbells: u64,
    /// Polls of all tasks on the BSP.
    pub polls: u64,
    /// What happened in all.
    pub events: u64,
    /// Who was busy when, in the order of the ends; empty if not wanted.
    pub spans: Vec<Span>,
}

impl Simulator {
    /// For this model.
    ///
    /// # Errors
    ///
    /// When the model's steps are no ladder.
    pub fn new(model: Model) -> Result<Self> {
        preemption::on_each_access(World::pass_place_here);
        let ladder = steps::ladder(&model)?;
        let model = Rc::new(model);
        Ok(Self { model, ladder })
    }

    /// The same machine with so many CPUs.
    ///
    /// # Errors
    ///
    /// When it cannot have so many.
    pub fn with_cpus(&self, cpus: usize) -> Result<Self> {
        let model = Model::clone(&self.model).with_cpus(cpus)?;
        Ok(Self {
            model: Rc::new(model),
            ladder: self.ladder,
        })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Its steps.
    pub fn ladder(&self) -> &'static Ladder {
        self.ladder
    }

    /// A bring-up of all its CPUs in which nothing is wrong.
    pub fn setup(&self, strategy: Strategy, seed: u64) -> Setup {
        Setup {
            operations: vec![Operation::BringUp(strategy)],
            order: Order::default(),
            timing: self.model.timing,
            seed,
            calls: Vec::new(),
            faults: Vec::new(),
            grain: None,
            longest: None,
            tell: None,
            keeps_spans: true,
            spreads_prepare: false,
        }
    }

    /// Simulates.
    ///
    /// # Errors
    ///
    /// When a rule was broken.
    pub fn run(&self, setup: &Setup) -> Result<Simulated, Broken> {
        let shape = &self.model.shape;
        let ap = |cpu| {
            let (id, place) = (shape.apic_id(cpu), shape.place(cpu));
            Ap::new(CpuIndex(cpu as u32), id, place)
        };
        let aps: Arc<[Ap]> = (1..shape.cpus()).map(ap).collect();
        for (cpu, fault) in &setup.faults {
            if let Some(injection) = injection(fault)
                && let Some(ap) = aps.get(cpu.wrapping_sub(1))
            {
                ap.slot.inject(Some(injection));
            }
        }
        let world = Rc::new(World::new(
            Rc::clone(&self.model),
            Arc::clone(&aps),
            self.ladder,
            setup,
        ));
        let result = Rc::new(RefCell::new(None));
        let bsp = {
            let (world, setup, result) = (Rc::clone(&world), setup.clone(), Rc::clone(&result));
            move || *result.borrow_mut() = Some(drive(&world, &setup))
        };
        let bsp = Fiber::new(bsp).map_err(Broken::no_memory)?;
        let settles = setup.timing.alive_timeout + setup.timing.online_timeout;
        world.run(bsp, settles);
        world.rules.verdict()?;
        let driven = result.take().expect("the BSP came to its end");
        Ok(Simulated {
            done: driven.done,
            doorbells: driven.doorbells,
            polls: driven.polls,
            events: world.events.get(),
            spans: world.spans.as_ref().map(RefCell::take).unwrap_or_default(),
        })
    }
}

/// What came of it on the BSP.
struct Driven {
    done: Vec<Done>,
    doorbells: u64,
    polls: u64,
}

/// What runs on the BSP.
fn drive(world: &Rc<World>, setup: &Setup) -> Driven {
    let mut resident = Resident::at(Seat::of(0), world.aps.len());
    let (timer, spawner) = (resident.timer(), resident.spawner());
    let before = resident.counted();
    let bring_up = BringUp {
        machine: machine::Simulated(Rc::clone(world)),
        timer: timer.clone(),
        aps: Arc::clone(&world.aps),
        ladder: world.ladder,
        timing: setup.timing,
        order: setup.order,
    };
    let operations = async {
        let mut done = Vec::with_capacity(setup.operations.len());
        for operation in &setup.operations {
            let began = world.now();
            world.begins_operation();
            world.rules.begins_operation(*operation, setup.order);
            world.tell(0, || format!("begins with {operation:?}"));
            done.push(match *operation {
                Operation::BringUp(strategy) => {
                    let round = bring_up.run(&spawner, strategy).await;
                    world
                        .rules
                        .has_brought_up(world, &round, steps::on_ap(&world.model));
                    Done::Round(round)
                }
                Operation::TakeDown => {
                    let down = bring_up.take_down(&spawner).await;
                    world.rules.has_taken_down(world, &down);
                    Done::Down(down)
                }
                Operation::Drive(cpus, rung) => {
                    let all =
                        (1..=world.aps.len().min(63) as u32).filter(|cpu| cpus >> cpu & 1 == 1);
                    let targets: Vec<_> = all.map(|cpu| (CpuIndex(cpu), Rung(rung))).collect();
                    let moved = bring_up.drive(&spawner, &targets).await;
                    world.rules.has_moved(world, &moved);
                    Done::Moved(moved)
                }
                Operation::Wait(us) => {
                    timer.sleep(Duration::from_micros(u64::from(us))).await;
                    Done::Waited
                }
            });
            world.rules.has_ended(
                world,
                *operation,
                began,
                pauses(*operation, world.aps.len()),
            );
        }
        done
    };
    let done = match setup.calls.is_empty() {
        true => resident.block_on(operations),
        false => {
            call::open(world, 0);
            let calls = call::call_all(Rc::clone(world), 0, timer.clone());
            let (operations, calls) = (pin!(operations), pin!(calls));
            let ended = resident.block_on(select(operations, calls));
            call::close(world, 0);
            match ended {
                Either::Left((done, _)) => done,
                Either::Right((never, _)) => match never {},
            }
        }
    };
    let behind = resident.counted();
    Driven {
        done,
        doorbells: behind.doorbells_sent - before.doorbells_sent,
        polls: behind.polls - before.polls,
    }
}

/// How long an operation lets time pass in any case.
fn pauses(operation: Operation, aps: usize) -> Duration {
    /// The old delay between INIT and SIPI, and some for the one between the SIPIs.
    const LEGACY: Duration = Duration::from_millis(11);
    match operation {
        Operation::BringUp(Strategy::Legacy) => LEGACY * aps as u32,
        Operation::Wait(us) => Duration::from_micros(u64::from(us)),
        _ => Duration::ZERO,
    }
}

fn injection(fault: &Fault) -> Option<Injection> {
    let (step, direction) = match *fault {
        Fault::FailsUp(step) => (step, Direction::Up),
        Fault::FailsDown(step) => (step, Direction::Down),
        _ => return None,
    };
    Some(Injection {
        step: step as usize,
        direction,
        is_sticky: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simulator(change: impl Fn(&mut Model)) -> Simulator {
        let mut model = Model::named("synthetic").unwrap();
        change(&mut model);
        Simulator::new(model).unwrap()
    }

    #[test]
    fn a_cpu_never_does_two_things_at_once() {
        let names = ["synthetic", "zen3", "skylake-112"];
        for machine in names.map(|name| Simulator::new(Model::named(name).unwrap()).unwrap()) {
            let runs = Strategy::ALL.iter().flat_map(|&strategy| {
                [false, true].map(|spreads_prepare| Setup {
                    spreads_prepare,
                    ..machine.setup(strategy, 1)
                })
            });
            for setup in runs {
                let mut spans = machine.run(&setup).unwrap().spans;
                // Nobody does that: it is under way.
                spans.retain(|span| span.what != "start");
                spans.sort_by_key(|span| (span.cpu, span.start, span.end));
                for pair in spans.windows(2).filter(|pair| pair[0].cpu == pair[1].cpu) {
                    assert!(pair[0].end <= pair[1].start, "{setup:?}: {pair:?}");
                }
            }
        }
    }

    #[test]
    fn a_host_with_a_core_for_each_cpu_is_as_good_as_none() {
        let hosted = simulator(|model| model.host.as_mut().unwrap().cores = 8);
        let own = simulator(|model| model.host = None);
        for &strategy in Strategy::ALL {
            let checks = (1..40).map(|at| (0, Fault::MachineCheck(40 * at, 7)));
            for spreads_prepare in [false, true] {
                let setup = Setup {
                    faults: checks.clone().collect(),
                    spreads_prepare,
                    ..own.setup(strategy, 1)
                };
                let spans = |machine: &Simulator| machine.run(&setup).unwrap().spans;
                assert_eq!(spans(&hosted), spans(&own), "{strategy}");
            }
        }
    }
}
