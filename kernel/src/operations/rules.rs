//! The rules that hold whenever no operation is going on, checked against what the CPUs show:
//!
//! - A CPU is where the operations brought it, and its stage says the same as its rung: online on
//!   the highest one, parked where it does not run, else alive and waiting.
//! - It stands once in the list of those online from `join` on, and nobody else stands there.
//! - It takes calls from `calls` on, and work from `inbox` on, and not below.
//! - Whoever is online does what it is sent, as itself.
//! - A call runs once, or is reported failed and does not run.
//! - The machine can be stopped, and is still then, while CPUs go up and down.
//! - When nobody is up, as much memory is in use as the last time.

#![forbid(unsafe_code)]

use alloc::string::String;
use core::fmt;

use reveille_smp::{
    bringup::Moved,
    cpu::CpuIndex,
    ladder::{Ladder, Rung},
    state::Stage,
};

use super::model::{Expected, Model};
use crate::{
    calling::{standstill::Standstill, tokens::Wrong},
    cpus::roll_call::RollCallError,
};

/// What a CPU shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The CPU.
    pub cpu: CpuIndex,
    /// What its state word says.
    pub stage: Stage,
    /// Where it is.
    pub rung: Rung,
    /// Whether it takes calls from others.
    pub takes_calls: bool,
    /// Whether it takes work from others.
    pub takes_work: bool,
}

/// The step that joins the list of those online.
const JOIN: &str = "join";
/// The step that opens the queue of calls.
const CALLS: &str = "calls";
/// The step that opens the inbox.
pub const INBOX: &str = "inbox";

/// Checks what the CPUs of the model show, in its order, and the list of those online.
///
/// # Errors
///
/// The first rule that is broken.
pub fn check(model: &Model<'_>, views: &[View], online: &[CpuIndex]) -> Result<(), Broken> {
    let ladder = model.ladder();
    if views.len() != model.cpus().len() {
        return Err(Broken::Missing);
    }
    for (view, cpu) in views.iter().zip(model.cpus()) {
        let View { cpu: number, .. } = *view;
        if (number, view.rung) != (cpu.member.cpu, cpu.member.rung) {
            let to = cpu.member.rung;
            return Err(Broken::Elsewhere { view: *view, to });
        }
        if !is_stage_of(view.stage, view.rung, ladder) {
            return Err(Broken::Stage(*view));
        }
        let times = online.iter().filter(|&&cpu| cpu == number).count();
        if times != usize::from(has_passed(view.rung, JOIN, ladder)) {
            return Err(Broken::Listed { view: *view, times });
        }
        if view.takes_calls != has_passed(view.rung, CALLS, ladder) {
            return Err(Broken::Calls(*view));
        }
        if view.takes_work != has_passed(view.rung, INBOX, ladder) {
            return Err(Broken::Work(*view));
        }
    }
    let is_stranger = |cpu: &&CpuIndex| views.iter().all(|view| view.cpu != **cpu);
    match online.iter().find(is_stranger) {
        Some(&cpu) => Err(Broken::Stranger(cpu)),
        None => Ok(()),
    }
}

/// Whether an operation can reach a CPU at this stage: it can be kicked, or called.
pub fn can_be_reached(stage: Stage) -> bool {
    stage.is_down() || matches!(stage, Stage::Alive | Stage::Online)
}

fn is_stage_of(stage: Stage, rung: Rung, ladder: &Ladder) -> bool {
    if rung == ladder.top() {
        stage == Stage::Online
    } else if rung <= ladder.prepared() {
        stage.is_down()
    } else {
        stage == Stage::Alive
    }
}

fn has_passed(rung: Rung, step: &str, ladder: &Ladder) -> bool {
    ladder.find(step).is_some_and(|behind| rung >= behind)
}

/// A rule that is broken.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Broken {
    /// A CPU that was sent somewhere did something else than it was to do.
    Unexpected {
        /// The CPU.
        cpu: CpuIndex,
        /// Where it was sent.
        to: Rung,
        /// What it was to do.
        expected: Expected,
        /// What the operation says of it.
        told: Option<Moved>,
    },
    /// An operation tells of another number of CPUs than were sent.
    Uninvited {
        /// How many were sent.
        asked: usize,
        /// How many are told of.
        moved: usize,
    },
    /// Not all CPUs show themselves.
    Missing,
    /// A CPU is elsewhere than the operations brought it.
    Elsewhere {
        /// The CPU.
        view: View,
        /// Where they brought it.
        to: Rung,
    },
    /// Stage and rung of a CPU contradict each other.
    Stage(View),
    /// A CPU is in the list of those online and does not belong there, or the other way round.
    Listed {
        /// The CPU.
        view: View,
        /// How often it is there.
        times: usize,
    },
    /// A CPU takes calls and should not, or the other way round.
    Calls(View),
    /// A CPU takes work and should not, or the other way round.
    Work(View),
    /// A CPU is in the list of those online that nobody brought there.
    Stranger(CpuIndex),
    /// A CPU that is online does not do what it is sent, or not as itself.
    RollCall(RollCallError),
    /// A call did not run once, and was not reported failed.
    Call(Wrong),
    /// A call did not come to an end.
    Standstill(Standstill),
    /// The machine could not be stopped as CPUs went, or was not still; and why.
    NotStopped(String),
    /// Nobody is up, and the use of memory is not what it was the last time.
    Memory {
        /// By how many bytes of the heap it has changed.
        heap: i64,
        /// By how many frames.
        frames: i64,
    },
}

impl View {
    /// What is said of a CPU that takes something and should not, or the other way round.
    fn takes(&self, takes: bool, what: &'static str) -> impl fmt::Display {
        let (cpu, rung) = (self.cpu, self.rung.0);
        let takes = if takes { "takes" } else { "takes no" };
        fmt::from_fn(move |f| write!(f, "CPU {cpu} at rung {rung} {takes} {what}"))
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected {
                cpu,
                to,
                expected,
                told,
            } => {
                write!(f, "CPU {cpu} was sent to rung {} and was to ", to.0)?;
                match expected.fails_at {
                    None => write!(f, "come there")?,
                    Some(step) => write!(f, "fail at {step} and be back at {}", expected.rung.0)?,
                }
                match told {
                    None => write!(f, ", but nothing is told of it"),
                    Some(told) => {
                        write!(f, ", but went from {} to {}", told.from.0, told.rung.0)?;
                        match &told.failure {
                            None => Ok(()),
                            Some(failure) => write!(f, ": {failure}"),
                        }
                    }
                }
            }
            Self::Uninvited { asked, moved } => {
                write!(f, "{asked} CPUs were sent, and of {moved} it is told how")
            }
            Self::Missing => write!(f, "not all CPUs show themselves"),
            Self::Elsewhere { view, to } => write!(
                f,
                "CPU {} is at rung {} and was brought to {}",
                view.cpu, view.rung.0, to.0
            ),
            Self::Stage(View {
                cpu, stage, rung, ..
            }) => write!(f, "CPU {cpu} is {stage:?} at rung {}", rung.0),
            Self::Listed { view, times } => write!(
                f,
                "CPU {} at rung {} is {times} times in the list of those online",
                view.cpu, view.rung.0
            ),
            Self::Calls(view) => view.takes(view.takes_calls, "calls").fmt(f),
            Self::Work(view) => view.takes(view.takes_work, "work").fmt(f),
            Self::Stranger(cpu) => write!(
                f,
                "CPU {cpu} is in the list of those online, and nobody brought it there"
            ),
            Self::RollCall(error) => error.fmt(f),
            Self::Call(wrong) => wrong.fmt(f),
            Self::Standstill(standstill) => standstill.fmt(f),
            Self::NotStopped(reason) => f.write_str(reason),
            Self::Memory { heap, frames } => write!(
                f,
                "with nobody up, the use of memory has changed by {heap:+} B of the heap and \
                 {frames:+} frames"
            ),
        }
    }
}

impl core::error::Error for Broken {}

#[cfg(test)]
mod tests {
    use super::{
        super::{ladder_for_tests::test_ladder, model::ModelCpu, resolve::Member},
        *,
    };

    /// What CPUs on these rungs show when all is well, in the order of their numbers.
    fn sound(model: &Model<'_>) -> (Vec<View>, Vec<CpuIndex>) {
        let ladder = model.ladder();
        let view = |cpu: &ModelCpu| {
            let rung = cpu.member.rung;
            View {
                cpu: cpu.member.cpu,
                stage: match rung {
                    _ if rung == ladder.top() => Stage::Online,
                    _ if rung <= ladder.prepared() => Stage::Parked,
                    _ => Stage::Alive,
                },
                rung,
                takes_calls: has_passed(rung, CALLS, ladder),
                takes_work: has_passed(rung, INBOX, ladder),
            }
        };
        let views: Vec<_> = model.cpus().iter().map(view).collect();
        let listed = views.iter().filter(|it| has_passed(it.rung, JOIN, ladder));
        let online = listed.map(|view| view.cpu).collect();
        (views, online)
    }

    /// A CPU on each rung where one can stay, and what they show when all is well.
    fn one_on_each_rung(ladder: &Ladder) -> (Model<'_>, Vec<View>, Vec<CpuIndex>) {
        let rungs = ladder.rungs().filter(|&rung| ladder.can_rest(rung));
        let members: Vec<_> = rungs
            .zip(1..)
            .map(|(rung, cpu)| Member {
                cpu: CpuIndex(cpu),
                rung,
                is_sibling: false,
            })
            .collect();
        let model = Model::new(&members, ladder);
        let (views, online) = sound(&model);
        (model, views, online)
    }

    #[test]
    fn cpus_that_show_what_belongs_to_their_rungs_break_no_rule() {
        let ladder = test_ladder();
        let (model, views, online) = one_on_each_rung(&ladder);
        assert_eq!(views.len(), 6);
        assert_eq!(online, [4, 5, 6].map(CpuIndex));
        assert!(check(&model, &views, &online).is_ok());
    }

    #[test]
    fn every_cpu_that_shows_anything_else_breaks_a_rule() {
        let ladder = test_ladder();
        let (model, right, online) = one_on_each_rung(&ladder);
        for at in 0..right.len() {
            let with = |change: &dyn Fn(&mut View)| {
                let mut views = right.clone();
                change(&mut views[at]);
                check(&model, &views, &online)
            };
            let rung = right[at].rung;
            for other in ladder.rungs().filter(|&other| other != rung) {
                let broken = with(&|view| view.rung = other);
                assert!(matches!(broken, Err(Broken::Elsewhere { .. })));
            }
            for stage in [Stage::Parked, Stage::Alive, Stage::Online, Stage::Moving] {
                if stage != right[at].stage {
                    let broken = with(&|view| view.stage = stage);
                    assert!(
                        matches!(broken, Err(Broken::Stage(_))),
                        "{stage:?} at {rung:?}"
                    );
                }
            }
            let broken = with(&|view| view.takes_work ^= true);
            assert!(matches!(broken, Err(Broken::Work(_))));
            let broken = with(&|view| view.takes_calls ^= true);
            assert!(matches!(broken, Err(Broken::Calls(_))));
            let broken = with(&|view| view.cpu = CpuIndex(77));
            assert!(matches!(broken, Err(Broken::Elsewhere { .. })));
        }
        let broken = check(&model, &right[1..], &online);
        assert!(matches!(broken, Err(Broken::Missing)));
    }

    #[test]
    fn who_rests_can_be_reached_and_who_is_on_its_way_or_stuck_cannot() {
        let rests = [Stage::Ready, Stage::Parked, Stage::Late, Stage::Alive];
        assert!(rests.into_iter().all(can_be_reached) && can_be_reached(Stage::Online));
        let lost = [Stage::Kicked, Stage::Claimed, Stage::Moving];
        assert!(!lost.into_iter().any(can_be_reached) && !can_be_reached(Stage::Abandoned));
    }

    #[test]
    fn every_other_list_of_those_online_breaks_a_rule() {
        let ladder = test_ladder();
        let (model, views, online) = one_on_each_rung(&ladder);
        let with = |online: &[CpuIndex]| check(&model, &views, online);
        let backwards: Vec<_> = online.iter().rev().copied().collect();
        assert!(with(&backwards).is_ok(), "the order is that of arrival");
        let [first, second, third] = online[..] else {
            panic!("three are online");
        };
        for wrong in [
            vec![first, second],
            vec![first, second, third, third],
            vec![first, second, third, CpuIndex(1)],
        ] {
            assert!(matches!(with(&wrong), Err(Broken::Listed { .. })));
        }
        let stranger = CpuIndex(77);
        let broken = with(&[first, second, third, stranger]);
        assert!(matches!(broken, Err(Broken::Stranger(it)) if it == stranger));
    }
}
