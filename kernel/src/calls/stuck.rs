//! The watch over calls that are not answered.
//!
//! A CPU that takes no interrupts for long, or whose interrupt was lost, looks the same to its caller: as
//! nothing. So whoever awaits a call under watch, when a limit has passed, asks the CPU by NMI what it does
//! (`probe.rs`), says that on both channels, and interrupts it once more; then it waits on, as long as it
//! would have anyway. What was lost is found by that, and what is stuck has a name.
//!
//! A call that has begun needs no reminder: what it is in is in the back trace.

use alloc::{format, string::ToString};
use core::{
    fmt,
    pin::{Pin, pin},
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use reveille_executor::{Clock, Timer};
use reveille_smp::{
    call::Pending,
    cpu::CpuIndex,
    probe::Seen,
    record::{Record, SeenCpu, StuckCall},
};

use super::{ByInterrupt, Call, CallAny, CallMany, remind};
use crate::{
    percpu::PerCpu,
    print,
    probe::{ProbeError, Told, probe},
    report,
};

/// After how long a call is told of, if the command line does not say otherwise. A CPU answers within
/// microseconds, but a hypervisor may have to find time for each of hundreds.
const LIMIT: Duration = Duration::from_secs(1);

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
        self.pending().into_iter().for_each(tell);
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
    call.each_pending(&mut |pending| tell(&pending));
    call.await
}

/// Tells of a call that is not answered, and reminds the CPU if it has not begun.
pub(super) fn tell(pending: &Pending) {
    let seen = probe(pending.cpu);
    let reminded = !pending.begun;
    if reminded {
        remind(pending.cpu);
    }
    let from = PerCpu::current().index();
    let since = ByInterrupt.now().saturating_duration_since(pending.since);
    // In one piece, for several may tell at once.
    print!(
        "{}",
        format!(
            "{}",
            Report {
                from,
                pending,
                since,
                seen: &seen
            }
        )
    );
    report::write(&Record::StuckCall(StuckCall {
        from,
        to: pending.cpu,
        since_ns: since.as_nanos() as u64,
        begun: pending.begun,
        reminded,
        reason: seen.as_ref().err().map(ToString::to_string),
        seen: seen.ok().map(in_words),
    }));
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

/// What a person sees.
struct Report<'a> {
    from: CpuIndex,
    pending: &'a Pending,
    since: Duration,
    seen: &'a Result<Seen, ProbeError>,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pending { cpu, begun, .. } = self.pending;
        let what = match begun {
            true => "has not come to the end of a call",
            false => "has not begun with a call",
        };
        write!(
            f,
            "calls: CPU {cpu} {what} that CPU {} awaits for {} ms: {}",
            self.from,
            self.since.as_millis(),
            Told(self.seen)
        )
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

    use super::*;

    #[test]
    fn a_report_names_both_cpus_and_says_what_the_other_does() {
        let report = |begun, seen| {
            let pending = Pending {
                cpu: CpuIndex(3),
                since: Instant::ZERO,
                begun,
            };
            Report {
                from: CpuIndex(0),
                pending: &pending,
                since: Duration::from_millis(1500),
                seen: &seen,
            }
            .to_string()
        };
        assert_eq!(
            report(false, Err(ProbeError::Silent)),
            "calls: CPU 3 has not begun with a call that CPU 0 awaits for 1500 ms: it does not answer an \
             NMI\n"
        );
        let seen = Seen {
            rip: 0x20_1234,
            rflags: 0x202,
            is_halted: true,
            ..Seen::default()
        };
        let words = report(true, Ok(seen));
        let first = "calls: CPU 3 has not come to the end of a call that CPU 0 awaits for 1500 ms: it halts \
                     with interrupts on\n";
        assert!(words.starts_with(first), "{words}");
        assert_eq!(in_words(seen).rip, "0x201234");
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
