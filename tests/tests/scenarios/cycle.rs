//! All APs down and up again, many times, and not a byte is left behind.

use reveille_smp::record::Cycle;
use reveille_tests::{guest::Ended, outcome::Outcome, qemu::machine::Machine};

use crate::boot::{boot, is_whole};

fn cycle(ended: &Ended) -> Cycle {
    ended.records.cycle().expect("all records are whole")
}

/// Boots, and takes all APs down and up so many times.
fn comes_back(machine: Machine, cycles: u32) {
    let machine = machine.append(&format!("cycle={cycles}"));
    let ended = boot(&machine);
    is_whole(&machine, &ended);
    let cycle = cycle(&ended);
    assert_eq!((cycle.asked, cycle.done), (cycles, cycles));
    assert_eq!((cycle.lost, cycle.failed), (0, 0));
    assert_eq!(cycle.aps, machine.smp.cpus() - 1);
    assert!(cycle.balance.is_even(), "{cycle:?}");
    // On one line or two, as long as they are.
    let words: Vec<_> = ended.console.split_whitespace().collect();
    let console = words.join(" ");
    let start = format!("cycle: {cycles} of {cycles}, ");
    let (_, behind) = console.split_once(&start).expect("a line for the cycles");
    let (told, _) = behind.split_once(" ms each, ").expect("how long each took");
    assert!(told.contains("down and up, 0 lost, 0 failed, "), "{behind}");
    assert!(
        behind.contains(" ms each, heap +0 B, frames +0 "),
        "{behind}"
    );
}

#[test]
fn all_7_aps_go_down_and_come_back_20_times() {
    comes_back(Machine::new(8), 20);
}

#[test]
fn all_7_aps_go_down_and_come_back_1000_times() {
    comes_back(Machine::new(8), 1000);
}

#[test]
fn all_63_aps_go_down_and_come_back_100_times() {
    comes_back(Machine::new(64), 100);
}

#[test]
fn aps_in_xapic_mode_go_down_and_come_back_too() {
    comes_back(Machine::new(4).cpu("max,-x2apic"), 20);
}

#[test]
fn memory_that_is_lost_on_the_way_fails_the_run() {
    let ended = boot(&Machine::new(2).append("cycle=5 test=leak"));
    let Outcome::Failed(reason) = &ended.outcome else {
        panic!("it ended as {:?}", ended.outcome);
    };
    assert!(
        reason.contains("the use of memory has changed by"),
        "{reason}"
    );
    let cycle = cycle(&ended);
    assert_eq!((cycle.done, cycle.failed), (5, 0));
    assert!(cycle.balance.heap_growth() >= 5 * 8, "{cycle:?}");
}
