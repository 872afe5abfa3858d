//! What a caller that waits knows of its call, and why a call was not run.

use alloc::vec::Vec;
use core::fmt;

use reveille_executor::Instant;

use crate::{cpu::CpuIndex, ranges::Ranges};

/// A call that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The CPU that is to run it.
    pub cpu: CpuIndex,
    /// When it was put into that CPU's queue, by the caller's clock; while that has no room, when it
    /// was first found full.
    pub since: Instant,
    /// How far it has come.
    pub progress: Progress,
}

/// How far a call has come that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Its caller waits for room in the CPU's queue: the CPU has not heard of it.
    NoRoom,
    /// It lies in the CPU's queue.
    Queued,
    /// The CPU has begun to run it.
    Begun,
}

impl Pending {
    /// Whether the CPU has begun to run it.
    pub fn has_begun(&self) -> bool {
        self.progress == Progress::Begun
    }
}

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallError {
    /// The CPU takes no calls: it is not online, or there is none of that number. The closure has not
    /// been run, and is dropped.
    Offline,
    /// The deadline of a blocking call came before the CPU had begun to run it; it has been taken
    /// back, and will not be run.
    TimedOut,
    /// A blocking call was made where the CPU already runs a call, waits for one, or polls for some (in
    /// the condition of [`look_until`](super::Calls::look_until)): a closure that is called may not
    /// wait, for its CPU could then wait for itself.
    InCall,
    /// The closure panicked, on a machine where that does not end everything.
    Panicked,
}

impl CallError {
    /// A sentence for reports.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Offline => "the CPU takes no calls",
            Self::TimedOut => "the CPU did not begin to run the call in time",
            Self::InCall => "a CPU that runs a call may not wait for another",
            Self::Panicked => "what was called panicked",
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for CallError {}

/// The CPUs of several that have not run a call, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAll {
    /// Each of them once, the lowest first.
    pub cpus: Vec<(CpuIndex, CallError)>,
}

impl NotAll {
    pub(super) fn check(cpus: Vec<(CpuIndex, CallError)>) -> Result<(), Self> {
        match cpus[..] {
            [] => Ok(()),
            _ => Err(Self { cpus }),
        }
    }
}

/// `CPUs 1-3,5 have not run it: the CPU takes no calls`, by the first reason.
impl fmt::Display for NotAll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Ranges = self.cpus.iter().map(|(cpu, _)| cpu.0).collect();
        let (who, have) = match self.cpus.len() {
            1 => ("CPU", "has"),
            _ => ("CPUs", "have"),
        };
        write!(f, "{who} {numbers} {have} not run it")?;
        match self.cpus.first() {
            Some((_, error)) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for NotAll {}

/// A closure that was not sent, and comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused<F> {
    /// The CPU takes no calls: it is not online, or there is none of that number.
    Offline(F),
    /// As many calls are on their way to it as its queue has places.
    Full(F),
}

impl<F> Refused<F> {
    fn reason(&self) -> &'static str {
        match self {
            Self::Offline(_) => CallError::Offline.reason(),
            Self::Full(_) => "as many calls are on their way to the CPU as its queue has places",
        }
    }
}

impl<F> fmt::Debug for Refused<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offline(_) => "Offline",
            Self::Full(_) => "Full",
        })
    }
}

impl<F> fmt::Display for Refused<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl<F> core::error::Error for Refused<F> {}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::{string::ToString, vec};

    use super::*;

    #[test]
    fn whoever_has_not_run_it_is_named() {
        let not_all = |cpus: &[u32]| {
            let cpus = cpus.iter().map(|&cpu| (CpuIndex(cpu), CallError::Offline));
            NotAll {
                cpus: cpus.collect(),
            }
        };
        assert_eq!(
            not_all(&[3]).to_string(),
            "CPU 3 has not run it: the CPU takes no calls"
        );
        assert_eq!(
            not_all(&[1, 2, 5]).to_string(),
            "CPUs 1-2,5 have not run it: the CPU takes no calls"
        );
        assert_eq!(NotAll::check(vec![]), Ok(()));
    }
}
