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

impl<N: Names + ?Sized> Names for &N {
    fn cpus(&self) -> Vec<CpuIndex> {
        (**self).cpus()
    }

    fn states(&self) -> Vec<&'static str> {
        (**self).states()
    }

    fn steps(&self) -> Vec<&'static str> {
        (**self).steps()
    }

    fn jobs(&self) -> Vec<JobNumber> {
        (**self).jobs()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine of 1 + 12 CPUs.
    struct Machine;

    impl Names for Machine {
        fn cpus(&self) -> Vec<CpuIndex> {
            (0..=12).map(CpuIndex).collect()
        }

        fn states(&self) -> Vec<&'static str> {
            vec!["offline", "join", "online"]
        }

        fn steps(&self) -> Vec<&'static str> {
            vec!["stack", "kick", "join"]
        }

        fn jobs(&self) -> Vec<JobNumber> {
            vec![JobNumber(2), JobNumber(7)]
        }
    }

    /// How the last word may go on: only what begins as it does.
    fn words(before: &str) -> Vec<String> {
        let Completion {
            start, candidates, ..
        } = Completions(&Machine).complete(before);
        let word = &before[start..];
        candidates
            .into_iter()
            .filter(|it| it.starts_with(word))
            .collect()
    }

    #[test]
    fn each_place_of_a_command_is_completed_with_what_can_stand_there() {
        for (before, expected) in [
            ("o", &["online", "offline"][..]),
            ("  to", &["torture"]),
            ("help tr", &["trace"]),
            (
                "bench ",
                &["parallel", "broadcast", "two-pass", "serial", "legacy"],
            ),
            ("bench s", &["serial"]),
            ("target 1 ", &["offline", "join", "online"]),
            ("fail 1-3 k", &["kick"]),
            ("fail 1-3 kick d", &["down"]),
            ("smt o", &["on", "off"]),
            ("trace ", &["on", "off", "show"]),
            ("ipi 1", &["1", "10", "11", "12"]),
            ("ipi 1 0", &["0"]),
            ("kill ", &["2", "7"]),
            ("exit ", &["ok", "failed"]),
            // Numbers that anybody may choose, and places that are not there.
            ("cycle ", &[]),
            ("ipi 0 1 ", &[]),
            ("cpus ", &[]),
            ("smt on ", &[]),
            ("frobnicate ", &[]),
        ] {
            assert_eq!(words(before), expected, "`{before}`");
        }
        assert_eq!(words("").len(), COMMANDS.len());
    }

    #[test]
    fn a_list_is_completed_number_by_number_and_told_in_short_at_its_begin() {
        for (before, start, expected) in [
            ("online ", 7, &["all", "1-12"][..]),
            ("online a", 7, &["all"]),
            ("online 1", 7, &["1", "10", "11", "12"]),
            ("online 3,1", 9, &["1", "10", "11", "12"]),
            (
                "online 3,9-12,7-",
                16,
                &[
                    "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12",
                ],
            ),
            ("online 0", 7, &[]),
        ] {
            let completion = Completions(&Machine).complete(before);
            assert!(completion.goes_on);
            assert_eq!(
                (completion.start, &words(before)[..]),
                (
                    start,
                    &expected.iter().map(|&it| it.to_owned()).collect::<Vec<_>>()[..]
                ),
                "`{before}`"
            );
        }
    }

    #[test]
    fn of_a_machine_without_aps_only_all_can_be_typed() {
        struct Alone;

        impl Names for Alone {
            fn cpus(&self) -> Vec<CpuIndex> {
                vec![CpuIndex::BSP]
            }

            fn states(&self) -> Vec<&'static str> {
                vec![]
            }

            fn steps(&self) -> Vec<&'static str> {
                vec![]
            }

            fn jobs(&self) -> Vec<JobNumber> {
                vec![]
            }
        }

        assert_eq!(Completions(Alone).complete("offline ").candidates, ["all"]);
        assert_eq!(Completions(Alone).complete("kill ").candidates, [""; 0]);
    }
}
