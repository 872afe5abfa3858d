//! What silent CPUs cost the others: next to nothing, and all of them together one deadline.
//!
//! In virtual time. Compared are warm rounds with the same delays pending in each: QEMU charges a
//! CPU that is reset a share of the nearest deadline (ARCHITECTURE.md), which is then the same, too.

use std::time::Duration;

use reveille_smp::{record::Bringup, strategy::Strategy};
use reveille_tests::qemu::machine::{Accel, Machine};

use crate::boot::boot;

const CPUS: u32 = 64;

/// From the first SIPI until an AP is given up.
const DEADLINE: Duration = Duration::from_millis(40);

/// A warm round of the parallel strategy in which these CPUs are silent.
fn round(silent: &[u32]) -> Bringup {
    let mut machine = Machine::new(CPUS)
        .accel(Accel::Icount)
        .append(&format!("alive-timeout={} bench=1", DEADLINE.as_millis()));
    for cpu in silent {
        machine = machine.append(&format!("fault={cpu}:silent"));
    }
    let rounds = boot(&machine).records.bringups();
    let bringup = rounds
        .expect("all records are whole")
        .into_iter()
        .find(|bringup| bringup.round == 1 && bringup.strategy == Strategy::Parallel.name())
        .expect("a warm round");
    let good = CPUS - 1 - silent.len() as u32;
    assert_eq!((bringup.online, bringup.failed), (good, CPUS - 1 - good));
    bringup
}

fn last_good(bringup: &Bringup) -> Duration {
    Duration::from_nanos(bringup.online_ns.expect("the good ones are online"))
}

#[test]
fn silent_cpus_hold_up_nobody_and_cost_one_deadline_together() {
    let none = round(&[]);
    let one = round(&[32]);
    let eight = round(&[3, 11, 19, 27, 35, 43, 51, 59]);

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
