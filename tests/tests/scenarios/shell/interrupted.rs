//! Ctrl-C in the middle of each command that takes long.

use std::{iter, thread, time::Duration};

use reveille_tests::{outcome::Outcome, qemu::machine::Machine};

use super::session::{CTRL_C, PROMPT, Session};
use crate::boot::LIMIT;

/// What takes long on four CPUs.
pub(super) struct Long {
    pub(super) line: &'static str,
    /// What it says when it is interrupted.
    says: &'static str,
    /// What it says before the number of what it had done by then. Without, it says nothing if that is nothing.
    done: Option<&'static str>,
}

pub(super) const LONG: &[Long] = &[
    Long {
        line: "bench 10000",
        says: "interrupted: the last round may have less",
        done: None,
    },
    Long {
        line: "bench serial 10000",
        says: "interrupted: the last round may have less",
        done: None,
    },
    Long {
        line: "cycle 1000000",
        says: "of 1000000, interrupted, 3 APs down and up, 0 lost, 0 failed",
        done: Some("cycle: "),
    },
    Long {
        line: "torture 1000000",
        says: "interrupted, seed ",
        done: Some("torture: "),
    },
    Long {
        line: "stop 100000",
        says: "of 100000, interrupted, ",
        done: Some("stop: "),
    },
    Long {
        line: "calls 1000000000",
        says: "interrupted",
        done: Some("calls: "),
    },
];

impl Long {
    /// Whether the answer is that of one that was interrupted in its middle.
    pub(super) fn was_in_the_middle(&self, answer: &str) -> bool {
        let is_some = |words: &str| {
            let mut numbers = answer.match_indices(words).filter_map(|(at, _)| {
                let number = answer[at + words.len()..].split_whitespace().next();
                number?.parse::<u64>().ok()
            });
            numbers.next().is_some_and(|number| number > 0)
        };
        answer.contains(self.says) && self.done.is_none_or(is_some)
    }
}

/// How long commands are left alone before they are interrupted: ever longer, as what is reached by then is a
/// matter of the host. Whether one was in its middle, its answer tells.
pub(super) fn pauses() -> impl Iterator<Item = Duration> {
    let twice = |pause: &Duration| Some(*pause * 2);
    iter::successors(Some(Duration::from_millis(100)), twice).take_while(|it| *it < LIMIT / 4)
}

/// Lets a command run, interrupts it, and gives what it says. On a busy host its last unit of work may take
/// so long that the prompt does not wait for it.
fn interrupted(session: &mut Session, line: &str, pause: Duration) -> String {
    session.types(format!("{line}\r").as_bytes());
    session.sees(&format!("{line}\n"));
    thread::sleep(pause);
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
    for long in LONG {
        let in_the_middle = pauses().any(|pause| {
            let answer = interrupted(&mut session, long.line, pause);
            let cpus = session.asks("cpus");
            assert!(
                cpus.contains("4 of 4 CPUs are online"),
                "behind `{}`:\n{cpus}",
                long.line
            );
            long.was_in_the_middle(&answer)
        });
        assert!(in_the_middle, "`{}` never was in its middle", long.line);
    }
    let checked = session.asks("torture 1");
    assert!(checked.contains(" 0 lost, 0 failed"), "{checked}");
    assert_eq!(session.exits().outcome, Outcome::Ok);
}

#[test]
fn calls_between_two_cpus_end_early_and_the_pair_is_not_told() {
    /// Calls that CPU 1 has run.
    fn run(session: &mut Session) -> u64 {
        let metrics = session.asks("metrics");
        let mut lines = metrics.lines().map(str::split_whitespace);
        let line = lines.find(|line| line.clone().next() == Some("1"));
        let run = line.and_then(|mut line| line.nth(8));
        run.and_then(|it| it.parse().ok())
            .unwrap_or_else(|| panic!("no calls of CPU 1 in\n{metrics}"))
    }
    let mut session = Session::start(Machine::new(2));
    let in_the_middle = pauses().any(|pause| {
        let before = run(&mut session);
        let answer = interrupted(&mut session, "ipi 0 1 100000", pause);
        assert!(!answer.contains("CPUs in"), "a table: {answer}");
        run(&mut session) > before
    });
    assert!(in_the_middle, "no call was made");
    assert!(session.asks("cpus").contains("2 of 2 CPUs are online"));
    assert_eq!(session.exits().outcome, Outcome::Ok);
}

#[test]
fn a_matrix_of_all_pairs_ends_between_two_calls_and_tells_the_pairs_before() {
    let mut session = Session::start(Machine::new(8));
    let mut known = 0;
    let in_the_middle = pauses().any(|pause| {
        interrupted(&mut session, "ipi", pause);
        let pairs = session
            .guest
            .records()
            .ipis()
            .expect("they are whole")
            .len();
        let new = pairs - known;
        known = pairs;
        (1..8 * 7).contains(&new)
    });
    assert!(in_the_middle, "none or all pairs were told");
    assert!(session.asks("cpus").contains("8 of 8 CPUs are online"));
    assert_eq!(session.exits().outcome, Outcome::Ok);
}

#[test]
fn a_view_ends_at_once() {
    let mut session = Session::start(Machine::new(2));
    session.types(b"watch\r");
    session.sees("2 CPUs online");
    session.types(CTRL_C);
    session.sees(PROMPT);
    assert!(session.asks("cpus").contains("2 of 2 CPUs are online"));
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

/// By then, an operation that nobody else keeps waiting has begun; it goes on for far longer.
const IN_ITS_TURN: Duration = Duration::from_secs(1);

#[test]
fn an_operation_that_waits_for_a_silent_cpu_is_left_behind_and_told_when_it_has_ended() {
    // The boot waits for it as long, once.
    let machine = Machine::new(3).append("fault=1:silent require=any alive-timeout=8000");
    let mut session = Session::start(machine);
    session.types(b"online 1\r");
    session.sees("online 1\n");
    thread::sleep(IN_ITS_TURN);
    session.types(CTRL_C);
    session.sees("[1] online 1: CPUs are on their way");
    session.sees(PROMPT);
    assert!(session.asks("jobs").contains("[1] online 1 (is to end)"));
    session.sees("op: online 1: 0 of 1 in ");
    session.sees("[1] online 1: ");
    session.sees(PROMPT);
    assert!(session.asks("online 2").contains("op: online 2: 1 of 1"));
    assert_eq!(session.leaves_by("exit ok").outcome, Outcome::Ok);
}
