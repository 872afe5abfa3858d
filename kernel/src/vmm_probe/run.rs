//! All that `probe=1` measures, in one turn behind the bring-up, and how it is told once nothing is measured
//! any more.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::{error::Error, fmt};

use reveille_executor::Instant;
use reveille_smp::{
    cpu::CpuIndex,
    ladder::Rung,
    machine::Way,
    record::{
        Probe, Record,
        vmm_probe::{Cost, Mark, StageTimes, Wake},
    },
    vmm_probe_table::VmmProbeTable,
};

use super::{
    VmmProbe, costs,
    marks::{self, Station},
    starts, wakes,
};
use crate::{
    apic::ApicError,
    bench::Bench,
    console::print_lines,
    operations::Operations,
    percpu::PerCpu,
    println,
    probe::ProbeError,
    report,
    room::{self, TooMany},
    time::TscClock,
};

/// What is measured by turns is measured in so many.
const TURNS: u32 = 20;

/// What was measured, and what kept the rest from being measured.
#[derive(Default)]
pub struct Results {
    is_asked: bool,
    costs: Vec<Cost>,
    wakes: Vec<Wake>,
    lost_sipis: u32,
    failure: Option<Unprobed>,
}

/// What is known of round 0, for the marks and the stages.
pub struct OfRound0<'a> {
    /// Its CPUs.
    pub cpus: &'a [reveille_smp::record::Cpu],
    /// When its last AP was alive.
    pub alive: Option<Instant>,
    /// When Firecracker's boot timer was told.
    pub boot_timer: Option<Instant>,
}

/// Measures in one turn, if that is asked for: first on the BSP alone and with the lowest AP that is online,
/// by turns; then that AP goes down, is started and started again, and comes back.
pub async fn run(operations: &Operations<'_>, asked: VmmProbe) -> Results {
    if asked == VmmProbe::Off {
        return Results::default();
    }
    let _turn = operations.turn().await;
    let mut results = Results {
        is_asked: true,
        ..Results::default()
    };
    results.failure = results.measure(operations.bench).await.err();
    results
}

impl Results {
    async fn measure(&mut self, bench: &Bench<'_>) -> Result<(), Unprobed> {
        let clock = bench.cpus.machine.clock;
        let lowest = bench.cpus.online_aps().min();
        let ap = lowest.and_then(PerCpu::of);
        let mut exits = costs::Exits::with_room(bench.cpus.machine.apic)?;
        let mut woken = match ap {
            Some(ap) => Some(wakes::Wakes::with_room(bench, ap)?),
            None => None,
        };
        let measured = by_turns(&mut exits, woken.as_mut()).await;
        // What was measured until then is told, whatever ended it.
        self.costs.extend(exits.told(clock));
        if let Some(woken) = woken {
            woken.tell(&mut self.costs, &mut self.wakes);
        }
        measured?;
        match ap {
            Some(ap) if bench.cpus.machine.way() == Way::InitSipi => self.start(bench, ap).await,
            _ => Ok(()),
        }
    }

    /// Takes the AP down, starts it often, and brings it back.
    async fn start(&mut self, bench: &Bench<'_>, ap: &'static PerCpu) -> Result<(), Unprobed> {
        let cpu = ap.index();
        let mut starts = starts::Starts::with_room(bench, ap)?;
        drive(bench, cpu, Rung::OFFLINE).await?;
        let measured = starts.run().await;
        // Whatever came of it, the AP is to come back.
        let back = drive(bench, cpu, bench.ladder().top()).await;
        bench.set_registers_right();
        self.lost_sipis = starts.lost();
        self.costs.extend(starts.told());
        measured.and(back)
    }

    /// Tells all of it, on both channels.
    pub fn write(self, round0: &OfRound0<'_>, clock: TscClock) {
        if !self.is_asked {
            return;
        }
        let probe = Probe {
            marks: told_marks(round0, clock),
            boot_timer_ns: round0.boot_timer.map(|at| at.as_nanos()),
            stages: StageTimes::of(round0.cpus),
            costs: self.costs,
            wakes: self.wakes,
            lost_sipis: self.lost_sipis,
        };
        print_lines(VmmProbeTable(&probe));
        if let Some(failure) = &self.failure {
            println!("{failure}");
        }
        report::write(&Record::Probe(probe));
    }

    /// Whether all of it was measured.
    ///
    /// # Errors
    ///
    /// What kept the rest from being measured.
    pub fn verdict(&self) -> Result<(), Box<dyn Error>> {
        match &self.failure {
            Some(failure) => Err(failure.clone().into()),
            None => Ok(()),
        }
    }
}

async fn by_turns(
    exits: &mut costs::Exits,
    mut woken: Option<&mut wakes::Wakes<'_>>,
) -> Result<(), Unprobed> {
    for _ in 0..TURNS {
        exits.turn(costs::EXITS / TURNS)?;
        if let Some(woken) = &mut woken {
            woken.turn(wakes::WAKES / TURNS).await?;
        }
    }
    Ok(())
}

async fn drive(bench: &Bench<'_>, cpu: CpuIndex, to: Rung) -> Result<(), Unprobed> {
    let moved = bench.drive(&[(cpu, to)]).await;
    match moved.iter().all(|moved| moved.rung == moved.to) {
        true => Ok(()),
        false => Err(Unprobed::NotMoved { cpu, to }),
    }
}

/// The marks that were written, with that of the last AP, of which the round knows when that was alive: the AP
/// has read its clock before it wrote the mark.
fn told_marks(round0: &OfRound0<'_>, clock: TscClock) -> Vec<Mark> {
    let mark = |station: Station, at: Option<Instant>| Mark {
        code: station.code(),
        station: String::from(<&str>::from(station)),
        at_ns: at.map(|at| at.as_nanos()),
    };
    let mut told: Vec<Mark> = marks::written(clock)
        .map(|(station, at)| mark(station, Some(at)))
        .collect();
    if marks::were_all_alive() {
        told.push(mark(Station::Alive, round0.alive));
    }
    told.sort_by_key(|mark| mark.code);
    told
}

/// A list with room for so many samples.
pub(super) fn samples(asked: u32) -> Result<Vec<u64>, Unprobed> {
    room::reserve("probes", asked).map_err(Unprobed::TooMany)
}

/// Why something could not be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unprobed {
    /// The samples do not fit into memory.
    TooMany(TooMany),
    /// An interrupt could not be sent.
    NotSent(ApicError),
    /// The CPU does not answer an NMI.
    NoNmi(CpuIndex, ProbeError),
    /// The CPU does not come to rest between two interrupts.
    Restless(CpuIndex),
    /// The CPU does not answer an interrupt.
    NoAnswer(CpuIndex),
    /// The CPU does not start.
    NoStart(CpuIndex),
    /// The CPU did not go to this rung.
    NotMoved {
        /// The CPU.
        cpu: CpuIndex,
        /// Where it was to go.
        to: Rung,
    },
}

impl fmt::Display for Unprobed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("probe: ")?;
        match self {
            Self::TooMany(too_many) => write!(f, "{too_many}"),
            Self::NotSent(error) => write!(f, "{error}"),
            Self::NoNmi(cpu, error) => write!(f, "an NMI to CPU {cpu}: {error}"),
            Self::Restless(cpu) => write!(f, "CPU {cpu} does not come to rest between two IPIs"),
            Self::NoAnswer(cpu) => write!(f, "CPU {cpu} does not answer an IPI"),
            Self::NoStart(cpu) => write!(f, "CPU {cpu} does not start, SIPI after SIPI"),
            Self::NotMoved { cpu, to } if *to == Rung::OFFLINE => {
                write!(f, "CPU {cpu} did not go down to be started")
            }
            Self::NotMoved { cpu, .. } => write!(f, "CPU {cpu} did not come back"),
        }
    }
}

impl Error for Unprobed {}
