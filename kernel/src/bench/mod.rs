//! The benchmark: rounds of every strategy and of two yardsticks, interleaved in one boot, so that
//! whatever slows the host down slows all of them.

mod bare;
mod floor;

use alloc::{boxed::Box, format, string::String, vec::Vec};
use core::{cell::OnceCell, error::Error, fmt, ops::RangeInclusive, time::Duration};

use reveille_executor::{Counters, Spawner, Timer};
use reveille_smp::{
    bringup::{BringUp, Moved, NotDown, Round, Timing},
    contender::{Contender, Contenders},
    cpu::CpuIndex,
    ladder::{Ladder, Rung},
    machine::Way,
    order::Order,
    record::{self, Record},
    strategy::Strategy,
    table::Comparison,
};
use strum::VariantNames;

pub use self::bare::miss_the_last;
use self::{bare::Bare, floor::Floor};
use crate::{
    consistency::{clock::Clocks, registers},
    cpus::{Cpus, machine::Hardware},
    interruption::Interruption,
    memory::heap::HEAP,
    platform::CpuPlatform,
    room::{self, Room, TooMany},
};

/// What a benchmark runs on.
pub struct Bench<'a> {
    /// The CPUs.
    pub cpus: &'a Cpus,
    /// The timer of the BSP's executor.
    pub timer: Timer,
    /// Its spawner.
    pub spawner: Spawner,
    /// What it counts.
    pub counters: &'static Counters,
    /// The BSP's platform, for what runs below the executor.
    pub platform: &'static CpuPlatform,
    /// How long a bring-up waits; with a head start only where no AP has run the kernel before.
    pub timing: Timing,
    /// Who may go through the serialised steps when.
    pub order: Order,
    /// The APs' clocks against the BSP's.
    pub clocks: Clocks,
    /// What a yardstick needs for good, once it was needed.
    pub yardstick: Yardstick,
}

/// What a yardstick has prepared and never frees.
#[derive(Default)]
pub struct Yardstick(OnceCell<Bare>);

/// Those that take part, ready for rounds.
#[derive(Default)]
struct Yardsticks<'a> {
    floor: Option<Floor>,
    bare: Option<&'a Bare>,
}

/// What the rounds gave, in the order in which they ran.
#[derive(Default)]
pub struct Results {
    /// The strategies.
    pub bringups: Vec<record::Bringup>,
    /// The bare bring-up.
    pub bares: Vec<record::Bare>,
    /// The floor.
    pub floors: Vec<record::Floor>,
    /// APs that were there, if there were rounds with everybody.
    aps: Option<u32>,
}

impl Bench<'_> {
    /// Brings up all APs that are down, and tells how many doorbells that took. Behind it, the clocks
    /// of those that came for the first time are compared with the BSP's.
    pub async fn bring_up(&self, strategy: Strategy) -> (Round, u64) {
        let mut aps = self.all_aps();
        aps.timing.head_start = Duration::ZERO;
        self.bring_up_all(aps, strategy).await
    }

    /// The same where no AP has run the kernel's code yet.
    pub async fn bring_up_cold(&self, strategy: Strategy) -> (Round, u64) {
        self.bring_up_all(self.all_aps(), strategy).await
    }

    async fn bring_up_all(&self, aps: BringUp<Hardware>, strategy: Strategy) -> (Round, u64) {
        let doorbells = || self.counters.snapshot().doorbells_sent;
        let before = doorbells();
        let mut round = aps.run(&self.spawner, strategy).await;
        let doorbells = doorbells() - before;
        self.compare_clocks().await;
        round.put_on_one_clock(|cpu| self.clocks.skew(cpu));
        (round, doorbells)
    }

    /// Compares the clocks of the APs that are up and were not compared before.
    async fn compare_clocks(&self) {
        self.clocks.compare_new(&self.cpus.aps, &self.timer).await;
    }

    /// What is done for each AP on its way.
    pub fn ladder(&self) -> &'static Ladder {
        self.all_aps().ladder
    }

    /// Drives each of these CPUs to its rung, all at once. Behind it
    /// [`set_registers_right`](Self::set_registers_right) is to be called, once what is measured has been.
    pub async fn drive(&self, targets: &[(CpuIndex, Rung)]) -> Vec<Moved> {
        self.all_aps().drive(&self.spawner, targets).await
    }

    /// Sets right what INIT has changed of the registers of the APs that came up. That may take a
    /// rendezvous of all CPUs, which is no part of a way up: it is to be called behind the time that
    /// is told of that.
    pub fn set_registers_right(&self) {
        registers::Settling::settle(self);
    }

    /// Runs so many rounds of these, from all APs online to all APs online, and adds what they give to
    /// `results`. It ends between two strategies when an interruption is asked for.
    ///
    /// # Errors
    ///
    /// Before the first round, when what so many give would not fit into memory, or when none of these can run here. In
    /// the first round that does not bring up everybody: figures of different numbers of APs are not to be
    /// compared. The rounds before it stand.
    pub async fn run(
        &self,
        contenders: Contenders,
        rounds: u32,
        results: &mut Results,
        interruption: &Interruption,
    ) -> Result<(), Box<dyn Error>> {
        if rounds == 0 {
            return Ok(());
        }
        let strategies: Vec<_> = contenders.strategies(&ORDER).collect();
        check_room(rounds, strategies.len(), A_YARDSTICKS_ROUND)?;
        if let Some(why) = self.no_yardsticks()
            && strategies.is_empty()
        {
            return Err(why.into());
        }
        results.aps = Some(self.cpus.areas().count() as u32);
        let rounds = 1..=rounds;
        let measured = self
            .rounds(contenders, &strategies, rounds, results, interruption)
            .await;
        // Whom the yardsticks need down nobody brings back but a strategy, and none may have come behind them.
        if self.cpus.online_aps().next().is_none() {
            self.bring_up(Strategy::default()).await;
            self.set_registers_right();
        }
        measured
    }

    /// As [`run`](Self::run), but for the checks; where a yardstick was the last, all APs are down.
    async fn rounds(
        &self,
        contenders: Contenders,
        strategies: &[Strategy],
        rounds: RangeInclusive<u32>,
        results: &mut Results,
        interruption: &Interruption,
    ) -> Result<(), Box<dyn Error>> {
        let mut yardsticks = self.yardsticks(contenders).await?;
        for round in rounds {
            if interruption.is_asked() {
                return Ok(());
            }
            self.take_down().await?;
            if let Some(floor) = &mut yardsticks.floor {
                results.floors.push(floor.run(round, &self.timer).await?);
            }
            if let Some(bare) = yardsticks.bare {
                results.bares.push(bare.run(round, self.cpus)?);
            }
            for &strategy in strategies {
                if interruption.is_asked() {
                    return Ok(());
                }
                let record = self.measure(round, strategy).await?;
                if record.failed > 0 {
                    return Err(Incomplete {
                        round,
                        what: strategy.into(),
                        missing: record.failed,
                    }
                    .into());
                }
                results.bringups.push(record);
            }
        }
        Ok(())
    }

    /// Why there are no yardsticks here. They send INIT and SIPI themselves, so there are none where APs are
    /// woken by mailbox. And they do none of a model's work, so there they would measure nothing.
    fn no_yardsticks(&self) -> Option<NothingToMeasure> {
        let machine = &self.cpus.machine;
        match (machine.way(), machine.model()) {
            (Way::Mailbox, _) => Some(NothingToMeasure::Mailbox),
            (_, Some(_)) => Some(NothingToMeasure::Model),
            _ => None,
        }
    }

    /// The yardsticks among these, where there are any.
    async fn yardsticks(&self, asked: Contenders) -> Result<Yardsticks<'_>, Box<dyn Error>> {
        let mut yardsticks = Yardsticks::default();
        if self.no_yardsticks().is_some() {
            return Ok(yardsticks);
        }
        if asked.contains(Contender::Bare) {
            let Yardstick(bare) = &self.yardstick;
            yardsticks.bare = Some(match bare.get() {
                Some(bare) => bare,
                None => {
                    let prepared = Bare::prepare(self.cpus, self.platform)?;
                    bare.get_or_init(|| prepared)
                }
            });
        }
        if asked.contains(Contender::Floor) {
            self.take_down().await?;
            yardsticks.floor = Some(Floor::prepare(self.cpus, &self.timer).await?);
        }
        Ok(yardsticks)
    }

    /// Runs so many rounds of these strategies although APs may be missing, as faults on demand make
    /// them: so what they cost the others can be seen. The yardsticks count on everybody and are
    /// left out. It ends between two strategies when an interruption is asked for.
    ///
    /// # Errors
    ///
    /// When there are no strategies, or what so many rounds give would not fit into memory. When an AP that was online
    /// does not park.
    pub async fn run_strategies(
        &self,
        strategies: &[Strategy],
        rounds: u32,
        results: &mut Results,
        interruption: &Interruption,
    ) -> Result<(), Box<dyn Error>> {
        check_room(rounds, strategies.len(), 0)?;
        if rounds > 0 && strategies.is_empty() {
            return Err(NothingToMeasure::ApsMissing.into());
        }
        for round in 1..=rounds {
            for &strategy in strategies {
                if interruption.is_asked() {
                    return Ok(());
                }
                results.bringups.push(self.measure(round, strategy).await?);
            }
        }
        Ok(())
    }

    /// One round of one strategy, from all APs online to all APs online.
    async fn measure(&self, round: u32, strategy: Strategy) -> Result<record::Bringup, NotDown> {
        self.take_down().await?;
        let (outcome, doorbells) = self.bring_up(strategy).await;
        // What was measured lies behind.
        self.set_registers_right();
        Ok(outcome.record(round, doorbells))
    }

    async fn take_down(&self) -> Result<(), NotDown> {
        self.all_aps().take_down(&self.spawner).await?;
        self.cpus.online.clear();
        Ok(())
    }

    fn all_aps(&self) -> BringUp<Hardware> {
        self.cpus
            .bring_up(self.timer.clone(), self.timing, self.order)
    }
}

/// The strategies of a round; ours last, so that the kernel goes on with the APs it brought up.
pub const ORDER: [Strategy; 5] = [
    Strategy::Legacy,
    Strategy::Serial,
    Strategy::TwoPass,
    Strategy::Broadcast,
    Strategy::Parallel,
];

/// What a round of a strategy leaves, with its name.
const A_BRINGUP: usize = size_of::<record::Bringup>() + 32;

/// What a round of the yardsticks leaves.
const A_YARDSTICKS_ROUND: usize = size_of::<record::Bare>() + size_of::<record::Floor>();

/// Whether what so many rounds of so many strategies leave fits into memory. All of it stays until the end.
fn check_room(rounds: u32, strategies: usize, yardsticks: usize) -> Result<(), TooMany> {
    let room = Room {
        of: "rounds",
        free: HEAP.bytes_free(),
        beside: 0,
        each: room::grown(strategies * A_BRINGUP + yardsticks),
    };
    room.check(rounds)
}

impl Results {
    /// All rounds as records.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        let floors = self.floors.iter().cloned().map(Record::Floor);
        let bares = self.bares.iter().cloned().map(Record::Bare);
        floors
            .chain(bares)
            .chain(self.bringups.iter().cloned().map(Record::Bringup))
    }

    /// The medians side by side.
    pub fn comparison(&self, rounds: u32) -> Comparison {
        let mut comparison = Comparison::new(rounds);
        for name in Strategy::VARIANTS {
            let of_strategy = self
                .bringups
                .iter()
                .filter(|record| record.strategy == *name);
            let mut online: Vec<u64> = of_strategy.filter_map(|record| record.online_ns).collect();
            comparison.strategy(name, &mut online);
        }
        let mut bare: Vec<u64> = self
            .bares
            .iter()
            .filter_map(|record| record.online_ns)
            .collect();
        comparison.yardstick("bare", &mut bare);
        let mut floor: Vec<u64> = self.floors.iter().map(|record| record.total_ns).collect();
        comparison.yardstick(&self.floor_name(), &mut floor);
        comparison
    }

    /// The floor has its number of CPUs in its name where that is not that of the APs.
    fn floor_name(&self) -> String {
        let counted = self.floors.first().map(|record| record.aps);
        match counted {
            Some(counted) if self.aps != Some(counted) => format!("floor of {counted} CPUs"),
            _ => String::from("floor"),
        }
    }
}

/// Why none of those that were asked for can run: `bare` and `floor` alone were, and there are no yardsticks.
#[derive(Clone, Copy, Debug)]
enum NothingToMeasure {
    /// They need INIT and SIPI.
    Mailbox,
    /// They do none of its work.
    Model,
    /// They count on everybody.
    ApsMissing,
}

impl fmt::Display for NothingToMeasure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing to measure: bare and floor ")?;
        f.write_str(match self {
            Self::Mailbox => "need INIT and SIPI, and CPUs are woken by mailbox",
            Self::Model => "do nothing of the model's",
            Self::ApsMissing => "count on all APs, and some are to be missing",
        })
    }
}

impl Error for NothingToMeasure {}

/// A round that did not bring up everybody.
#[derive(Clone, Copy, Debug)]
struct Incomplete {
    round: u32,
    what: &'static str,
    missing: u32,
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            round,
            what,
            missing,
        } = self;
        write!(f, "round {round} of {what} lost {missing} APs")
    }
}

impl Error for Incomplete {}
