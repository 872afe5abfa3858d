//! CPUs that are driven to any rung and back, one at a time, many at once, and through failures.

use std::time::Duration;

use proptest::{prelude::*, strategy::Strategy as _};
use reveille_smp::{
    bringup::{Moved, Timing},
    injection::Injection,
    ladder::{Ladder, Rung},
    outcome::Outcome,
    state::Stage,
    step::{Direction, Section, StepError},
    strategy::Strategy,
};

use crate::{
    machine::{Fake, Nature},
    steps::{Ran, Recorded, concurrent, ladder, order_of, serialised, take_log},
};

const MS: Duration = Duration::from_millis(1);

const BOTH: [Direction; 2] = [Direction::Up, Direction::Down];

fn timing() -> Timing {
    Timing {
        alive_timeout: 100 * MS,
        online_timeout: 100 * MS,
        ..Timing::default()
    }
}

/// All sections, both modes, and a rung on which nobody can rest.
const STEPS: [Recorded; 8] = [
    concurrent("memory").in_section(Section::Prepare),
    serialised("number").in_section(Section::Prepare),
    concurrent("tables")
        .in_section(Section::Starting)
        .without_rest(),
    concurrent("apic").in_section(Section::Starting),
    concurrent("timer").in_section(Section::Starting),
    serialised("join"),
    serialised("clock"),
    concurrent("inbox"),
];

fn rest_of(ladder: &Ladder) -> Vec<Rung> {
    ladder
        .rungs()
        .filter(|&rung| ladder.can_rest(rung))
        .collect()
}

/// What stands in the log of a CPU that goes from one rung to another: the kick writes nothing.
fn way(ladder: &Ladder, from: Rung, to: Rung) -> Vec<(&'static str, Direction)> {
    let (low, high) = (from.min(to), from.max(to));
    let names = ladder.rungs().filter(|&rung| low < rung && rung <= high);
    let names = names
        .map(|rung| ladder.name(rung))
        .filter(|&name| name != "kick");
    if from < to {
        names.map(|name| (name, Direction::Up)).collect()
    } else {
        names.rev().map(|name| (name, Direction::Down)).collect()
    }
}

fn began(log: &[Ran], cpu: u32) -> Vec<(&'static str, Direction)> {
    let of_cpu = log.iter().filter(|ran| ran.cpu == cpu && !ran.has_ended);
    of_cpu.map(|ran| (ran.step, ran.direction)).collect()
}

/// Whether the words that the two sides share agree with where the CPU is said to be.
fn assert_on(fake: &Fake, cpu: u32, rung: Rung) {
    let (ladder, ap) = (fake.ladder(), &fake.aps()[cpu as usize - 1]);
    assert_eq!(ap.rung(), rung, "CPU {cpu}");
    let stage = ap.slot.state().load().stage();
    let is_true = match stage {
        Stage::Online => rung == ladder.top(),
        Stage::Alive => rung > ladder.prepared() && rung < ladder.top(),
        stage => stage.is_down() && rung <= ladder.prepared(),
    };
    assert!(is_true, "CPU {cpu} is {stage:?} on {}", ladder.name(rung));
}

fn drive_one(fake: &Fake, cpu: u32, to: Rung) -> Moved {
    let mut moved = fake.drive(timing(), &[(cpu, to)]);
    assert_eq!(moved.len(), 1);
    moved.remove(0)
}

#[test]
fn a_cpu_is_driven_from_every_rung_to_every_other_step_by_step() {
    let fake = Fake::healthy(1, MS, ladder(&STEPS));
    let rungs = rest_of(fake.ladder());
    for &from in &rungs {
        for &to in &rungs {
            drive_one(&fake, 1, from);
            take_log();
            let moved = drive_one(&fake, 1, to);
            assert_eq!((moved.from, moved.to, moved.rung), (from, to, to));
            assert!(moved.failure.is_none(), "{:?}", moved.failure);
            assert_on(&fake, 1, to);
            assert_eq!(began(&take_log(), 1), way(fake.ladder(), from, to));
        }
    }
    assert_eq!(fake.wrongful_inits(), 0);
}

#[test]
fn a_step_that_fails_takes_the_cpu_back_to_where_it_was_and_a_later_attempt_succeeds() {
    let fake = Fake::healthy(2, MS, ladder(&STEPS));
    let ladder = fake.ladder();
    for direction in BOTH {
        for (step, failing) in ladder.steps().iter().enumerate() {
            let rungs = [Rung::OFFLINE, ladder.top()];
            let (from, to) = match direction {
                Direction::Up => (rungs[0], rungs[1]),
                Direction::Down => (rungs[1], rungs[0]),
            };
            let both = |rung| fake.drive(timing(), &[(1, rung), (2, rung)]);
            both(from);
            fake.aps()[0].slot.inject(Some(Injection {
                step,
                direction,
                is_sticky: false,
            }));
            take_log();
            let moved = both(to);
            let failure = moved[0].failure.expect("it was told to fail");
            let told = (
                failure.outcome,
                failure.step,
                failure.reason,
                failure.rollback,
            );
            let reason = Some(StepError::Injected.reason());
            assert_eq!(told, (Outcome::Failed, Some(failing.name()), reason, None));
            assert_on(&fake, 1, from);
            assert_on(&fake, 2, to);
            let log = began(&take_log(), 1);
            let (there, back) = log.split_at(log.len() / 2);
            let undone: Vec<_> = back.iter().rev().map(|&(step, _)| step).collect();
            assert!(there.iter().all(|&(_, done)| done == direction), "{log:?}");
            assert!(there.iter().map(|&(step, _)| step).eq(undone), "{log:?}");
            let later = both(to);
            assert!(later.iter().all(|moved| moved.failure.is_none()));
            assert_on(&fake, 1, to);
        }
    }
    assert_eq!(fake.wrongful_inits(), 0);
}

#[test]
fn at_boot_a_failing_step_leaves_one_cpu_offline_whatever_the_strategy() {
    for &strategy in Strategy::ALL {
        for step in 0..ladder(&STEPS).steps().len() {
            let fake = Fake::healthy(3, MS, ladder(&STEPS));
            fake.aps()[1].slot.inject(Some(Injection {
                step,
                direction: Direction::Up,
                is_sticky: false,
            }));
            let round = fake.bring_up(strategy, timing());
            let name = fake.ladder().steps()[step].name();
            let outcomes = round.reports.iter().map(|report| report.outcome);
            let expected = [Outcome::Online, Outcome::Failed, Outcome::Online];
            assert!(outcomes.eq(expected), "{strategy}, {name}");
            assert_eq!(round.reports[1].step, Some(name), "{strategy}");
            assert_on(&fake, 2, Rung::OFFLINE);
            let again = fake.bring_up(strategy, timing());
            assert_eq!(again.online(), 3, "{strategy}, {name}");
            assert_eq!(fake.wrongful_inits(), 0, "{strategy}, {name}");
        }
    }
}

#[test]
fn many_go_up_while_many_go_down_and_serialised_steps_never_overlap() {
    let slow = [
        serialised("number").in_section(Section::Prepare).taking(MS),
        serialised("join").taking(MS),
        concurrent("inbox").taking(MS),
    ];
    let fake = Fake::healthy(8, MS, ladder(&slow));
    let (bottom, top) = (Rung::OFFLINE, fake.ladder().top());
    fake.drive(timing(), &[1, 2, 3, 4].map(|cpu| (cpu, top)));
    take_log();
    let targets: Vec<_> = (1..=8)
        .map(|cpu| (cpu, if cpu <= 4 { bottom } else { top }))
        .collect();
    let moved = fake.drive(timing(), &targets);
    assert!(moved.iter().all(|moved| moved.failure.is_none()));
    for (cpu, rung) in targets {
        assert_on(&fake, cpu, rung);
    }
    let log = take_log();
    for step in ["number", "join"] {
        let of_step: Vec<_> = log.iter().filter(|ran| ran.step == step).collect();
        assert_eq!(of_step.len(), 16);
        for pair in of_step.chunks(2) {
            assert_eq!((pair[0].cpu, pair[1].has_ended), (pair[1].cpu, true));
        }
    }
    let at_once = log.iter().filter(|ran| ran.step == "inbox");
    let most = at_once.fold((0, 0), |(now, most): (u32, u32), ran| {
        let now = if ran.has_ended { now - 1 } else { now + 1 };
        (now, most.max(now))
    });
    assert!(most.1 > 1, "concurrent steps overlap");
}

#[test]
fn a_serialised_step_costs_each_cpu_its_time_and_a_concurrent_one_costs_it_once() {
    let online = |step: Recorded| {
        let fake = Fake::healthy(63, MS, ladder(&[concurrent("first"), step.taking(MS)]));
        let below = fake.ladder().find("first").unwrap();
        let all = |rung| (1..=63).map(|cpu| (cpu, rung)).collect::<Vec<_>>();
        fake.drive(timing(), &all(below));
        let before = fake.elapsed();
        fake.drive(timing(), &all(fake.ladder().top()));
        fake.elapsed() - before
    };
    assert_eq!(online(serialised("wait")), 63 * MS);
    assert_eq!(online(concurrent("wait")), MS);
}

#[test]
fn a_step_that_outlasts_its_deadline_is_cancelled_and_undone() {
    for section in [Section::Prepare, Section::Online] {
        let steps = [
            concurrent("before").in_section(section),
            serialised("slow")
                .in_section(section)
                .taking_forever()
                .within(5 * MS),
        ];
        let fake = Fake::healthy(2, MS, ladder(&steps));
        let before = fake.elapsed();
        let round = fake.bring_up(Strategy::Parallel, timing());
        for (report, cpu) in round.reports.iter().zip(1..) {
            assert_eq!(
                (report.outcome, report.step),
                (Outcome::Failed, Some("slow"))
            );
            assert_eq!(report.reason, Some(StepError::TimedOut.reason()));
            assert_on(&fake, cpu, Rung::OFFLINE);
        }
        // One after the other, each for its own deadline, and none for that of the operation.
        let took = fake.elapsed() - before;
        assert!((10 * MS..20 * MS).contains(&took), "{section:?}: {took:?}");
    }
}

#[test]
fn a_step_without_a_deadline_that_never_ends_is_cancelled_when_the_operation_is() {
    let steps = [concurrent("before"), serialised("endless").taking_forever()];
    let fake = Fake::healthy(2, MS, ladder(&steps));
    let round = fake.bring_up(Strategy::Parallel, timing());
    for (report, cpu) in round.reports.iter().zip(1..) {
        assert_eq!(
            (report.outcome, report.step),
            (Outcome::Failed, Some("endless"))
        );
        // It came back, and was taken back to where it was.
        assert_on(&fake, cpu, Rung::OFFLINE);
    }
    assert_eq!(fake.wrongful_inits(), 0);
}

#[test]
fn a_starting_step_that_would_wait_fails_and_one_that_cannot_rest_parks() {
    let steps = [
        concurrent("tables")
            .in_section(Section::Starting)
            .without_rest(),
        concurrent("waits").in_section(Section::Starting).taking(MS),
    ];
    let fake = Fake::healthy(1, MS, ladder(&steps));
    let round = fake.bring_up(Strategy::Parallel, timing());
    let report = &round.reports[0];
    assert_eq!(
        (report.outcome, report.step),
        (Outcome::Failed, Some("waits"))
    );
    assert_eq!(report.reason, Some(StepError::CannotWait.reason()));
    // It did not say that it waits to be called, where nobody could have.
    assert!(report.alive.is_none());
    assert_eq!(fake.aps()[0].slot.state().load().stage(), Stage::Parked);
}

#[test]
fn a_cpu_that_fails_on_its_way_back_too_rests_there_and_both_are_told() {
    let steps = [
        concurrent("one"),
        concurrent("two"),
        concurrent("three").failing_on(1),
    ];
    let fake = Fake::healthy(1, MS, ladder(&steps));
    fake.aps()[0].slot.inject(Some(Injection {
        step: fake.ladder().steps().len() - 2,
        direction: Direction::Down,
        is_sticky: false,
    }));
    let moved = drive_one(&fake, 1, fake.ladder().top());
    let failure = moved.failure.unwrap();
    assert_eq!(
        (failure.step, failure.reason),
        (Some("three"), Some(StepError::Exhausted.reason()))
    );
    assert_eq!(failure.rollback, Some(StepError::Injected.reason()));
    assert_on(&fake, 1, fake.ladder().find("two").unwrap());
    assert!(drive_one(&fake, 1, Rung::OFFLINE).failure.is_none());
}

#[test]
fn an_ap_that_does_not_answer_the_call_to_go_down_is_abandoned_and_taken_up_again_later() {
    let fake = Fake::healthy(2, MS, ladder(&STEPS));
    let top = fake.ladder().top();
    fake.bring_up(Strategy::Parallel, timing());
    fake.freeze(1, 150 * MS);
    let moved = fake.drive(timing(), &[(1, Rung::OFFLINE), (2, Rung::OFFLINE)]);
    assert_eq!(moved[0].failure.unwrap().outcome, Outcome::Failed);
    assert!(moved[1].failure.is_none());
    assert_eq!(fake.aps()[0].slot.state().load().stage(), Stage::Abandoned);
    fake.thaw(1);
    // It comes back to the highest rung, and has to say so once more.
    assert_eq!(fake.aps()[0].slot.state().load().stage(), Stage::Alive);
    assert!(drive_one(&fake, 1, top).failure.is_none());
    assert_on(&fake, 1, top);
    assert_eq!(fake.wrongful_inits(), 0);
}

#[test]
fn an_ap_that_is_abandoned_where_it_cannot_rest_goes_down_to_where_it_can() {
    let steps = [
        concurrent("before"),
        concurrent("blind").without_rest().freezing(150 * MS),
        concurrent("after"),
    ];
    let fake = Fake::healthy(1, MS, ladder(&steps));
    let ladder = fake.ladder();
    let round = fake.bring_up(Strategy::Parallel, timing());
    assert_eq!(round.reports[0].outcome, Outcome::Failed);
    fake.thaw(1);
    assert_on(&fake, 1, ladder.find("before").unwrap());
    assert!(drive_one(&fake, 1, Rung::OFFLINE).failure.is_none());
}

#[test]
fn nobody_is_driven_to_where_a_cpu_cannot_wait_or_to_no_rung_at_all() {
    let fake = Fake::healthy(1, MS, ladder(&STEPS));
    let (ladder, top) = (fake.ladder(), fake.ladder().top());
    let nowhere = [
        ladder.kicked(),
        ladder.find("tables").unwrap(),
        Rung(top.0 + 1),
    ];
    for from in [Rung::OFFLINE, top] {
        drive_one(&fake, 1, from);
        for to in nowhere {
            let failure = drive_one(&fake, 1, to).failure.unwrap();
            assert_eq!((failure.outcome, failure.rollback), (Outcome::Failed, None));
            assert_on(&fake, 1, from);
        }
    }
    assert_eq!(fake.wrongful_inits(), 0);
}

#[test]
fn a_cpu_that_is_no_ap_is_left_out_and_one_that_is_named_twice_goes_where_it_was_told_last() {
    let fake = Fake::healthy(1, MS, ladder(&STEPS));
    let (bottom, top) = (Rung::OFFLINE, fake.ladder().top());
    let moved = fake.drive(timing(), &[(1, bottom), (7, top), (1, top)]);
    assert_eq!((moved.len(), moved[0].to), (1, top));
}

#[test]
fn a_way_through_all_sections_takes_no_poll_for_nothing_and_turns_from_the_lowest() {
    let fake = Fake::healthy(8, MS, ladder(&STEPS));
    let round = fake.bring_up(Strategy::Parallel, timing());
    let polls: u32 = round
        .reports
        .iter()
        .map(|report| report.spurious_polls)
        .sum();
    assert_eq!(polls, 0);
    assert_eq!(order_of("join"), (1..=8).collect::<Vec<_>>());
}

/// A random operation on a machine of four APs.
#[derive(Clone, Debug)]
enum Operation {
    Drive(Vec<(u32, prop::sample::Index)>),
    Fail(u32, prop::sample::Index, bool),
    Run(prop::sample::Index),
}

fn operation() -> impl proptest::strategy::Strategy<Value = Operation> {
    let cpu = || 1..=4_u32;
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => prop::collection::vec((cpu(), index()), 1..5).prop_map(Operation::Drive),
        2 => (cpu(), index(), any::<bool>())
            .prop_map(|(cpu, step, up)| Operation::Fail(cpu, step, up)),
        1 => index().prop_map(Operation::Run),
    ]
}

proptest! {
    #[test]
    fn whatever_is_asked_of_whom_everybody_is_where_the_answer_says(
        operations in prop::collection::vec(operation(), 1..12),
    ) {
        let fake = Fake::new([(Nature::Healthy, MS); 4], ladder(&STEPS));
        let ladder = fake.ladder();
        let rests = rest_of(ladder);
        let mut at = [Rung::OFFLINE; 4];
        for operation in operations {
            match operation {
                Operation::Fail(cpu, step, up) => {
                    fake.aps()[cpu as usize - 1].slot.inject(Some(Injection {
                        step: step.index(ladder.steps().len()),
                        direction: BOTH[usize::from(up)],
                        is_sticky: false,
                    }));
                }
                Operation::Run(which) => {
                    let round = fake.bring_up(Strategy::ALL[which.index(5)], timing());
                    for (report, at) in round.reports.iter().zip(&mut at) {
                        if report.outcome == Outcome::Online {
                            *at = ladder.top();
                        }
                    }
                }
                Operation::Drive(targets) => {
                    let targets: Vec<_> = targets
                        .iter()
                        .map(|(cpu, rung)| (*cpu, rests[rung.index(rests.len())]))
                        .collect();
                    for moved in fake.drive(timing(), &targets) {
                        let at = &mut at[moved.cpu.0 as usize - 1];
                        prop_assert_eq!(moved.from, *at);
                        let stayed = moved.failure.is_some();
                        *at = if stayed { moved.rung } else { moved.to };
                        let expected = if stayed { moved.from } else { moved.to };
                        let has_rolled = moved.failure.is_none_or(|it| it.rollback.is_none());
                        prop_assert!(moved.rung == expected || !has_rolled);
                    }
                }
            }
            for (cpu, &rung) in (1..).zip(&at) {
                assert_on(&fake, cpu, rung);
            }
        }
        prop_assert_eq!(fake.wrongful_inits(), 0);
    }
}
