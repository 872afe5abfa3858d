//! Stops the machine: while a closure runs, no other CPU runs anything else.
//!
//! ```text
//!   caller:   waits for its turn,   calls all   ─▶ all stand ─▶   f, alone or with all   ─▶ all go on
//! ```
//!
//! Every CPU that takes interrupts may call, at any time, any number at once: they take turns, and one that
//! waits for its turn stands while another has it (`rendezvous.rs`). The caller is in task context, with
//! interrupts on; it halts below its executor until all have gone on.
//!
//! Whoever stands was interrupted where interrupts were on. So it holds none of the kernel's locks, which are
//! taken with interrupts off: `f` may allocate and print. It may not wait for another CPU, which does not
//! run, and with [`Who::All`] it had better be short on locks, for which it spins.

use core::{fmt, time::Duration};

use reveille_smp::{cpu::CpuIndex, rendezvous::Part};

use super::rendezvous::{Meeting, Met, RendezvousError, WORK, Work, meet};
use crate::percpu::PerCpu;

/// Who runs the closure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The CPU that calls, while all others stand.
    One,
    /// All of them, the one that calls too.
    All,
}

/// The machine was stopped, and goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// How many CPUs stood, the caller not among them.
    pub cpus: usize,
    /// From the first interrupt until all stood.
    pub gathering: Duration,
    /// From the first interrupt until all could go on.
    pub total: Duration,
}

/// Why the closure was not run, by anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopError(RendezvousError);

impl StopError {
    /// The CPUs that did not come in time. One that went down as it was called is not among them: it comes
    /// first.
    pub fn missing(&self) -> &[CpuIndex] {
        match &self.0 {
            RendezvousError::Missing(cpus) => cpus,
            _ => &[],
        }
    }
}

impl fmt::Display for StopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the machine was not stopped: {}", self.0)
    }
}

impl core::error::Error for StopError {}

/// Stops all CPUs that take interrupts, runs `f` on this one or on all, with interrupts off and nobody else
/// running, and lets all go on. CPUs on their way up or down beyond that use nothing that `f` could see
/// (`rendezvous.rs`). `f` gets the area of the CPU that it runs on.
///
/// What the others did before they stopped, `f` sees; and what `f` did, all see behind it.
///
/// # Errors
///
/// [`StopError`]: somebody did not come within a second, whom it names; others had the turn for four
/// seconds; or this CPU has interrupts off. Then `f` has not run and will not.
///
/// # Panics
///
/// If all came, and half a second behind the caller's own end somebody still runs `f`: what `f` borrows
/// could not be kept for it. If the caller is in `f` for ten seconds, one of those who stand panics, and names
/// it.
pub fn stop_machine<F>(who: Who, f: F) -> Result<Stopped, StopError>
where
    F: Fn(&'static PerCpu) + Sync,
{
    let part = |works| Part {
        prepares: false,
        works,
    };
    let meeting = Meeting {
        part: &|_| part(who == Who::All),
        own: part(true),
        work: Work::of(&f),
    };
    // SAFETY: where somebody may be at it still, the run ends here, and the closure stays.
    match unsafe { meet(&meeting) } {
        Ok(Met {
            stood,
            gathering,
            total,
        }) => Ok(Stopped {
            cpus: stood,
            gathering,
            total,
        }),
        Err(error @ RendezvousError::NotDone(_)) => {
            panic!("stop_machine: {error}, {WORK:?} behind the one that called")
        }
        Err(error) => Err(StopError(error)),
    }
}
