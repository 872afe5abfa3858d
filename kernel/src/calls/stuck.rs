//! The watch over calls that are not answered.
//!
//! A CPU that takes no interrupts for long, or whose interrupt was lost, looks the same to its caller: as
//! nothing. So whoever awaits a call under watch, when a limit has passed, asks by NMI what the CPU does
//! (`probe.rs`), says that on the console, and interrupts it once more; then it waits on, as long as it
//! would have anyway. What was lost is found by that, and what is stuck has a name. CPUs that are silent
//! together are asked together, and the first few are told of in full.
//!
//! **The console at once, records at the end.** All else that is told of a run is written behind the last
//! measured event, and so are these records (`kept.rs`). The lines for people are the one exception: a run
//! that hangs may never come to its end, and a measurement in which a CPU is silent for that long is none.
//!
//! A call that has begun needs no reminder: what it is in is in the back trace.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{
    fmt,
    pin::{Pin, pin},
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use reveille_executor::{Clock, Timer};
use reveille_smp::{
    call::{Pending, Progress},
    cpu::CpuIndex,
    probe::Seen,
    ranges::Ranges,
    record::{SeenCpu, StuckCall},
};

use super::{ByInterrupt, Call, CallAny, CallMany, kept, remind};
use crate::{
    percpu::PerCpu,
    print,
    probe::{ProbeError, Told, probe_all},
};

/// After how long a call is told of, if the command line does not say otherwise. A CPU answers within
/// microseconds, but a hypervisor may have to find time for each of hundreds.
const LIMIT: Duration = Duration::from_secs(1);

/// Of so many CPUs at once the console has what they do; the others are named.
const MOST_IN_FULL: usize = 4;
/// So many of the others fit into a line, whatever their numbers.
const MOST_IN_A_LINE: usize = 8;

/// The limit in nanoseconds. Relaxed: it is set before there are calls.
static LIMIT_NS: AtomicU64 = AtomicU64::new(LIMIT.as_nanos() as u64);

/// Sets the limit, from the command line.
pub fn set_limit(limit: Duration) {
    let nanos = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
    LIMIT_NS.store(nanos, Ordering::Relaxed);
}

/// A call that knows for whom it waits.
pub trait Awaiting: Future {
    /// Tells of each CPU that it waits for.
    fn each_pending(&self, tell: &mut dyn FnMut(Pending));
}

impl<F, T> Awaiting for Call<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    fn each_pending(&self, tell: &mut dyn FnMut(Pending)) {
        self.pending().into_iter().for_each(tell);
    }
}

impl<F, T> Awaiting for CallAny<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    fn each_pending(&self, tell: &mut dyn FnMut(Pending)) {
        self.pending().for_each(tell);
    }
}

impl<F> Awaiting for CallMany<F>
where
    F: Fn() + Send + Sync + 'static,
{
    fn each_pending(&self, tell: &mut dyn FnMut(Pending)) {
        self.pending().for_each(tell);
    }
}

impl<C: Awaiting> Awaiting for Pin<&mut C> {
    fn each_pending(&self, tell: &mut dyn FnMut(Pending)) {
        self.as_ref().get_ref().each_pending(tell);
    }
}

/// Awaits a call, and tells of it once when it takes longer than the limit. The timer is that of the executor
/// on which this is awaited.
///
/// # Cancellation
///
/// The call is dropped: what that means is its own affair.
pub async fn watched<C: Awaiting>(timer: &Timer, call: C) -> C::Output {
    let mut call = pin!(call);
    let limit = Duration::from_nanos(LIMIT_NS.load(Ordering::Relaxed));
    if let Ok(answer) = timer.timeout(limit, call.as_mut()).await {
        return answer;
    }
    let mut late = Vec::new();
    call.each_pending(&mut |pending| late.push(pending));
    tell(&late);
    call.await
}

/// Tells of calls that are not answered, and reminds the CPUs that have not begun.
pub(super) fn tell(late: &[Pending]) {
    let seen = probe_all(late.iter().map(|pending| pending.cpu));
    let from = PerCpu::current().index();
    let now = ByInterrupt.now();
    let reports = late.iter().zip(seen).map(|(&pending, seen)| Report {
        from,
        pending,
        since: now.saturating_duration_since(pending.since),
        seen,
    });
    let reports: Vec<_> = reports.collect();
    for pending in late.iter().filter(|pending| !pending.has_begun()) {
        remind(pending.cpu);
    }
    // In one piece, for several may tell at once.
    print!("{}", in_full(&reports));
    kept::keep(reports.into_iter().map(Report::into_record));
    REPORTS.fetch_add(1, Ordering::Relaxed);
}

/// How often calls were told of. Relaxed: it says nothing of anything else.
static REPORTS: AtomicU32 = AtomicU32::new(0);

/// How often calls were told of so far, for tests.
pub fn reports() -> u32 {
    REPORTS.load(Ordering::Relaxed)
}

/// The first few, and who else is late.
fn in_full(reports: &[Report]) -> String {
    let (few, rest) = reports.split_at(reports.len().min(MOST_IN_FULL));
    let mut text: String = few.iter().map(ToString::to_string).collect();
    for line in rest.chunks(MOST_IN_A_LINE) {
        let cpus: Ranges = line.iter().map(|report| report.pending.cpu.0).collect();
        text += &format!("calls: CPU {} waits for CPU {cpus} too\n", line[0].from);
    }
    text
}

fn in_words(seen: Seen) -> SeenCpu {
    let hex = |address: u64| format!("{address:#x}");
    SeenCpu {
        rip: hex(seen.rip),
        rflags: hex(seen.rflags),
        rsp: hex(seen.rsp),
        halted: seen.is_halted,
        interrupts: seen.takes_interrupts(),
        returns: seen.returns().map(hex).collect(),
    }
}

/// A call that is not answered, and what its CPU does. Displayed, it is what a person sees.
struct Report {
    from: CpuIndex,
    pending: Pending,
    since: Duration,
    seen: Result<Seen, ProbeError>,
}

impl Report {
    fn into_record(self) -> StuckCall {
        StuckCall {
            from: self.from,
            to: self.pending.cpu,
            since_ns: self.since.as_nanos() as u64,
            begun: self.pending.has_begun(),
            reminded: !self.pending.has_begun(),
            reason: self.seen.as_ref().err().map(ToString::to_string),
            seen: self.seen.ok().map(in_words),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pending { cpu, progress, .. } = self.pending;
        let what = match progress {
            Progress::Begun => "has not ended",
            Progress::Queued => "has not begun",
            Progress::NoRoom => "has had no room",
        };
        writeln!(
            f,
            "calls: CPU {} has waited {} ms for CPU {cpu}, which {what}:",
            self.from,
            self.since.as_millis()
        )?;
        write!(f, "  {}", Told(&self.seen))
    }
}

/// For tests: the next interrupt for calls to the CPU of this number is lost.
static LOST: AtomicU32 = AtomicU32::new(NOBODY);

/// No CPU has this number.
const NOBODY: u32 = u32::MAX;

/// Loses the next interrupt for calls to a CPU, for tests.
pub fn lose_next(cpu: CpuIndex) {
    LOST.store(cpu.0, Ordering::Relaxed);
}

/// Whether this interrupt is to be lost.
pub(super) fn loses(cpu: CpuIndex) -> bool {
    LOST.load(Ordering::Relaxed) == cpu.0
        && LOST
            .compare_exchange(cpu.0, NOBODY, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use reveille_executor::Instant;
    use reveille_smp::probe::MOST_RETURNS;

    use super::*;

    fn report(cpu: u32, progress: Progress, seen: Result<Seen, ProbeError>) -> Report {
        Report {
            from: CpuIndex(0),
            pending: Pending {
                cpu: CpuIndex(cpu),
                since: Instant::ZERO,
                progress,
            },
            since: Duration::from_millis(1500),
            seen,
        }
    }

    #[test]
    fn a_report_names_both_cpus_and_says_what_the_other_does() {
        assert_eq!(
            report(3, Progress::Queued, Err(ProbeError::Silent)).to_string(),
            "calls: CPU 0 has waited 1500 ms for CPU 3, which has not begun:\n  \
             it does not answer an NMI\n"
        );
        let seen = Seen {
            rip: 0x20_1234,
            rflags: 0x202,
            is_halted: true,
            ..Seen::default()
        };
        let words = report(3, Progress::Begun, Ok(seen)).to_string();
        let first = "calls: CPU 0 has waited 1500 ms for CPU 3, which has not ended:\n  \
                     it halts with interrupts on\n";
        assert!(words.starts_with(first), "{words}");
        let record = report(3, Progress::Begun, Ok(seen)).into_record();
        assert!(record.begun && !record.reminded);
        assert_eq!(
            record.seen.map(|seen| seen.rip).as_deref(),
            Some("0x201234")
        );
    }

    #[test]
    fn many_are_told_of_in_lines_that_fit_the_first_in_full_and_the_others_by_number() {
        let seen = Seen {
            rip: u64::MAX,
            rflags: 0xffff_ffff,
            rsp: u64::MAX,
            is_halted: false,
            returns: [u64::MAX; MOST_RETURNS],
        };
        let late = |cpus: core::ops::Range<u32>, every| {
            let reports: Vec<_> = cpus
                .step_by(every)
                .map(|cpu| report(cpu, Progress::Queued, Ok(seen)))
                .collect();
            in_full(&reports)
        };
        let words = late(1..8, 1);
        assert_eq!(words.matches("which has not begun:").count(), MOST_IN_FULL);
        assert!(
            words.ends_with("\ncalls: CPU 0 waits for CPU 5-7 too\n"),
            "{words}"
        );
        for line in late(1001..4000, 2).lines() {
            assert!(line.len() <= 80, "{line}");
        }
        assert!(!late(1..5, 1).contains("too"));
        assert_eq!(late(1..1, 1), "");
    }

    #[test]
    fn one_interrupt_is_lost_and_only_to_its_cpu() {
        assert!(!loses(CpuIndex(2)));
        lose_next(CpuIndex(2));
        assert!(!loses(CpuIndex(1)));
        assert!(loses(CpuIndex(2)));
        assert!(!loses(CpuIndex(2)));
    }
}
