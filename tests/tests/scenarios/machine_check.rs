//! A machine check is told, on whichever CPU it comes, instead of resetting the machine: also where it
//! comes on all CPUs at once, and some of them have no tables of their own.

use reveille_tests::{
    guest::Guest,
    outcome::Outcome,
    qemu::machine::{Accel, Machine},
};

use crate::boot::{LIMIT, kernel, slot};

/// A valid, enabled, uncorrected error that broke the processor's context (SDM volume 3,
/// "IA32_MCi_STATUS MSRs").
const STATUS: u64 = 0b101_1001 << 57;
/// A machine check is in progress (SDM volume 3, "IA32_MCG_STATUS MSR").
const GLOBAL_STATUS: u64 = 1 << 2;

fn is_told_on(cpu: u32) {
    let machine = Machine::new(2).append("after=halt");
    let _slot = slot(&machine);
    let mut guest = Guest::start(kernel(), &machine).expect("QEMU starts");
    guest
        .wait_for_line("reveille: ok", LIMIT)
        .expect("the kernel comes up");
    guest
        .monitor(&format!("mce {cpu} 0 {STATUS:#x} {GLOBAL_STATUS:#x} 0 0"))
        .expect("the monitor answers");
    let ended = guest.run(LIMIT).expect("QEMU can be followed");
    let Outcome::Panicked(line) = &ended.outcome else {
        panic!("{}", ended.explain());
    };
    assert!(
        line.starts_with(&format!("exception on CPU {cpu} ")) && line.contains("#MC machine check"),
        "{line}"
    );
}

#[test]
fn a_machine_check_on_the_bsp_is_told() {
    is_told_on(0);
}

#[test]
fn a_machine_check_on_an_ap_is_told() {
    is_told_on(1);
}

/// A machine check that comes on all CPUs at once ends the run as the BSP tells it: whoever is parked,
/// or never came as far as to have tables of its own, takes it too, and says nothing.
fn a_broadcast_is_told_by_the_bsp(options: &str) {
    // QEMU broadcasts where the CPU's model number says that its kind does.
    let machine = Machine::new(2)
        .cpu("Nehalem")
        .accel(Accel::Icount)
        .append(options)
        .append("after=halt");
    let _slot = slot(&machine);
    let mut guest = Guest::start(kernel(), &machine).expect("QEMU starts");
    guest
        .wait_for_line("reveille: ok", LIMIT)
        .expect("the kernel comes up");
    let answer = guest
        .monitor(&format!("mce -b 0 0 {STATUS:#x} {GLOBAL_STATUS:#x} 0 0"))
        .expect("the monitor answers");
    assert_eq!(answer, "", "{options}");
    let ended = guest.run(LIMIT).expect("QEMU can be followed");
    let Outcome::Panicked(line) = &ended.outcome else {
        panic!("{options}: {}", ended.explain());
    };
    assert!(
        line.starts_with("exception on CPU 0 ") && line.contains("#MC machine check"),
        "{options}: {line}"
    );
}

#[test]
fn one_on_all_cpus_finds_a_late_ap_parked_and_ready() {
    a_broadcast_is_told_by_the_bsp("fault=1:late=50 alive-timeout=20 require=any");
}

#[test]
fn one_on_all_cpus_finds_a_stranger_parked_and_ready() {
    a_broadcast_is_told_by_the_bsp("fault=1:wrong-id alive-timeout=20 require=any");
}

#[test]
fn one_on_all_cpus_finds_an_ap_that_lost_its_claim_parked_and_ready() {
    a_broadcast_is_told_by_the_bsp("fault=1:twice alive-timeout=20 require=any");
}

#[test]
fn one_on_all_cpus_finds_an_ap_that_is_offline_parked_and_ready() {
    a_broadcast_is_told_by_the_bsp("do=offline:1");
}

#[test]
fn one_on_all_cpus_finds_an_ap_that_has_claimed_and_has_no_tables_ready() {
    a_broadcast_is_told_by_the_bsp("fault=1:claimed alive-timeout=20 require=any");
}
