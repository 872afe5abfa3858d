//! Who is woken, who has a slot, and how many are enough, as the kernel's command line says.

use reveille_smp::{outcome::Outcome as CpuOutcome, record::Record, strategy::Strategy};
use reveille_tests::{
    guest::Ended,
    madt::Madt,
    outcome::Outcome,
    qemu::{
        machine::{Accel, Machine},
        smp::Smp,
    },
};

use crate::{
    boot::{boot, last_line},
    hostile_madt::boot_with,
};

fn machine() -> Machine {
    Machine::new(6).accel(Accel::Icount)
}

/// The numbers of the CPUs with this outcome.
fn numbers(ended: &Ended, outcome: CpuOutcome) -> Vec<u32> {
    let cpus = ended.records.cpus().expect("all records are whole");
    let alike = cpus.into_iter().filter(|cpu| cpu.outcome == outcome);
    alike.filter_map(|cpu| cpu.cpu).map(|cpu| cpu.0).collect()
}

/// Boots six CPUs with these keys, of which these come online; the others have this line.
fn selects(keys: &str, online: &[u32], skipped: &[u32], line: &str) -> Ended {
    selects_on(machine(), keys, online, skipped, line)
}

/// The same on another machine.
fn selects_on(machine: Machine, keys: &str, online: &[u32], skipped: &[u32], line: &str) -> Ended {
    let ended = boot(&machine.append(keys));
    assert_eq!(ended.outcome, Outcome::Ok, "{keys}");
    assert_eq!(numbers(&ended, CpuOutcome::Online), online, "{keys}");
    assert_eq!(numbers(&ended, CpuOutcome::Skipped), skipped, "{keys}");
    let mut lines = ended.console.lines();
    assert!(lines.any(|told| told == line), "{keys}: no line `{line}`");
    let bringup = ended.records.bringup().expect("round 0");
    assert_eq!(bringup.aps as usize, online.len(), "{keys}");
    ended
}

fn failure(machine: &Machine) -> String {
    match boot(machine).outcome {
        Outcome::Failed(reason) => reason,
        other => panic!("it ended as {other:?}"),
    }
}

#[test]
fn maxcpus_leaves_out_the_highest() {
    let line = "CPUs 3-5 (APIC 3-5): skipped; maxcpus= allows no more CPUs";
    selects("maxcpus=3", &[1, 2], &[3, 4, 5], line);
}

#[test]
fn maxcpus_1_leaves_the_bsp_alone_and_that_is_a_success() {
    let line = "CPUs 1-5 (APIC 1-5): skipped; maxcpus= allows no more CPUs";
    selects("maxcpus=1", &[], &[1, 2, 3, 4, 5], line);
}

#[test]
fn a_broadcast_wakes_those_left_out_too_and_they_are_no_strangers() {
    let line = "CPUs 3-5 (APIC 3-5): skipped; maxcpus= allows no more CPUs";
    selects("maxcpus=3 bringup=broadcast", &[1, 2], &[3, 4, 5], line);
}

#[test]
fn cpus_leaves_out_whom_it_does_not_name() {
    let line = "CPUs 1,4 (APIC 1,4): skipped; cpus= does not name it";
    selects("cpus=2-3,5", &[2, 3, 5], &[1, 4], line);
}

#[test]
fn cpus_that_are_named_are_measured_like_all() {
    let ended = boot(&machine().append("cpus=2-3,5 bench=2"));
    assert_eq!(ended.outcome, Outcome::Ok);
    assert!(ended.console.contains("2 rounds: "), "no comparison");
}

#[test]
fn the_floor_counts_everybody_whom_a_broadcast_starts_and_says_how_many() {
    // Of six CPUs one is listed as disabled, and two are not listed at all.
    let madt = Madt::of([0, 1, 2]).local_apic(3, 0);
    let ended = boot_with(&madt, machine().append("bench=2"));
    assert_eq!(ended.outcome, Outcome::Ok);
    let records = ended.records.parse().expect("all records are whole");
    let counted = records.into_iter().filter_map(|record| match record {
        Record::Floor(floor) => Some(floor.aps),
        _ => None,
    });
    assert_eq!(counted.collect::<Vec<_>>(), [5, 5]);
    assert!(ended.console.contains("floor of 5 CPUs "));
    let ended = boot(&machine().append("bench=1"));
    assert!(ended.console.contains("floor ") && !ended.console.contains("floor of"));
}

#[test]
fn a_number_that_no_cpu_has_fails_the_run_and_is_named() {
    let reason = failure(&machine().append("cpus=1,5-7,4294967295"));
    assert_eq!(
        reason,
        "cpus= names CPUs 6-7,4294967295, and there are none so numbered; the numbers are 0-5"
    );
}

#[test]
fn possible_below_the_enabled_cpus_leaves_those_without_a_slot_out() {
    let line = "CPUs 4-5 (APIC 4-5): skipped; possible= leaves no slot for it";
    selects("possible=4", &[1, 2, 3], &[4, 5], line);
}

#[test]
fn possible_beyond_the_enabled_cpus_gives_disabled_ones_a_number_and_wakes_nobody() {
    let madt = Madt::of([0, 1, 2]).local_apic(9, 0).local_apic(3, 1);
    for (possible, number) in [(4, vec![]), (5, vec![4]), (9, vec![4])] {
        let keys = format!("possible={possible} bench=1");
        let ended = boot_with(&madt, machine().append(&keys));
        assert_eq!(ended.outcome, Outcome::Ok);
        assert_eq!(numbers(&ended, CpuOutcome::Online), [1, 2, 3]);
        assert_eq!(numbers(&ended, CpuOutcome::Disabled), number, "{keys}");
        assert!(ended.console.contains("bring-up: 3 of 3 APs online"));
    }
}

/// Two packages of two cores of two threads each. The threads of a core are neighbours.
fn with_threads() -> Machine {
    let smp: Smp = "8,sockets=2,cores=2,threads=2"
        .parse()
        .expect("a good value");
    Machine::new(smp).accel(Accel::Icount)
}

const SIBLINGS: &str =
    "CPUs 1,3,5,7 (APIC 1,3,5,7): skipped; smt=off, and another thread of its core runs";

#[test]
fn smt_off_leaves_out_the_second_thread_of_each_core_whatever_the_strategy() {
    for strategy in Strategy::ALL {
        let keys = format!("smt=off bringup={strategy}");
        let ended = selects_on(with_threads(), &keys, &[2, 4, 6], &[1, 3, 5, 7], SIBLINGS);
        assert_eq!(last_line(&ended), "reveille: ok", "{strategy}");
        let cpus = ended.records.cpus().expect("all records are whole");
        let siblings = cpus.iter().filter(|cpu| cpu.thread == Some(1));
        for cpu in siblings {
            assert_eq!(
                (cpu.outcome, cpu.sipis),
                (CpuOutcome::Skipped, 0),
                "{cpu:?}"
            );
        }
    }
}

#[test]
fn smt_off_changes_nothing_where_every_core_has_one_thread() {
    let ended = boot(&machine().append("smt=off"));
    assert_eq!(ended.outcome, Outcome::Ok);
    assert_eq!(numbers(&ended, CpuOutcome::Online), [1, 2, 3, 4, 5]);
}

#[test]
fn smt_off_is_measured_with_those_that_run() {
    let keys = "smt=off bench=1";
    let ended = selects_on(with_threads(), keys, &[2, 4, 6], &[1, 3, 5, 7], SIBLINGS);
    assert!(ended.console.contains("1 round: "), "no comparison");
}

#[test]
fn what_smt_off_leaves_out_is_neither_required_nor_counted() {
    for (require, verdict) in [
        ("all", Outcome::Ok),
        ("4", Outcome::Ok),
        (
            "5",
            Outcome::Failed("4 CPUs run of the 5 that are required; require=5".to_owned()),
        ),
    ] {
        let keys = format!("smt=off require={require}");
        assert_eq!(
            boot(&with_threads().append(&keys)).outcome,
            verdict,
            "{keys}"
        );
    }
}

#[test]
fn the_maximum_goes_to_first_threads_before_siblings() {
    let line = "CPUs 3,5,7 (APIC 3,5,7): skipped; maxcpus= allows no more CPUs";
    let keys = "smt=off maxcpus=5";
    let ended = selects_on(with_threads(), keys, &[2, 4, 6], &[1, 3, 5, 7], line);
    let line = "CPU 1 (APIC 1): skipped; smt=off, and another thread of its core runs";
    assert!(ended.console.lines().any(|told| told == line));
}

#[test]
fn a_second_thread_whose_first_is_not_named_runs_without_smt_too() {
    let line = "CPU 5 (APIC 5): skipped; smt=off, and another thread of its core runs";
    let keys = "smt=off cpus=3-5";
    let ended = selects_on(with_threads(), keys, &[3, 4], &[1, 2, 5, 6, 7], line);
    let line = "CPUs 1-2,6-7 (APIC 1-2,6-7): skipped; cpus= does not name it";
    assert!(ended.console.lines().any(|told| told == line));
}

#[test]
fn require_decides_whether_those_that_run_are_enough() {
    // Six CPUs run, and a seventh is listed and does not exist.
    let madt = Madt::of(0..7);
    let boot = |require: &str| {
        let keys = format!("alive-timeout=200 require={require}");
        let ended = boot_with(&madt, machine().append(&keys));
        let line = "CPU 6 (APIC 6): never-started; ";
        assert!(ended.console.lines().any(|told| told.starts_with(line)));
        if ended.outcome == Outcome::Ok {
            let verdict = format!("reveille: ok: 6 of 7 CPUs run, enough for require={require}");
            assert_eq!(last_line(&ended), verdict);
        }
        ended.outcome
    };
    for enough in ["any", "1", "6"] {
        assert_eq!(boot(enough), Outcome::Ok, "require={enough}");
    }
    let first = "first CPU 6 (APIC 6): never-started";
    assert_eq!(
        boot("7"),
        Outcome::Failed(format!(
            "6 CPUs run of the 7 that are required; {first}; require=7"
        ))
    );
    assert_eq!(
        boot("all"),
        Outcome::Failed(format!(
            "1 of 6 APs did not come online; {first}; require=all"
        ))
    );
}

#[test]
fn more_than_there_are_can_be_required_and_is_not_met() {
    let reason = failure(&machine().append("require=7"));
    assert_eq!(reason, "6 CPUs run of the 7 that are required; require=7");
}

#[test]
fn a_selection_that_means_nothing_is_refused() {
    for word in [
        "maxcpus=0",
        "cpus=3-1",
        "possible=0",
        "smt=0",
        "require=most",
    ] {
        let reason = failure(&machine().append(word));
        assert!(
            reason.contains(&format!("`{word}` has a value")),
            "{reason}"
        );
    }
}
