//! What an operation means on this machine: which CPU is to go where.
//!
//! An operation that cannot be carried out, because there is no such CPU, rung or step, is an error
//! at the start of the run, so that no test passes because nothing was done.

#![forbid(unsafe_code)]

use alloc::{string::String, vec::Vec};
use core::fmt;

use reveille_smp::{
    cpu::CpuIndex,
    injection::Injection,
    ladder::{Ladder, Rung},
    ranges::Ranges,
    selection::Smt,
    step::Direction,
};

use super::{
    one_way,
    op::{Op, Which},
};

/// An AP as an operation finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub cpu: CpuIndex,
    /// Where it is.
    pub rung: Rung,
    /// Whether it is one of the threads that stay away where one of each core runs.
    pub is_sibling: bool,
}

/// What is to be done, CPU by CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// These go where they are to go. The others were meant too, and stay where they are.
    Move {
        /// Who goes where.
        targets: Vec<(CpuIndex, Rung)>,
        /// Who does not go where it was to go.
        held: Vec<(CpuIndex, Rung)>,
    },
    /// These fail once.
    Arm(Vec<CpuIndex>, Injection),
    /// All rungs are listed.
    List,
}

/// Why an AP is left where it is.
pub const HELD: &str = "smt=off holds it";

/// What `op` means for these APs, beside CPUs that are not there and may be added. With `smt` off, siblings
/// do not come up.
///
/// # Errors
///
/// [`CannotBeDone`] where it means nothing on this machine.
pub fn resolve(
    op: &Op,
    members: &[Member],
    absent: &[CpuIndex],
    ladder: &Ladder,
    smt: Smt,
) -> Result<Work, CannotBeDone> {
    let cannot = |problem| CannotBeDone {
        op: op.clone(),
        problem,
    };
    let who = |which: &Which| meant(which, members, absent).map_err(cannot);
    let go = |which: &Which, rung| -> Result<Work, CannotBeDone> {
        let may_go = |member: &Member| smt == Smt::On || !member.is_sibling || rung <= member.rung;
        let (goes, mut held): (Vec<_>, Vec<_>) = who(which)?.into_iter().partition(may_go);
        if *which == Which::All {
            // All that may; only who was named was to go in any case.
            held.clear();
        }
        let to_rung = |members: Vec<Member>| members.iter().map(|it| (it.cpu, rung)).collect();
        Ok(Work::Move {
            targets: to_rung(goes),
            held: to_rung(held),
        })
    };
    match op {
        Op::Online(which) => go(which, ladder.top()),
        Op::Offline(which) => go(which, Rung::OFFLINE),
        Op::Target(which, name) => {
            let rung = ladder.find(name).ok_or_else(|| cannot(no_rung(ladder)))?;
            if !ladder.can_rest(rung) {
                return Err(cannot(Problem::NoRest(no_rest(ladder))));
            }
            go(which, rung)
        }
        Op::Fail(which, name, direction) => {
            let mut steps = ladder.steps().iter();
            let step = steps.position(|step| step.name() == name);
            let step = step.ok_or_else(|| cannot(no_step(ladder)))?;
            let cpus = who(which)?.iter().map(|member| member.cpu).collect();
            Ok(Work::Arm(cpus, once(step, *direction)))
        }
        Op::Smt(smt) => {
            let rung = match smt {
                Smt::On => ladder.top(),
                Smt::Off => Rung::OFFLINE,
            };
            let siblings = members.iter().filter(|member| member.is_sibling);
            Ok(Work::Move {
                targets: siblings.map(|sibling| (sibling.cpu, rung)).collect(),
                held: Vec::new(),
            })
        }
        Op::States => Ok(Work::List),
    }
}

/// A failure that strikes once.
pub fn once(step: usize, direction: Direction) -> Injection {
    Injection {
        step,
        direction,
        is_sticky: false,
    }
}

/// The APs that are meant.
fn meant(which: &Which, members: &[Member], absent: &[CpuIndex]) -> Result<Vec<Member>, Problem> {
    let meant = members.iter().filter(|member| which.contains(member.cpu));
    let meant: Vec<_> = meant.copied().collect();
    if let Which::Listed(listed) = which {
        let found: Ranges = meant.iter().map(|member| member.cpu.0).collect();
        if listed.from(0) != found {
            let all = members.iter().map(|member| member.cpu.0).collect();
            let has_bsp = listed.contains(CpuIndex::BSP);
            let absent: Vec<_> = absent.iter().filter(|&&cpu| listed.contains(cpu)).collect();
            return Err(Problem::NoSuchAp {
                all,
                has_bsp,
                is_one_absent: absent.len() == 1,
                absent: absent.into_iter().map(|cpu| cpu.0).collect(),
            });
        }
    }
    Ok(meant)
}

fn no_rung(ladder: &Ladder) -> Problem {
    let rests = ladder.rungs().filter(|&rung| ladder.can_rest(rung));
    let mut names: Vec<_> = rests.map(|rung| ladder.name(rung)).collect();
    names.push("online");
    Problem::NoSuchRung(names)
}

fn no_step(ladder: &Ladder) -> Problem {
    Problem::NoSuchStep(ladder.steps().iter().map(|step| step.name()).collect())
}

fn no_rest(ladder: &Ladder) -> Vec<&'static str> {
    let rungs = ladder.rungs().filter(|&rung| ladder.can_rest(rung));
    rungs.map(|rung| ladder.name(rung)).collect()
}

/// An operation that means nothing on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CannotBeDone {
    /// The operation.
    pub op: Op,
    /// What stands in its way.
    pub problem: Problem,
}

/// What stands in the way of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Not all of the listed CPUs are APs that can be woken.
    NoSuchAp {
        /// Those that are.
        all: Ranges,
        /// Whether the boot processor is among the listed.
        has_bsp: bool,
        /// Those of the listed that are not there and may be added.
        absent: Ranges,
        /// Whether that is one.
        is_one_absent: bool,
    },
    /// No rung has this name; these are the names.
    NoSuchRung(Vec<&'static str>),
    /// No step has this name; these are the names.
    NoSuchStep(Vec<&'static str>),
    /// No CPU can stay on this rung and be woken again; on these it can.
    NoRest(Vec<&'static str>),
    /// A CPU that goes down is lost.
    OneWay,
}

impl fmt::Display for CannotBeDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { op, problem } = self;
        write!(f, "`do={op}` cannot be done: {problem}")
    }
}

/// What would be right, without the operation, which people may have asked for in another way.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchAp {
                all,
                has_bsp,
                absent,
                is_one_absent,
            } => {
                if *has_bsp {
                    write!(f, "CPU 0 is the boot processor and stays; ")?;
                }
                match is_one_absent {
                    _ if absent.is_empty() => {}
                    true => write!(f, "CPU {absent} is not there and can be added; ")?,
                    false => write!(f, "CPUs {absent} are not there and can be added; ")?,
                }
                match all.is_empty() {
                    true => write!(f, "there are no APs"),
                    false => write!(f, "the APs are {all}"),
                }
            }
            Self::NoSuchRung(names) => write!(f, "a CPU can be sent to {}", list(names)),
            Self::NoSuchStep(names) => write!(f, "the steps are {}", list(names)),
            Self::OneWay => f.write_str(one_way::REASON),
            Self::NoRest(names) => {
                write!(
                    f,
                    "a CPU that is there could not be woken; it can stay at {}",
                    list(names)
                )
            }
        }
    }
}

fn list(names: &[&'static str]) -> String {
    names.join(", ")
}

impl core::error::Error for CannotBeDone {}

#[cfg(test)]
mod tests {
    use super::{super::ladder_for_tests::test_ladder, *};

    /// Four APs, every other a sibling.
    fn members() -> Vec<Member> {
        let member = |cpu| Member {
            cpu: CpuIndex(cpu),
            rung: Rung::OFFLINE,
            is_sibling: cpu % 2 == 1,
        };
        (1..=4).map(member).collect()
    }

    fn work(op: &str, smt: Smt) -> Result<Work, CannotBeDone> {
        let op: Op = op.parse().unwrap();
        resolve(
            &op,
            &members(),
            &[CpuIndex(6), CpuIndex(7)],
            &test_ladder(),
            smt,
        )
    }

    fn to(rung: Rung, cpus: &[u32]) -> Vec<(CpuIndex, Rung)> {
        cpus.iter().map(|&cpu| (CpuIndex(cpu), rung)).collect()
    }

    fn moves(targets: Vec<(CpuIndex, Rung)>) -> Result<Work, CannotBeDone> {
        let held = Vec::new();
        Ok(Work::Move { targets, held })
    }

    #[test]
    fn operations_move_the_cpus_that_they_name_to_the_rung_that_they_mean() {
        let ladder = test_ladder();
        let (top, join) = (ladder.top(), ladder.find("join").unwrap());
        assert_eq!(work("online:2-3", Smt::On), moves(to(top, &[2, 3])));
        assert_eq!(work("target:1:online", Smt::On), moves(to(top, &[1])));
        assert_eq!(
            work("offline:all", Smt::On),
            moves(to(Rung::OFFLINE, &[1, 2, 3, 4]))
        );
        assert_eq!(work("target:4,1:join", Smt::On), moves(to(join, &[1, 4])));
        assert_eq!(work("smt:off", Smt::On), moves(to(Rung::OFFLINE, &[1, 3])));
        assert_eq!(work("smt:on", Smt::Off), moves(to(top, &[1, 3])));
        assert_eq!(work("states", Smt::On), Ok(Work::List));
    }

    #[test]
    fn a_failure_is_set_at_the_step_that_is_named() {
        let step = usize::from(test_ladder().find("join").unwrap().0) - 1;
        assert_eq!(
            work("fail:2:join:down", Smt::On),
            Ok(Work::Arm(vec![CpuIndex(2)], once(step, Direction::Down)))
        );
    }

    #[test]
    fn with_smt_off_siblings_go_down_and_do_not_come_up() {
        let ladder = test_ladder();
        assert_eq!(
            work("online:1-2", Smt::Off),
            Ok(Work::Move {
                targets: to(ladder.top(), &[2]),
                held: to(ladder.top(), &[1]),
            })
        );
        assert_eq!(
            work("online:all", Smt::Off),
            moves(to(ladder.top(), &[2, 4]))
        );
        let all = to(Rung::OFFLINE, &[1, 2, 3, 4]);
        assert_eq!(work("offline:all", Smt::Off), moves(all));
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_what_can() {
        let refusal = |op| work(op, Smt::On).unwrap_err().to_string();
        assert_eq!(
            refusal("offline:3-5"),
            "`do=offline:3-5` cannot be done: the APs are 1-4"
        );
        let absent = |op| refusal(op).split_once(": ").map(|(_, why)| why.to_owned());
        assert_eq!(
            absent("online:6").as_deref(),
            Some("CPU 6 is not there and can be added; the APs are 1-4")
        );
        assert_eq!(
            absent("online:4-8").as_deref(),
            Some("CPUs 6-7 are not there and can be added; the APs are 1-4")
        );
        assert_eq!(
            refusal("offline:0-1"),
            "`do=offline:0-1` cannot be done: CPU 0 is the boot processor and stays; the APs are 1-4"
        );
        assert!(refusal("target:1:joyn").ends_with(
            "a CPU can be sent to offline, stack, interrupts, join, calls, inbox, online"
        ));
        assert!(
            refusal("fail:1:offline:up")
                .ends_with("the steps are stack, kick, tables, interrupts, join, calls, inbox")
        );
        assert!(
            refusal("target:1:tables")
                .ends_with("it can stay at offline, stack, interrupts, join, calls, inbox")
        );
        let nobody = resolve(
            &"online:1".parse().unwrap(),
            &[],
            &[],
            &test_ladder(),
            Smt::On,
        );
        assert!(
            nobody
                .unwrap_err()
                .to_string()
                .ends_with("there are no APs")
        );
    }

    #[test]
    fn all_is_everybody_even_where_there_is_nobody() {
        let nobody = resolve(
            &"online:all".parse().unwrap(),
            &[],
            &[],
            &test_ladder(),
            Smt::On,
        );
        assert_eq!(nobody, moves(Vec::new()));
    }
}
