//! A step: one thing that a subsystem does for a CPU on its way up, and undoes on its way down.
//!
//! A step says in which section it runs, and whether it must be serialised. A CPU takes its turn
//! before the first of neighbouring serialised steps and passes it on behind the last; concurrent
//! ones run on all CPUs at once. The steps of a kernel stand in a [`Ladder`](crate::ladder::Ladder).

use core::{fmt, pin::Pin, time::Duration};

use alloc::boxed::Box;

use reveille_executor::Timer;

use crate::{cpu::CpuIndex, instances::Instances};

/// Where and when a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// On the CPU that drives the bring-up: upwards before the kick, downwards when the AP has
    /// parked.
    Prepare,
    /// On the AP, with interrupts off: upwards between its claim and ALIVE, downwards before it
    /// parks. Such a step neither waits nor takes turns, so that no AP holds up another on its way
    /// in.
    Starting,
    /// On the AP, in a task of its own executor, with interrupts on.
    Online,
}

impl Section {
    /// The name used in lists.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Starting => "starting",
            Self::Online => "online",
        }
    }
}

/// Whether a step may run on several CPUs at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One CPU at a time, the lowest waiting one first.
    Serialised,
    /// All CPUs at once.
    Concurrent,
}

impl Mode {
    /// The name used in lists.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serialised => "serialised",
            Self::Concurrent => "concurrent",
        }
    }
}

/// Whether a step is done or undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The CPU comes up.
    Up,
    /// The CPU goes down.
    Down,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub const fn reverse(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// For whom a step runs, and what it may wait by.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// The CPU that is on its way: in the first section another one than the step runs on.
    pub cpu: CpuIndex,
    /// The timer of the executor that the step runs on.
    pub timer: &'a Timer,
}

/// What a step gives back.
pub enum Run<'a> {
    /// It has run.
    Now(Result<(), StepError>),
    /// It runs as this future is polled, on the CPU that called the step. Dropped, it ends where it
    /// is: a step that is cancelled has failed, and leaves behind what its failure would.
    Later(Pin<Box<dyn Future<Output = Result<(), StepError>> + 'a>>),
}

impl<'a> Run<'a> {
    /// Runs as a future.
    pub fn later(future: impl Future<Output = Result<(), StepError>> + 'a) -> Self {
        Self::Later(Box::pin(future))
    }
}

impl From<Result<(), StepError>> for Run<'_> {
    fn from(result: Result<(), StepError>) -> Self {
        Self::Now(result)
    }
}

/// One thing that a subsystem does for each CPU.
///
/// A step that fails has changed nothing: what has been passed is undone by the `down` of the steps
/// before it, and its own is not called.
pub trait Step: Sync {
    /// Its name in reports; no two steps of a ladder share one.
    fn name(&self) -> &'static str;

    /// Where it runs.
    fn section(&self) -> Section {
        Section::Online
    }

    /// Its place among the steps of its section, lowest first.
    fn rank(&self) -> u16;

    /// Whether it must be serialised.
    fn mode(&self) -> Mode {
        Mode::Concurrent
    }

    /// How long it may take as a future; then it is dropped and has failed. Without a deadline of
    /// its own, and where it does not wait, the deadline of the operation bounds it.
    fn deadline(&self) -> Option<Duration> {
        None
    }

    /// Whether a CPU can wait behind it, before the next step: there must be a way to wake the CPU.
    fn can_rest(&self) -> bool {
        true
    }

    /// Whether the first thread of a core must have passed it before the core's other threads are
    /// kicked.
    fn primaries_first(&self) -> bool {
        false
    }

    /// Does it.
    fn up<'a>(&'a self, site: Site<'a>) -> Run<'a>;

    /// Undoes it.
    fn down<'a>(&'a self, site: Site<'a>) -> Run<'a> {
        let _ = site;
        Run::Now(Ok(()))
    }

    /// Its instances, if it is a [`MultiStep`](crate::instances::MultiStep).
    fn instances(&self) -> Option<&dyn Instances> {
        None
    }
}

impl dyn Step + '_ {
    /// Does or undoes it.
    pub(crate) fn run<'a>(&'a self, direction: Direction, site: Site<'a>) -> Run<'a> {
        match direction {
            Direction::Up => self.up(site),
            Direction::Down => self.down(site),
        }
    }

    pub(crate) fn is_serialised(&self) -> bool {
        self.mode() == Mode::Serialised
    }
}

/// Why a step failed. It crosses from the AP to the BSP as a part of one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum StepError {
    /// The step runs on another CPU than the one it was meant for.
    WrongCpu = 1,
    /// What the step hands out is used up.
    Exhausted = 2,
    /// The CPU lacks what the step needs, or refused it.
    Unsupported = 3,
    /// The step was told to fail.
    Injected = 4,
    /// The step took longer than its deadline, and was cancelled.
    TimedOut = 5,
    /// The step would wait where a CPU cannot.
    CannotWait = 6,
    /// What the step looks after was found damaged.
    Corrupted = 7,
    /// What the step is to end is still in use.
    Busy = 8,
}

impl StepError {
    const ALL: [Self; 8] = [
        Self::WrongCpu,
        Self::Exhausted,
        Self::Unsupported,
        Self::Injected,
        Self::TimedOut,
        Self::CannotWait,
        Self::Corrupted,
        Self::Busy,
    ];

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|&error| error as u8 == number)
    }

    /// A sentence for reports.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::WrongCpu => "it ran on another CPU than it was meant for",
            Self::Exhausted => "what it hands out is used up",
            Self::Unsupported => "the CPU does not support what it needs",
            Self::Injected => "it was told to fail",
            Self::TimedOut => "it took longer than its deadline",
            Self::CannotWait => "it would wait where a CPU cannot",
            Self::Corrupted => "what it looks after is damaged",
            Self::Busy => "what it is to end is still in use",
        }
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for StepError {}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_its_way_through_a_number() {
        for error in StepError::ALL {
            assert_eq!(StepError::from_number(error as u8), Some(error));
        }
        assert_eq!(StepError::from_number(0), None);
    }
}
