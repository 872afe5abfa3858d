//! CPUs go down and come back, are driven to every rung of the ladder, and fail at every step.
//!
//! Which steps there are is asked of the kernel, so that a new one is covered the day it is added.

use reveille_smp::{
    cpu::CpuIndex,
    record::{ExitStatus, Op, State},
};
use reveille_tests::{
    guest::Ended,
    outcome::Outcome,
    qemu::{machine::Machine, smp::Smp},
};

use crate::boot::{boot, is_whole};

/// Boots four CPUs, carries the operations out, and checks that the kernel is content with them.
fn operate(ops: &[String]) -> Ended {
    let machine = Machine::new(4).append(&command_line(ops));
    let ended = boot(&machine);
    is_whole(&machine, &ended);
    ended
}

fn command_line(ops: &[String]) -> String {
    let ops = ops.iter().map(|op| format!("do={op}"));
    ops.collect::<Vec<_>>().join(" ")
}

fn ops(ended: &Ended) -> Vec<Op> {
    ended.records.ops().expect("all records are whole")
}

/// The rungs of the kernel's ladder, the highest first.
fn rungs() -> Vec<State> {
    let ended = operate(&["states".to_owned()]);
    let rungs = ended.records.states(0).expect("all records are whole");
    assert!(rungs.len() > 3, "a ladder has steps: {rungs:?}");
    rungs
}

/// The names of its steps.
fn steps() -> Vec<String> {
    let steps = rungs().into_iter().filter(|state| state.rung > 0);
    steps.map(|state| state.step).collect()
}

/// Where the CPUs are in a listing, by the number of the rung.
fn places(ended: &Ended, listing: u32) -> Vec<(u32, Vec<CpuIndex>)> {
    let states = ended.records.states(listing).expect("records are whole");
    let taken = states.into_iter().filter(|state| !state.cpus.is_empty());
    taken.map(|state| (state.rung, state.cpus)).collect()
}

fn cpus(numbers: &[u32]) -> Vec<CpuIndex> {
    numbers.iter().copied().map(CpuIndex).collect()
}

/// What follows a word in the reason of a run that failed before any CPU was woken.
fn is_refused(op: &str) -> String {
    let ended = boot(&Machine::new(4).append(&command_line(&[op.to_owned()])));
    assert!(
        ended.records.bringup().is_err(),
        "no CPU is woken for a run that fails"
    );
    match ended.outcome {
        Outcome::Failed(reason) => reason,
        other => panic!("it ended as {other:?}"),
    }
}

#[test]
fn some_cpus_go_offline_and_come_back_while_the_others_stay() {
    let words = ["states", "offline:1-2", "states", "online:all", "states"];
    let ended = operate(&words.map(str::to_owned));
    let top = ended.records.states(0).expect("records are whole")[0].rung;
    assert_eq!(places(&ended, 0), [(top, cpus(&[1, 2, 3]))]);
    assert_eq!(places(&ended, 1), [(top, cpus(&[3])), (0, cpus(&[1, 2]))]);
    assert_eq!(places(&ended, 2), [(top, cpus(&[1, 2, 3]))]);
    let told: Vec<_> = ops(&ended)
        .into_iter()
        .map(|op| (op.op, op.cpus, op.done, op.failed))
        .collect();
    assert_eq!(
        told,
        [
            ("offline:1-2".to_owned(), 2, 2, 0),
            ("online:all".to_owned(), 3, 3, 0)
        ]
    );
    for start in ["op: offline 1-2: 2 of 2 in ", "op: online all: 3 of 3 in "] {
        let mut lines = ended.console.lines();
        assert!(lines.any(|line| line.starts_with(start)), "no `{start}`");
    }
}

#[test]
fn cpus_go_to_every_rung_where_they_can_stay_from_above_and_from_below() {
    let rungs = rungs().into_iter().filter(|rung| rung.can_rest);
    for state in rungs {
        let target = format!("target:all:{}", state.step);
        let words = [
            &target,
            "states",
            "offline:all",
            &target,
            "states",
            "online:all",
        ];
        let ended = operate(&words.map(str::to_owned));
        for op in ops(&ended) {
            assert_eq!((op.done, op.failed), (3, 0), "{op:?}");
        }
        for listing in 0..2 {
            let here = [(state.rung, cpus(&[1, 2, 3]))];
            assert_eq!(places(&ended, listing), here, "{state:?}");
        }
    }
}

/// The rungs where a CPU cannot stay are passed, and nobody is left there.
#[test]
fn to_stay_where_a_cpu_cannot_be_woken_is_refused() {
    for state in rungs().iter().filter(|state| !state.can_rest) {
        let reason = is_refused(&format!("target:1:{}", state.step));
        assert!(reason.contains("it can stay at "), "{reason}");
        assert!(!reason.ends_with(&state.step), "{reason}");
    }
}

/// Operations in which CPUs fail at a step in both directions, and behind each the same again.
fn fail_at(step: &str) -> Vec<String> {
    let words = [
        "offline:1-2",
        &format!("fail:1-2:{step}:up"),
        "online:1-2",
        "online:1-2",
        &format!("fail:1-2:{step}:down"),
        "offline:1-2",
        "offline:1-2",
        "online:1-2",
    ];
    words.map(str::to_owned).into()
}

#[test]
fn a_cpu_that_fails_at_any_step_in_any_direction_is_back_where_it_began_and_can_try_again() {
    let top = rungs()[0].rung;
    for step in steps() {
        let ended = operate(&fail_at(&step));
        let told = ops(&ended);
        let failing = [(2, 0, top), (5, top, 0)];
        for (index, op) in told.iter().enumerate() {
            let Some(&(_, from, to)) = failing.iter().find(|(at, ..)| *at == index) else {
                assert_eq!((op.done, op.failed), (2, 0), "{step}: {op:?}");
                continue;
            };
            assert_eq!((op.done, op.failed), (0, 2), "{step}: {op:?}");
            for failure in &op.failures {
                let way = (failure.from, failure.to, failure.rung);
                assert_eq!(way, (from, to, from), "{step}: {failure:?}");
                assert_eq!(failure.step.as_ref(), Some(&step), "{failure:?}");
                let reason = failure.reason.as_deref();
                assert_eq!(reason, Some("it was told to fail"), "{failure:?}");
                assert_eq!(failure.rollback, None, "{step}");
            }
        }
        let sentence = format!("CPU 1: failed at step {step}; it was told to fail; ");
        let mut lines = ended.console.lines();
        assert!(lines.any(|it| it.starts_with(&sentence)), "no `{sentence}`");
    }
}

#[test]
fn a_listing_has_every_rung_once_from_the_top_down_with_section_and_mode() {
    let rungs = rungs();
    let numbers: Vec<_> = rungs.iter().map(|state| state.rung).collect();
    let expected: Vec<_> = (0..rungs.len() as u32).rev().collect();
    assert_eq!(numbers, expected);
    let (offline, steps) = rungs.split_last().expect("there is a lowest rung");
    assert_eq!(offline.step, "offline");
    assert_eq!((&offline.section, &offline.mode), (&None, &None));
    for step in steps {
        let section = step.section.as_deref().expect("a step has a section");
        assert!(["prepare", "starting", "online"].contains(&section));
        let mode = step.mode.as_deref().expect("a step has a mode");
        assert!(["serialised", "concurrent"].contains(&mode));
    }
    let join = steps.iter().find(|step| step.step == "join");
    let join = join.expect("the list of those online is joined in a step");
    assert_eq!(join.mode.as_deref(), Some("serialised"));
}

fn threads() -> Machine {
    let smp: Smp = "8,sockets=1,cores=4,threads=2".parse().expect("it is good");
    Machine::new(smp)
}

#[test]
fn siblings_go_offline_and_come_back_with_smt() {
    let machine = threads().append("do=smt:off do=states do=smt:on do=states");
    let ended = boot(&machine);
    is_whole(&machine, &ended);
    let top = ended.records.states(0).expect("records are whole")[0].rung;
    assert_eq!(
        places(&ended, 0),
        [(top, cpus(&[2, 4, 6])), (0, cpus(&[1, 3, 5, 7]))]
    );
    assert_eq!(places(&ended, 1), [(top, cpus(&[1, 2, 3, 4, 5, 6, 7]))]);
}

#[test]
fn siblings_that_the_bring_up_left_out_come_with_smt_on_and_not_before() {
    let machine =
        threads().append("smt=off do=states do=smt:on do=states do=offline:all do=states");
    let ended = boot(&machine);
    assert_eq!(ended.outcome, Outcome::Ok);
    let top = ended.records.states(0).expect("records are whole")[0].rung;
    let up = (top, cpus(&[2, 4, 6]));
    assert_eq!(places(&ended, 0), [up, (0, cpus(&[1, 3, 5, 7]))]);
    let all = cpus(&[1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(places(&ended, 1), [(top, all.clone())]);
    assert_eq!(places(&ended, 2), [(0, all)]);
    let held = boot(&threads().append("smt=off do=online:3"));
    let Outcome::Failed(reason) = &held.outcome else {
        panic!("it ended as {:?}", held.outcome);
    };
    assert!(reason.contains("do=online:3: CPU 3 "), "{reason}");
}

#[test]
fn with_smt_off_no_sibling_comes_up_and_all_others_do() {
    let machine = threads().append("do=smt:off do=offline:all do=online:1-2 do=states");
    let ended = boot(&machine);
    let Outcome::Failed(reason) = &ended.outcome else {
        panic!("it ended as {:?}", ended.outcome);
    };
    assert!(reason.contains("do=online:1-2: CPU 1 "), "{reason}");
    let told = ops(&ended);
    let failure = &told[2].failures[0];
    assert_eq!(failure.reason.as_deref(), Some("smt=off holds it"));
    let [(_, up), (0, down)] = &places(&ended, 0)[..] else {
        panic!("some are up and some are down");
    };
    assert_eq!(*up, cpus(&[2]));
    assert_eq!(*down, cpus(&[1, 3, 4, 5, 6, 7]));
}

#[test]
fn an_operation_that_means_nothing_fails_the_run_before_any_cpu_is_woken() {
    let reason = is_refused("offline:2-4");
    assert!(reason.contains("`do=offline:2-4`"), "{reason}");
    assert!(reason.contains("the APs are 1-3"), "{reason}");
    let reason = is_refused("online:0");
    assert!(reason.contains("the boot processor"), "{reason}");
    let reason = is_refused("target:1:joyn");
    assert!(reason.contains("join"), "{reason}");
    let reason = is_refused("fail:1:joyn:up");
    assert!(reason.contains("the steps are "), "{reason}");
}

#[test]
fn a_failure_that_was_set_and_never_struck_is_no_failure() {
    let ended = operate(&["fail:all:join:down".to_owned()]);
    let exit = ended.records.exit().expect("a verdict");
    assert_eq!(exit.status, ExitStatus::Ok);
}
