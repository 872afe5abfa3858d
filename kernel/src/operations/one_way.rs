//! What cannot be asked of a machine whose firmware lets a CPU go once and never takes it back: there
//! a CPU that parks is lost, so none is taken down so far.
//!
//! It is said before any CPU is woken, like all that cannot be done on a machine.

#![forbid(unsafe_code)]

use core::fmt;

use super::resolve::Work;
use crate::command_line::Options;
use reveille_smp::ladder::Ladder;

/// Checks that nothing is asked for by which all CPUs go down.
///
/// # Errors
///
/// [`OneWay`] names the key.
pub fn check(options: &Options) -> Result<(), OneWay> {
    let asked = [
        ("bench", options.bench_rounds),
        ("cycle", options.cycles),
        ("torture", options.torture_seconds),
    ];
    match asked.into_iter().find(|&(_, value)| value > 0) {
        None => Ok(()),
        Some((key, value)) => Err(OneWay { key, value }),
    }
}

/// Whether CPUs would park by this.
pub fn lets_go(work: &Work, ladder: &Ladder) -> bool {
    match work {
        Work::Move { targets, .. } => targets.iter().any(|&(_, rung)| rung <= ladder.prepared()),
        Work::Arm(..) | Work::List => false,
    }
}

/// Why.
pub const REASON: &str = "the firmware's mailbox wakes a CPU once, so none that went down could come \
                          back";

/// Something for which CPUs would have to go down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneWay {
    /// The key of the command line.
    pub key: &'static str,
    /// What it was given.
    pub value: u32,
}

impl fmt::Display for OneWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value } = self;
        write!(f, "`{key}={value}` cannot be done: {REASON}")
    }
}

impl core::error::Error for OneWay {}

#[cfg(test)]
mod tests {
    use reveille_smp::{cpu::CpuIndex, ladder::Rung};

    use super::{super::ladder_for_tests::test_ladder, *};

    #[test]
    fn what_takes_all_cpus_down_is_refused_by_its_key_and_nothing_else_is() {
        let refused = |line: &str| {
            let options = Options::parse(line).unwrap();
            check(&options).map_err(|error| error.to_string())
        };
        assert_eq!(refused("attempts=3 do=states bench=0 seed=9"), Ok(()));
        for line in ["bench=9", "cycle=9", "torture=9"] {
            let error = refused(line).unwrap_err();
            assert!(error.starts_with(&format!("`{line}` cannot be done: the firmware's mailbox")));
        }
    }

    #[test]
    fn whoever_goes_below_where_it_can_be_called_is_let_go() {
        let ladder = test_ladder();
        let to = |rung| Work::Move {
            targets: vec![(CpuIndex(1), ladder.top()), (CpuIndex(2), rung)],
            held: Vec::new(),
        };
        for rung in ladder.rungs() {
            assert_eq!(lets_go(&to(rung), &ladder), rung <= ladder.prepared());
        }
        assert!(lets_go(&to(Rung::OFFLINE), &ladder));
        assert!(!lets_go(&Work::List, &ladder));
    }
}
