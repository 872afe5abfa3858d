//! The bring-up by a mailbox, in which the firmware's loop looks for whom to let go: APs that answer
//! late, never, or in the place of another.

use std::time::Duration;

use reveille_smp::{
    bringup::{Report, Round, Timing},
    injection::Injection,
    ladder::{Ladder, Rung},
    outcome::Outcome,
    state::Stage,
    step::{Direction, Section},
    strategy::Strategy,
};

use crate::{
    machine::{Fake, Nature},
    steps::{concurrent, ladder, serialised},
};

const MS: Duration = Duration::from_millis(1);

/// The patience with one AP.
const PATIENCE: Duration = Duration::from_millis(10);

const DEADLINE: Duration = Duration::from_millis(200);

fn timing() -> Timing {
    Timing {
        answer_timeout: PATIENCE,
        alive_timeout: DEADLINE,
        online_timeout: 100 * MS,
        ..Timing::default()
    }
}

fn steps() -> &'static Ladder {
    ladder(&[
        concurrent("memory").in_section(Section::Prepare),
        concurrent("tables")
            .in_section(Section::Starting)
            .without_rest(),
        concurrent("apic").in_section(Section::Starting),
        serialised("join"),
        concurrent("inbox"),
    ])
}

/// A machine whose firmware takes APs back.
fn machine(natures: &[Nature]) -> Fake {
    Fake::with_mailbox(natures.iter().map(|&nature| (nature, MS)), steps(), true)
}

/// One that wakes each AP once.
fn old_machine(natures: &[Nature]) -> Fake {
    Fake::with_mailbox(natures.iter().map(|&nature| (nature, MS)), steps(), false)
}

fn outcomes(round: &Round) -> Vec<Outcome> {
    round.reports.iter().map(|report| report.outcome).collect()
}

fn sipis(round: &Round) -> Vec<u32> {
    round.reports.iter().map(|report| report.sipis).collect()
}

fn reason(report: &Report) -> &'static str {
    report.reason.expect("there is a reason")
}

fn last_online(round: &Round) -> Duration {
    let online = round.last(|report| report.online);
    Duration::from_nanos(online.expect("somebody is online"))
}

fn total(round: &Round) -> Duration {
    Duration::from_nanos(round.nanos(round.end))
}

#[test]
fn all_come_online_by_one_request_each_from_the_lowest_on_in_every_strategy() {
    for &strategy in Strategy::ALL {
        for fake in [
            machine(&[Nature::Healthy; 9]),
            old_machine(&[Nature::Healthy; 9]),
        ] {
            let round = fake.bring_up(strategy, timing());
            assert_eq!(outcomes(&round), [Outcome::Online; 9], "{strategy}");
            assert_eq!(sipis(&round), [1; 9], "{strategy}");
            let requests = Fake::take_requests();
            assert!(requests.into_iter().eq(1..=9), "{strategy}");
            let has_times = |report: &Report| report.init.is_none() && report.sipi.is_some();
            assert!(round.reports.iter().all(has_times), "{strategy}");
            assert_eq!(round.first_kick(), Some(round.start), "{strategy}");
        }
    }
}

#[test]
fn the_next_is_asked_before_the_one_before_it_is_alive() {
    let round = machine(&[Nature::Healthy; 16]).bring_up(Strategy::Parallel, timing());
    assert!(last_online(&round) < 2 * MS, "{:?}", last_online(&round));
}

#[test]
fn those_that_never_answer_cost_the_others_their_patience_and_all_together_one_deadline() {
    let mut natures = [Nature::Healthy; 9];
    for silent in [1, 4, 7] {
        natures[silent] = Nature::NeverAnswers;
    }
    for strategy in [Strategy::Parallel, Strategy::Broadcast, Strategy::TwoPass] {
        let round = machine(&natures).bring_up(strategy, timing());
        for (report, nature) in round.reports.iter().zip(natures) {
            if nature == Nature::Healthy {
                assert_eq!((report.outcome, report.sipis), (Outcome::Online, 1));
                continue;
            }
            assert_eq!(report.outcome, Outcome::NeverStarted);
            assert!(report.sipis >= 2, "{report:?}");
            assert!(reason(report).contains("did not take its request"));
        }
        let total = total(&round);
        assert!(total < DEADLINE + 4 * PATIENCE, "{strategy}: {total:?}");
        if strategy != Strategy::TwoPass {
            assert!(last_online(&round) < 4 * PATIENCE, "{strategy}");
        }
    }
}

#[test]
fn an_ap_that_takes_its_request_when_it_was_retracted_comes_online_all_the_same() {
    let late = Nature::TakesAfter(PATIENCE + Duration::from_micros(100));
    let fake = machine(&[late, Nature::Healthy, Nature::Healthy]);
    let round = fake.bring_up(Strategy::Parallel, timing());
    assert_eq!(outcomes(&round), [Outcome::Online; 3]);
    assert_eq!(sipis(&round), [1; 3]);
}

#[test]
fn an_ap_that_is_slow_to_look_is_asked_again_behind_the_others() {
    let fake = machine(&[
        Nature::LooksAfter(PATIENCE + 3 * MS),
        Nature::Healthy,
        Nature::Healthy,
    ]);
    let round = fake.bring_up(Strategy::Parallel, timing());
    assert_eq!(outcomes(&round), [Outcome::Online; 3]);
    assert_eq!(Fake::take_requests(), [1, 2, 3, 1]);
}

#[test]
fn an_answer_that_strikes_the_request_for_another_costs_that_one_a_second_request() {
    // The first takes its request while the second's is in the mailbox and not yet seen.
    let fake = machine(&[
        Nature::TakesAfter(PATIENCE + MS),
        Nature::LooksAfter(5 * MS),
        Nature::Healthy,
    ]);
    let round = fake.bring_up(Strategy::Parallel, timing());
    assert_eq!(outcomes(&round), [Outcome::Online; 3]);
    assert_eq!(sipis(&round), [1, 2, 1]);
    assert_eq!(Fake::take_requests(), [1, 2, 3, 2]);
}

#[test]
fn an_ap_that_takes_the_first_request_though_it_is_for_another_comes_online_by_it() {
    let fake = machine(&[Nature::Healthy, Nature::Healthy, Nature::TakesAny]);
    let round = fake.bring_up(Strategy::Parallel, timing());
    assert_eq!(outcomes(&round), [Outcome::Online; 3]);
    assert_eq!(sipis(&round), [2, 1, 1]);
    assert_eq!(Fake::take_requests(), [1, 2, 3, 1]);
    // Its own request is taken back as soon as it is seen.
    assert!(total(&round) < PATIENCE + 2 * MS, "{:?}", total(&round));
}

#[test]
fn an_ap_that_answers_behind_its_deadline_is_late_and_halts_for_good() {
    let fake = machine(&[Nature::TakesAfter(DEADLINE + 50 * MS), Nature::Healthy]);
    let mut round = fake.bring_up(Strategy::Parallel, timing());
    assert_eq!(outcomes(&round), [Outcome::NeverStarted, Outcome::Online]);
    fake.with(timing(), async |bring_up, _| {
        bring_up.timer.sleep(100 * MS).await;
    });
    round.notice_late(fake.aps());
    assert_eq!(outcomes(&round), [Outcome::Late, Outcome::Online]);
    Fake::take_requests();
    let second = fake.bring_up(Strategy::Parallel, timing());
    assert_eq!(outcomes(&second), [Outcome::Late, Outcome::Online]);
    assert!(reason(&second.reports[0]).contains("where no mailbox reaches it"));
    assert!(Fake::take_requests().is_empty());
}

#[test]
fn an_ap_that_answers_and_never_comes_never_started_and_the_reason_says_so() {
    let fake = machine(&[Nature::Silent, Nature::Healthy]);
    let round = fake.bring_up(Strategy::Parallel, timing());
    assert_eq!(outcomes(&round), [Outcome::NeverStarted, Outcome::Online]);
    assert!(reason(&round.reports[0]).contains("and it did not come"));
    assert!(round.reports[0].sipis >= 2);
    assert!(total(&round) < DEADLINE + PATIENCE, "{:?}", total(&round));
}

#[test]
fn an_ap_that_has_left_the_firmware_is_not_asked_again_in_this_attempt_or_the_next() {
    for nature in [Nature::StopsInLongMode, Nature::StopsClaimed] {
        let fake = machine(&[nature, Nature::Healthy]);
        for _ in 0..2 {
            let round = fake.bring_up(Strategy::Parallel, timing());
            let stuck = round.reports[0].outcome;
            assert!(matches!(stuck, Outcome::StuckLongMode), "{nature:?}");
        }
        assert_eq!(Fake::take_requests(), [1, 2], "{nature:?}");
    }
}

#[test]
fn an_ap_that_is_given_up_on_its_way_comes_online_in_the_next_attempt_without_a_request() {
    let fake = machine(&[Nature::LateAtFirst(DEADLINE + 50 * MS), Nature::Healthy]);
    let first = fake.bring_up(Strategy::Parallel, timing());
    assert_eq!(outcomes(&first), [Outcome::StuckLongMode, Outcome::Online]);
    let second = fake.bring_up(Strategy::Parallel, timing());
    assert_eq!(outcomes(&second), [Outcome::Online; 2]);
    assert_eq!(Fake::take_requests(), [1, 2]);
}

#[test]
fn where_the_firmware_takes_aps_back_they_go_down_and_come_back() {
    let fake = machine(&[Nature::Healthy; 4]);
    for &strategy in Strategy::ALL {
        let round = fake.bring_up(strategy, timing());
        assert_eq!(outcomes(&round), [Outcome::Online; 4], "{strategy}");
        fake.take_down().unwrap();
        let is_parked = |stage| stage == Stage::Parked;
        let mut stages = fake.aps().iter().map(|ap| ap.slot.state().load().stage());
        assert!(stages.all(is_parked), "{strategy}");
    }
}

#[test]
fn where_the_firmware_wakes_an_ap_once_none_is_let_go_and_none_is_moved() {
    let fake = old_machine(&[Nature::Healthy; 2]);
    let ladder = fake.ladder();
    fake.bring_up(Strategy::Parallel, timing());
    for goal in [Rung::OFFLINE, ladder.find("memory").unwrap()] {
        let moved = fake.drive(timing(), &[(1, goal)]).remove(0);
        let failure = moved.failure.expect("it is refused");
        assert_eq!(failure.outcome, Outcome::Failed);
        assert_eq!(failure.step, Some("kick"));
        let reason = failure.reason.expect("there is a reason");
        assert!(reason.contains("wakes a CPU once"), "{reason}");
        assert_eq!((moved.rung, failure.rollback), (ladder.top(), None));
    }
    assert!(fake.take_down().is_err());
    // To where it can be called it goes, and comes back.
    for goal in [ladder.find("apic").unwrap(), ladder.top()] {
        let moved = fake.drive(timing(), &[(1, goal)]).remove(0);
        assert_eq!((moved.rung, moved.failure), (goal, None));
    }
}

#[test]
fn where_the_firmware_wakes_an_ap_once_one_that_fails_waits_for_the_next_attempt() {
    let fake = old_machine(&[Nature::Healthy; 2]);
    let ladder = fake.ladder();
    let step = |name| ladder.steps().iter().position(|step| step.name() == name);
    fake.aps()[0].slot.inject(Some(Injection {
        step: step("inbox").unwrap(),
        direction: Direction::Up,
        is_sticky: false,
    }));
    let first = fake.bring_up(Strategy::Parallel, timing());
    assert_eq!(outcomes(&first), [Outcome::Failed, Outcome::Online]);
    assert_eq!(fake.aps()[0].rung(), ladder.find("apic").unwrap());
    let second = fake.bring_up(Strategy::Parallel, timing());
    assert_eq!(outcomes(&second), [Outcome::Online; 2]);
    assert_eq!(Fake::take_requests(), [1, 2]);
}

#[test]
fn where_the_firmware_wakes_an_ap_once_one_that_parks_all_the_same_is_lost() {
    let fake = old_machine(&[Nature::Healthy; 2]);
    let ladder = fake.ladder();
    let step = |name| ladder.steps().iter().position(|step| step.name() == name);
    // Nobody can rest where it fails.
    fake.aps()[0].slot.inject(Some(Injection {
        step: step("apic").unwrap(),
        direction: Direction::Up,
        is_sticky: false,
    }));
    for attempt in 0..2 {
        let round = fake.bring_up(Strategy::Parallel, timing());
        assert_eq!(outcomes(&round), [Outcome::Failed, Outcome::Online]);
        let report = &round.reports[0];
        assert_eq!(report.step, Some(["apic", "kick"][attempt]));
    }
    assert_eq!(Fake::take_requests(), [1, 2]);
}
