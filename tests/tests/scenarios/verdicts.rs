//! Whatever goes wrong in the guest fails the run, with the right words.

use std::time::Duration;

use reveille_smp::record::ExitStatus;
use reveille_tests::{guest::Ended, outcome::Outcome, qemu::machine::Machine};

use crate::boot::{boot, boot_for};

/// Boots four CPUs with a fault and returns the kernel's line about it.
fn crash(hook: &str) -> (String, Ended) {
    let ended = boot(&Machine::new(4).append(&format!("test={hook}")));
    let Outcome::Panicked(line) = &ended.outcome else {
        panic!("{hook} ended as {:?}", ended.outcome);
    };
    let exit = ended.records.exit().expect("a verdict, whoever panicked");
    assert_eq!(exit.status, ExitStatus::Failed);
    assert!(exit.reason.is_some(), "a failure has a reason");
    (line.clone(), ended)
}

/// The CPU's number in `panic on CPU 3 (APIC 3): ...`.
fn cpu(line: &str) -> u32 {
    let words = line
        .split_once(" on CPU ")
        .map(|(_, rest)| rest)
        .unwrap_or_default();
    words
        .split(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .expect("a CPU's number")
}

/// An exception's report names what is needed to find its cause.
fn is_reported_in_full(ended: &Ended) {
    let report = ended.console.to_lowercase();
    for part in ["rip", "rsp", "rax", "r15", "cr2", "error code"] {
        assert!(report.contains(part), "no {part} in the report");
    }
}

#[test]
fn a_panic_on_the_bsp_fails_the_run() {
    let (line, _) = crash("panic-bsp");
    assert!(line.starts_with("panic on CPU 0 (APIC 0): "), "{line}");
}

#[test]
fn a_panic_on_an_ap_fails_the_run() {
    let (line, _) = crash("panic-ap");
    assert!(
        line.starts_with("panic on CPU ") && cpu(&line) != 0,
        "{line}"
    );
}

#[test]
fn a_panic_under_the_consoles_lock_is_still_told() {
    let (line, _) = crash("panic-ap-console");
    assert!(
        line.starts_with("panic on CPU ") && cpu(&line) != 0,
        "{line}"
    );
}

#[test]
fn a_panic_says_where_it_was() {
    let (line, ended) = crash("panic-bsp");
    assert!(line.contains(".rs:"), "no source line in {line}");
    let after = ended
        .console
        .split_once(&line)
        .expect("the line is on the console")
        .1;
    assert!(after.contains("0x"), "no back trace below it");
}

#[test]
fn the_frames_of_a_crash_have_names() {
    let (_, ended) = crash("exception-ap");
    let text = ended.explain();
    assert!(text.contains("\nat 0x"), "no place of the fault in {text}");
    assert!(text.contains(" at kernel/src/hooks.rs:"), "{text}");
    ends_in_the_trampoline(&ended);
}

#[test]
fn a_recursion_is_one_frame_and_hides_nobody_who_led_to_it() {
    let (_, ended) = crash("stack-overflow-ap");
    let is_folded = |line: &&str| line.ends_with(" times)");
    assert_eq!(ended.console.lines().filter(is_folded).count(), 1);
    let text = ended.explain();
    assert_eq!(text.lines().filter(is_folded).count(), 1, "{text}");
    assert!(text.contains("::overflow_stack at "), "{text}");
    ends_in_the_trampoline(&ended);
}

/// An AP's outermost frame is that from which it came into Rust.
fn ends_in_the_trampoline(ended: &Ended) {
    let outermost = ended.whereabouts.last().expect("there are frames");
    assert!(outermost.ends_with(" in the trampoline"), "{outermost}");
}

#[test]
fn an_exception_on_the_bsp_fails_the_run_and_is_reported_in_full() {
    let (line, ended) = crash("exception-bsp");
    assert!(line.starts_with("exception on CPU 0 (APIC 0): #"), "{line}");
    is_reported_in_full(&ended);
}

#[test]
fn an_exception_on_an_ap_fails_the_run_and_is_reported_in_full() {
    let (line, ended) = crash("exception-ap");
    assert!(
        line.starts_with("exception on CPU ") && cpu(&line) != 0,
        "{line}"
    );
    is_reported_in_full(&ended);
}

#[test]
fn a_stack_overflow_on_the_bsp_runs_into_the_guard_page() {
    let (line, ended) = crash("stack-overflow-bsp");
    assert!(line.starts_with("exception on CPU 0 (APIC 0): #"), "{line}");
    assert!(
        ended.console.contains("guard page"),
        "the guard page is not named"
    );
}

#[test]
fn a_stack_overflow_on_an_ap_runs_into_the_guard_page() {
    let (line, ended) = crash("stack-overflow-ap");
    assert!(
        line.starts_with("exception on CPU ") && cpu(&line) != 0,
        "{line}"
    );
    assert!(
        ended.console.contains("guard page"),
        "the guard page is not named"
    );
}

#[test]
fn a_triple_fault_is_named() {
    let ended = boot(&Machine::new(2).append("test=triple-fault"));
    assert_eq!(ended.outcome, Outcome::TripleFault);
    assert!(
        ended.explain().starts_with("triple fault"),
        "{}",
        ended.explain()
    );
}

#[test]
fn a_hang_is_stopped_at_the_limit_with_what_was_seen_last() {
    let machine = Machine::new(2).append("test=hang");
    let limit = Duration::from_secs(10);
    let ended = boot_for(&machine, limit);
    assert_eq!(ended.outcome, Outcome::Hung(limit));
    let text = ended.explain();
    assert!(text.contains("last line on the console: "), "{text}");
    assert!(
        text.contains("\nCPU 0 ") && text.contains("\nCPU 1 "),
        "each CPU is somewhere: {text}"
    );
    assert!(
        ended.whereabouts[0].contains(" at kernel/src/"),
        "no place of ours in {text}"
    );
}
