//! Whether what was done with CPUs after the bring-up went as it should.

#![forbid(unsafe_code)]

use alloc::string::{String, ToString};
use core::fmt;

use reveille_smp::{
    cpu::CpuIndex,
    record::{Balance, Calls, Cycle, Op, OpFailure, Torture},
    step::StepError,
};

use super::rules::Broken;

/// What did not go as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsound {
    /// Not all APs went down and came back in each cycle.
    Cycle {
        /// Cycles in which they did.
        done: u32,
        /// Cycles that were asked for.
        asked: u32,
        /// APs that did not.
        failed: u32,
    },
    /// A CPU did not come where an operation was to bring it, though it was not told to fail.
    Op {
        /// The operation.
        op: String,
        /// The lowest such CPU.
        cpu: CpuIndex,
    },
    /// A rule was broken behind an operation.
    Rule {
        /// The operation.
        op: String,
        /// The rule.
        broken: String,
    },
    /// A rule was broken in random operations, or APs were lost.
    Torture {
        /// APs that were lost.
        lost: u32,
        /// What repeats the operations.
        seed: u32,
        /// The rule.
        broken: Option<String>,
    },
    /// Not all calls ran, or one ran twice.
    Calls {
        /// Calls that ran.
        done: u64,
        /// Calls that were asked for.
        asked: u32,
        /// Calls of which the account is wrong.
        lost: u64,
        /// What is wrong.
        broken: Option<String>,
    },
    /// More memory, or less, is in use than before.
    Grown {
        /// Behind what.
        what: &'static str,
        /// By how many bytes of the heap.
        heap: i64,
        /// By how many frames.
        frames: i64,
    },
}

/// Whether all APs went down and came back, and left the memory as it was.
///
/// # Errors
///
/// [`Unsound`] says what went wrong.
pub fn of_cycle(cycle: &Cycle) -> Result<(), Unsound> {
    let Cycle {
        done,
        asked,
        failed,
        lost,
        interrupted,
        ..
    } = *cycle;
    if (done != asked && !interrupted) || failed > 0 || lost > 0 {
        return Err(Unsound::Cycle {
            done,
            asked,
            failed: failed.max(lost),
        });
    }
    of_balance("cycle", &cycle.balance)
}

/// Whether every CPU came where an operation was to bring it, or failed because it was told to and is
/// where it began; and whether the rules held behind it.
///
/// # Errors
///
/// [`Unsound`] says what went wrong.
pub fn of_op(op: &Op, rules: &Result<(), Broken>) -> Result<(), Unsound> {
    if let Err(broken) = rules {
        return Err(Unsound::Rule {
            op: op.op.clone(),
            broken: broken.to_string(),
        });
    }
    let was_told_to = |failure: &&OpFailure| {
        failure.reason.as_deref() == Some(StepError::Injected.reason())
            && failure.rung == failure.from
    };
    match op.failures.iter().find(|failure| !was_told_to(failure)) {
        None => Ok(()),
        Some(failure) => Err(Unsound::Op {
            op: op.op.clone(),
            cpu: failure.cpu,
        }),
    }
}

/// Whether no rule was broken in random operations, nobody was lost, and the memory is as it was.
///
/// # Errors
///
/// [`Unsound`] says what went wrong.
pub fn of_torture(torture: &Torture) -> Result<(), Unsound> {
    let Torture {
        lost, seed, failed, ..
    } = *torture;
    if failed > 0 || lost > 0 || torture.calls.lost > 0 {
        return Err(Unsound::Torture {
            lost,
            seed,
            broken: torture.broken.clone(),
        });
    }
    of_balance("torture", &torture.balance)
}

/// Whether all calls that were asked for ran, each once, and left the memory as it was.
///
/// # Errors
///
/// [`Unsound`] says what went wrong.
pub fn of_calls(calls: &Calls) -> Result<(), Unsound> {
    let Calls { asked, totals, .. } = calls;
    let all = u64::from(*asked);
    if (totals.done != all && !calls.interrupted) || totals.lost > 0 || calls.broken.is_some() {
        return Err(Unsound::Calls {
            done: totals.done,
            asked: *asked,
            lost: totals.lost,
            broken: calls.broken.clone(),
        });
    }
    of_balance("calls", &calls.balance)
}

fn of_balance(what: &'static str, balance: &Balance) -> Result<(), Unsound> {
    if !balance.has_leaked() {
        return Ok(());
    }
    Err(Unsound::Grown {
        what,
        heap: balance.heap_growth(),
        frames: balance.frames_growth(),
    })
}

impl fmt::Display for Unsound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cycle {
                done,
                asked,
                failed,
            } => write!(
                f,
                "cycle: {failed} APs did not go down and come back, after {done} of {asked} cycles"
            ),
            Self::Op { op, cpu } => {
                write!(f, "do={op}: CPU {cpu} did not come where it was to go")
            }
            Self::Rule { op, broken } => write!(f, "do={op}: {broken}"),
            Self::Torture { lost, seed, broken } => {
                write!(f, "torture: seed {seed}: {lost} APs lost")?;
                match broken {
                    None => Ok(()),
                    Some(broken) => write!(f, "; {broken}"),
                }
            }
            Self::Calls {
                done,
                asked,
                lost,
                broken,
            } => {
                write!(f, "calls: {done} of {asked} ran, {lost} lost")?;
                match broken {
                    None => Ok(()),
                    Some(broken) => write!(f, "; {broken}"),
                }
            }
            Self::Grown { what, heap, frames } => write!(
                f,
                "{what}: the use of memory has changed by {heap:+} B of the heap and {frames:+} frames"
            ),
        }
    }
}

impl core::error::Error for Unsound {}

#[cfg(test)]
mod tests {
    use reveille_smp::record::CallTotals;

    use super::*;

    const EVEN: Balance = Balance {
        heap_before: 100,
        heap_after: 100,
        frames_before: 5,
        frames_after: 5,
        disturbed: false,
    };

    fn cycle() -> Cycle {
        Cycle {
            asked: 9,
            done: 9,
            aps: 7,
            lost: 0,
            failed: 0,
            interrupted: false,
            duration_ns: 1,
            balance: EVEN,
        }
    }

    #[test]
    fn cycles_are_sound_when_all_were_done_nobody_failed_and_not_a_byte_more_is_in_use() {
        assert_eq!(of_cycle(&cycle()), Ok(()));
        let cut_short = Cycle { done: 8, ..cycle() };
        let interrupted = Cycle {
            interrupted: true,
            ..cut_short.clone()
        };
        assert_eq!(of_cycle(&interrupted), Ok(()));
        let failed = Cycle {
            failed: 1,
            ..cycle()
        };
        let lost = Cycle { lost: 1, ..cycle() };
        for wrong in [cut_short, failed, lost] {
            assert!(matches!(of_cycle(&wrong), Err(Unsound::Cycle { .. })));
        }
        let mut grown = cycle();
        grown.balance.heap_after += 1;
        let mut shrunk = cycle();
        shrunk.balance.frames_after -= 1;
        for wrong in [grown, shrunk] {
            assert!(matches!(of_cycle(&wrong), Err(Unsound::Grown { .. })));
            let mut beside_others = wrong;
            beside_others.balance.disturbed = true;
            assert_eq!(of_cycle(&beside_others), Ok(()));
        }
    }

    #[test]
    fn random_operations_are_sound_when_no_rule_was_broken_and_all_came_back() {
        let sound = Torture {
            seconds: 1,
            seed: 7,
            done: 9,
            aps: 7,
            hotplugs: 6,
            injected: 3,
            calls: CallTotals::default(),
            lost: 0,
            failed: 0,
            broken: None,
            interrupted: false,
            duration_ns: 1,
            balance: EVEN,
        };
        assert_eq!(of_torture(&sound), Ok(()));
        let lost = Torture {
            lost: 1,
            ..sound.clone()
        };
        let broken = Torture {
            failed: 1,
            broken: Some("operation 9: why".into()),
            ..sound.clone()
        };
        assert!(of_torture(&lost).is_err());
        let mut lost_call = sound.clone();
        lost_call.calls.lost = 1;
        assert!(of_torture(&lost_call).is_err());
        let words = of_torture(&broken).unwrap_err().to_string();
        assert_eq!(words, "torture: seed 7: 0 APs lost; operation 9: why");
        let mut grown = sound;
        grown.balance.heap_after += 1;
        assert!(matches!(of_torture(&grown), Err(Unsound::Grown { .. })));
    }

    #[test]
    fn calls_are_sound_when_all_of_them_ran_and_none_twice() {
        let calls = |done, lost, broken: Option<&str>| Calls {
            asked: 9,
            cpus: 8,
            totals: CallTotals {
                done,
                lost,
                ..CallTotals::default()
            },
            broken: broken.map(String::from),
            interrupted: false,
            duration_ns: 1,
            balance: EVEN,
        };
        assert_eq!(of_calls(&calls(9, 0, None)), Ok(()));
        let mut interrupted = calls(8, 0, None);
        interrupted.interrupted = true;
        assert_eq!(of_calls(&interrupted), Ok(()));
        for wrong in [calls(8, 0, None), calls(9, 1, None), calls(10, 0, None)] {
            assert!(matches!(of_calls(&wrong), Err(Unsound::Calls { .. })));
        }
        let words = of_calls(&calls(9, 1, Some("why"))).unwrap_err().to_string();
        assert_eq!(words, "calls: 9 of 9 ran, 1 lost; why");
        let mut grown = calls(9, 0, None);
        grown.balance.heap_after += 1;
        assert!(matches!(of_calls(&grown), Err(Unsound::Grown { .. })));
    }

    #[test]
    fn an_operation_is_sound_when_only_those_failed_that_were_told_to_and_they_are_back() {
        let op = |failures: Vec<OpFailure>| Op {
            op: "online:all".into(),
            cpus: 3,
            done: 3 - failures.len() as u32,
            failed: failures.len() as u32,
            duration_ns: 1,
            failures,
        };
        let told = OpFailure {
            cpu: CpuIndex(2),
            from: 1,
            to: 6,
            rung: 1,
            outcome: None,
            step: Some("join".into()),
            reason: Some(StepError::Injected.reason().into()),
            rollback: None,
        };
        assert_eq!(of_op(&op(vec![]), &Ok(())), Ok(()));
        assert_eq!(of_op(&op(vec![told.clone()]), &Ok(())), Ok(()));
        let not_back = OpFailure {
            rung: 2,
            ..told.clone()
        };
        let by_itself = OpFailure {
            cpu: CpuIndex(3),
            reason: Some(StepError::Busy.reason().into()),
            ..told.clone()
        };
        assert!(of_op(&op(vec![not_back]), &Ok(())).is_err());
        let words = of_op(&op(vec![told, by_itself]), &Ok(())).unwrap_err();
        assert_eq!(
            words.to_string(),
            "do=online:all: CPU 3 did not come where it was to go"
        );
        assert!(of_op(&op(vec![]), &Err(Broken::Missing)).is_err());
    }
}
