//! Ctrl-C in the middle of each command that takes long.

use std::{thread, time::Duration};

use reveille_tests::{outcome::Outcome, qemu::machine::Machine};

use super::session::{CTRL_C, PROMPT, Session};

/// By then, it is in the middle.
pub(super) const A_WHILE: Duration = Duration::from_millis(500);

/// What takes long on four CPUs, and what it says when it is interrupted.
pub(super) const LONG: &[(&str, &str)] = &[
    ("bench 100000", "interrupted"),
    ("bench serial 100000", "interrupted"),
    (
        "cycle 1000000",
        "of 1000000, interrupted, 3 APs down and up, 0 lost, 0 failed",
    ),
    ("torture 1000000", "interrupted, seed "),
    ("stop 10000000", "of 10000000, interrupted, "),
    ("calls 1000000000", "interrupted"),
    ("ipi 0 1 1000000", "^C"),
    ("watch", ""),
];

/// Lets a command run, interrupts it, and gives what it says. On a busy host its last unit of work may take
/// so long that the prompt does not wait for it.
fn interrupted(session: &mut Session, line: &str) -> String {
    session.types(format!("{line}\r").as_bytes());
    session.sees(&format!("{line}\n"));
    thread::sleep(A_WHILE);
    session.types(CTRL_C);
    let mut answer = session.sees(PROMPT);
    if answer.contains("[1] ") {
        answer += &session.sees(&format!("[1] {line}: interrupted\n"));
        answer += &session.sees(PROMPT);
    }
    println!("{PROMPT}{line}\n{answer}");
    answer
}

#[test]
fn each_long_command_ends_early_and_leaves_the_machine_whole() {
    let mut session = Session::start(Machine::new(4));
    for (line, part) in LONG {
        let answer = interrupted(&mut session, line);
        assert!(
            answer.contains(part),
            "no `{part}` in the answer to `{line}`:\n{answer}"
        );
        let cpus = session.asks("cpus");
        assert!(
            cpus.contains("4 of 4 CPUs are online"),
            "behind `{line}`:\n{cpus}"
        );
    }
    let checked = session.asks("torture 1");
    assert!(checked.contains(" 0 lost, 0 failed"), "{checked}");
    assert_eq!(session.exits().outcome, Outcome::Ok);
}

#[test]
fn a_matrix_of_all_pairs_ends_between_two_of_them() {
    let mut session = Session::start(Machine::new(8));
    interrupted(&mut session, "ipi");
    assert!(session.asks("cpus").contains("8 of 8 CPUs are online"));
    assert_eq!(session.exits().outcome, Outcome::Ok);
}

#[test]
fn lines_that_wait_are_dropped_with_the_command_and_counted() {
    let mut session = Session::start(Machine::new(2));
    session.types(b"torture 1000000\r");
    session.sees("torture 1000000\n");
    session.types(b"offline 1\roffline 1\rhalf a li\x03");
    session.sees("2 lines that waited are dropped");
    session.sees("interrupted, seed ");
    session.sees(PROMPT);
    assert!(session.asks("cpus").contains("2 of 2 CPUs are online"));
    assert_eq!(session.exits().outcome, Outcome::Ok);
}

#[test]
fn ctrl_c_on_a_line_drops_it_and_nothing_is_run() {
    let mut session = Session::start(Machine::new(2));
    session.types(b"offline 1\x03");
    session.sees("^C");
    session.sees(PROMPT);
    assert!(session.asks("cpus").contains("2 of 2 CPUs are online"));
    assert_eq!(session.exits().outcome, Outcome::Ok);
}

#[test]
fn an_operation_that_waits_for_a_silent_cpu_is_left_behind_and_told_when_it_has_ended() {
    // The boot waits for it as long, once.
    let machine = Machine::new(3).append("fault=1:silent require=any alive-timeout=8000");
    let mut session = Session::start(machine);
    session.types(b"online 1\r");
    session.sees("online 1\n");
    thread::sleep(A_WHILE);
    session.types(CTRL_C);
    session.sees("[1] online 1: CPUs are on their way");
    session.sees(PROMPT);
    assert!(session.asks("jobs").contains("[1] online 1 (is to end)"));
    session.sees("op: online 1: 0 of 1 in ");
    session.sees("[1] online 1: ");
    session.sees(PROMPT);
    assert!(session.asks("online 2").contains("op: online 2: 1 of 1"));
    assert_eq!(session.exits().outcome, Outcome::Ok);
}
