//! Where a step asks for it, the first thread of a core passes it before the others are kicked.

use std::time::Duration;

use reveille_smp::{
    bringup::{Ap, Round, Timing},
    cpu::{ApicId, CpuIndex, Place},
    injection::Injection,
    ladder::{Ladder, Rung},
    order::Order,
    outcome::Outcome,
    step::{Direction, Section},
    strategy::Strategy,
};

use crate::{
    machine::{Fake, Nature},
    steps::{concurrent, ladder, serialised},
};

const MS: Duration = Duration::from_millis(1);

fn timing() -> Timing {
    Timing {
        alive_timeout: 100 * MS,
        online_timeout: 100 * MS,
        ..Timing::default()
    }
}

/// CPU 1 is the second thread of the BSP's core; then come cores of two threads each. In every
/// second of these the second thread has the lower number.
fn ap(n: u32) -> Ap {
    let core = n / 2;
    let is_turned_round = core > 0 && core.is_multiple_of(2);
    let place = Place {
        core,
        thread: (n % 2) ^ u32::from(is_turned_round),
        ..Place::default()
    };
    Ap::new(CpuIndex(n), ApicId(3 * n), place)
}

fn machine(natures: [Nature; 7], ladder: &'static Ladder) -> Fake {
    Fake::with_aps(natures.map(|nature| (nature, MS)), ladder, ap)
}

fn with_microcode(section: Section) -> &'static Ladder {
    ladder(&[
        concurrent("microcode")
            .in_section(section)
            .primaries_first(),
        serialised("join"),
    ])
}

/// Nobody was kicked before the first thread of its core was alive, or known to have failed.
fn assert_in_order(fake: &Fake, round: &Round) {
    for (report, ap) in round.reports.iter().zip(fake.aps()) {
        if ap.place.thread == 0 {
            continue;
        }
        let first = fake
            .aps()
            .iter()
            .zip(&round.reports)
            .find(|(other, _)| other.place.core == ap.place.core && other.place.thread == 0);
        if let Some((_, first)) = first {
            assert!(
                first.alive <= report.init,
                "CPU {} and CPU {}",
                first.cpu,
                report.cpu
            );
        }
    }
}

#[test]
fn first_threads_pass_the_step_before_their_siblings_are_kicked_whatever_the_strategy() {
    for section in [Section::Starting, Section::Online] {
        for &strategy in Strategy::ALL {
            for &order in Order::ALL {
                let fake = machine([Nature::Healthy; 7], with_microcode(section));
                let round = fake.bring_up_in_order(strategy, timing(), order);
                assert_eq!(round.online(), 7, "{strategy}, {order}");
                assert_in_order(&fake, &round);
                if section == Section::Online {
                    let (first, sibling) = (&round.reports[1], &round.reports[2]);
                    assert!(first.online <= sibling.init, "{strategy}, {order}");
                }
            }
        }
    }
}

#[test]
fn cores_do_not_wait_for_each_other() {
    let far = |n: u32| if n == 2 { 50 * MS } else { MS };
    let natures = (1..=7).map(|n| (Nature::Healthy, far(n)));
    let fake = Fake::with_aps(natures, with_microcode(Section::Starting), ap);
    let round = fake.bring_up(Strategy::Parallel, timing());
    assert_in_order(&fake, &round);
    // CPUs 2 and 3 share a core, as do 6 and 7.
    assert!(round.reports[2].init >= round.reports[1].alive);
    assert!(round.reports[6].online < round.reports[1].alive);
}

#[test]
fn a_first_thread_that_fails_or_is_silent_keeps_its_sibling_from_nothing() {
    let mut natures = [Nature::Healthy; 7];
    natures[1] = Nature::Silent;
    let fake = machine(natures, with_microcode(Section::Starting));
    fake.aps()[5].slot.inject(Some(Injection {
        step: fake.ladder().steps().len() - 1,
        direction: Direction::Up,
        is_sticky: false,
    }));
    let round = fake.bring_up(Strategy::Parallel, timing());
    let outcomes = round.reports.iter().map(|report| report.outcome);
    let mut expected = [Outcome::Online; 7];
    (expected[1], expected[5]) = (Outcome::NeverStarted, Outcome::Failed);
    assert!(outcomes.eq(expected));
}

#[test]
fn an_operation_in_which_the_first_thread_takes_no_part_waits_for_nobody() {
    let fake = machine([Nature::Healthy; 7], with_microcode(Section::Starting));
    let moved = fake.drive(timing(), &[(3, fake.ladder().top())]);
    assert!(moved[0].failure.is_none());
    assert_eq!(fake.aps()[1].rung(), Rung::OFFLINE);
}

#[test]
fn without_such_a_step_all_are_kicked_at_once() {
    let fake = machine([Nature::Healthy; 7], ladder(&[serialised("join")]));
    let round = fake.bring_up(Strategy::Parallel, timing());
    let start = round.reports[0].init;
    assert!(round.reports.iter().all(|report| report.init == start));
}
