//! APs that lose the claim, in the trampoline's own assembly. In virtual time the BSP does not let
//! them run before it gives them up, so all of them come late.

use reveille_smp::outcome::Outcome as CpuOutcome;
use reveille_tests::{
    guest::Guest,
    outcome::Outcome,
    qemu::machine::{Accel, Machine},
};

use crate::boot::{LIMIT, boot, has_no_stack_of_its_own, kernel, slot};

fn machine() -> Machine {
    Machine::new(4)
        .accel(Accel::Icount)
        .append("alive-timeout=0")
}

#[test]
fn aps_that_come_after_they_were_given_up_are_reported_as_late_and_the_run_fails() {
    let ended = boot(&machine());
    assert!(
        matches!(ended.outcome, Outcome::Failed(_)),
        "{:?}",
        ended.outcome
    );
    let cpus = ended.records.cpus().expect("all records are whole");
    assert_eq!(cpus.len(), 4);
    for cpu in &cpus[1..] {
        assert_eq!(cpu.outcome, CpuOutcome::Late, "{cpu:?}");
        assert_eq!((cpu.alive_ns, cpu.online_ns), (None, None), "{cpu:?}");
    }
    let bringup = ended.records.bringup().expect("round 0");
    assert_eq!((bringup.online, bringup.failed), (0, 3));
}

#[test]
fn an_ap_that_comes_late_halts_on_the_trampolines_page_and_has_no_stack() {
    let machine = machine().append("after=halt");
    let _slot = slot(&machine);
    let mut guest = Guest::start(kernel(), &machine).expect("QEMU starts");
    guest
        .wait_for_line("reveille: failed", LIMIT)
        .expect("the kernel gives its verdict");
    let vcpus = guest.vcpus().expect("the monitor answers");
    assert_eq!(vcpus.len(), 4);
    for vcpu in &vcpus[1..] {
        assert!(vcpu.halted && vcpu.long_mode, "not parked: {vcpu:#x?}");
        assert!(vcpu.rip < 1 << 20, "not on the low page: {vcpu:#x?}");
        has_no_stack_of_its_own(vcpu);
    }
}
