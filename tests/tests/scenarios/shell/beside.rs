//! Operations on CPUs beside a command that runs for long: they take turns, and nobody takes the other's work
//! for a fault.

use reveille_tests::{outcome::Outcome, qemu::machine::Machine};

use super::session::{PROMPT, Session};

#[test]
fn what_a_person_does_with_cpus_between_random_operations_is_no_broken_rule() {
    let mut session = Session::start(Machine::new(4));
    session.asks("torture 1000 &");
    for line in [
        "offline 2",
        "online all",
        "target 3 idle",
        "fail 1 join",
        "smt off",
        "smt on",
        "offline all",
        "fail 2 inbox down",
        "online 1-2",
    ] {
        let answer = session.asks(line);
        assert!(answer.contains("op: "), "{answer}");
    }
    // One behind which a rule was broken has ended by itself.
    assert!(session.asks("kill 1").contains("[1] is told to end"));
    let torture = session.sees("[1] torture 1000: interrupted");
    // Where its lines break is a matter of the numbers.
    let torture = torture.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(torture.contains(" 0 lost, 0 failed"), "{torture}");
    assert!(torture.contains("not judged"), "{torture}");
    session.sees(PROMPT);
    session.asks("online all");
    assert!(session.asks("cpus").contains("4 of 4 CPUs are online"));
    assert!(session.asks("torture 1").contains(" 0 lost, 0 failed"));
    // Some did not come where they were to go: they were told to fail.
    assert_eq!(session.leaves_by("exit ok").outcome, Outcome::Ok);
}

#[test]
fn a_failure_that_was_set_before_random_operations_is_reckoned_with() {
    let mut session = Session::start(Machine::new(3));
    session.asks("fail 2 kick");
    session.asks("fail 1 inbox down");
    let torture = session.asks("torture 1");
    assert!(torture.contains(" 0 lost, 0 failed"), "{torture}");
    assert!(session.asks("cycle 1").contains(" 0 lost, 0 failed"));
    assert_eq!(session.exits().outcome, Outcome::Ok);
}

#[test]
fn what_measures_waits_for_what_measures_and_can_be_interrupted_meanwhile() {
    let mut session = Session::start(Machine::new(3));
    session.asks("torture 1000 &");
    session.types(b"calls 100\r");
    session.sees("another command measures: this one waits until it has ended");
    session.types(b"\x03");
    session.sees(PROMPT);
    session.types(b"bench 1\r");
    session.sees("another command measures");
    session.types(b"\x03");
    session.sees(PROMPT);
    session.asks("kill 1");
    session.sees("[1] torture 1000: interrupted");
    session.sees(PROMPT);
    assert!(session.asks("bench 1").contains("1 round: "));
    assert!(session.asks("calls 100").contains("calls: 100 of 100"));
    assert_eq!(session.exits().outcome, Outcome::Ok);
}

#[test]
fn a_benchmark_leaves_each_cpu_where_it_was() {
    let mut session = Session::start(Machine::new(4));
    session.asks("offline 2");
    session.asks("target 3 idle");
    let before = session.asks("states");
    session.asks("bench 1");
    let states = |text: &str| -> Vec<String> { text.lines().map(str::to_owned).collect() };
    assert_eq!(states(&session.asks("states")), states(&before));
    session.asks("bench serial 1");
    assert_eq!(states(&session.asks("states")), states(&before));
    assert_eq!(session.exits().outcome, Outcome::Ok);
}
