//! What can be asked for at the prompt.
//!
//! A line is read as a whole before anything is done: what is not understood is an error that says what
//! would be right, and nothing has happened. Whether there is such a CPU, state or step is for the machine
//! to say, when the command runs.

#![forbid(unsafe_code)]

mod error;
mod syntax;
mod table;
mod words;

use core::{fmt, num::NonZero};

use reveille_smp::{cpu::CpuIndex, step::Direction, strategy::Strategy};

use crate::operations::op::Op;

pub use error::{CommandError, Problem};
pub use syntax::Argument;
pub use table::{COMMANDS, Entry, overview};
use words::Words;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// What there is, or how this one is used.
    Help(Option<&'static Entry>),
    /// A line for each CPU.
    Cpus,
    /// `states`, `online`, `offline`, `target`, `fail`, `smt`.
    Op(Op),
    /// Strategies side by side.
    Bench {
        /// All, or this one.
        strategy: Option<Strategy>,
        /// So many rounds.
        rounds: NonZero<u32>,
    },
    /// All APs go down and come back, so often.
    Cycle(NonZero<u32>),
    /// Random operations, for so many seconds.
    Torture {
        /// For so long.
        seconds: NonZero<u32>,
    },
    /// The machine is stopped so often.
    Stop(NonZero<u32>),
    /// So many calls from all to all.
    Calls(NonZero<u32>),
    /// Calls between pairs of CPUs.
    Ipi(Option<Pair>),
    /// Events.
    Trace(TraceAsked),
    /// What executors, heap and calls count.
    Metrics,
    /// The live view.
    Watch,
    /// The table of the boot.
    Report,
    /// What runs behind.
    Jobs,
    /// This one is interrupted, or the one that was started last.
    Kill(Option<JobNumber>),
    /// An empty screen.
    Clear,
    /// The machine starts again.
    Reboot,
    /// The run ends, with this verdict or with the boot's.
    Exit(Option<Verdict>),
}

/// One pair of CPUs, and not the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// It calls.
    pub from: CpuIndex,
    /// It is called.
    pub to: CpuIndex,
    /// Calls; where nobody says how many, as many as of any pair in a matrix.
    pub samples: Option<NonZero<u32>>,
}

/// What is asked of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceAsked {
    /// Events are noted from now on.
    On,
    /// No more.
    Off,
    /// The latest are shown.
    Show,
}

/// How a run is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As if all went well.
    Ok,
    /// As if something had failed.
    Failed,
}

/// The number of a command that runs behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobNumber(pub u32);

/// A command, and where it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// What is asked for.
    pub command: Command,
    /// Behind (`&`): the prompt does not wait for it.
    pub behind: bool,
}

/// Reads a line. `None` if it is blank.
///
/// # Errors
///
/// [`CommandError`], whose text says what would be right.
pub fn parse(line: &str) -> Result<Option<Invocation>, CommandError> {
    let line = line.trim();
    if line.is_empty() {
        return Ok(None);
    }
    let (words, behind) = match line.strip_suffix('&') {
        Some(words) => (words, true),
        None => (line, false),
    };
    let mut words = Words::new(words);
    let name = words.next().ok_or(CommandError::nothing_behind())?;
    let entry = Entry::find(name).ok_or_else(|| CommandError::unknown(name))?;
    let wrong = |problem| CommandError {
        entry: Some(entry),
        problem,
    };
    let command = (entry.read)(&mut words).map_err(wrong)?;
    if let Some(word) = words.next() {
        return Err(wrong(Problem::Misplaced(word.into())));
    }
    if behind && entry.needs_terminal {
        return Err(wrong(Problem::NeedsTerminal));
    }
    Ok(Some(Invocation { command, behind }))
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.command.fmt(f)?;
        match self.behind {
            true => f.write_str(" &"),
            false => Ok(()),
        }
    }
}

/// As it is typed, with what may be left out.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Help(None) => f.write_str("help"),
            Self::Help(Some(entry)) => write!(f, "help {}", entry.name),
            Self::Cpus => f.write_str("cpus"),
            Self::Op(Op::Online(cpus)) => write!(f, "online {cpus}"),
            Self::Op(Op::Offline(cpus)) => write!(f, "offline {cpus}"),
            Self::Op(Op::Target(cpus, state)) => write!(f, "target {cpus} {state}"),
            Self::Op(Op::Fail(cpus, step, Direction::Up)) => write!(f, "fail {cpus} {step} up"),
            Self::Op(Op::Fail(cpus, step, Direction::Down)) => {
                write!(f, "fail {cpus} {step} down")
            }
            Self::Op(Op::Smt(smt)) => write!(f, "smt {}", words::smt_name(*smt)),
            Self::Op(Op::States) => f.write_str("states"),
            Self::Bench {
                strategy: Some(strategy),
                rounds,
            } => write!(f, "bench {strategy} {rounds}"),
            Self::Bench {
                strategy: None,
                rounds,
            } => write!(f, "bench {rounds}"),
            Self::Cycle(cycles) => write!(f, "cycle {cycles}"),
            Self::Torture { seconds } => write!(f, "torture {seconds}"),
            Self::Stop(stops) => write!(f, "stop {stops}"),
            Self::Calls(calls) => write!(f, "calls {calls}"),
            Self::Ipi(None) => f.write_str("ipi"),
            Self::Ipi(Some(pair)) => {
                write!(f, "ipi {} {}", pair.from, pair.to)?;
                match pair.samples {
                    Some(samples) => write!(f, " {samples}"),
                    None => Ok(()),
                }
            }
            Self::Trace(TraceAsked::On) => f.write_str("trace on"),
            Self::Trace(TraceAsked::Off) => f.write_str("trace off"),
            Self::Trace(TraceAsked::Show) => f.write_str("trace show"),
            Self::Metrics => f.write_str("metrics"),
            Self::Watch => f.write_str("watch"),
            Self::Report => f.write_str("report"),
            Self::Jobs => f.write_str("jobs"),
            Self::Kill(None) => f.write_str("kill"),
            Self::Kill(Some(JobNumber(number))) => write!(f, "kill {number}"),
            Self::Clear => f.write_str("clear"),
            Self::Reboot => f.write_str("reboot"),
            Self::Exit(None) => f.write_str("exit"),
            Self::Exit(Some(Verdict::Ok)) => f.write_str("exit ok"),
            Self::Exit(Some(Verdict::Failed)) => f.write_str("exit failed"),
        }
    }
}

#[cfg(test)]
mod tests;
