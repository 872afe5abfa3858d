//! What the CPUs are to do, by the rules alone: a CPU goes where it is sent, and a CPU whose step is
//! told to fail stays where it began. What the CPUs really did is compared with it.

#![forbid(unsafe_code)]

use alloc::vec::Vec;

use reveille_smp::{
    bringup::Moved,
    cpu::CpuIndex,
    injection::Injection,
    ladder::{Ladder, Rung},
    step::{Direction, StepError},
};

use super::{resolve::Member, rules::Broken};

/// The CPUs as they are to be.
pub struct Model<'a> {
    ladder: &'a Ladder,
    /// Lowest number first. It does not grow, and so it takes the same memory throughout.
    cpus: Vec<ModelCpu>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct ModelCpu {
    /// Where it is to be.
    pub member: Member,
    /// The failure that is to strike it next.
    armed: Option<Injection>,
}

/// How a way is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Where the CPU is to be.
    pub rung: Rung,
    /// The step that is to fail.
    pub fails_at: Option<&'static str>,
}

impl<'a> Model<'a> {
    /// These CPUs, lowest number first, none of which has been told to fail.
    pub fn new(members: &[Member], ladder: &'a Ladder) -> Self {
        let cpu = |&member: &Member| ModelCpu {
            member,
            armed: None,
        };
        Self {
            ladder,
            cpus: members.iter().map(cpu).collect(),
        }
    }

    /// The CPUs.
    pub fn cpus(&self) -> &[ModelCpu] {
        &self.cpus
    }

    /// Those for which this does not hold are no part of the model any more. It takes the same memory as
    /// before.
    pub fn retain(&mut self, stays: impl Fn(CpuIndex) -> bool) {
        self.cpus.retain(|cpu| stays(cpu.member.cpu));
    }

    /// The steps that they go through.
    pub fn ladder(&self) -> &'a Ladder {
        self.ladder
    }

    /// A CPU is told to fail, in the place of what it was told before.
    pub fn arm(&mut self, cpu: CpuIndex, injection: Injection) {
        if let Some(at) = self.position(cpu) {
            self.cpus[at].armed = Some(injection);
        }
    }

    /// Nobody is told to fail any more; tells who was.
    pub fn disarm(&mut self) -> Vec<(CpuIndex, Injection)> {
        let cpus = self.cpus.iter_mut();
        cpus.filter_map(|cpu| Some((cpu.member.cpu, cpu.armed.take()?)))
            .collect()
    }

    /// Others have operated on the CPUs: each is where `members` has it, and is told to fail as `armed` says.
    pub fn take_over(&mut self, members: &[Member], armed: impl Fn(CpuIndex) -> Option<Injection>) {
        for cpu in &mut self.cpus {
            let now = members.iter().find(|member| member.cpu == cpu.member.cpu);
            if let Some(now) = now {
                cpu.member = *now;
                cpu.armed = armed(now.cpu);
            }
        }
    }

    /// CPUs were sent somewhere, and this came of it. Gives how many failures struck.
    ///
    /// # Errors
    ///
    /// The first CPU that did something else than it was to do.
    pub fn follow(&mut self, targets: &[(CpuIndex, Rung)], moved: &[Moved]) -> Result<u32, Broken> {
        let mut struck = 0;
        for &(cpu, to) in targets {
            let Some(at) = self.position(cpu) else {
                continue;
            };
            let from = self.cpus[at].member.rung;
            let expected = self.send(at, to);
            struck += u32::from(expected.fails_at.is_some());
            let told = moved.iter().find(|moved| moved.cpu == cpu);
            if !told.is_some_and(|told| is_as_expected(told, from, to, expected)) {
                return Err(Broken::Unexpected {
                    cpu,
                    to,
                    expected,
                    told: told.cloned(),
                });
            }
        }
        if moved.len() != targets.len() {
            return Err(Broken::Uninvited {
                asked: targets.len(),
                moved: moved.len(),
            });
        }
        Ok(struck)
    }

    /// The CPU goes there, unless it is told to fail on its way.
    fn send(&mut self, at: usize, to: Rung) -> Expected {
        let ModelCpu { member, armed } = &mut self.cpus[at];
        let from = member.rung;
        let (direction, passed) = if from <= to {
            (Direction::Up, from.0..to.0)
        } else {
            (Direction::Down, to.0..from.0)
        };
        let strikes = |it: &Injection| {
            it.direction == direction && passed.clone().any(|step| usize::from(step) == it.step)
        };
        match armed.take_if(|injection| strikes(injection)) {
            Some(injection) => Expected {
                rung: from,
                fails_at: Some(self.ladder.steps()[injection.step].name()),
            },
            None => {
                member.rung = to;
                Expected {
                    rung: to,
                    fails_at: None,
                }
            }
        }
    }

    fn position(&self, cpu: CpuIndex) -> Option<usize> {
        let at = self.cpus.binary_search_by_key(&cpu, |cpu| cpu.member.cpu);
        at.ok()
    }
}

/// Whether a CPU is where it was to be, and failed where it was to fail and nowhere else.
fn is_as_expected(told: &Moved, from: Rung, to: Rung, expected: Expected) -> bool {
    let way = (told.from, told.to, told.rung) == (from, to, expected.rung);
    let failure = match (&told.failure, expected.fails_at) {
        (None, None) => true,
        (Some(failure), Some(step)) => {
            failure.step == Some(step)
                && failure.reason == Some(StepError::Injected.reason())
                && failure.rollback.is_none()
        }
        _ => false,
    };
    way && failure
}

#[cfg(test)]
mod tests {
    use core::slice;

    use reveille_smp::{bringup::Failure, outcome::Outcome};

    use super::{
        super::{ladder_for_tests::test_ladder, resolve::once},
        *,
    };

    const CPU: CpuIndex = CpuIndex(3);

    fn model(ladder: &Ladder, rung: Rung) -> Model<'_> {
        let member = Member {
            cpu: CPU,
            rung,
            is_sibling: false,
        };
        Model::new(&[member], ladder)
    }

    fn moved(from: Rung, to: Rung) -> Moved {
        Moved {
            cpu: CPU,
            from,
            to,
            rung: to,
            failure: None,
        }
    }

    fn failed(from: Rung, to: Rung, step: &'static str) -> Moved {
        Moved {
            rung: from,
            failure: Some(Failure {
                outcome: Outcome::Failed,
                step: Some(step),
                reason: Some(StepError::Injected.reason()),
                rollback: None,
            }),
            ..moved(from, to)
        }
    }

    #[test]
    fn a_cpu_that_is_told_to_fail_does_so_once_in_its_direction_and_stays_where_it_began() {
        let ladder = test_ladder();
        let (top, join) = (ladder.top(), ladder.find("join").unwrap());
        let mut model = model(&ladder, Rung::OFFLINE);
        model.arm(CPU, once(usize::from(join.0) - 1, Direction::Down));
        let mut go = |from, to, told: Moved| {
            assert_eq!((told.from, told.to), (from, to));
            model.follow(&[(CPU, to)], &[told]).unwrap()
        };
        assert_eq!(go(Rung(0), top, moved(Rung(0), top)), 0);
        assert_eq!(go(top, join, moved(top, join)), 0, "it has not passed it");
        let below = Rung(join.0 - 1);
        assert_eq!(go(join, below, failed(join, below, "join")), 1);
        assert_eq!(go(join, below, moved(join, below)), 0, "only once");
    }

    #[test]
    fn what_others_did_with_a_cpu_is_taken_over() {
        let ladder = test_ladder();
        let top = ladder.top();
        let mut model = model(&ladder, top);
        model.arm(CPU, once(0, Direction::Down));
        let elsewhere = Member {
            rung: Rung::OFFLINE,
            ..model.cpus()[0].member
        };
        let stranger = Member {
            cpu: CpuIndex(9),
            ..elsewhere
        };
        // On its way down the failure has struck, and another one was set.
        let armed = once(1, Direction::Up);
        model.take_over(&[elsewhere, stranger], |cpu| (cpu == CPU).then_some(armed));
        assert_eq!(model.cpus().len(), 1);
        let kick = ladder.steps()[1].name();
        let told = failed(Rung::OFFLINE, top, kick);
        assert_eq!(model.follow(&[(CPU, top)], &[told]).unwrap(), 1);
        model.arm(CPU, armed);
        assert_eq!(model.disarm(), [(CPU, armed)]);
        let told = moved(Rung::OFFLINE, top);
        assert_eq!(model.follow(&[(CPU, top)], &[told]).unwrap(), 0);
    }

    #[test]
    fn whatever_else_a_cpu_does_is_noticed() {
        let ladder = test_ladder();
        let (bottom, top) = (Rung::OFFLINE, ladder.top());
        let follow = |is_armed: bool, told: &[Moved]| {
            let mut model = model(&ladder, bottom);
            if is_armed {
                model.arm(CPU, once(0, Direction::Up));
            }
            model.follow(&[(CPU, top)], told)
        };
        let right = moved(bottom, top);
        let struck = failed(bottom, top, "stack");
        assert_eq!(follow(false, slice::from_ref(&right)).unwrap(), 0);
        assert_eq!(follow(true, slice::from_ref(&struck)).unwrap(), 1);

        let elsewhere = Moved {
            rung: Rung(1),
            ..right.clone()
        };
        let from_elsewhere = Moved {
            from: Rung(1),
            ..right.clone()
        };
        for wrong in [elsewhere, from_elsewhere, struck.clone()] {
            assert!(follow(false, &[wrong]).is_err());
        }
        let mut not_back = struck.clone();
        not_back.rung = Rung(1);
        let mut other_reason = struck.clone();
        other_reason.failure = struck.failure.map(|failure| Failure {
            reason: Some(StepError::Exhausted.reason()),
            ..failure
        });
        let mut no_way_back = struck.clone();
        no_way_back.failure = struck.failure.map(|failure| Failure {
            rollback: Some("stuck"),
            ..failure
        });
        let other_step = failed(bottom, top, "join");
        for wrong in [
            not_back,
            other_reason,
            no_way_back,
            other_step,
            right.clone(),
        ] {
            assert!(follow(true, &[wrong]).is_err());
        }
        assert!(follow(false, &[]).is_err(), "nothing is told of it");
        let other = Moved {
            cpu: CpuIndex(4),
            ..right.clone()
        };
        assert!(follow(false, &[right, other]).is_err(), "one too many");
    }
}
