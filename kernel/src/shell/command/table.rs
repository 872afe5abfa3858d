//! All commands: how each is written, what it does, and how its words are read.
//!
//! The only place where a command is told of: the help, the errors and the completion come from here.

use alloc::{borrow::ToOwned, string::String};
use core::{fmt, num::NonZero};

use super::{Argument, Command, Problem, words::Words};
use crate::operations::op::Op;

/// A command.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// How it is written: capitals stand for something, what is in brackets can be left out.
    pub syntax: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// What else is to be known of it; may be empty.
    pub details: &'static str,
    /// It has the screen or the keyboard for itself, and does not run behind.
    pub(super) needs_terminal: bool,
    /// Reads what follows the name.
    pub(super) read: fn(&mut Words<'_>) -> Result<Command, Problem>,
}

/// Rounds of `bench`, where nobody says how many.
const ROUNDS: NonZero<u32> = NonZero::new(5).unwrap();
/// Cycles of `cycle`.
const CYCLES: NonZero<u32> = NonZero::new(10).unwrap();
/// Seconds of `torture`.
const SECONDS: NonZero<u32> = NonZero::new(10).unwrap();
/// Stops of `stop`.
const STOPS: NonZero<u32> = NonZero::new(100).unwrap();
/// Calls of `calls`.
const CALLS: NonZero<u32> = NonZero::new(10_000).unwrap();

/// All there are, in the order of the help.
pub static COMMANDS: &[Entry] = &[
    Entry {
        name: "help",
        syntax: "help [COMMAND]",
        summary: "what there is, or how a command is used",
        details: "",
        needs_terminal: false,
        read: |words| words.command().map(Command::Help),
    },
    Entry {
        name: "cpus",
        syntax: "cpus",
        summary: "a line a CPU: APIC id, place, state",
        details: "",
        needs_terminal: false,
        read: |_| Ok(Command::Cpus),
    },
    Entry {
        name: "states",
        syntax: "states",
        summary: "all states, the highest first, with the CPUs there",
        details: "",
        needs_terminal: false,
        read: |_| Ok(Command::Op(Op::States)),
    },
    Entry {
        name: "online",
        syntax: "online LIST",
        summary: "brings CPUs up",
        details: "",
        needs_terminal: false,
        read: |words| Ok(Command::Op(Op::Online(words.list()?))),
    },
    Entry {
        name: "offline",
        syntax: "offline LIST",
        summary: "takes CPUs down",
        details: "",
        needs_terminal: false,
        read: |words| Ok(Command::Op(Op::Offline(words.list()?))),
    },
    Entry {
        name: "target",
        syntax: "target LIST STATE",
        summary: "drives CPUs to a state, as far as that takes",
        details: "Not in every state can a CPU be left; the error says in which.",
        needs_terminal: false,
        read: |words| {
            let cpus = words.list()?;
            let state = words.name(Argument::State)?.to_owned();
            Ok(Command::Op(Op::Target(cpus, state)))
        },
    },
    Entry {
        name: "fail",
        syntax: "fail LIST STEP [up|down]",
        summary: "lets a step fail on CPUs, the next time, once",
        details: "On their way up, if nothing else is said. The CPU goes back to where it was.",
        needs_terminal: false,
        read: |words| {
            let cpus = words.list()?;
            let step = words.name(Argument::Step)?.to_owned();
            Ok(Command::Op(Op::Fail(cpus, step, words.direction())))
        },
    },
    Entry {
        name: "smt",
        syntax: "smt on|off",
        summary: "lets all threads of each core run, or one of them",
        details: "",
        needs_terminal: false,
        read: |words| Ok(Command::Op(Op::Smt(words.smt()?))),
    },
    Entry {
        name: "bench",
        syntax: "bench [STRATEGY] [N]",
        summary: "brings the APs up N times by each strategy, or by one",
        details: "Five rounds, if nothing else is said. Ctrl-C ends it between strategies.",
        needs_terminal: false,
        read: |words| {
            Ok(Command::Bench {
                strategy: words.strategy(),
                rounds: words.count_or(ROUNDS),
            })
        },
    },
    Entry {
        name: "cycle",
        syntax: "cycle [N]",
        summary: "takes all APs down and up N times",
        details: "Ten times, if nothing else is said. Ctrl-C ends it between cycles.",
        needs_terminal: false,
        read: |words| Ok(Command::Cycle(words.count_or(CYCLES))),
    },
    Entry {
        name: "torture",
        syntax: "torture [SECONDS]",
        summary: "does random things with the APs, and checks them",
        details: "Ten seconds, if nothing else is said. Ctrl-C ends it between operations.",
        needs_terminal: false,
        read: |words| {
            Ok(Command::Torture {
                seconds: words.count_or(SECONDS),
            })
        },
    },
    Entry {
        name: "stop",
        syntax: "stop [N]",
        summary: "stops the machine N times, and says how long it stood",
        details: "A hundred times, if nothing else is said.",
        needs_terminal: false,
        read: |words| Ok(Command::Stop(words.count_or(STOPS))),
    },
    Entry {
        name: "calls",
        syntax: "calls [N]",
        summary: "N calls from all CPUs to all, each accounted for",
        details: "10000, if nothing else is said.",
        needs_terminal: false,
        read: |words| Ok(Command::Calls(words.count_or(CALLS))),
    },
    Entry {
        name: "ipi",
        syntax: "ipi [FROM TO [N]]",
        summary: "measures calls between two CPUs, or between all",
        details: "All pairs, if nothing else is said. Ctrl-C ends it between calls,\n\
                  and the pair that it is at is not told.",
        needs_terminal: false,
        read: |words| words.pair().map(Command::Ipi),
    },
    Entry {
        name: "trace",
        syntax: "trace on|off|show",
        summary: "notes what each CPU does, or shows the latest",
        details: "",
        needs_terminal: false,
        read: |words| words.trace().map(Command::Trace),
    },
    Entry {
        name: "metrics",
        syntax: "metrics",
        summary: "what executors, calls and memory count",
        details: "",
        needs_terminal: false,
        read: |_| Ok(Command::Metrics),
    },
    Entry {
        name: "watch",
        syntax: "watch",
        summary: "a screen with a line a CPU, renewed each second",
        details: "The arrows scroll; q or Ctrl-C leaves it.\nIn a script what follows is its keys, up to a q.",
        needs_terminal: true,
        read: |_| Ok(Command::Watch),
    },
    Entry {
        name: "report",
        syntax: "report",
        summary: "the table of the boot once more",
        details: "",
        needs_terminal: false,
        read: |_| Ok(Command::Report),
    },
    Entry {
        name: "jobs",
        syntax: "jobs",
        summary: "what runs behind",
        details: "",
        needs_terminal: false,
        read: |_| Ok(Command::Jobs),
    },
    Entry {
        name: "kill",
        syntax: "kill [JOB]",
        summary: "interrupts what runs behind",
        details: "The one that was started last, if nothing else is said.",
        needs_terminal: false,
        read: |words| Ok(Command::Kill(words.job())),
    },
    Entry {
        name: "clear",
        syntax: "clear",
        summary: "clears the screen",
        details: "",
        needs_terminal: false,
        read: |_| Ok(Command::Clear),
    },
    Entry {
        name: "reboot",
        syntax: "reboot",
        summary: "resets the machine",
        details: "",
        needs_terminal: false,
        read: |_| Ok(Command::Reboot),
    },
    Entry {
        name: "exit",
        syntax: "exit [ok|failed]",
        summary: "ends the run with the boot's verdict, or with this one",
        details: "At a pipe, or with terminal=plain, the run fails too if any command did\n\
                  and no word is given.",
        needs_terminal: false,
        read: |words| Ok(Command::Exit(words.verdict())),
    },
];

impl Entry {
    /// The command of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        COMMANDS.iter().find(|entry| entry.name == name)
    }

    /// What it takes, in the order in which it takes it.
    pub fn arguments(&self) -> impl Iterator<Item = Argument> {
        Argument::of(self.syntax)
    }

    /// How it is written, and what that means.
    pub(super) fn usage(&self) -> String {
        let mut usage = String::from("`") + self.syntax + "`";
        let meanings = self.arguments().filter_map(Argument::meaning);
        for (index, meaning) in meanings.enumerate() {
            usage.push_str(if index == 0 { ", where " } else { ", " });
            usage.push_str(&alloc::format!("{meaning}"));
        }
        usage
    }
}

/// The page that `help COMMAND` shows.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.syntax, self.summary)?;
        for line in self.details.lines() {
            write!(f, "\n    {line}")?;
        }
        for meaning in self.arguments().filter_map(Argument::meaning) {
            write!(f, "\n    {meaning}")?;
        }
        Ok(())
    }
}

/// One command has one name.
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Entry {}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What holds for all of them.
const KEYS: &str = "`COMMAND &` runs behind. Tab completes, Ctrl-R looks for an earlier line,\n\
                    Ctrl-C interrupts, Ctrl-D on an empty line is `exit`.";

/// The page that `help` shows: a line for each command.
pub fn overview() -> impl fmt::Display {
    fmt::from_fn(|f| {
        let longest = COMMANDS.iter().map(|entry| entry.syntax.len()).max();
        let width = longest.unwrap_or(0) + 2;
        for entry in COMMANDS {
            writeln!(f, "{:width$}{}", entry.syntax, entry.summary)?;
        }
        f.write_str(KEYS)
    })
}
