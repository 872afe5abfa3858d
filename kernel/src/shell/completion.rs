//! How the last word of a command may go on, by its syntax and by what this machine has.

#![forbid(unsafe_code)]

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use reveille_smp::{cpu::CpuIndex, ranges::Ranges, selection::CpuSet};

use super::{
    command::{Argument, COMMANDS, Entry, JobNumber},
    line::{Completer, Completion},
};

/// What only the machine knows.
pub trait Names {
    /// All CPUs with a number, the BSP too, in their order.
    fn cpus(&self) -> Vec<CpuIndex>;
    /// The states in which a CPU can be left.
    fn states(&self) -> Vec<&'static str>;
    /// The steps of the ladder.
    fn steps(&self) -> Vec<&'static str>;
    /// What runs behind.
    fn jobs(&self) -> Vec<JobNumber>;
}

/// Completes commands with these names.
#[derive(Clone, Copy, Debug)]
pub struct Completions<N>(pub N);

impl<N: Names> Completer for Completions<N> {
    fn complete(&self, before: &str) -> Completion {
        let start = before
            .trim_end_matches(|it: char| !it.is_whitespace())
            .len();
        let (earlier, word) = before.split_at(start);
        let mut earlier = earlier.split_whitespace();
        let argument = match earlier.next() {
            None => Some(Argument::Command),
            Some(name) => Entry::find(name).and_then(|it| it.arguments().nth(earlier.count())),
        };
        match argument {
            Some(Argument::List) => self.list(start, word),
            Some(argument) => Completion {
                start,
                candidates: self.words(argument),
                goes_on: false,
            },
            None => Completion::default(),
        }
    }
}

impl<N: Names> Completions<N> {
    fn words(&self, argument: Argument) -> Vec<String> {
        match argument {
            Argument::Command => COMMANDS.iter().map(|entry| entry.name.into()).collect(),
            Argument::State => owned(self.0.states()),
            Argument::Step => owned(self.0.steps()),
            Argument::From | Argument::To => {
                let cpus = self.0.cpus().into_iter();
                cpus.map(|cpu| cpu.to_string()).collect()
            }
            Argument::Job => {
                let jobs = self.0.jobs().into_iter();
                jobs.map(|JobNumber(number)| number.to_string()).collect()
            }
            _ => owned(argument.words()),
        }
    }

    /// A list grows behind each comma and each dash. Where it begins, all that there are is said in short.
    fn list(&self, start: usize, word: &str) -> Completion {
        let aps = self
            .0
            .cpus()
            .into_iter()
            .filter(|&cpu| cpu != CpuIndex::BSP);
        let begun = word.rfind([',', '-']).map_or(0, |at| at + 1);
        let mut candidates = Vec::new();
        if begun == 0 {
            candidates.push(String::from("all"));
        }
        if word.is_empty() {
            let all: Ranges = aps.map(|cpu| cpu.0).collect();
            // One that is cut short cannot be typed.
            candidates.extend(all.to_string().parse().map(|all: CpuSet| all.to_string()));
        } else {
            candidates.extend(aps.map(|cpu| cpu.to_string()));
        }
        Completion {
            start: start + begun,
            candidates,
            goes_on: true,
        }
    }
}

fn owned(names: Vec<&'static str>) -> Vec<String> {
    names.into_iter().map(String::from).collect()
}
