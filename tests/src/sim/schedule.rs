//! Random schedules: CPUs, what is done with them, and what goes wrong. One that breaks a rule is
//! reduced to its shortest form and written as a test.

use std::{
    cell::{Cell, RefCell},
    fmt,
    ops::RangeInclusive,
};

use anyhow::Result;
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};
use reveille_smp::{bringup::SecondSipi, order::Order, strategy::Strategy as Kicks};

use super::{
    Broken, Fault, Happened, Operation, Setup, Simulator,
    call::{Call, CallKind},
    model::Model,
};

/// A simulation on the model `synthetic`, as it is drawn, reduced and written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// How many CPUs there are, the BSP among them: at most [`Explorer::MOST_CPUS`].
    pub cpus: usize,
    /// Who may go through the serialised steps when.
    pub order: Order,
    /// What all random numbers come from.
    pub seed: u64,
    /// Between two places of a CPU's way pass up to so many nanoseconds; 0 is none.
    pub grain_ns: u32,
    /// What is done.
    pub operations: Vec<Operation>,
    /// What CPUs call each other for meanwhile.
    pub calls: Vec<Call>,
    /// What is wrong with which CPU.
    pub faults: Vec<(usize, Fault)>,
}

/// Simulates schedules, and looks for those that break a rule.
pub struct Explorer {
    /// The machines with 2 CPUs and more.
    machines: Vec<Simulator>,
}

/// A schedule that breaks a rule, as short as it could be made.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The schedule.
    pub schedule: Schedule,
    /// What it breaks.
    pub broken: Broken,
    /// How many were simulated until it was drawn, before it was made shorter.
    pub drawn: u32,
}

impl Explorer {
    /// The largest machine that schedules are drawn for.
    pub const MOST_CPUS: usize = 9;

    /// For the model `synthetic`.
    ///
    /// # Errors
    ///
    /// When the model cannot be used.
    pub fn new() -> Result<Self> {
        let model = Model::named("synthetic")?;
        let largest = Simulator::new(model.with_cpus(Self::MOST_CPUS)?)?;
        let machines = (2..=Self::MOST_CPUS).map(|cpus| largest.with_cpus(cpus));
        Ok(Self {
            machines: machines.collect::<Result<_>>()?,
        })
    }

    /// Simulates one.
    ///
    /// # Errors
    ///
    /// When it breaks a rule.
    pub fn check(&self, schedule: &Schedule) -> Result<(), Broken> {
        self.simulate(schedule, None)
    }

    /// Simulates one, and tells all that happens, as it happens.
    ///
    /// # Errors
    ///
    /// When it breaks a rule.
    pub fn trace(&self, schedule: &Schedule, tell: fn(&Happened)) -> Result<(), Broken> {
        self.simulate(schedule, Some(tell))
    }

    fn simulate(&self, schedule: &Schedule, tell: Option<fn(&Happened)>) -> Result<(), Broken> {
        let machine = &self.machines[schedule.cpus - 2];
        let setup = Setup {
            operations: schedule.operations.clone(),
            calls: schedule.calls.clone(),
            order: schedule.order,
            faults: schedule.faults.clone(),
            grain: match schedule.grain_ns {
                0 => None,
                nanos => Some(std::time::Duration::from_nanos(u64::from(nanos))),
            },
            // The first deadline is that of the second SIPI.
            longest: match machine.model().timing.second_sipi {
                SecondSipi::IfUnseen(after) | SecondSipi::Always(after) => Some(after / 2),
            },
            tell,
            keeps_spans: false,
            ..machine.setup(Kicks::Parallel, schedule.seed)
        };
        machine.run(&setup).map(drop)
    }

    /// Draws and simulates so many of them, the same ones for a seed; `tell` hears of each before it
    /// is simulated. Ends at the first that breaks a rule.
    ///
    /// # Errors
    ///
    /// That one.
    ///
    /// # Panics
    ///
    /// If the simulator itself does.
    pub fn explore(
        &self,
        schedules: u32,
        seed: u64,
        tell: impl Fn(&Schedule),
    ) -> Result<(), Box<Finding>> {
        /// More make hardly any shorter.
        const MOST_SHRUNK: u32 = 4_000;
        let config = Config {
            cases: schedules,
            failure_persistence: None,
            // The library's variable in the environment may ask for fewer.
            max_shrink_iters: Config::default().max_shrink_iters.min(MOST_SHRUNK),
            ..Config::default()
        };
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &key);
        let drawn = Cell::new(0);
        let found = RefCell::new(None::<Finding>);
        let result = TestRunner::new_with_rng(config, rng).run(&self.any_schedule(), |schedule| {
            tell(&schedule);
            let mut found = found.borrow_mut();
            if found.is_none() {
                drawn.set(drawn.get() + 1);
            }
            let Err(broken) = self.check(&schedule) else {
                return Ok(());
            };
            // What breaks another rule when it is made shorter is another finding.
            if found
                .as_ref()
                .is_some_and(|it| it.broken.rule != broken.rule)
            {
                return Ok(());
            }
            let text = broken.to_string();
            // The last one that fails is the shortest.
            *found = Some(Finding {
                schedule,
                broken,
                drawn: drawn.get(),
            });
            Err(TestCaseError::fail(text))
        });
        match (result, found.take()) {
            (Ok(()), _) => Ok(()),
            (Err(TestError::Fail(..)), Some(finding)) => Err(Box::new(finding)),
            // Not the code that is simulated: the simulator itself panicked, or drew nothing.
            (Err(error), _) => panic!("{error}"),
        }
    }

    fn any_schedule(&self) -> impl Strategy<Value = Schedule> + use<> {
        let ladder = self.machines[0].ladder();
        let rungs: Vec<u16> = ladder
            .rungs()
            .filter(|&rung| ladder.can_rest(rung))
            .map(|rung| rung.0)
            .collect();
        let steps = ladder.steps().len() as u32;
        (2..=Self::MOST_CPUS).prop_flat_map(move |cpus| {
            let operation = any_operation(cpus, rungs.clone());
            let faults = prop::collection::vec(any_fault(cpus, steps), 0..=4);
            let parts = (
                any_order(),
                0..1_000_000_u64,
                prop_oneof![Just(0), 20..2_000_u32],
                any_kicks(),
                prop::collection::vec(operation, 0..=3),
                any_calls(cpus),
                faults,
            );
            parts.prop_map(
                move |(order, seed, grain_ns, kicks, then, mut calls, faults)| {
                    // Each falls into one of the operations that there are.
                    let operations = 1 + then.len();
                    calls
                        .iter_mut()
                        .for_each(|call| call.operation %= operations);
                    let first = Operation::BringUp(kicks);
                    Schedule {
                        cpus,
                        order,
                        seed,
                        grain_ns,
                        operations: [first].into_iter().chain(then).collect(),
                        calls,
                        faults,
                    }
                },
            )
        })
    }
}

fn any_order() -> impl Strategy<Value = Order> {
    prop::sample::select(Order::ALL)
}

fn any_kicks() -> impl Strategy<Value = Kicks> {
    prop::sample::select(Kicks::ALL)
}

fn any_operation(cpus: usize, rungs: Vec<u16>) -> impl Strategy<Value = Operation> {
    let everybody = (1_u64 << cpus) - 2;
    prop_oneof![
        any_kicks().prop_map(Operation::BringUp),
        Just(Operation::TakeDown),
        (0..=everybody, prop::sample::select(rungs))
            .prop_map(|(cpus, rung)| Operation::Drive(cpus & !1, rung)),
        any_span(5_000_000).prop_map(Operation::Wait),
    ]
}

/// Up to so many microseconds, as often short as long, and now and then about as long as something
/// that the bring-up waits for.
fn any_span(longest: u32) -> impl Strategy<Value = u32> {
    /// Until the second SIPI and for an AP to come back; until the second INIT; half of a leg; until
    /// an AP is given up, and a leg.
    const WAITS: &[u32] = &[50_000, 500_000, 1_000_000, 2_000_000];
    let decades = longest.ilog10();
    let any = (0..=decades).prop_flat_map(|decade| 0..10_u32.pow(decade + 1));
    let about = (prop::sample::select(WAITS), 0..4_000_u32);
    prop_oneof![
        4 => any,
        1 => about.prop_map(|(wait, more)| wait - 2_000 + more),
    ]
    .prop_map(move |span| span.min(longest))
}

/// In every other schedule some.
fn any_calls(cpus: usize) -> impl Strategy<Value = Vec<Call>> {
    let kind = prop_oneof![
        Just(CallKind::Awaited),
        Just(CallKind::Many),
        Just(CallKind::Any),
        // More than a queue has places.
        (1..=24_u32).prop_map(CallKind::Posted),
        Just(CallKind::Blocking),
        Just(CallKind::BlockingMany),
        (1..=100_u32).prop_map(CallKind::Looks),
    ];
    let everybody = (1_u64 << cpus) - 1;
    // Where nothing is wrong, a way down takes microseconds and one up a few milliseconds.
    let at = (1..=4_u32).prop_flat_map(|decade| 0..10_u32.pow(decade));
    let call = (0..cpus, at, 0..4_usize, 1..=everybody, kind);
    let call = call.prop_map(|(from, at_us, operation, to, kind)| Call {
        from,
        at_us,
        operation,
        to,
        kind,
    });
    prop_oneof![Just(Vec::new()), prop::collection::vec(call, 1..=8),]
}

fn any_fault(cpus: usize, steps: u32) -> impl Strategy<Value = (usize, Fault)> {
    // What the BSP does must come to an end, so less can be wrong with it.
    let of_bsp = prop_oneof![
        (any_place(), any_span(3_000_000)).prop_map(|(place, span)| Fault::Stall(place, span)),
        any_number(20).prop_map(Fault::LostDoorbell),
        (any_number(20), any_span(3_000_000))
            .prop_map(|(which, span)| Fault::LateDoorbell(which, span)),
        any_skew(),
        any_machine_check(),
    ];
    let of_ap = prop_oneof![
        1 => Just(Fault::Silent),
        1 => any_number(2).prop_map(Fault::LostInit),
        1 => any_number(4).prop_map(Fault::LostSipi),
        1 => Just(Fault::Refused),
        1 => any_span(5_000_000).prop_map(Fault::Late),
        1 => any_span(5_000_000).prop_map(Fault::HeldUp),
        4 => any_place().prop_map(Fault::Dies),
        1 => (any_place(), any_span(5_000_000)).prop_map(|(place, span)| Fault::Stall(place, span)),
        1 => any_span(5_000_000).prop_map(Fault::Twice),
        1 => Just(Fault::WrongId),
        1 => any_number(8).prop_map(Fault::LostDoorbell),
        1 => (any_number(8), any_span(5_000_000))
            .prop_map(|(which, span)| Fault::LateDoorbell(which, span)),
        1 => any_skew(),
        1 => any_machine_check(),
        1 => (0..steps).prop_map(Fault::FailsUp),
        1 => (0..steps).prop_map(Fault::FailsDown),
    ];
    // The BSP passes as many places for each AP as that AP does.
    let stalled = prop_oneof![1 => Just(0), 2 => 1..cpus];
    let harmless = stalled.prop_flat_map(move |cpu| {
        let places = if cpu == 0 { 60 * cpus as u32 } else { 80 };
        let stall = (1..=places, any_span(Fault::HARMLESS_STALL_US));
        stall.prop_map(move |(place, span)| (cpu, Fault::Stall(place, span)))
    });
    prop_oneof![
        1 => of_bsp.prop_map(|fault| (0, fault)),
        8 => (1..cpus, of_ap),
        6 => harmless,
    ]
}

fn any_number(most: u32) -> RangeInclusive<u32> {
    1..=most
}

/// Most CPUs pass some 60 places in a bring-up, and come to a second one.
fn any_place() -> impl Strategy<Value = u32> {
    prop_oneof![3 => 1..=70_u32, 1 => 71..=140_u32]
}

fn any_skew() -> impl Strategy<Value = Fault> {
    (-500_000..500_000).prop_map(Fault::Skew)
}

fn any_machine_check() -> impl Strategy<Value = Fault> {
    (any_span(5_000_000), any_span(1_000_000)).prop_map(|(at, span)| Fault::MachineCheck(at, span))
}

/// As a test, to be pasted.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "/// {}", self.broken)?;
        writeln!(f, "#[test]")?;
        let name = self.broken.rule.to_string().replace('-', "_");
        writeln!(f, "fn rule_{name}_holds() {{")?;
        writeln!(f, "    let schedule = {};", self.schedule)?;
        writeln!(
            f,
            "    assert_eq!(Explorer::new().unwrap().check(&schedule), Ok(()));"
        )?;
        write!(f, "}}")
    }
}

/// As an expression in Rust.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cpus,
            order,
            seed,
            grain_ns,
            operations,
            calls,
            faults,
        } = self;
        writeln!(f, "Schedule {{")?;
        writeln!(f, "        cpus: {cpus},")?;
        writeln!(f, "        order: Order::{order:?},")?;
        writeln!(f, "        seed: {seed},")?;
        writeln!(f, "        grain_ns: {grain_ns},")?;
        let operation = |operation: &Operation| match operation {
            Operation::BringUp(kicks) => format!("Operation::BringUp(Strategy::{kicks:?})"),
            other => format!("Operation::{other:?}"),
        };
        let operations: Vec<_> = operations.iter().map(operation).collect();
        writeln!(f, "        operations: vec![{}],", operations.join(", "))?;
        let calls: Vec<_> = calls.iter().map(Call::to_string).collect();
        writeln!(f, "        calls: vec![{}],", calls.join(", "))?;
        let fault = |(cpu, fault): &(usize, Fault)| format!("({cpu}, Fault::{fault:?})");
        let faults: Vec<_> = faults.iter().map(fault).collect();
        writeln!(f, "        faults: vec![{}],", faults.join(", "))?;
        write!(f, "    }}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_stopped_where_the_simulator_looks_at_a_word_itself() {
        // It looks while it holds what the next CPU that comes there needs.
        let schedule = Schedule {
            cpus: 8,
            order: Order::Lowest,
            seed: 76867,
            grain_ns: 66,
            operations: vec![
                Operation::BringUp(Kicks::Serial),
                Operation::BringUp(Kicks::Parallel),
                Operation::Wait(927_932),
            ],
            calls: vec![],
            faults: vec![
                (5, Fault::Dies(63)),
                (5, Fault::Twice(478)),
                (5, Fault::Stall(52, 94)),
                (3, Fault::Stall(64, 4_212_743)),
            ],
        };
        assert_eq!(Explorer::new().unwrap().check(&schedule), Ok(()));
    }

    #[test]
    #[should_panic(expected = "as the simulator might")]
    fn a_simulator_that_panics_has_not_found_everything_in_order() {
        let explorer = Explorer::new().unwrap();
        let _ = explorer.explore(1, 1, |_| panic!("as the simulator might"));
    }
}
