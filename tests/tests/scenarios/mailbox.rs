//! Waking by the firmware's mailbox: what holds by INIT and SIPI holds here too. In virtual time, with
//! the firmware of the tests, whose APs may look late, never, or take what is not theirs.

use std::time::Duration;

use reveille_smp::{
    outcome::Outcome as CpuOutcome,
    record::{Cpu, Record},
    strategy::Strategy,
};
use reveille_tests::{guest::Ended, outcome::Outcome, qemu::machine::Machine};

use crate::{
    boot::{boot, is_whole},
    firmware::parked,
};

const CPUS: u32 = 8;

/// From an AP's first request until it is given up.
const DEADLINE: Duration = Duration::from_millis(200);

/// How long an AP may take to take its request, before others are asked: a quarter of that.
const PATIENCE: Duration = Duration::from_millis(50);

fn machine(append: &str) -> Machine {
    parked(CPUS)
        .append(&format!(
            "madt=module alive-timeout={}",
            DEADLINE.as_millis()
        ))
        .append(append)
}

fn comes_up_whole(append: &str) -> Ended {
    let machine = machine(append);
    let ended = boot(&machine);
    is_whole(&machine, &ended);
    let wake = ended.records.boot().expect("a boot record").wake;
    assert_eq!(wake, "mailbox");
    assert!(ended.console.contains(", woken by mailbox,"));
    ended
}

fn cpus(ended: &Ended) -> Vec<Cpu> {
    ended.records.cpus().expect("all records are whole")
}

fn reason(ended: &Ended) -> &str {
    match &ended.outcome {
        Outcome::Failed(reason) => reason,
        other => panic!("it ended as {other:?}"),
    }
}

fn online(cpu: &Cpu) -> Duration {
    assert_eq!(cpu.outcome, CpuOutcome::Online, "{cpu:?}");
    Duration::from_nanos(cpu.online_ns.expect("it is online"))
}

/// Boots with one AP that fails; it alone does, and all others are online within this time.
fn one_fails(append: &str, number: usize, outcome: CpuOutcome, others: Duration) -> Cpu {
    let ended = boot(&machine(append));
    let first =
        format!("1 of 7 APs did not come online; first CPU {number} (APIC {number}): {outcome}");
    assert!(reason(&ended).starts_with(&first), "{}", reason(&ended));
    let mut cpus = cpus(&ended);
    let failed = cpus.remove(number);
    assert_eq!(failed.outcome, outcome);
    for other in &cpus[1..] {
        assert!(online(other) < others, "{other:?}");
    }
    let bringup = ended.records.bringup().expect("round 0");
    let total = Duration::from_nanos(bringup.total_ns);
    assert!(total < DEADLINE + 2 * PATIENCE, "{total:?}");
    failed
}

#[test]
fn all_come_up_by_one_request_each_in_either_version_and_in_every_strategy() {
    for version in [0, 1] {
        for strategy in Strategy::ALL {
            let ended = comes_up_whole(&format!("firmware.mailbox={version} bringup={strategy}"));
            let bringup = ended.records.bringup().expect("round 0");
            assert_eq!(bringup.strategy, strategy.to_string());
            assert!(cpus(&ended)[1..].iter().all(|cpu| cpu.sipis == 1));
        }
    }
}

#[test]
fn strict_order_and_one_thread_of_each_core_are_kept_here_too() {
    comes_up_whole("order=strict");
    let smt = parked(
        "8,cores=4,threads=2"
            .parse::<reveille_tests::qemu::smp::Smp>()
            .expect("a good value"),
    );
    let ended = boot(&smt.append("madt=module smt=off"));
    assert_eq!(ended.outcome, Outcome::Ok);
    let is_skipped = |cpu: &&Cpu| cpu.outcome == CpuOutcome::Skipped;
    assert_eq!(cpus(&ended).iter().filter(is_skipped).count(), 4);
}

#[test]
fn an_ap_that_never_looks_never_started_and_costs_the_others_its_patience() {
    let cpu = one_fails("firmware.deaf=3", 3, CpuOutcome::NeverStarted, 2 * PATIENCE);
    assert!(cpu.sipis >= 2, "{cpu:?}");
    let why = cpu.reason.as_deref().unwrap_or_default();
    assert!(why.contains("did not take its request"), "{cpu:?}");
}

#[test]
fn three_that_never_look_cost_one_deadline_together() {
    let ended = boot(&machine("firmware.deaf=2 firmware.deaf=4 firmware.deaf=7"));
    assert!(reason(&ended).starts_with("3 of 7 APs did not come online"));
    for (cpu, number) in cpus(&ended).iter().zip(0..).skip(1) {
        match number {
            2 | 4 | 7 => assert_eq!(cpu.outcome, CpuOutcome::NeverStarted),
            _ => assert!(online(cpu) < 3 * PATIENCE, "{cpu:?}"),
        }
    }
    let total = ended.records.bringup().expect("round 0").total_ns;
    let most = DEADLINE + 4 * PATIENCE;
    assert!(Duration::from_nanos(total) < most, "{total} ns");
}

#[test]
fn an_ap_that_is_slow_to_take_its_request_is_asked_again_and_comes_online() {
    let ended = comes_up_whole("firmware.slow=3:120");
    let cpus = cpus(&ended);
    assert!(cpus[3].sipis >= 2, "{:?}", cpus[3]);
    let delay = Duration::from_millis(120);
    assert!(online(&cpus[3]) > delay, "{:?}", cpus[3]);
    for other in [1, 2, 4, 5, 6, 7] {
        assert!(online(&cpus[other]) < delay, "{:?}", cpus[other]);
    }
}

#[test]
fn an_ap_that_takes_anothers_request_comes_online_and_the_other_is_asked_again() {
    let ended = comes_up_whole("firmware.swallow=5");
    let cpus = cpus(&ended);
    assert!(cpus[1..5].iter().all(|cpu| online(cpu) < PATIENCE));
    // Its own request is taken back, and it comes by the next one.
    assert!(online(&cpus[5]) > PATIENCE, "{:?}", cpus[5]);
    let requests: Vec<_> = cpus.iter().map(|cpu| cpu.sipis).collect();
    assert_eq!(requests, [0, 1, 1, 1, 1, 1, 2, 1]);
}

#[test]
fn faults_on_demand_strike_here_as_they_do_behind_a_sipi() {
    let stuck = CpuOutcome::StuckLongMode;
    for (kind, outcome) in [
        ("long-mode", stuck),
        ("twice", stuck),
        ("claimed", stuck),
        ("late=250", CpuOutcome::Late),
        ("step=tables", CpuOutcome::Failed),
        ("step=inbox", CpuOutcome::Failed),
    ] {
        let cpu = one_fails(&format!("fault=2:{kind}"), 2, outcome, DEADLINE);
        assert_eq!(cpu.sipis, 1, "{kind}: {cpu:?}");
        assert_eq!(cpu.reason.as_deref(), Some("it was told to fail"), "{kind}");
    }
}

#[test]
fn an_ap_that_is_silent_took_its_request_and_is_asked_again() {
    let cpu = one_fails("fault=2:silent", 2, CpuOutcome::NeverStarted, PATIENCE);
    assert!(cpu.sipis >= 2, "{cpu:?}");
    let why = cpu.reason.as_deref().unwrap_or_default();
    assert!(why.contains("was taken from the mailbox"), "{cpu:?}");
}

#[test]
fn an_ap_that_takes_itself_for_another_is_a_stranger_here_too() {
    let ended = boot(&machine("fault=2:wrong-id"));
    let start = "1 of 7 APs did not come online, and 1 CPU came with an unknown id; first CPU 2 ";
    assert!(reason(&ended).starts_with(start), "{}", reason(&ended));
    let last = cpus(&ended).pop().expect("there are records");
    assert_eq!((last.outcome, last.apic_id.0), (CpuOutcome::UnknownId, !2));
}

#[test]
fn there_is_no_real_mode_to_fail_in() {
    let ended = boot(&machine("fault=2:real-mode"));
    assert!(reason(&ended).contains("`fault=2:real-mode` cannot happen: APIC 2 is let go"));
    assert!(ended.records.bringup().is_err(), "no CPU is woken");
}

#[test]
fn a_second_attempt_finds_each_where_the_first_has_left_it() {
    let faults =
        "fault=2:late=250 fault=3:silent fault=4:twice fault=5:step=join fault=6:long-mode";
    let ended = boot(&machine(&format!("{faults} attempts=2")));
    use CpuOutcome::{Bsp, Failed, Late, NeverStarted, Online, StuckLongMode};
    let expected = [
        Bsp,
        Online,
        Late,
        NeverStarted,
        StuckLongMode,
        Failed,
        StuckLongMode,
        Online,
    ];
    let of = |attempt| {
        let cpus = ended.records.cpus_of_attempt(attempt);
        cpus.expect("all records are whole")
    };
    for attempt in 0..2 {
        let outcomes: Vec<_> = of(attempt).iter().map(|cpu| cpu.outcome).collect();
        assert_eq!(outcomes, expected, "attempt {attempt}");
    }
    // Who halts or has left the firmware is not asked any more.
    let asked: Vec<_> = of(1).iter().map(|cpu| cpu.sipis > 0).collect();
    let [.., late, silent, twice, failed, stuck, _] = asked[..] else {
        panic!("{asked:?}");
    };
    assert_eq!(
        [late, silent, twice, failed, stuck],
        [false, true, false, true, false]
    );
}

#[test]
fn an_ap_that_is_still_on_its_way_comes_online_in_the_second_attempt() {
    let ended = boot(&machine("fault=2:late=450 attempts=2"));
    assert_eq!(ended.outcome, Outcome::Ok);
    assert_eq!(cpus(&ended)[2].outcome, CpuOutcome::StuckLongMode);
}

#[test]
fn where_the_firmware_takes_cpus_back_they_go_down_and_come_back() {
    let ended = comes_up_whole("cycle=10 do=offline:2-4 do=online:2-4 bench=2");
    assert!(
        ended
            .console
            .contains("cycle: 10 of 10, 7 APs down and up, 0 lost, 0 failed")
    );
    assert!(
        ended
            .console
            .contains("no yardsticks: they need INIT and SIPI")
    );
    let records = ended.records.parse().expect("all records are whole");
    let is_yardstick = |it: &Record| matches!(it, Record::Floor(_) | Record::Bare(_));
    assert!(!records.iter().any(is_yardstick));
    for strategy in Strategy::ALL {
        let is_round = |it: &&Record| matches!(it, Record::Bringup(it) if it.round > 0 && it.online == 7 && it.strategy == strategy.to_string());
        assert_eq!(records.iter().filter(is_round).count(), 2, "{strategy}");
    }
}

#[test]
fn where_the_firmware_wakes_a_cpu_once_what_takes_cpus_down_is_refused_at_the_start() {
    for word in [
        "cycle=3",
        "bench=3",
        "torture=1",
        "do=offline:2",
        "do=target:2:stack",
    ] {
        let ended = boot(&machine(&format!("firmware.mailbox=0 {word}")));
        let why = format!("`{word}` cannot be done: the firmware's mailbox wakes a CPU once");
        assert!(reason(&ended).starts_with(&why), "{}", reason(&ended));
        assert!(ended.records.bringup().is_err(), "no CPU is woken");
    }
}

#[test]
fn where_the_firmware_wakes_a_cpu_once_it_goes_as_far_down_as_it_can_be_called() {
    comes_up_whole("firmware.mailbox=0 do=target:all:apic do=online:all");
    // One that fails rests there, too, and comes online in the next attempt.
    let ended = boot(&machine("firmware.mailbox=0 fault=2:step=join attempts=2"));
    let second = ended.records.cpus_of_attempt(1).expect("there were two");
    assert_eq!(second[2].step.as_deref(), Some("join"));
    assert_eq!(
        (second[2].outcome, second[2].sipis),
        (CpuOutcome::Failed, 0)
    );
}

#[test]
fn init_and_sipi_wake_the_same_cpus_when_they_are_asked_for() {
    let machine = machine("wake=init-sipi");
    let ended = boot(&machine);
    is_whole(&machine, &ended);
    assert!(ended.console.contains(", woken by INIT and SIPI,"));
}
