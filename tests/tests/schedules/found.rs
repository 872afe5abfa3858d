//! Schedules that broke a rule once, as they were printed, each named after what it showed. Places are
//! counted in accesses to shared words: where these change, a schedule may come to try something else.

use reveille_smp::{order::Order, strategy::Strategy};
use reveille_tests::sim::{
    Fault, Operation,
    schedule::{Explorer, Schedule},
};

/// The step down failed on its way back, so it stayed up: the report says both.
///
/// rule truth broken at 2001459.237 us: CPU 5 is failed, and it is online
#[test]
fn an_ap_that_failed_and_could_not_be_taken_back_may_be_online() {
    let schedule = Schedule {
        cpus: 8,
        order: Order::Lowest,
        seed: 0,
        grain_ns: 0,
        operations: vec![Operation::BringUp(Strategy::Parallel)],
        calls: vec![],
        faults: vec![(5, Fault::FailsDown(5)), (5, Fault::Stall(66, 1999967))],
    };
    assert_eq!(Explorer::new().unwrap().check(&schedule), Ok(()));
}

/// It had looked where it may go, was held up, and began with its step when nobody waited for it any
/// more and the turn had gone on.
///
/// rule serial broken at 2001497.367 us: CPU 2 begins with shared while CPU 1 is in its turn
#[test]
fn an_ap_that_is_abandoned_between_its_look_and_its_step_may_run_beside_the_next() {
    let schedule = Schedule {
        cpus: 7,
        order: Order::Lowest,
        seed: 18617,
        grain_ns: 0,
        operations: vec![Operation::BringUp(Strategy::Parallel), Operation::TakeDown],
        calls: vec![],
        faults: vec![(2, Fault::Stall(85, 2000007)), (0, Fault::Stall(32, 277))],
    };
    assert_eq!(Explorer::new().unwrap().check(&schedule), Ok(()));
}

/// Whoever fires a waker takes it out first: CPU 6 took that of the next one along when it died, and the
/// BSP has one of its own since.
///
/// rule healthy broken at 2050846.335 us: CPU 1 is failed (it ran its steps and did not report in time:
/// raise online-timeout=), and should have come up
#[test]
fn an_ap_whose_waker_a_dying_peer_took_along_comes_up() {
    let schedule = Schedule {
        cpus: 8,
        order: Order::Strict,
        seed: 879963,
        grain_ns: 0,
        operations: vec![Operation::BringUp(Strategy::Parallel)],
        calls: vec![],
        faults: vec![(6, Fault::Dies(69))],
    };
    assert_eq!(Explorer::new().unwrap().check(&schedule), Ok(()));
}
