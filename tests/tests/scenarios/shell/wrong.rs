//! What cannot be done is refused with what would be right, and nothing has happened.

use reveille_tests::{outcome::Outcome, qemu::machine::Machine};

use super::{commands::listed, session::Session};

/// What is typed, and what the answer says.
pub(super) const WRONG: &[(&str, &str)] = &[
    (
        "nonsense",
        "`nonsense` is no command; the commands are help, cpus, ",
    ),
    ("HELP", "`HELP` is no command"),
    ("&", "`&` stands behind a command"),
    (
        "help nonsense",
        "help: `nonsense` is no command; the commands are help, cpus, ",
    ),
    ("cpus 1", "`1` has no place here; it is `cpus`"),
    ("states all", "has no place here"),
    (
        "online",
        "LIST is missing; it is `online LIST`, where LIST is CPUs as in `1-3,5`",
    ),
    ("online one", "`one` stands where LIST belongs"),
    ("online 3-1", "`3-1` stands where LIST belongs"),
    ("online 1,", "`1,` stands where LIST belongs"),
    ("online 99999999999999999999", "stands where LIST belongs"),
    ("online 7", "the APs are 1-3"),
    ("online 1-7", "the APs are 1-3"),
    (
        "offline 0",
        "CPU 0 is the boot processor and stays; the APs are 1-3",
    ),
    ("offline 4294967295", "the APs are 1-3"),
    ("target 1", "STATE is missing"),
    ("target 1 nowhere", "a CPU can be sent to "),
    ("target 9 join", "the APs are 1-3"),
    ("target 1 kick", "it can stay at "),
    ("fail 1", "STEP is missing"),
    ("fail 1 nowhere", "the steps are "),
    ("fail 9 join", "the APs are 1-3"),
    ("fail 1 join sideways", "`sideways` has no place here"),
    ("smt", "on|off is missing"),
    ("smt maybe", "`maybe` stands where on|off belongs"),
    (
        "bench fast",
        "it is `bench [STRATEGY] [N]`, where STRATEGY is ",
    ),
    ("bench 0", "it is `bench"),
    ("bench -1", "it is `bench"),
    ("cycle 0", "it is `cycle [N]`, where N is a number from 1"),
    ("cycle 4294967296", "it is `cycle"),
    ("torture soon", "it is `torture [SECONDS]`"),
    ("stop 0", "it is `stop [N]`"),
    ("calls many", "it is `calls [N]`"),
    ("ipi 1", "TO is missing"),
    ("ipi 1 1", "CPU 1 does not call itself"),
    ("ipi 0 9", "CPU 9"),
    ("ipi one two", "`one` stands where FROM belongs"),
    ("trace", "on|off|show is missing"),
    ("trace maybe", "`maybe` stands where on|off|show belongs"),
    ("watch &", "it needs the screen and cannot run behind"),
    ("kill 7", "nothing runs behind"),
    ("kill one", "it is `kill [JOB]`"),
    ("exit maybe", "it is `exit [ok|failed]`"),
    ("reboot now", "`now` has no place here"),
];

#[test]
fn each_error_says_what_would_be_right() {
    let mut session = Session::start(Machine::new(4));
    for (line, part) in WRONG {
        let answer = session.asks(line);
        assert!(
            answer.contains(part),
            "no `{part}` in the answer to `{line}`:\n{answer}"
        );
    }
    assert!(session.asks("cpus").contains("4 of 4 CPUs are online"));
    let ended = session.leaves_by("exit ok");
    assert_eq!(ended.outcome, Outcome::Ok);
    assert!(ended.records.ops().expect("they are whole").is_empty());
}

#[test]
fn every_command_refuses_words_that_it_does_not_take_and_says_how_it_is_written() {
    let mut session = Session::start(Machine::new(2));
    let help = session.asks("help");
    assert!(listed(&help).count() > 20, "{help}");
    for (name, syntax) in listed(&help) {
        let answer = session.asks(&format!("{name} ? ? ? ?"));
        let right = match name {
            "help" => "the commands are help, cpus, ".to_owned(),
            _ => format!("it is `{syntax}`"),
        };
        assert!(answer.contains(&right), "no `{right}` in {answer}");
    }
    assert_eq!(session.leaves_by("exit ok").outcome, Outcome::Ok);
}
