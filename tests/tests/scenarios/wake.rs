//! The AP's wake is what moves its task: without it, only the deadline does.

use reveille_smp::outcome::Outcome as CpuOutcome;
use reveille_tests::qemu::machine::{Accel, Machine};

use crate::boot::comes_up_whole;

/// In virtual time, so that the times are those of the code and not of the host; and all APs at once, so that each has
/// its deadlines from the beginning on.
fn machine() -> Machine {
    Machine::new(4)
        .accel(Accel::Icount)
        .append("head-start=0 alive-timeout=40 online-timeout=80")
}

/// The deadline for ALIVE that [`machine`] sets, and half of the one for ONLINE, at which the BSP looks
/// by itself for the first time.
const DEADLINE_NS: u64 = 40_000_000;

#[test]
fn without_the_wake_the_deadline_fires_though_the_flag_is_set() {
    let ended = comes_up_whole(&machine().append("test=no-wake"));
    let bringup = ended.records.bringup().expect("round 0");
    let cpus = ended.records.cpus().expect("all records are whole");
    for cpu in cpus.iter().filter(|cpu| cpu.outcome == CpuOutcome::Online) {
        let alive = cpu.alive_ns.expect("it is online");
        assert!(alive < DEADLINE_NS, "the flag was set late: {cpu:?}");
    }
    assert!(
        bringup.total_ns >= DEADLINE_NS,
        "something else than a deadline moved a task"
    );
}

#[test]
fn with_the_wake_no_deadline_fires() {
    let ended = comes_up_whole(&machine());
    let bringup = ended.records.bringup().expect("round 0");
    assert!(
        bringup.total_ns < DEADLINE_NS,
        "a deadline moved a task: {bringup:?}"
    );
}
