//! Random schedules of CPUs, operations and faults break no rule, in the very code that boots.

mod found;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use reveille_smp::{order::Order, strategy::Strategy};
use reveille_tests::sim::{
    Fault, Operation,
    call::{Call, CallKind},
    schedule::{Explorer, Schedule},
};

/// What all schedules are drawn from.
const SEED: u64 = 5;

#[test]
fn no_schedule_breaks_a_rule() {
    let schedules = 20_000;
    let explorer = Explorer::new().expect("the model comes with Reveille");
    if let Err(finding) = explorer.explore(schedules, SEED, |_| ()) {
        let drawn = finding.drawn;
        panic!("schedule {drawn} of {schedules}; to be pasted into found.rs:\n\n{finding}\n");
    }
}

#[test]
fn a_seed_gives_the_same_schedules_and_another_seed_other_ones() {
    let explorer = Explorer::new().expect("the model comes with Reveille");
    let drawn = |seed| {
        let all = Cell::new(String::new());
        let tell = |schedule: &Schedule| all.set(all.take() + &schedule.to_string());
        explorer.explore(50, seed, tell).expect("no rule is broken");
        all.take()
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}

/// How often the calls of a schedule did something.
#[test]
fn in_random_schedules_cpus_call_each_other_while_they_come_and_go() {
    thread_local! {
        static SEEN: RefCell<BTreeMap<&'static str, u32>> = const { RefCell::new(BTreeMap::new()) };
    }
    let explorer = Explorer::new().expect("the model comes with Reveille");
    let look = |schedule: &Schedule| {
        let all = explorer.trace(schedule, |happened| {
            for what in [
                "calls ",
                "runs call ",
                "interrupt for calls, at Runs",
                "is told",
            ] {
                let is_it = happened.what.starts_with(what);
                SEEN.with_borrow_mut(|seen| *seen.entry(what).or_default() += u32::from(is_it));
            }
        });
        assert_eq!(all, Ok(()));
    };
    explorer.explore(500, 3, look).expect("no rule is broken");
    let seen = SEEN.take();
    println!("{seen:?}");
    // Some calls run on several CPUs, some on none, and not each one takes an interrupt.
    assert!(seen["calls "] > 500 && seen["runs call "] > 500, "{seen:?}");
    assert!(
        seen["interrupt for calls, at Runs"] < seen["runs call "],
        "{seen:?}"
    );
}

#[test]
fn a_schedule_is_written_as_the_expression_that_it_is() {
    let schedule = Schedule {
        cpus: 9,
        order: Order::Strict,
        seed: 7,
        grain_ns: 20,
        operations: vec![
            Operation::BringUp(Strategy::TwoPass),
            Operation::TakeDown,
            Operation::Drive(6, 4),
            Operation::Wait(1_000),
        ],
        calls: [
            CallKind::Awaited,
            CallKind::Many,
            CallKind::Any,
            CallKind::Posted(3),
            CallKind::Blocking,
            CallKind::BlockingMany,
            CallKind::Looks(50),
        ]
        .map(|kind| Call {
            from: 1,
            at_us: 300,
            operation: 0,
            to: 6,
            kind,
        })
        .to_vec(),
        faults: vec![
            (0, Fault::Stall(1, 2)),
            (1, Fault::Silent),
            (2, Fault::LostInit(1)),
            (2, Fault::LostSipi(1)),
            (3, Fault::Refused),
            (3, Fault::Late(5)),
            (4, Fault::HeldUp(5)),
            (4, Fault::Dies(14)),
            (5, Fault::Twice(5)),
            (6, Fault::WrongId),
            (6, Fault::LostDoorbell(1)),
            (7, Fault::LateDoorbell(1, 5)),
            (7, Fault::Skew(-5)),
            (8, Fault::MachineCheck(1, 5)),
            (8, Fault::FailsUp(1)),
            (8, Fault::FailsDown(1)),
        ],
    };
    assert_eq!(include_str!("schedule.in"), schedule.to_string() + "\n");
    assert_eq!(include!("schedule.in"), schedule);
}
