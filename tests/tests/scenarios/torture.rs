//! Random operations, and random calls meanwhile, with the rules checked behind each: a fault that is
//! planted is found.

use std::time::Duration;

use reveille_smp::record::Torture;
use reveille_tests::{
    guest::Ended,
    outcome::Outcome,
    qemu::{
        machine::{Accel, Machine},
        smp::Smp,
    },
};

use crate::boot::{LIMIT, boot, boot_for, is_whole, patient};

fn torture(ended: &Ended) -> Torture {
    ended.records.torture().expect("all records are whole")
}

/// Boots, and operates on the CPUs for so long.
pub(crate) fn survives(machine: Machine, seconds: u32, seed: u32) -> Torture {
    let machine = patient(machine.append(&format!("torture={seconds} seed={seed}")));
    let ended = boot_for(&machine, LIMIT + Duration::from_secs(seconds.into()));
    is_whole(&machine, &ended);
    let torture = torture(&ended);
    assert_eq!((torture.seconds, torture.seed), (seconds, seed));
    assert_eq!(torture.aps, machine.smp.cpus() - 1);
    assert_eq!((torture.lost, torture.failed), (0, 0));
    assert!(torture.broken.is_none() && torture.balance.is_even());
    let calls = &torture.calls;
    assert_eq!(calls.lost, 0, "{calls:?}");
    assert!(
        calls.done > 0 && calls.kinds.iter().all(|it| it.done > 0),
        "{calls:?}"
    );
    // In the last two everybody comes online; before them at least one was drawn.
    assert!(torture.done > 2, "{torture:?}");
    torture
}

#[test]
fn ten_seconds_of_random_operations_and_calls_on_8_cpus_break_no_rule() {
    let torture = survives(Machine::new(8), 10, 1);
    assert!(torture.injected > 0, "no failure struck: {torture:?}");
    assert!(torture.hotplugs > 2, "{torture:?}");
    // Some CPUs were down when they were called, and some went down as they called.
    assert!(torture.calls.failed > 0, "{torture:?}");
}

#[test]
fn ten_seconds_of_random_operations_and_calls_on_64_cpus_break_no_rule() {
    survives(Machine::new(64), 10, 63);
}

#[test]
fn random_operations_on_siblings_break_no_rule() {
    let smp: Smp = "8,sockets=2,cores=2,threads=2".parse().expect("it is good");
    survives(Machine::new(smp), 2, 2);
}

#[test]
fn random_operations_in_virtual_time_are_the_same_each_time() {
    let machine = || Machine::new(4).accel(Accel::Icount);
    let [first, second] = [(); 2].map(|()| survives(machine(), 1, 3));
    assert_eq!(first, second);
}

#[test]
fn without_aps_there_is_nothing_to_torture() {
    let ended = boot(&Machine::new(1).append("torture=60"));
    assert_eq!(ended.outcome, Outcome::Ok);
    assert_eq!((torture(&ended).aps, torture(&ended).done), (0, 0));
}

/// Boots with a fault that the checks are to find, and gives what they say.
fn is_found_out(hook: &str) -> String {
    let machine = Machine::new(4).append(&format!("torture=60 seed=1 test={hook}"));
    let ended = boot(&patient(machine));
    let torture = torture(&ended);
    assert_eq!(torture.failed, 1, "{torture:?}");
    let broken = torture.broken.expect("the rule is told");
    let Outcome::Failed(reason) = &ended.outcome else {
        panic!("it ended as {:?}", ended.outcome);
    };
    assert!(reason.starts_with("torture: seed 1: "), "{reason}");
    assert!(reason.ends_with(&broken), "{reason}");
    broken
}

#[test]
fn memory_that_operations_lose_is_found_out() {
    let broken = is_found_out("leak");
    assert!(
        broken.contains("the use of memory has changed by +"),
        "{broken}"
    );
}

#[test]
fn a_call_that_runs_twice_is_found_out() {
    let broken = is_found_out("call-twice");
    assert!(
        broken.ends_with("a call ran more often than once"),
        "{broken}"
    );
}

#[test]
fn a_call_that_is_lost_is_found_out() {
    let broken = is_found_out("call-lost");
    let expected = "a call is said to have run and did not";
    assert!(broken.ends_with(expected), "{broken}");
}

#[test]
fn a_cpu_that_fails_though_nobody_told_it_to_is_found_out() {
    let broken = is_found_out("unforeseen");
    assert!(broken.contains(" and was to come there, but "), "{broken}");
}
