//! A machine check is told, on whichever CPU it comes, instead of resetting the machine.

use reveille_tests::{guest::Guest, outcome::Outcome, qemu::machine::Machine};

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
