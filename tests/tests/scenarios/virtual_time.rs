//! In virtual time a boot repeats to the byte, and counts are exact.

use std::time::Duration;

use reveille_smp::outcome::Outcome as CpuOutcome;
use reveille_tests::qemu::machine::{Accel, Chipset, Machine};

use crate::boot::comes_up_whole;

/// A bring-up whose first SIPIs took longer than this was interrupted among them by the end of a time slice.
/// They take 4 us each. Every CPU that was reset by then is charged its slice, some milliseconds, and
/// which ones these are turns on every instruction before: the totals of two such boots say nothing of
/// each other.
const KICKS: Duration = Duration::from_millis(1);

/// Polls that an AP's task may take: the first, INIT's delay, alive, its turn, its steps, and one
/// to spare.
const POLLS_AN_AP: u32 = 6;

fn repeats(machine: &Machine) {
    let [first, second] = [(); 2].map(|()| comes_up_whole(machine).records);
    assert!(!first.lines().is_empty());
    assert_eq!(first, second);
}

#[test]
fn two_boots_give_the_same_records_to_the_byte() {
    repeats(&Machine::new(4).accel(Accel::Icount));
}

#[test]
fn two_boots_of_16_cpus_with_rounds_of_everything_are_the_same_too() {
    repeats(&Machine::new(16).accel(Accel::Icount).append("bench=2"));
}

#[test]
fn two_boots_on_microvm_are_the_same_too() {
    repeats(
        &Machine::new(4)
            .chipset(Chipset::Microvm)
            .accel(Accel::Icount),
    );
}

#[test]
fn a_task_is_polled_for_what_its_cpu_did_and_not_to_look_whether_it_did() {
    let ended = comes_up_whole(&Machine::new(16).accel(Accel::Icount));
    let cpus = ended.records.cpus().expect("all records are whole");
    for cpu in cpus.iter().filter(|cpu| cpu.outcome == CpuOutcome::Online) {
        assert!(
            (1..=POLLS_AN_AP).contains(&cpu.polls),
            "{} polls: {cpu:?}",
            cpu.polls
        );
    }
}

/// Until every outcome of the bring-up was known, if no time slice ended among the kicks. That is possible only where
/// they come one behind the other, without a head start.
fn total(cpus: u32, trace: &str) -> Option<u64> {
    let words = format!("head-start=0 {trace}");
    let machine = Machine::new(cpus).accel(Accel::Icount).append(&words);
    let records = comes_up_whole(&machine).records;
    let bringup = records.bringup().expect("round 0");
    let kicks = bringup.kick_ns.expect("all were kicked");
    (kicks < KICKS.as_nanos() as u64).then_some(bringup.total_ns)
}

#[test]
fn a_trace_makes_a_bring_up_less_than_3_percent_longer() {
    let mut compared = 0;
    for cpus in [4, 8, 16, 32] {
        let Some((off, on)) = total(cpus, "trace=off").zip(total(cpus, "trace=on")) else {
            println!("{cpus} CPUs cannot be compared");
            continue;
        };
        println!("{cpus} CPUs: {off} ns, traced {on} ns");
        assert!(
            on.abs_diff(off) * 100 < off * 3,
            "{cpus} CPUs: {off} ns, traced {on} ns"
        );
        compared += 1;
    }
    assert!(compared >= 2, "there was too little to compare");
}
