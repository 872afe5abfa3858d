//! In virtual time a boot repeats to the byte, and counts are exact.

use reveille_smp::outcome::Outcome as CpuOutcome;
use reveille_tests::qemu::machine::{Accel, Chipset, Machine};

use crate::boot::comes_up_whole;

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
