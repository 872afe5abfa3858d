//! An AP fails on demand, and the rest come up all the same; the report says where it stopped.
//!
//! Most run in virtual time: there the deadlines are reached in no time, and an AP that is late is
//! so by exactly what was asked for.

use std::time::Duration;

use reveille_smp::{
    outcome::Outcome as CpuOutcome,
    record::{Cpu, Record},
    step::StepError,
};
use reveille_tests::{
    guest::{Ended, Guest},
    madt::Madt,
    outcome::Outcome,
    qemu::{
        machine::{Accel, Machine},
        vcpu::Vcpu,
    },
};

use crate::{
    boot::{LIMIT, boot, has_no_stack_of_its_own, kernel, slot},
    hostile_madt::boot_with,
};

/// From the first SIPI until an AP is given up.
const DEADLINE: Duration = Duration::from_millis(100);

fn machine(cpus: u32, append: &str) -> Machine {
    Machine::new(cpus)
        .accel(Accel::Icount)
        .append(&format!("alive-timeout={}", DEADLINE.as_millis()))
        .append(append)
}

fn reason(ended: &Ended) -> &str {
    match &ended.outcome {
        Outcome::Failed(reason) => reason,
        other => panic!("it ended as {other:?}"),
    }
}

fn is_online_before_the_deadline(cpu: &Cpu) {
    assert_eq!(cpu.outcome, CpuOutcome::Online, "{cpu:?}");
    let online = Duration::from_nanos(cpu.online_ns.expect("it is online"));
    assert!(online < DEADLINE, "{cpu:?}");
}

/// Boots four CPUs of which the third fails, checks that it alone does and what is said of it, and
/// gives its record.
fn one_fails(kind: &str, outcome: CpuOutcome) -> Cpu {
    let ended = boot(&machine(4, &format!("fault=2:{kind}")));
    let first = format!("first CPU 2 (APIC 2): {outcome}");
    assert!(reason(&ended).contains(&first), "{}", reason(&ended));
    let cpus = ended.records.cpus().expect("all records are whole");
    is_online_before_the_deadline(&cpus[1]);
    is_online_before_the_deadline(&cpus[3]);
    assert_eq!(cpus[2].outcome, outcome);
    assert_eq!(cpus[2].online_ns, None);
    let bringup = ended.records.bringup().expect("round 0");
    assert_eq!((bringup.online, bringup.failed), (2, 1));
    let advice = outcome.advice().expect("it calls for one");
    let asked_for = format!("; {}; {advice}", StepError::Injected);
    let sentence = |line: &str| line.starts_with("CPU 2 (APIC 2): ") && line.contains(&asked_for);
    assert!(ended.console.lines().any(sentence), "no reason and advice");
    cpus[2].clone()
}

#[test]
fn an_ap_that_is_silent_never_started_and_is_sent_a_second_sipi() {
    let cpu = one_fails("silent", CpuOutcome::NeverStarted);
    assert!(cpu.sipis > 1, "{cpu:?}");
}

#[test]
fn an_ap_that_halts_in_real_mode_is_stuck_there_and_is_sent_no_second_sipi() {
    let cpu = one_fails("real-mode", CpuOutcome::StuckRealMode);
    assert_eq!(cpu.sipis, 1, "{cpu:?}");
}

#[test]
fn an_ap_that_halts_in_long_mode_is_stuck_there() {
    one_fails("long-mode", CpuOutcome::StuckLongMode);
}

#[test]
fn an_ap_that_halts_behind_its_claim_is_stuck_in_long_mode() {
    one_fails("claimed", CpuOutcome::StuckLongMode);
}

#[test]
fn an_ap_that_comes_to_its_claim_a_second_time_is_stuck_in_long_mode() {
    one_fails("twice", CpuOutcome::StuckLongMode);
}

#[test]
fn an_ap_that_comes_behind_its_deadline_is_late() {
    one_fails("late=150", CpuOutcome::Late);
}

#[test]
fn an_ap_that_fails_in_a_step_is_named_with_the_step() {
    let cpu = one_fails("step=inbox", CpuOutcome::Failed);
    assert_eq!(cpu.step.as_deref(), Some("inbox"));
    assert_eq!(cpu.reason.as_deref(), Some(StepError::Injected.reason()));
}

#[test]
fn the_console_tells_how_long_each_step_took_that_aps_ran_themselves() {
    let steps = names_of_steps();
    let on_aps = steps.iter().skip_while(|step| *step != "kick").skip(1);
    let ended = boot(&machine(4, "bench=1"));
    assert_eq!(ended.outcome, Outcome::Ok);
    // The times go on below where they do not fit into a line.
    let (_, behind) = ended
        .console
        .split_once(" steps: ")
        .expect("a line of times");
    let (times, figures) = behind.split_once(" APs: ").expect("a line of figures");
    let told: Vec<&str> = times.split(['|', '\n']).map(str::trim).collect();
    for step in on_aps {
        let is_its_time = |told: &&str| {
            let time = told.strip_prefix(&format!("{step} "));
            time.is_some_and(|time| time.ends_with(" us"))
        };
        assert!(told.iter().any(is_its_time), "no {step}: {times}");
    }
    let figures = figures.lines().next().unwrap_or_default();
    assert!(figures.contains(" % idle, stacks used "), "{figures}");
}

/// All steps of the kernel, by what it says itself of a name that is none.
fn names_of_steps() -> Vec<String> {
    let reason = is_refused("fault=1:step=?");
    let (_, names) = reason
        .split_once("the steps are ")
        .expect("it lists the steps");
    names.split(", ").map(str::to_owned).collect()
}

#[test]
fn each_step_that_there_is_can_fail_and_its_ap_can_be_tried_again_while_all_others_come_online() {
    let steps = names_of_steps();
    assert!(steps.len() > 3, "{steps:?}");
    let faults: Vec<_> = steps
        .iter()
        .zip(1..)
        .map(|(step, cpu)| format!("fault={cpu}:step={step}"))
        .collect();
    let failing = steps.len() as u32;
    let ended = boot(&machine(
        failing + 3,
        &format!("attempts=2 {}", faults.join(" ")),
    ));
    let first = format!("{failing} of {} APs did not come online; ", failing + 2);
    assert!(reason(&ended).starts_with(&first), "{}", reason(&ended));
    for attempt in 0..2 {
        let cpus = ended.records.cpus_of_attempt(attempt);
        let cpus = cpus.expect("all records are whole");
        for (cpu, step) in cpus[1..].iter().zip(&steps) {
            assert_eq!(cpu.outcome, CpuOutcome::Failed, "{cpu:?}");
            assert_eq!(cpu.step.as_ref(), Some(step), "{cpu:?}");
            assert_eq!(cpu.reason.as_deref(), Some(StepError::Injected.reason()));
        }
        for other in &cpus[steps.len() + 1..] {
            assert_eq!(other.outcome, CpuOutcome::Online, "{other:?}");
        }
    }
    let bringup = ended.records.bringup().expect("round 0");
    assert_eq!((bringup.online, bringup.failed), (2, failing));
}

#[test]
fn aps_that_have_no_time_for_their_steps_are_not_online_and_the_key_to_more_is_named() {
    let ended = boot(&machine(4, "online-timeout=0"));
    let cpus = ended.records.cpus().expect("all records are whole");
    let abandoned = |cpu: &&Cpu| cpu.outcome == CpuOutcome::Failed;
    assert!(cpus.iter().any(|cpu| abandoned(&cpu)), "{cpus:?}");
    for cpu in cpus.iter().filter(abandoned) {
        assert_eq!(cpu.online_ns, None, "{cpu:?}");
        let reason = cpu.reason.as_deref().unwrap_or_default();
        assert!(reason.contains("raise online-timeout="), "{cpu:?}");
    }
}

#[test]
fn where_no_ap_comes_online_the_headline_says_how_long_it_was_tried() {
    let ended = boot(&machine(2, "fault=1:silent"));
    let start = "bring-up: 0 of 1 APs online after ";
    assert!(ended.console.lines().any(|line| line.starts_with(start)));
}

#[test]
fn an_ap_that_takes_itself_for_another_is_parked_as_a_stranger() {
    let ended = boot(&machine(4, "fault=2:wrong-id"));
    let start = "1 of 3 APs did not come online, and 1 CPU came with an unknown id; first CPU 2 ";
    assert!(reason(&ended).starts_with(start), "{}", reason(&ended));
    let cpus = ended.records.cpus().expect("all records are whole");
    is_online_before_the_deadline(&cpus[1]);
    is_online_before_the_deadline(&cpus[3]);
    assert_eq!(cpus[2].outcome, CpuOutcome::StuckLongMode);
    let [stranger] = &cpus[4..] else {
        panic!("one stranger came: {cpus:?}");
    };
    assert_eq!(stranger.outcome, CpuOutcome::UnknownId);
    assert_eq!((stranger.cpu, stranger.apic_id.0), (None, !2));
}

#[test]
fn an_ap_that_panics_before_it_is_alive_ends_the_run_by_name() {
    let ended = boot(&machine(4, "fault=2:panic"));
    let Outcome::Panicked(line) = &ended.outcome else {
        panic!("it ended as {:?}", ended.outcome);
    };
    let start = "panic on CPU 2 (APIC 2): asked for by fault=2:panic";
    assert!(line.starts_with(start), "{line}");
}

#[test]
fn an_ap_that_is_late_and_in_time_comes_online_behind_its_delay() {
    let ended = boot(&machine(4, "fault=2:late=50"));
    assert_eq!(ended.outcome, Outcome::Ok);
    let cpus = ended.records.cpus().expect("all records are whole");
    let late = &cpus[2];
    is_online_before_the_deadline(late);
    let delay = late
        .alive_ns
        .zip(late.long_ns)
        .map(|(alive, long)| alive - long);
    assert!(delay >= Some(50_000_000), "{late:?}");
}

#[test]
fn a_late_ap_is_reported_and_comes_online_in_the_next_attempt() {
    let ended = boot(&machine(4, "fault=2:late=150 attempts=2"));
    assert_eq!(ended.outcome, Outcome::Ok);
    let outcomes = |attempt| -> Vec<_> {
        let cpus = ended.records.cpus_of_attempt(attempt);
        let cpus = cpus.expect("all records are whole").into_iter();
        cpus.map(|cpu| cpu.outcome).collect()
    };
    use CpuOutcome::{Bsp, Late, Online};
    assert_eq!(outcomes(0), [Bsp, Online, Late, Online]);
    assert_eq!(outcomes(1), [Bsp, Online, Online, Online]);
    let second = ended.records.bringup_of_attempt(1).expect("there were two");
    assert_eq!((second.online, second.failed), (3, 0));
    for heading in ["attempt 1 of 2:", "attempt 2 of 2:"] {
        assert!(ended.console.contains(heading), "no line `{heading}`");
    }
}

#[test]
fn an_ap_that_is_still_on_its_way_comes_online_in_the_next_attempt() {
    let ended = boot(&machine(4, "fault=2:late=5000 attempts=2"));
    assert_eq!(ended.outcome, Outcome::Ok);
    let first = ended.records.cpus().expect("all records are whole");
    assert_eq!(first[2].outcome, CpuOutcome::StuckLongMode);
}

#[test]
fn there_is_no_further_attempt_when_all_are_online_or_none_can_be_helped() {
    for append in ["attempts=3", "attempts=3 fault=2:claimed fault=3:twice"] {
        let ended = boot(&machine(4, append));
        assert!(ended.records.bringup().is_ok(), "{append}");
        assert!(ended.records.bringup_of_attempt(1).is_err(), "{append}");
    }
}

#[test]
fn as_many_attempts_as_memory_holds_the_reports_of_are_made_and_more_are_refused() {
    // The fifth CPU that is listed does not exist, so that no attempt is the last by itself.
    let madt = Madt::of(0..5);
    let boot = |attempts: u32| {
        let keys = format!("require=any attempts={attempts}");
        let mut machine = machine(4, &keys);
        machine.memory = Some("16M".to_owned());
        boot_with(&madt, machine)
    };
    let refused = boot(u32::MAX);
    let start = "attempts=4294967295: memory holds the reports of ";
    let rest = reason(&refused).strip_prefix(start);
    let number = rest.and_then(|rest| rest.split(' ').next());
    let most: u32 = number.expect("it says how many").parse().expect("a number");
    assert!(refused.records.bringup().is_err(), "no CPU is woken");
    let whole = boot(most);
    assert_eq!(whole.outcome, Outcome::Ok);
    assert!(whole.records.bringup_of_attempt(most - 1).is_ok());
}

#[test]
fn who_claimed_is_left_alone_by_the_next_attempt_and_who_failed_fails_again() {
    let faults =
        "fault=1:twice fault=2:claimed fault=3:long-mode fault=4:step=inbox fault=5:silent";
    let ended = boot(&machine(7, &format!("{faults} attempts=4")));
    for attempt in 0..4 {
        let cpus = ended.records.cpus_of_attempt(attempt);
        let cpus = cpus.expect("all records are whole");
        let outcomes: Vec<_> = cpus.iter().map(|cpu| cpu.outcome).collect();
        use CpuOutcome::{Bsp, Failed, NeverStarted, Online, StuckLongMode};
        assert_eq!(
            outcomes,
            [
                Bsp,
                StuckLongMode,
                StuckLongMode,
                StuckLongMode,
                Failed,
                NeverStarted,
                Online
            ]
        );
        let was_kicked = |cpu: &Cpu| cpu.sipis > 0;
        for claimed in &cpus[1..=2] {
            assert_eq!(was_kicked(claimed), attempt == 0, "{claimed:?}");
        }
        assert!(cpus[3..=5].iter().all(was_kicked), "{cpus:?}");
        assert_eq!(cpus[4].step.as_deref(), Some("inbox"), "{:?}", cpus[4]);
    }
}

#[test]
fn several_fail_in_several_ways_and_all_others_are_online_before_their_deadline() {
    let faults = [
        (2, "silent", CpuOutcome::NeverStarted),
        (3, "real-mode", CpuOutcome::StuckRealMode),
        (5, "long-mode", CpuOutcome::StuckLongMode),
        (7, "late=150", CpuOutcome::Late),
        (8, "wrong-id", CpuOutcome::StuckLongMode),
        (9, "twice", CpuOutcome::StuckLongMode),
        (11, "claimed", CpuOutcome::StuckLongMode),
        (13, "step=join", CpuOutcome::Failed),
    ];
    let words = faults.map(|(cpu, kind, _)| format!("fault={cpu}:{kind}"));
    let ended = boot(&machine(16, &words.join(" ")));
    let cpus = ended.records.cpus().expect("all records are whole");
    assert!(reason(&ended).contains("first CPU 2 (APIC 2): never-started"));
    for cpu in &cpus[1..16] {
        let number = cpu.cpu.map(|number| number.0);
        match faults.iter().find(|(cpu, ..)| Some(*cpu) == number) {
            Some((.., outcome)) => assert_eq!(cpu.outcome, *outcome, "{cpu:?}"),
            None => is_online_before_the_deadline(cpu),
        }
    }
}

#[test]
fn rounds_are_measured_although_aps_are_missing_when_that_was_asked_for() {
    let ended = boot(&machine(6, "fault=2:silent fault=4:claimed bench=2"));
    reason(&ended);
    let mut rounds = 0;
    for record in ended.records.parse().expect("all records are whole") {
        match record {
            Record::Bringup(bringup) if bringup.round > 0 => {
                assert_eq!((bringup.online, bringup.failed), (3, 2));
                rounds += 1;
            }
            Record::Floor(_) | Record::Bare(_) => panic!("{record:?} counts on everybody"),
            _ => {}
        }
    }
    assert!(rounds >= 4, "two of each strategy, but {rounds}");
    assert!(ended.console.contains("2 rounds: parallel "));
}

#[test]
fn no_rounds_are_measured_when_aps_are_missing_that_were_not_told_to_fail() {
    let machine = Machine::new(4).accel(Accel::Icount);
    let ended = boot(&machine.append("alive-timeout=0 bench=2"));
    reason(&ended);
    let is_round = |record: &Record| matches!(record, Record::Bringup(it) if it.round > 0);
    let records = ended.records.parse().expect("all records are whole");
    assert!(!records.iter().any(is_round), "{records:?}");
    assert!(ended.console.contains("no rounds: not all APs are online"));
}

/// Boots, and looks at the CPUs once the run has failed.
fn from_outside(append: &str) -> Vec<Vcpu> {
    let machine = machine(5, append).append("after=halt");
    let _slot = slot(&machine);
    let mut guest = Guest::start(kernel(), &machine).expect("QEMU starts");
    guest
        .wait_for_line("reveille: failed", LIMIT)
        .expect("the kernel gives its verdict");
    guest.vcpus().expect("the monitor answers")
}

#[test]
fn an_ap_that_fails_in_long_mode_halts_on_the_trampolines_page_and_has_no_stack() {
    let faults = "fault=1:twice fault=2:long-mode fault=3:wrong-id fault=4:late=150";
    for vcpu in &from_outside(faults)[1..] {
        assert!(vcpu.halted && vcpu.long_mode, "not parked: {vcpu:#x?}");
        assert!(vcpu.rip < 1 << 20, "not on the low page: {vcpu:#x?}");
        has_no_stack_of_its_own(vcpu);
    }
}

#[test]
fn an_ap_that_fails_in_real_mode_halts_there_and_has_no_stack() {
    for vcpu in &from_outside("fault=1:silent fault=2:real-mode")[1..=2] {
        assert!(vcpu.halted && !vcpu.long_mode, "{vcpu:#x?}");
        assert!(vcpu.rip < 1 << 12, "not on the page: {vcpu:#x?}");
        assert_eq!(vcpu.rsp, 0, "it took a stack: {vcpu:#x?}");
    }
}

/// Boots with a fault that cannot happen, and gives what is said of it.
fn is_refused(fault: &str) -> String {
    let ended = boot(&machine(4, fault));
    assert!(
        ended.records.bringup().is_err(),
        "no CPU is woken for a run that fails"
    );
    reason(&ended).to_owned()
}

#[test]
fn a_fault_of_a_cpu_that_is_not_to_be_woken_fails_the_run_and_those_to_wake_are_listed() {
    for fault in ["fault=9:silent", "fault=0:panic"] {
        let reason = is_refused(fault);
        assert!(reason.contains(fault), "{reason}");
        assert!(reason.contains("the CPUs to wake are 1-3"), "{reason}");
    }
}

#[test]
fn a_fault_in_a_step_that_there_is_not_fails_the_run_and_the_steps_are_listed() {
    let reason = is_refused("fault=1:step=joyn");
    assert!(reason.contains("fault=1:step=joyn"), "{reason}");
    assert!(reason.contains("join, idle, calls, tlb, inbox"), "{reason}");
}
