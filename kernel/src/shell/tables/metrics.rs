//! What each CPU has counted since the boot, and all of them together; what memory is in use.

use core::fmt;

use reveille_smp::cpu::CpuIndex;

use crate::shell::{
    figures::{Counts, CpuFigures, MemoryFigures, Moment, share},
    numbers::{Count, Known, Percent, Size},
};

/// The table, with the end of the last line left out. CPUs that were never online have counted nothing,
/// and have no line.
///
/// An empty poll found that the task was gone; a task that is woken twice was to be polled already; a doorbell
/// is saved where the CPU was awake.
pub struct MetricsTable<'a>(pub &'a Moment);

/// The columns of a count.
const COLUMNS: usize = 7;

impl fmt::Display for MetricsTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:17}polls{:18}wakes   doorbells{:11}calls", "", "", "")?;
        write!(f, " cpu  idle%")?;
        for head in [
            "all", "empty", "all", "twice", "rung", "saved", "run", "IPIs",
        ] {
            write!(f, " {head:>COLUMNS$}")?;
        }
        let counted = || self.0.cpus.iter().filter(|it| it.since.is_some());
        for it in counted() {
            let idle = share(it.time.asleep, it.time.online);
            row(f, Name::Cpu(it.cpu), idle, &it.counts)?;
        }
        let (idle, counts) = total(counted());
        row(f, Name::All, idle, &counts)?;
        write!(f, "\n{}", Memory(&self.0.memory))
    }
}

/// Whose counts a line has.
enum Name {
    Cpu(Option<CpuIndex>),
    All,
}

fn row(
    f: &mut fmt::Formatter<'_>,
    name: Name,
    idle: Option<u32>,
    Counts { executor, calls }: &Counts,
) -> fmt::Result {
    match name {
        Name::Cpu(cpu) => write!(f, "\n{:>4}", Known(cpu))?,
        Name::All => write!(f, "\n all")?,
    }
    let idle = idle.map(|thousandths| Percent { thousandths });
    write!(f, " {:>6}", Known(idle))?;
    let counts = [
        executor.polls,
        executor.spurious_polls,
        executor.wakes,
        executor.duplicate_wakes,
        executor.doorbells_sent,
        executor.doorbells_saved,
        calls.run,
        calls.interrupts,
    ];
    let columns = COLUMNS;
    counts
        .into_iter()
        .try_for_each(|value| write!(f, " {:>COLUMNS$}", Count { value, columns }))
}

/// What CPUs have counted together, and how much of their time online they slept.
fn total<'a>(cpus: impl Iterator<Item = &'a CpuFigures>) -> (Option<u32>, Counts) {
    let mut counts = Counts::default();
    let mut time = crate::cpus::idle::IdleTime::default();
    for it in cpus {
        let (sum, one) = (&mut counts.executor, &it.counts.executor);
        sum.polls += one.polls;
        sum.spurious_polls += one.spurious_polls;
        sum.wakes += one.wakes;
        sum.duplicate_wakes += one.duplicate_wakes;
        sum.doorbells_sent += one.doorbells_sent;
        sum.doorbells_saved += one.doorbells_saved;
        counts.calls.run += it.counts.calls.run;
        counts.calls.interrupts += it.counts.calls.interrupts;
        time.online += it.time.online;
        time.asleep += it.time.asleep;
    }
    (share(time.asleep, time.online), counts)
}

/// What memory is in use, in a line.
pub(in crate::shell) struct Memory<'a>(pub(in crate::shell) &'a MemoryFigures);

impl fmt::Display for Memory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MemoryFigures {
            heap_in_use,
            heap_free,
            frames_in_use,
            frames_free,
        } = *self.0;
        write!(
            f,
            "heap {} of {}, frames {frames_in_use} of {}",
            Size(heap_in_use),
            Size(heap_in_use.saturating_add(heap_free)),
            frames_in_use.saturating_add(frames_free)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::figures::for_tests::*;

    #[test]
    fn every_cpu_that_was_online_has_a_line_and_all_together_the_last() {
        let mut all = moment([0, 1, 2]);
        all.cpus[1].counts.executor.polls = 123_456_789;
        all.cpus[2].since = None;
        let table = MetricsTable(&all).to_string();
        let expected = [
            "                 polls                  wakes   doorbells           calls",
            " cpu  idle%     all   empty     all   twice    rung   saved     run    IPIs",
            "   0   90.0    1000       0     900       0     300     600      40      20",
            "   1   90.0 123456k       0     900       0     300     600      40      20",
            " all   90.0 123457k       0    1800       0     600    1200      80      40",
            "heap 512 KiB of 15 MiB, frames 5000 of 65000",
        ];
        assert!(table.lines().eq(expected), "{table}");
        assert!(table.lines().all(|line| line.len() <= 80));
    }
}
