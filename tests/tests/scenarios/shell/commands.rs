//! Every command does what it is for, and what it did is in the records too.

use std::collections::BTreeSet;

use reveille_tests::{outcome::Outcome, qemu::machine::Machine, qemu::smp::Smp};

use super::session::{PROMPT, Session};

/// Two cores of two threads each.
pub(super) const SMP: &str = "4,sockets=1,cores=2,threads=2";

fn machine() -> Machine {
    let smp: Smp = SMP.parse().expect("a good value");
    Machine::new(smp)
}

/// What is typed, and what the answer says.
pub(super) const COMMANDS: &[(&str, &[&str])] = &[
    ("help", &["online LIST", "exit [ok|failed]"]),
    ("help fail", &["fail LIST STEP [up|down]: ", "STEP is "]),
    ("cpus", &["apic", "4 of 4 CPUs are online"]),
    ("offline 1-2", &["op: offline 1-2: 2 of 2 in "]),
    ("states", &["offline ", "1-2\n", "inbox "]),
    ("cpus", &["2 of 4 CPUs are online"]),
    ("online all", &["op: online all: "]),
    ("target 3 join", &["op: target 3 join: 1 of 1 in "]),
    ("fail 1 join down", &["op: fail 1 join down: 1 of 1 in "]),
    (
        "offline 1",
        &["failed at step join", "op: offline 1: 0 of 1 in "],
    ),
    ("online 1-3", &["op: online 1-3: 3 of 3 in "]),
    ("smt off", &["op: smt off: 2 of 2 in "]),
    ("online 1", &["smt=off holds it"]),
    ("bench 1", &["SMT is off", "`smt on` lets them come"]),
    ("smt on", &["op: smt on: 2 of 2 in "]),
    ("bench serial 1", &["serial "]),
    ("bench 1", &["parallel ", "serial ", "bare ", "floor "]),
    (
        "cycle 2",
        &["cycle: 2 of 2, 3 APs down and up, 0 lost, 0 failed"],
    ),
    (
        "torture 1",
        &["operations on 3 APs in ", " s, seed ", " 0 lost, 0 failed"],
    ),
    ("stop 3", &["stop: 3 of 3, 4 CPUs, "]),
    (
        "calls 100",
        &["calls: 100 of 100 on 4 CPUs, 0 lost, 0 failed"],
    ),
    ("ipi 0 1 20", &["ipi: CPU 0 calls CPU 1, 20 calls"]),
    ("ipi", &["12 pairs, "]),
    ("trace on", &["trace: events are noted"]),
    ("cycle 1", &["cycle: 1 of 1, "]),
    ("trace off", &["trace: events are not noted"]),
    ("trace show", &["ms before  cpu event", "interrupt "]),
    ("metrics", &["polls"]),
    ("report", &["online", "bring-up: 3 of 3 APs online in "]),
    ("jobs", &["nothing runs behind"]),
    ("kill", &["nothing runs behind"]),
    ("clear", &[]),
    ("", &[]),
];

/// These are tried by themselves.
const OTHERS: [&str; 3] = ["watch", "reboot", "exit"];

/// The commands that `help` lists, each with how it is written.
pub(super) fn listed(help: &str) -> impl Iterator<Item = (&str, &str)> {
    // What stands below them begins otherwise.
    let lines = help.lines();
    let lines = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()));
    let syntaxes = lines.filter_map(|line| line.split_once("  "));
    syntaxes.map(|(syntax, _)| (syntax.split(' ').next().unwrap_or_default(), syntax))
}

#[test]
fn every_command_does_what_it_is_for() {
    let mut session = Session::start(machine());
    let help = session.asks("help");
    let told: BTreeSet<&str> = listed(&help).map(|(name, _)| name).collect();
    let tried = COMMANDS
        .iter()
        .filter_map(|(line, _)| line.split(' ').next());
    let tried: BTreeSet<&str> = tried.filter(|it| !it.is_empty()).chain(OTHERS).collect();
    assert_eq!(told, tried, "what `help` lists, and what is tried");

    for (line, parts) in COMMANDS {
        let answer = session.asks(line);
        for part in *parts {
            assert!(
                answer.contains(part),
                "no `{part}` in the answer to `{line}`:\n{answer}"
            );
        }
    }
    let ended = session.leaves_by("exit ok");
    assert_eq!(ended.outcome, Outcome::Ok);
    let records = ended.records;
    let operations = ["online", "offline", "target", "fail", "smt"];
    let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let asked = COMMANDS
        .iter()
        .filter(|(line, _)| operations.contains(&&*name(line)));
    assert_eq!(records.ops().expect("they are whole").len(), asked.count());
    assert_eq!(records.cycle().expect("the first one").done, 2);
    assert_eq!(records.torture().expect("there is one").failed, 0);
    assert_eq!(records.stop().expect("there is one").done, 3);
    assert_eq!(records.calls().expect("there is one").totals.done, 100);
    assert_eq!(records.ipis().expect("they are whole").len(), 1 + 12);
    assert_eq!(records.bares().expect("they are whole").len(), 1);
}

#[test]
fn the_live_view_goes_on_until_q_and_shows_every_cpu_each_second() {
    let mut session = Session::start(machine());
    session.types(b"watch\r");
    session.sees("watch\n");
    for _ in 0..3 {
        // The boot processor's line of a table.
        session.sees("\n   0 ");
        session.sees("\n   3 ");
    }
    session.types(b"q");
    session.sees(PROMPT);
    assert_eq!(session.exits().outcome, Outcome::Ok);
}

#[test]
fn a_command_behind_leaves_the_prompt_free_and_is_listed_and_ended() {
    let mut session = Session::start(machine());
    let begun = session.asks("torture 600 &");
    assert!(begun.contains("[1] torture 600"), "{begun}");
    assert!(session.asks("jobs").contains("[1] torture 600"));
    assert!(session.asks("cpus").contains("of 4 CPUs are online"));
    assert!(session.asks("kill 1").contains("[1] is told to end"));
    session.sees("interrupted, seed ");
    session.sees("[1] torture 600: interrupted\n");
    session.sees(PROMPT);
    assert!(session.asks("jobs").contains("nothing runs behind"));
    assert_eq!(session.exits().outcome, Outcome::Ok);
}

#[test]
fn lines_that_are_entered_while_a_command_runs_wait_and_run_in_their_order() {
    let mut session = Session::start(machine());
    session.types(b"torture 2\rcycle 1\rcpus\r");
    assert!(
        session
            .answer_to("torture 2")
            .contains("operations on 3 APs")
    );
    assert!(session.answer_to("cycle 1").contains("cycle: 1 of 1"));
    assert!(session.answer_to("cpus").contains("4 of 4 CPUs are online"));
    assert_eq!(session.exits().outcome, Outcome::Ok);
}

#[test]
fn no_failure_that_torture_set_strikes_behind_it() {
    let mut session = Session::start(machine());
    // Which ones it sets, and which of them have struck by its end, is drawn.
    for _ in 0..6 {
        assert!(session.asks("torture 1").contains(" 0 lost, 0 failed"));
        assert!(session.asks("cycle 2").contains("cycle: 2 of 2"));
    }
    assert_eq!(session.exits().outcome, Outcome::Ok);
}

#[test]
fn exit_ends_with_the_verdict_that_it_is_given_or_with_the_boots() {
    let end = |keys: &str, line| {
        let session = Session::start(Machine::new(2).append(keys));
        session.leaves_by(line).outcome
    };
    let failed = |outcome| matches!(outcome, Outcome::Failed(_));
    assert_eq!(end("", "exit"), Outcome::Ok);
    assert!(failed(end("", "exit failed")));
    assert!(failed(end("fault=1:silent", "exit")));
    assert_eq!(end("fault=1:silent", "exit ok"), Outcome::Ok);
    assert_eq!(end("", "\x04"), Outcome::Ok, "Ctrl-D");
}

#[test]
fn exit_ends_what_runs_behind_first() {
    let mut session = Session::start(machine());
    session.asks("torture 600 &");
    assert_eq!(session.exits().outcome, Outcome::Ok);
}

#[test]
fn reboot_resets_every_machine() {
    use reveille_tests::qemu::machine::Chipset;

    for chipset in [Chipset::Q35, Chipset::Pc, Chipset::Microvm] {
        let session = Session::start(Machine::new(2).chipset(chipset));
        let ended = session.leaves_by("reboot");
        assert_eq!(ended.outcome, Outcome::Rebooted, "{chipset}");
    }
}
