//! A CPU that does not answer a call is told of: where it is, by its own NMI.

use reveille_smp::{
    cpu::CpuIndex,
    record::{SeenCpu, StuckCall},
};
use reveille_tests::{guest::Ended, qemu::machine::Machine};

use crate::boot::comes_up_whole;

/// Boots a machine on which a call is not answered at once, and gives what is told of it. The call is
/// answered in the end, or the run would fail.
fn told(machine: &Machine, hook: &str) -> (Ended, StuckCall, SeenCpu) {
    let keys = format!("call-limit=1000 test={hook}");
    let ended = comes_up_whole(&machine.clone().append(&keys));
    let calls = ended.records.stuck_calls().expect("all records are whole");
    let [call] = &calls[..] else {
        panic!("{calls:?}");
    };
    let call = call.clone();
    assert_eq!((call.from, call.to), (CpuIndex::BSP, CpuIndex(3)));
    assert!(call.since_ns >= 1_000_000_000, "{call:?}");
    assert_eq!(call.reason, None);
    let seen = call.seen.clone().expect("it answers the NMI");
    assert!(!seen.returns.is_empty());
    let begins = "calls: CPU 0 has waited ";
    let ends = format!(
        " ms for CPU 3, which has not {}:",
        if call.begun { "ended" } else { "begun" }
    );
    let mut lines = ended.console.lines();
    let is_told = lines.any(|line| line.starts_with(begins) && line.ends_with(&ends));
    assert!(is_told, "{}", ended.console);
    (ended, call, seen)
}

/// Whether the back trace has this function.
fn is_in(ended: &Ended, function: &str) -> bool {
    ended.whereabouts.iter().any(|it| it.contains(function))
}

#[test]
fn a_cpu_with_interrupts_off_for_long_is_told_of_with_the_function_that_it_is_in() {
    for machine in [Machine::new(4), Machine::new(4).cpu("max,-x2apic")] {
        let (ended, call, seen) = told(&machine, "stuck-call");
        assert!(!call.begun && call.reminded);
        assert!(!seen.interrupts && !seen.halted);
        assert!(is_in(&ended, "be_busy"), "{:#?}", ended.whereabouts);
    }
}

#[test]
fn a_cpu_that_is_long_at_a_call_is_told_of_with_the_call_that_it_is_in() {
    let (ended, call, seen) = told(&Machine::new(4), "slow-call");
    assert!(call.begun && !call.reminded);
    assert!(!seen.interrupts);
    assert!(is_in(&ended, "be_busy"), "{:#?}", ended.whereabouts);
    let calls = "call_one_that_does_not_answer";
    assert!(is_in(&ended, calls), "{:#?}", ended.whereabouts);
}

#[test]
fn an_interrupt_that_is_lost_is_sent_again_and_the_call_is_answered() {
    let (_, call, seen) = told(&Machine::new(4), "lost-call-ipi");
    assert!(!call.begun && call.reminded);
    assert!(seen.interrupts && seen.halted);
}
