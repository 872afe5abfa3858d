//! One AP gets stuck, and the rest come up all the same.

use reveille_smp::outcome::Outcome as CpuOutcome;
use reveille_tests::{
    outcome::Outcome,
    qemu::machine::{Accel, Machine},
};

use crate::boot::boot;

#[test]
fn an_ap_that_gets_stuck_is_named_and_the_others_are_online_before_its_deadline() {
    let machine = Machine::new(8)
        .accel(Accel::Icount)
        .append("test=stuck-ap alive-timeout=500");
    let ended = boot(&machine);
    assert!(
        matches!(&ended.outcome, Outcome::Failed(reason) if reason.contains("CPU 7 (APIC 7): stuck-long-mode")),
        "{:?}",
        ended.outcome
    );
    let cpus = ended.records.cpus().expect("all records are whole");
    for cpu in &cpus[1..7] {
        assert_eq!(cpu.outcome, CpuOutcome::Online, "{cpu:?}");
    }
    assert_eq!(cpus[7].outcome, CpuOutcome::StuckLongMode);
    let bringup = ended.records.bringup().expect("round 0");
    assert_eq!((bringup.online, bringup.failed), (6, 1));
    let deadline_ns = 500_000_000;
    assert!(bringup.online_ns.expect("six are") < deadline_ns);
    assert!(bringup.total_ns >= deadline_ns);
}
