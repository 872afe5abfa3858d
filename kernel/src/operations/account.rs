//! What came of an operation, as a record.

#![forbid(unsafe_code)]

use alloc::{string::String, vec::Vec};
use core::time::Duration;

use reveille_smp::{
    bringup::Moved,
    cpu::CpuIndex,
    ladder::Rung,
    record::{self, OpFailure},
};

use super::{
    op::Op,
    resolve::{HELD, Member},
};

/// The record of an operation that moved CPUs, or would have. `members` are the CPUs as the
/// operation found them, `held` those that were meant and left where they were.
pub fn of_moves(
    op: &Op,
    moved: &[Moved],
    held: &[(CpuIndex, Rung)],
    members: &[Member],
    duration: Duration,
) -> record::Op {
    let mut failures: Vec<_> = moved.iter().filter_map(failure).collect();
    for &(cpu, to) in held {
        let member = members.iter().find(|member| member.cpu == cpu);
        let rung = member.map_or(Rung::OFFLINE, |member| member.rung).0.into();
        failures.push(OpFailure {
            cpu,
            from: rung,
            to: to.0.into(),
            rung,
            outcome: None,
            step: None,
            reason: Some(String::from(HELD)),
            rollback: None,
        });
    }
    failures.sort_by_key(|failure| failure.cpu);
    let cpus = (moved.len() + held.len()) as u32;
    of(op, cpus, failures, duration)
}

/// The record of an operation for so many CPUs that cannot fail.
pub fn of_done(op: &Op, cpus: usize, duration: Duration) -> record::Op {
    of(op, cpus as u32, Vec::new(), duration)
}

fn of(op: &Op, cpus: u32, failures: Vec<OpFailure>, duration: Duration) -> record::Op {
    let failed = failures.len() as u32;
    record::Op {
        op: alloc::format!("{op}"),
        cpus,
        done: cpus - failed,
        failed,
        duration_ns: duration.as_nanos() as u64,
        failures,
    }
}

/// A CPU that is not where it was to go has failed, whatever else is said of it.
fn failure(moved: &Moved) -> Option<OpFailure> {
    let text = |text: Option<&'static str>| text.map(String::from);
    let failure = moved.failure;
    if failure.is_none() && moved.rung == moved.to {
        return None;
    }
    Some(OpFailure {
        cpu: moved.cpu,
        from: moved.from.0.into(),
        to: moved.to.0.into(),
        rung: moved.rung.0.into(),
        outcome: failure.map(|failure| failure.outcome),
        step: text(failure.and_then(|failure| failure.step)),
        reason: text(failure.and_then(|failure| failure.reason)),
        rollback: text(failure.and_then(|failure| failure.rollback)),
    })
}

#[cfg(test)]
mod tests {
    use reveille_smp::{bringup::Failure, outcome::Outcome};

    use super::*;

    fn moved(cpu: u32, rung: u16, failure: Option<Failure>) -> Moved {
        Moved {
            cpu: CpuIndex(cpu),
            from: Rung(0),
            to: Rung(6),
            rung: Rung(rung),
            failure,
        }
    }

    const FAILURE: Failure = Failure {
        outcome: Outcome::Failed,
        step: Some("join"),
        reason: Some("it was told to fail"),
        rollback: None,
    };

    #[test]
    fn who_came_where_it_was_to_go_is_done_and_all_others_are_told_of() {
        let op = "online:1-4".parse().unwrap();
        let came = moved(1, 6, None);
        let failed = moved(2, 0, Some(FAILURE));
        let elsewhere = moved(4, 3, None);
        let member = Member {
            cpu: CpuIndex(3),
            rung: Rung(1),
            is_sibling: true,
        };
        let record = of_moves(
            &op,
            &[came, failed, elsewhere],
            &[(CpuIndex(3), Rung(6))],
            &[member],
            Duration::from_nanos(210),
        );
        assert_eq!((record.cpus, record.done, record.failed), (4, 1, 3));
        assert_eq!(
            (record.op.as_str(), record.duration_ns),
            ("online:1-4", 210)
        );
        let told: Vec<_> = record
            .failures
            .iter()
            .map(|it| (it.cpu.0, it.rung, it.step.as_deref(), it.reason.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                (2, 0, Some("join"), Some("it was told to fail")),
                (3, 1, None, Some("smt=off holds it")),
                (4, 3, None, None),
            ]
        );
    }
}
