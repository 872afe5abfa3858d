//! What a slow step costs: each CPU's time where it is serialised, and the time of one where it is
//! not.

use std::time::Duration;

use reveille_tests::qemu::machine::{Accel, Machine};

use crate::boot::boot;

const APS: u32 = 63;

/// How long all APs take together for the way over the step `wait`, in which each waits for a
/// millisecond, and the one behind it.
fn way_over(kind: &str) -> Duration {
    let machine = Machine::new(APS + 1)
        .accel(Accel::Icount)
        .append(&format!("test=wait-{kind}"))
        .append("do=target:all:idle")
        .append("do=online:all");
    let records = boot(&machine).records;
    let ops = records.ops().expect("the records can be read");
    let online = ops.last().expect("two operations were asked for");
    assert_eq!((ops.len(), online.done, online.failed), (2, APS, 0));
    Duration::from_nanos(online.duration_ns)
}

#[test]
fn a_step_of_a_millisecond_costs_63_aps_as_many_where_it_is_serialised_and_two_where_it_is_not() {
    let (serialised, concurrent) = (way_over("serialised"), way_over("concurrent"));
    assert!(serialised >= Duration::from_millis(63), "{serialised:?}");
    assert!(concurrent <= Duration::from_millis(2), "{concurrent:?}");
    println!("serialised {serialised:?}, concurrent {concurrent:?}");
}

#[test]
fn a_bring_up_that_is_slower_on_purpose_takes_a_tenth_longer() {
    let online_ns = |words: &str| {
        // Without a head start, which would be lengthened by itself.
        let words = format!("head-start=0 {words}");
        let machine = Machine::new(8).accel(Accel::Icount).append(&words);
        let bringup = boot(&machine).records.bringup().expect("round 0");
        bringup.online_ns.expect("they came online") as f64
    };
    for strategy in ["parallel", "legacy"] {
        let strategy = format!("bringup={strategy}");
        let more = online_ns(&format!("{strategy} test=slower")) / online_ns(&strategy) - 1.0;
        // The steps themselves are a little, too.
        assert!((0.095..0.12).contains(&more), "{strategy}: {more}");
    }
}
