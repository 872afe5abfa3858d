//! A CPU that sleeps is woken at its deadline, however far that is away.

use reveille_tests::qemu::machine::{Accel, Machine};

use crate::boot::comes_up_whole;

/// Longer than the count-down of QEMU's APIC timer reaches: 2^32 ticks of 1 ns.
const SLEEP_MS: u64 = 6_000;

#[test]
fn a_deadline_beyond_the_timers_reach_ends_the_sleep_all_the_same() {
    // Nobody wakes the BSP, so it sleeps until it looks by itself: when half of the deadline has
    // passed. In virtual time that costs nothing.
    let machine = Machine::new(2)
        .accel(Accel::Icount)
        .append(&format!("test=no-wake online-timeout={}", 2 * SLEEP_MS));
    let ended = comes_up_whole(&machine);
    let bringup = ended.records.bringup().expect("round 0");
    assert!(
        bringup.total_ns >= SLEEP_MS * 1_000_000,
        "something else than the deadline woke the BSP"
    );
}
