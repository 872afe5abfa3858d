//! The bring-up's own future, the one that boots, against a small fake machine.

use std::time::Duration;

use reveille_smp::{
    bringup::{Ap, Report, Round, SecondSipi, Timing},
    cpu::{ApicId, CpuIndex, Place},
    ladder::Ladder,
    order::Order,
    outcome::Outcome,
    state::Stage,
    step::StepError,
    strategy::Strategy,
};

use crate::{
    machine::{Fake, Nature},
    steps::{concurrent, ladder, order_of, serialised, take_log},
};

const MS: Duration = Duration::from_millis(1);

fn timing() -> Timing {
    Timing {
        second_sipi: SecondSipi::IfUnseen(20 * MS),
        alive_timeout: 100 * MS,
        online_timeout: 100 * MS,
        ..Timing::default()
    }
}

fn steps() -> &'static Ladder {
    ladder(&[serialised("first"), concurrent("second")])
}

fn outcomes(round: &Round) -> Vec<Outcome> {
    round.reports.iter().map(|report| report.outcome).collect()
}

fn nanos(
    round: &Round,
    at: impl Fn(&Report) -> Option<reveille_executor::Instant>,
    ap: usize,
) -> u64 {
    round.nanos(at(&round.reports[ap]).unwrap())
}

#[test]
fn all_aps_come_online_in_every_strategy() {
    for steps in [steps(), ladder(&[])] {
        for &strategy in Strategy::ALL {
            let fake = Fake::healthy(9, MS, steps);
            let round = fake.bring_up(strategy, timing());
            assert_eq!(outcomes(&round), [Outcome::Online; 9], "{strategy}");
            let sipis = if strategy == Strategy::Legacy { 2 } else { 1 };
            assert!(round.reports.iter().all(|report| report.sipis == sipis));
            assert_eq!(fake.wrongful_inits(), 0);
        }
    }
}

#[test]
fn an_ap_costs_at_most_six_polls_and_none_of_them_is_spurious() {
    let round = Fake::healthy(64, MS, steps()).bring_up(Strategy::Parallel, timing());
    for report in &round.reports {
        assert!(
            report.polls <= 6,
            "CPU {} was polled {} times",
            report.cpu,
            report.polls
        );
        assert_eq!(report.spurious_polls, 0, "CPU {}", report.cpu);
    }
}

#[test]
fn no_strategy_polls_for_nothing() {
    for &strategy in Strategy::ALL {
        let round = Fake::healthy(8, MS, steps()).bring_up(strategy, timing());
        let spurious = round.reports.iter().map(|report| report.spurious_polls);
        assert!(spurious.eq([0; 8]), "{strategy}");
    }
}

#[test]
fn parallel_overlaps_all_delays_and_serial_adds_them_up() {
    let timing = Timing {
        init_delay: 10 * MS,
        ..timing()
    };
    let nanos = |strategy| {
        let round = Fake::healthy(8, MS, steps()).bring_up(strategy, timing);
        Duration::from_nanos(round.last(|report| report.online).unwrap())
    };
    let (parallel, serial) = (nanos(Strategy::Parallel), nanos(Strategy::Serial));
    assert!(parallel < 12 * MS, "{parallel:?}");
    assert!(serial >= 88 * MS, "{serial:?}");
}

#[test]
fn with_a_head_start_the_lowest_ap_goes_its_whole_way_before_all_others() {
    let timing = Timing {
        head_start: 50 * MS,
        ..timing()
    };
    let round = Fake::healthy(8, MS, steps()).bring_up(Strategy::Parallel, timing);
    assert_eq!(outcomes(&round), [Outcome::Online; 8]);
    let online = nanos(&round, |report| report.online, 0);
    let others = (1..8).map(|ap| nanos(&round, |report| report.init, ap));
    assert!(others.clone().all(|init| init >= online));
    // And they do not wait for the time that is left.
    assert!(others.max() < Some(nanoseconds(10 * MS)));
}

#[test]
fn an_ap_that_makes_nothing_of_its_head_start_holds_up_nobody_for_longer() {
    let nature = |n| {
        if n == 1 {
            Nature::Silent
        } else {
            Nature::Healthy
        }
    };
    let fake = Fake::new((1..=8).map(|n| (nature(n), MS)), steps());
    let timing = Timing {
        head_start: 10 * MS,
        ..timing()
    };
    let round = fake.bring_up(Strategy::Parallel, timing);
    let mut expected = [Outcome::Online; 8];
    expected[0] = Outcome::NeverStarted;
    assert_eq!(outcomes(&round), expected);
    for ap in 1..8 {
        let init = nanos(&round, |report| report.init, ap);
        assert!((nanoseconds(10 * MS)..nanoseconds(12 * MS)).contains(&init));
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

#[test]
fn serialised_steps_run_one_cpu_at_a_time_from_the_lowest() {
    take_log();
    Fake::healthy(16, MS, steps()).bring_up(Strategy::Parallel, timing());
    assert_eq!(order_of("first"), (1..=16).collect::<Vec<_>>());
    assert_eq!(order_of("second").len(), 16);
}

#[test]
fn a_slow_cpu_is_passed_over_and_taken_when_it_comes() {
    take_log();
    let latency = |n| if n == 1 { 50 * MS } else { MS };
    let fake = Fake::new((1..=4).map(|n| (Nature::Healthy, latency(n))), steps());
    let timing = Timing {
        second_sipi: SecondSipi::IfUnseen(90 * MS),
        ..timing()
    };
    let round = fake.bring_up(Strategy::Parallel, timing);
    assert_eq!(outcomes(&round), [Outcome::Online; 4]);
    assert_eq!(order_of("first"), [2, 3, 4, 1]);
}

#[test]
fn silent_cpus_cost_one_deadline_together_and_hold_up_nobody() {
    let nature = |n| {
        if n % 3 == 1 {
            Nature::Silent
        } else {
            Nature::Healthy
        }
    };
    let fake = Fake::new((1..=9).map(|n| (nature(n), MS)), steps());
    let round = fake.bring_up(Strategy::Parallel, timing());
    for (report, n) in round.reports.iter().zip(1..) {
        let expected = if n % 3 == 1 {
            Outcome::NeverStarted
        } else {
            Outcome::Online
        };
        assert_eq!(report.outcome, expected, "CPU {n}");
    }
    assert!(round.last(|report| report.online).unwrap() < 2_000_000);
    let total = Duration::from_nanos(round.nanos(round.end));
    assert!((100 * MS..101 * MS).contains(&total), "{total:?}");
}

#[test]
fn a_second_sipi_is_sent_to_a_cpu_without_evidence_and_only_to_it() {
    let natures = [
        Nature::LosesFirstSipi,
        Nature::StopsInRealMode,
        Nature::Healthy,
        Nature::Silent,
    ];
    let fake = Fake::new(natures.map(|nature| (nature, MS)), steps());
    let round = fake.bring_up(Strategy::Parallel, timing());
    let found: Vec<_> = round
        .reports
        .iter()
        .map(|report| (report.outcome, report.sipis))
        .collect();
    assert_eq!(
        found,
        [
            (Outcome::Online, 2),
            (Outcome::StuckRealMode, 1),
            (Outcome::Online, 1),
            (Outcome::NeverStarted, 2),
        ]
    );
}

#[test]
fn a_cpu_of_which_nothing_is_seen_is_sent_init_again_with_the_long_delays() {
    let natures = [
        Nature::LosesFirstInit,
        Nature::StopsInRealMode,
        Nature::Silent,
        Nature::Healthy,
    ];
    let patient = Timing {
        init_repeat: 50 * MS,
        ..timing()
    };
    for &strategy in Strategy::ALL {
        let fake = Fake::new(natures.map(|nature| (nature, MS)), steps());
        let round = fake.bring_up(strategy, patient);
        let expected = [
            Outcome::Online,
            Outcome::StuckRealMode,
            Outcome::NeverStarted,
            Outcome::Online,
        ];
        assert_eq!(outcomes(&round), expected, "{strategy}");
        // Two SIPIs, then INIT, 10 ms, and one more; to the silent one a fourth. The slot has been
        // opened twice where INIT came twice.
        let sipis = [0, 2].map(|ap| round.reports[ap].sipis);
        assert!(matches!(sipis, [3 | 4, 4]), "{strategy}: {sipis:?}");
        let generations = [0, 1, 2, 3].map(|ap| fake.aps()[ap].slot.state().load().generation());
        assert_eq!(generations, [2, 1, 2, 1], "{strategy}");
        assert_eq!(fake.wrongful_inits(), 0, "{strategy}");
        let alive = Duration::from_nanos(nanos(&round, |report| report.alive, 0));
        let since_kick = alive - Duration::from_nanos(nanos(&round, |report| report.sipi, 0));
        assert!((60 * MS..65 * MS).contains(&since_kick), "{since_kick:?}");
    }
}

#[test]
fn a_cpu_that_takes_two_inits_for_one_and_parks_late_is_sent_a_third() {
    // INIT comes again after 50 ms, and the slot is opened 10 ms later: in between, the CPU comes by
    // the first SIPI.
    let held_up = Nature::HeldUp(55 * MS);
    let patient = Timing {
        init_repeat: 50 * MS,
        ..timing()
    };
    for &strategy in Strategy::ALL {
        let fake = Fake::new([(held_up, MS), (Nature::Healthy, MS)], steps());
        let round = fake.bring_up(strategy, patient);
        let expected = [Outcome::Online, Outcome::Online];
        assert_eq!(outcomes(&round), expected, "{strategy}");
        assert_eq!(fake.wrongful_inits(), 0, "{strategy}");
    }
}

#[test]
fn in_strict_order_everybody_waits_for_the_lower_ones_until_their_deadline() {
    take_log();
    let nature = |n| {
        if n == 2 {
            Nature::Silent
        } else {
            Nature::Healthy
        }
    };
    let fake = Fake::new((1..=4).map(|n| (nature(n), MS)), steps());
    let round = fake.bring_up_in_order(Strategy::Parallel, timing(), Order::Strict);
    assert_eq!(
        outcomes(&round),
        [
            Outcome::Online,
            Outcome::NeverStarted,
            Outcome::Online,
            Outcome::Online
        ]
    );
    assert_eq!(order_of("first"), [1, 3, 4]);
    let online = |ap| Duration::from_nanos(nanos(&round, |report| report.online, ap));
    assert!(online(0) < 2 * MS);
    assert!(online(2) >= 100 * MS, "{:?}", online(2));

    take_log();
    let latency = |n| if n == 1 { 10 * MS } else { MS };
    let fake = Fake::new((1..=4).map(|n| (Nature::Healthy, latency(n))), steps());
    fake.bring_up_in_order(Strategy::Parallel, timing(), Order::Strict);
    assert_eq!(order_of("first"), [1, 2, 3, 4]);
}

#[test]
fn two_pass_brings_sibling_threads_up_in_a_second_wave() {
    take_log();
    let ap = |n: u32| {
        let place = Place {
            core: n / 2,
            thread: n % 2,
            ..Place::default()
        };
        Ap::new(CpuIndex(n), ApicId(3 * n), place)
    };
    let fake = Fake::with_aps((1..=5).map(|_| (Nature::Healthy, MS)), steps(), ap);
    let round = fake.bring_up(Strategy::TwoPass, timing());
    assert_eq!(outcomes(&round), [Outcome::Online; 5]);
    assert_eq!(order_of("first"), [2, 4, 1, 3, 5]);
    let numbers = round.reports.iter().map(|report| report.cpu.0);
    assert!(numbers.eq(1..=5));
    // A wave is kicked as a whole before anybody in it comes online.
    let sipi = |cpu: usize| nanos(&round, |report| report.sipi, cpu - 1);
    let online = |cpu: usize| nanos(&round, |report| report.online, cpu - 1);
    assert!(sipi(4) < online(2) && online(4) <= sipi(1));
}

#[test]
fn strict_order_holds_up_no_strategy_whatever_waves_it_kicks_in() {
    let ap = |n: u32| {
        let place = Place {
            thread: n % 2,
            ..Place::default()
        };
        Ap::new(CpuIndex(n), ApicId(3 * n), place)
    };
    for &strategy in Strategy::ALL {
        let natures = (1..=4).map(|n| match n {
            2 => (Nature::Silent, MS),
            _ => (Nature::Healthy, MS),
        });
        let fake = Fake::with_aps(natures, steps(), ap);
        let round = fake.bring_up_in_order(strategy, timing(), Order::Strict);
        let (online, silent) = (Outcome::Online, Outcome::NeverStarted);
        assert_eq!(
            outcomes(&round),
            [online, silent, online, online],
            "{strategy}"
        );
    }
}

#[test]
fn in_two_pass_silent_cpus_cost_one_deadline_together_and_no_other_its_second_sipi() {
    let natures = [Nature::Silent, Nature::Silent, Nature::LosesFirstSipi];
    let fake = Fake::new(natures.map(|nature| (nature, MS)), steps());
    let patient = Timing {
        init_repeat: 50 * MS,
        ..timing()
    };
    let round = fake.bring_up(Strategy::TwoPass, patient);
    let silent = Outcome::NeverStarted;
    assert_eq!(outcomes(&round), [silent, silent, Outcome::Online]);
    let total = Duration::from_nanos(round.nanos(round.end));
    assert!((100 * MS..101 * MS).contains(&total), "{total:?}");
}

#[test]
fn a_broadcast_never_resets_a_cpu_that_runs() {
    let natures = [
        Nature::Healthy,
        Nature::LateAtFirst(150 * MS),
        Nature::StopsClaimed,
    ];
    let fake = Fake::new(natures.map(|nature| (nature, MS)), steps());
    let first = fake.bring_up(Strategy::Broadcast, timing());
    let stuck = Outcome::StuckLongMode;
    assert_eq!(outcomes(&first), [Outcome::Online, stuck, stuck]);
    let second = fake.bring_up(Strategy::Broadcast, timing());
    assert_eq!(outcomes(&second), [Outcome::Online, Outcome::Online, stuck]);
    let sipis: Vec<_> = second.reports.iter().map(|report| report.sipis).collect();
    assert_eq!((sipis, fake.wrongful_inits()), (vec![0, 1, 0], 0));
}

#[test]
fn a_cpu_that_is_not_there_is_left_alone_and_counts_for_nothing_until_it_appears() {
    let ap = |n: u32| {
        let id = ApicId(3 * n);
        match n {
            1 => Ap::new(CpuIndex(n), id, Place::default()),
            _ => Ap::not_present(CpuIndex(n), id, Place::default()),
        }
    };
    for &strategy in Strategy::ALL {
        let fake = Fake::with_aps((1..=2).map(|_| (Nature::Healthy, MS)), steps(), ap);
        let round = fake.bring_up(strategy, timing());
        let expected = [Outcome::Online, Outcome::Disabled];
        assert_eq!(outcomes(&round), expected, "{strategy}");
        assert_eq!((round.reports[1].sipis, round.reports[1].init), (0, None));
        let record = round.record(0, 0);
        assert_eq!((record.aps, record.online, record.failed), (1, 1, 0));
        fake.take_down().unwrap();
        let absent = fake.aps()[1].slot.state();
        assert_eq!(absent.load().stage(), Stage::NotPresent);
        absent.appear().unwrap();
        let round = fake.bring_up(strategy, timing());
        assert_eq!(outcomes(&round), [Outcome::Online; 2], "{strategy}");
    }
}

#[test]
fn every_place_to_stop_has_its_outcome() {
    let natures = [
        (Nature::StopsInRealMode, Outcome::StuckRealMode),
        (Nature::StopsInLongMode, Outcome::StuckLongMode),
        (Nature::StopsClaimed, Outcome::StuckLongMode),
        (Nature::Silent, Outcome::NeverStarted),
        (Nature::Unreachable, Outcome::NeverStarted),
        (Nature::Healthy, Outcome::Online),
    ];
    for &strategy in Strategy::ALL {
        let fake = Fake::new(natures.map(|(nature, _)| (nature, MS)), steps());
        let round = fake.bring_up(strategy, timing());
        let mut expected = natures.map(|(_, outcome)| outcome);
        if strategy == Strategy::Broadcast {
            // A broadcast needs no id.
            expected[4] = Outcome::Online;
        } else {
            assert!(round.reports[4].reason.is_some());
        }
        assert_eq!(outcomes(&round), expected, "{strategy}");
    }
}

#[test]
fn a_late_ap_parks_without_touching_its_slot_and_comes_online_at_the_next_attempt() {
    let fake = Fake::new(
        [(Nature::LateAtFirst(150 * MS), MS), (Nature::Silent, MS)],
        steps(),
    );
    let mut first = fake.bring_up(Strategy::Serial, timing());
    // It arrived while the BSP waited for the silent one.
    assert_eq!(
        outcomes(&first),
        [Outcome::StuckLongMode, Outcome::NeverStarted]
    );
    let slot = &fake.aps()[0].slot;
    assert_eq!(slot.state().load().stage(), Stage::Late);
    assert!(first.reports[0].alive.is_none());
    first.notice_late(fake.aps());
    assert_eq!(outcomes(&first), [Outcome::Late, Outcome::NeverStarted]);

    let second = fake.bring_up(Strategy::Parallel, timing());
    assert_eq!(outcomes(&second), [Outcome::Online, Outcome::NeverStarted]);
    assert_eq!(slot.state().load().generation(), 2);
    assert_eq!(fake.wrongful_inits(), 0);
}

#[test]
fn a_claimed_slot_is_never_reset_by_a_later_attempt() {
    let fake = Fake::new([(Nature::StopsClaimed, MS)], steps());
    fake.bring_up(Strategy::Parallel, timing());
    let again = fake.bring_up(Strategy::Parallel, timing());
    assert_eq!(fake.wrongful_inits(), 0);
    assert_eq!(
        (again.reports[0].outcome, again.reports[0].sipis),
        (Outcome::StuckLongMode, 0)
    );
}

#[test]
fn a_failing_step_is_named_and_passes_the_turn_on() {
    let failing = ladder(&[
        concurrent("zeroth"),
        serialised("breaks").failing_on(2),
        concurrent("last"),
    ]);
    let round = Fake::healthy(3, MS, failing).bring_up(Strategy::Parallel, timing());
    assert_eq!(
        outcomes(&round),
        [Outcome::Online, Outcome::Failed, Outcome::Online]
    );
    let failed = &round.reports[1];
    assert_eq!(
        (failed.step, failed.reason),
        (Some("breaks"), Some(StepError::Exhausted.reason()))
    );
    assert!(failed.online.is_none());
}

#[test]
fn the_wake_moves_the_task_and_without_it_only_a_deadline_does() {
    let fake = Fake::healthy(2, MS, steps());
    fake.aps()[0].slot.mute();
    let round = fake.bring_up(Strategy::Parallel, timing());
    // The flag is set after a millisecond, and nobody looks before the next deadline.
    assert_eq!(outcomes(&round), [Outcome::Online; 2]);
    assert!(nanos(&round, |report| report.alive, 0) < 2_000_000);
    assert!(nanos(&round, |report| report.online, 0) >= 20_000_000);
    assert!(nanos(&round, |report| report.online, 1) < 2_000_000);
}

#[test]
fn taken_down_and_up_again_every_ap_parks_and_returns() {
    let fake = Fake::healthy(7, MS, steps());
    for generation in 1..=5 {
        let strategy = Strategy::ALL[generation as usize % Strategy::ALL.len()];
        let round = fake.bring_up(strategy, timing());
        assert_eq!(outcomes(&round), [Outcome::Online; 7]);
        assert!(
            fake.aps()
                .iter()
                .all(|ap| ap.slot.state().load().generation() == generation)
        );
        fake.take_down().unwrap();
        assert!(
            fake.aps()
                .iter()
                .all(|ap| ap.slot.state().load().stage() == Stage::Parked)
        );
    }
    assert_eq!(fake.wrongful_inits(), 0);
}

#[test]
fn an_ap_that_is_stuck_behind_its_claim_is_left_when_the_others_are_taken_down() {
    let natures = [Nature::StopsClaimed, Nature::Healthy, Nature::Silent];
    let fake = Fake::new(natures.map(|nature| (nature, MS)), steps());
    let stuck_healthy_silent = [
        Outcome::StuckLongMode,
        Outcome::Online,
        Outcome::NeverStarted,
    ];
    for _ in 0..2 {
        let round = fake.bring_up(Strategy::Parallel, timing());
        assert_eq!(outcomes(&round), stuck_healthy_silent);
        fake.take_down().unwrap();
        let stages = fake.aps().iter().map(|ap| ap.slot.state().load().stage());
        assert!(stages.eq([Stage::Claimed, Stage::Parked, Stage::GivenUp]));
    }
    assert_eq!(fake.wrongful_inits(), 0);
}

#[test]
fn a_machine_without_aps_is_up_at_once() {
    let round = Fake::healthy(0, MS, steps()).bring_up(Strategy::Parallel, timing());
    assert_eq!((round.reports.len(), round.nanos(round.end)), (0, 0));
}

#[test]
fn whatever_the_pattern_of_steps_no_deadline_is_needed_to_come_online() {
    let kinds = [serialised, concurrent];
    for len in 0..=4 {
        for pattern in 0..1usize << len {
            let names = ["one", "two", "three", "four"];
            let step = |bit: usize| kinds[pattern >> bit & 1](names[bit]);
            let steps: Vec<_> = (0..len).map(step).collect();
            let round = Fake::healthy(3, MS, ladder(&steps)).bring_up(Strategy::Parallel, timing());
            assert_eq!(outcomes(&round), [Outcome::Online; 3]);
            let online = Duration::from_nanos(round.last(|report| report.online).unwrap());
            assert!(online < 2 * MS, "{len} steps, {pattern:b}: {online:?}");
        }
    }
}

#[test]
fn an_ap_that_outlives_the_deadline_of_its_step_never_comes_online_behind_the_bsps_back() {
    take_log();
    let natures = [
        Nature::FreezesWhenAlive(300 * MS),
        Nature::Healthy,
        Nature::Silent,
    ];
    let fake = Fake::new(natures.map(|nature| (nature, MS)), steps());
    let slow = Timing {
        alive_timeout: 500 * MS,
        ..timing()
    };
    let round = fake.bring_up(Strategy::Parallel, slow);
    let expected = [Outcome::Failed, Outcome::Online, Outcome::NeverStarted];
    assert_eq!(outcomes(&round), expected);
    assert_eq!(round.reports[0].step, Some("first"));
    // It thawed while the BSP waited for the silent one: it ran nothing, and waits to be called.
    assert_eq!(fake.aps()[0].slot.state().load().stage(), Stage::Alive);
    assert_eq!(order_of("first"), [2]);
    let again = fake.bring_up(Strategy::Parallel, slow);
    let expected = [Outcome::Online, Outcome::Online, Outcome::NeverStarted];
    assert_eq!(
        (outcomes(&again), again.reports[0].sipis),
        (expected.into(), 0)
    );
}

#[test]
fn an_ap_that_is_alive_only_after_its_attempt_is_led_online_by_the_next() {
    let fake = Fake::healthy(1, 10 * MS, steps());
    // It claims at the very moment of the deadline, and has no time left to be alive.
    let tight = Timing {
        alive_timeout: 10 * MS + Duration::from_micros(20),
        ..timing()
    };
    let first = fake.bring_up(Strategy::Parallel, tight);
    assert_eq!(outcomes(&first), [Outcome::StuckLongMode]);
    fake.settle();
    let second = fake.bring_up(Strategy::Parallel, timing());
    assert_eq!(outcomes(&second), [Outcome::Online]);
    assert_eq!((second.reports[0].sipis, fake.wrongful_inits()), (0, 0));
}

#[test]
fn a_sipi_that_was_refused_and_went_out_all_the_same_leaves_nobody_behind() {
    let fake = Fake::new([(Nature::SipiRefused, MS)], steps());
    let round = fake.bring_up(Strategy::Parallel, timing());
    let report = &round.reports[0];
    assert_eq!(report.outcome, Outcome::NeverStarted);
    assert_eq!(
        report.reason,
        Some(reveille_smp::machine::SendError::Busy.reason())
    );
    assert!(fake.aps()[0].slot.state().load().stage().is_down());
}

#[test]
fn a_cpu_with_an_unknown_id_is_reported_beside_the_slot_that_nobody_took() {
    let natures = [Nature::HasUnknownId, Nature::Healthy];
    let fake = Fake::new(natures.map(|nature| (nature, MS)), steps());
    let round = fake.bring_up(Strategy::Parallel, timing());
    assert_eq!(outcomes(&round), [Outcome::StuckLongMode, Outcome::Online]);
    let stranger = round.stranger_record().unwrap();
    assert_eq!((stranger.cpu, stranger.outcome), (None, Outcome::UnknownId));
    let whole = Fake::healthy(1, MS, steps()).bring_up(Strategy::Parallel, timing());
    assert_eq!(whole.stranger_record(), None);
}

#[test]
fn an_ap_for_which_there_is_no_task_is_said_so_and_the_next_attempt_finds_it_down() {
    for &strategy in Strategy::ALL {
        // Two are still on their way when the first one's task is done.
        let fake = Fake::new(
            [MS, 20 * MS, 20 * MS].map(|far| (Nature::Healthy, far)),
            steps(),
        );
        let round = fake.on_bsp_with_tasks(1, timing(), async |bring_up, spawner| {
            bring_up.run(&spawner, strategy).await
        });
        for report in &round.reports {
            match report.outcome {
                Outcome::Online => {}
                Outcome::NeverStarted => assert!(report.reason.is_some()),
                other => panic!("{strategy}: {other}"),
            }
        }
        fake.settle();
        let again = fake.bring_up(strategy, timing());
        assert_eq!(outcomes(&again), [Outcome::Online; 3], "{strategy}");
        assert!(again.reports.iter().all(|report| report.reason.is_none()));
        assert_eq!(fake.wrongful_inits(), 0, "{strategy}");
    }
}

#[test]
fn an_attempt_that_kicked_nobody_reports_no_times_of_an_earlier_one() {
    let fake = Fake::new([(Nature::StopsClaimed, MS), (Nature::Healthy, MS)], steps());
    fake.bring_up(Strategy::Parallel, timing());
    let again = fake.bring_up(Strategy::Parallel, timing());
    assert_eq!(outcomes(&again), [Outcome::StuckLongMode, Outcome::Online]);
    assert!(
        again
            .reports
            .iter()
            .all(|report| report.online.is_none() && report.init.is_none())
    );
}
