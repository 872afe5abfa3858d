//! `test=tlb`: all CPUs read what memory holds that is mapped for a while, its addresses then lead elsewhere,
//! and all read again: nobody may read what was there before. So too a CPU that took no calls meanwhile.

use alloc::{boxed::Box, vec::Vec};
use core::{
    error::Error,
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use reveille_executor::Timer;
use reveille_smp::{cpu::CpuIndex, ladder::Rung};

use crate::{
    bench::Bench,
    calls,
    memory::{self, map::PAGE_SIZE, shoot_down, temporary::Temporary},
    percpu::PerCpu,
};

/// Few enough to be dropped one by one, and too many for that.
const SIZES: [u64; 2] = [1, 64];

/// Until when a CPU must have read. Microseconds do, but a hypervisor may have to find time for it.
const DEADLINE: Duration = Duration::from_secs(5);

/// The step below which a CPU takes no calls.
const CALLS: &str = "calls";

/// What holds numbers: the first word of its first page, and that of its last.
struct Memory {
    memory: Temporary,
    pages: u64,
}

/// Lets all CPUs read, over and over. With `keeps` the others do not drop their translations, which is to show.
///
/// # Errors
///
/// When a CPU reads what was there before, does not answer, or memory is left in use.
pub async fn same_page(bench: &Bench<'_>, keeps: bool) -> Result<(), Box<dyn Error>> {
    let mut cpus: Vec<_> = bench.cpus.online_aps().collect();
    cpus.push(CpuIndex::BSP);
    cpus.sort_unstable();
    if keeps {
        shoot_down::skip();
    }
    // What the window itself takes, it keeps.
    Temporary::map(1)?.give_back(&bench.timer).await?;
    let in_use = memory::frames_in_use();
    for pages in SIZES {
        let memory = Temporary::map(pages)?;
        let mut memory = Memory { memory, pages };
        memory.write(1);
        memory.is_read_by(&cpus, 1, &bench.timer).await?;
        memory.memory.exchange(&bench.timer).await?;
        memory.write(2);
        memory.is_read_by(&cpus, 2, &bench.timer).await?;
        if let Some(&last) = cpus.last().filter(|&&cpu| cpu != CpuIndex::BSP) {
            let ladder = bench.ladder();
            let calls = ladder.find(CALLS).ok_or(NoStep)?;
            bench.drive(&[(last, Rung(calls.0 - 1))]).await;
            if PerCpu::of(last).is_none_or(|area| area.calls().is_open()) {
                return Err(Box::new(TakesCalls(last)));
            }
            memory.memory.exchange(&bench.timer).await?;
            bench.drive(&[(last, ladder.top())]).await;
            memory.write(3);
            memory.is_read_by(&cpus, 3, &bench.timer).await?;
        }
        memory.memory.give_back(&bench.timer).await?;
    }
    match memory::frames_in_use() {
        now if now == in_use => Ok(()),
        now => Err(Box::new(LeftInUse(now.wrapping_sub(in_use).cast_signed()))),
    }
}

impl Memory {
    fn words(&self) -> [&'static AtomicU64; 2] {
        let start = self.memory.start();
        [0, (self.pages - 1) * PAGE_SIZE].map(|offset| {
            // SAFETY: the memory is mapped, aligned, and as long as that. Only the words are used, by
            // atomic accesses, and by nobody once it is given back.
            unsafe { AtomicU64::from_ptr(start.byte_add(offset as usize).cast().as_ptr()) }
        })
    }

    fn write(&self, number: u64) {
        for word in self.words() {
            word.store(number, Ordering::Relaxed);
        }
    }

    /// Lets each of these CPUs read, which must find this.
    async fn is_read_by(
        &self,
        cpus: &[CpuIndex],
        expected: u64,
        timer: &Timer,
    ) -> Result<(), Box<dyn Error>> {
        for &cpu in cpus {
            let words = self.words();
            let read = calls::call(cpu, move || words.map(|word| word.load(Ordering::Relaxed)));
            let read = timer.timeout(DEADLINE, read).await;
            let found = read.map_err(|_| Silent(cpu))??;
            if found != [expected; 2] {
                return Err(Box::new(Stale {
                    cpu,
                    found,
                    expected,
                }));
            }
        }
        Ok(())
    }
}

/// A CPU that does not read.
#[derive(Debug)]
struct Silent(CpuIndex);

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(cpu) = self;
        write!(f, "test=tlb: CPU {cpu} has not read within {DEADLINE:?}")
    }
}

impl Error for Silent {}

/// There is no step below which a CPU takes no calls.
#[derive(Debug)]
struct NoStep;

impl fmt::Display for NoStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "test=tlb: there is no step `{CALLS}`")
    }
}

impl Error for NoStep {}

/// A CPU that was to take no calls.
#[derive(Debug)]
struct TakesCalls(CpuIndex);

impl fmt::Display for TakesCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(cpu) = self;
        write!(
            f,
            "test=tlb: CPU {cpu} takes calls below the step `{CALLS}`"
        )
    }
}

impl Error for TakesCalls {}

/// A CPU that reads by a translation that is not so any more.
#[derive(Debug)]
struct Stale {
    cpu: CpuIndex,
    found: [u64; 2],
    expected: u64,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cpu,
            found: [first, last],
            expected,
        } = self;
        write!(
            f,
            "CPU {cpu} reads {first} and {last} where {expected} is: it has kept a translation"
        )
    }
}

impl Error for Stale {}

/// By how many frames the use of memory has changed.
#[derive(Debug)]
struct LeftInUse(i64);

impl fmt::Display for LeftInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "test=tlb: the use of memory has changed by {:+} frames",
            self.0
        )
    }
}

impl Error for LeftInUse {}
