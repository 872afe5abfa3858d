//! What silent CPUs cost the others: next to nothing, and all of them together one deadline.
//!
//! In virtual time, where nothing is cold: it counts instructions. QEMU adds to it a share of the
//! nearest deadline for each CPU that is reset (ARCHITECTURE.md), so that one boot more or less differs
//! by milliseconds; whoever waits for a silent CPU differs by its whole deadline.

use std::time::Duration;

use reveille_smp::record::Bringup;
use reveille_tests::qemu::machine::{Accel, Machine};

use crate::boot::boot;

/// Few enough that all are kicked before a time slice ends: who was reset by then is charged that slice.
const CPUS: u32 = 32;

/// From the first SIPI until an AP is given up.
const DEADLINE: Duration = Duration::from_millis(40);

/// The bring-up of a boot in which these CPUs are silent.
fn bring_up(silent: &[u32]) -> Bringup {
    let mut machine = Machine::new(CPUS)
        .accel(Accel::Icount)
        .append(&format!("alive-timeout={}", DEADLINE.as_millis()));
    for cpu in silent {
        machine = machine.append(&format!("fault={cpu}:silent"));
    }
    let bringup = boot(&machine).records.bringup().expect("round 0");
    let good = CPUS - 1 - silent.len() as u32;
    assert_eq!((bringup.online, bringup.failed), (good, CPUS - 1 - good));
    bringup
}

fn last_good(bringup: &Bringup) -> Duration {
    Duration::from_nanos(bringup.online_ns.expect("the good ones are online"))
}

#[test]
fn silent_cpus_hold_up_nobody_and_cost_one_deadline_together() {
    let none = bring_up(&[]);
    let one = bring_up(&[16]);
    let eight = bring_up(&[3, 7, 11, 15, 19, 23, 27, 31]);

    let limit = last_good(&none).mul_f64(1.1);
    for (silent, bringup) in [(1, &one), (8, &eight)] {
        let online = last_good(bringup);
        assert!(online < limit, "{silent} silent: {online:?} of {limit:?}");
        assert!(online < DEADLINE, "{silent} silent: {online:?}");
        let total = Duration::from_nanos(bringup.total_ns);
        assert!(total >= DEADLINE, "{silent} silent: {total:?}");
    }
    let total = |bringup: &Bringup| Duration::from_nanos(bringup.total_ns);
    assert!(
        total(&eight) <= total(&one).mul_f64(1.2),
        "{:?} and {:?}",
        total(&eight),
        total(&one)
    );
}
