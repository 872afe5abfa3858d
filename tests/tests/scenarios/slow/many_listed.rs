//! Ten thousand CPUs on the list, and four in the machine.

use reveille_smp::outcome::Outcome as CpuOutcome;
use reveille_tests::{
    guest::Ended,
    madt::{ENABLED, Madt},
    outcome::Outcome,
    qemu::machine::{Accel, Machine},
};

use crate::hostile_madt::boot_with;

const LISTED: u32 = 10_000;
const EXIST: u32 = 4;

fn boot_listed(machine: Machine) -> Ended {
    let madt = (0..LISTED).fold(Madt::default(), |madt, id| madt.x2apic(id, ENABLED));
    let ended = boot_with(&madt, machine.append("alive-timeout=200 require=any"));
    assert_eq!(ended.outcome, Outcome::Ok);
    ended
}

fn count(ended: &Ended, is_counted: impl Fn(CpuOutcome) -> bool) -> u32 {
    let cpus = ended.records.cpus().expect("all records are whole");
    cpus.iter().filter(|cpu| is_counted(cpu.outcome)).count() as u32
}

#[test]
fn those_that_do_not_exist_cost_one_deadline_together_and_no_page_of_text() {
    let ended = boot_listed(Machine::new(EXIST).accel(Accel::Icount));
    assert_eq!(count(&ended, |it| it == CpuOutcome::Online), EXIST - 1);
    let silent = count(&ended, CpuOutcome::is_failure);
    assert!(silent > 1_000, "memory is there for more than {silent}");
    let skipped = count(&ended, |it| it == CpuOutcome::Skipped);
    assert_eq!(EXIST + silent + skipped, LISTED);
    let bringup = ended.records.bringup().expect("round 0");
    let deadline_ns = 200_000_000;
    assert!(bringup.online_ns.expect("three are") < deadline_ns);
    assert!(
        bringup.total_ns < 2 * deadline_ns,
        "{} ns",
        bringup.total_ns
    );
    assert!(ended.console.lines().count() < 40);
}

#[test]
fn memory_that_holds_little_more_than_their_records_is_kept_for_these() {
    // Nobody is woken, so no deadline can fire: it need not be virtual time.
    let mut machine = Machine::new(EXIST);
    machine.memory = Some("26M".to_owned());
    let ended = boot_listed(machine);
    assert_eq!(count(&ended, |it| it == CpuOutcome::Skipped), LISTED - 1);
}
