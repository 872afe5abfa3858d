//! `ipi=matrix`: how long calls take from each CPU to each other one that halts.
//!
//! One pair is measured at a time, by a task on the CPU that calls; nobody else has anything to do. What
//! is kept of a pair is its record, so memory grows with the pairs and not with the calls.
//!
//! The call tells when it began to run, by the clock of the CPU that was called. Each clock's times are
//! taken as the BSP's would have shown them, by what is known of how the two stand to each other; the
//! record says how far that can be trusted. A difference that comes out below 0, as it may within that,
//! is told as 0.

use alloc::vec::Vec;
use core::{fmt, mem::size_of, time::Duration};

use reveille_executor::{Clock, Instant};
use reveille_smp::{
    cpu::CpuIndex,
    ranges::Ranges,
    record::{Ipi, Times},
};

use super::{halted::Rests, pairs::Pairs, watch};
use crate::{
    bench::Bench,
    calls::call,
    cpus::spawn_on,
    interruption::Interruption,
    memory::heap::HEAP,
    percpu::PerCpu,
    platform::CpuPlatform,
    room::{self, Room, TooMany},
};

/// How long a row of the matrix may take: so long, and so long for each call more. Only a hang reaches
/// it.
const PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE_A_CALL: Duration = Duration::from_millis(20);

/// The most that the record of a pair takes, with three histograms of 64 buckets.
const A_PAIR: usize = size_of::<Ipi>() + 3 * 64 * size_of::<u32>();

/// What a call takes until its pair has a record: three times.
const A_CALL: usize = 3 * size_of::<u64>();

/// Measures the calls that are asked for between these CPUs, lowest number first. In a task of the BSP. Where
/// an interruption is asked for, those pairs are told that were done before.
///
/// # Errors
///
/// When the records or the times of a pair would not fit into memory, and when an answer does not come.
///
/// # Cancellation
///
/// The CPU whose row is measured goes on with it.
pub(super) async fn measure(
    bench: &Bench<'_>,
    cpus: &[CpuIndex],
    asked: Pairs,
    interruption: &Interruption,
) -> Result<Vec<Ipi>, MatrixError> {
    if let Some((from, to)) = asked.only
        && let Some(cpu) = [from, to].into_iter().find(|cpu| !cpus.contains(cpu))
    {
        let online = cpus.iter().map(|cpu| cpu.0).collect();
        return Err(MatrixError::NotOnline { cpu, online });
    }
    let is_asked_for = |from: CpuIndex, to: CpuIndex| match asked.only {
        Some(pair) => pair == (from, to),
        None => from != to,
    };
    let pairs = match asked.only {
        Some(_) => 1,
        None => cpus.len() * cpus.len().saturating_sub(1),
    };
    let samples = asked.samples_of(pairs);
    let room = Room {
        of: "calls",
        free: HEAP.bytes_free(),
        beside: pairs * A_PAIR,
        each: A_CALL,
    };
    if room.beside > room.free / 2 {
        return Err(MatrixError::Memory { pairs });
    }
    room.check(samples).map_err(MatrixError::TooMany)?;
    let known: Vec<Known> = cpus
        .iter()
        .filter_map(|&cpu| Known::of(cpu, bench))
        .collect();
    let mut ipis = Vec::with_capacity(pairs);
    for &from in &known {
        if interruption.is_asked() {
            break;
        }
        let others = known.iter().copied();
        let others: Vec<Known> = others.filter(|to| is_asked_for(from.cpu, to.cpu)).collect();
        if others.is_empty() {
            continue;
        }
        let patience = PATIENCE + PATIENCE_A_CALL * samples * others.len() as u32;
        let failed = MatrixError::Row(from.cpu);
        let row = row(from, others, samples, interruption.clone());
        let row = spawn_on(from.cpu, row).map_err(|_| failed.clone())?;
        let row = bench.timer.timeout(patience, row).await;
        ipis.extend(row.ok().and_then(Result::ok).ok_or(failed)??);
    }
    Ok(ipis)
}

/// A CPU, and how its clock stands to the BSP's.
#[derive(Clone, Copy)]
struct Known {
    cpu: CpuIndex,
    area: &'static PerCpu,
    platform: &'static CpuPlatform,
    /// By how many nanoseconds the clock is ahead, and how far that can be trusted.
    ahead: Option<(i64, u64)>,
}

impl Known {
    fn of(cpu: CpuIndex, bench: &Bench<'_>) -> Option<Self> {
        let (platform, ahead) = match cpu {
            CpuIndex::BSP => (bench.platform, Some((0, 0))),
            _ => {
                let skew = bench.clocks.skew(cpu);
                let ahead = skew.map(|skew| (skew.ahead_ns, skew.uncertainty_ns));
                (bench.cpus.platform_of(cpu)?, ahead)
            }
        };
        let area = PerCpu::of(cpu)?;
        Some(Self {
            cpu,
            area,
            platform,
            ahead,
        })
    }

    /// What the BSP's clock shows when this one shows that, in nanoseconds.
    fn by_the_bsp(&self, at: Instant) -> Option<u64> {
        let (ahead, _) = self.ahead?;
        Some(at.as_nanos().saturating_add_signed(ahead.saturating_neg()))
    }
}

/// On the CPU that calls: its calls to all others, until it is interrupted.
async fn row(
    from: Known,
    others: Vec<Known>,
    samples: u32,
    interruption: Interruption,
) -> Result<Vec<Ipi>, MatrixError> {
    let mut pair = Samples::with_room(samples).map_err(MatrixError::TooMany)?;
    let mut row = Vec::with_capacity(others.len());
    for to in others {
        pair.clear();
        let mut rests = Rests::of(to.area);
        for _ in 0..samples {
            if interruption.is_asked() {
                return Ok(row);
            }
            pair.add(from, to, &mut rests).await?;
        }
        row.push(pair.record(from, to, samples));
    }
    Ok(row)
}

/// The times of one pair, in nanoseconds.
struct Samples {
    queue_to_entry: Vec<u64>,
    send_to_entry: Vec<u64>,
    round_trip: Vec<u64>,
}

impl Samples {
    fn with_room(samples: u32) -> Result<Self, TooMany> {
        Ok(Self {
            queue_to_entry: room::reserve("calls", samples)?,
            send_to_entry: room::reserve("calls", samples)?,
            round_trip: room::reserve("calls", samples)?,
        })
    }

    fn clear(&mut self) {
        self.queue_to_entry.clear();
        self.send_to_entry.clear();
        self.round_trip.clear();
    }

    /// One call.
    async fn add(&mut self, from: Known, to: Known, rests: &mut Rests) -> Result<(), MatrixError> {
        let failed = MatrixError::Pair(from.cpu, to.cpu);
        if !rests.halt(from.platform) {
            return Err(failed);
        }
        let clock = to.platform;
        watch::begin(from.cpu);
        let queued = from.platform.now();
        let entered = call(to.cpu, move || clock.now()).await;
        let answered = from.platform.now();
        let sent = watch::end().first;
        let entered = entered.map_err(|_| failed)?;
        self.round_trip.push((answered - queued).as_nanos() as u64);
        let entered = to.by_the_bsp(entered);
        let until_entry = |start: Instant| Some(entered?.saturating_sub(from.by_the_bsp(start)?));
        self.queue_to_entry.extend(until_entry(queued));
        self.send_to_entry.extend(sent.and_then(until_entry));
        Ok(())
    }

    fn record(&mut self, from: Known, to: Known, samples: u32) -> Ipi {
        let uncertainty = |known: Known| known.ahead.map(|(_, uncertainty)| uncertainty);
        Ipi {
            from: from.cpu,
            to: to.cpu,
            samples,
            queue_to_entry_ns: Times::of(&mut self.queue_to_entry),
            send_to_entry_ns: Times::of(&mut self.send_to_entry),
            round_trip_ns: Times::of(&mut self.round_trip),
            uncertainty_ns: uncertainty(from)
                .zip(uncertainty(to))
                .map(|(from, to)| from.saturating_add(to)),
        }
    }
}

/// Why there is no matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MatrixError {
    /// The records of so many pairs do not fit into memory.
    Memory {
        /// The pairs.
        pairs: usize,
    },
    /// The times of so many calls do not fit there.
    TooMany(TooMany),
    /// A CPU that is to call or to be called is not online.
    NotOnline {
        /// The CPU.
        cpu: CpuIndex,
        /// Those that are.
        online: Ranges,
    },
    /// This CPU did not come to the end of its calls in time.
    Row(CpuIndex),
    /// The first did not call the second, which is not online or does not come to rest.
    Pair(CpuIndex, CpuIndex),
}

impl fmt::Display for MatrixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory { pairs } => {
                write!(
                    f,
                    "what is known of {pairs} pairs of CPUs does not fit into memory"
                )
            }
            Self::TooMany(too_many) => write!(f, "ipi: {too_many}"),
            Self::NotOnline { cpu, online } => {
                write!(f, "ipi: CPU {cpu} is not online; those that are: {online}")
            }
            Self::Row(cpu) => write!(f, "CPU {cpu} did not come to the end of its calls in time"),
            Self::Pair(from, to) => {
                write!(f, "CPU {from} could not call CPU {to} while that halts")
            }
        }
    }
}

impl core::error::Error for MatrixError {}
