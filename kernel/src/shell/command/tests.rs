//! What is taken, what is refused, and what is said then.

use proptest::prelude::*;
use reveille_smp::{
    selection::{CpuSet, Smt},
    strategy::Strategy as Way,
};

use super::*;
use crate::operations::op::Which;

fn command(line: &str) -> Command {
    parse(line).unwrap().unwrap().command
}

fn error(line: &str) -> String {
    parse(line).unwrap_err().to_string()
}

fn times(n: u32) -> NonZero<u32> {
    NonZero::new(n).unwrap()
}

fn listed(list: &str) -> Which {
    Which::Listed(list.parse::<CpuSet>().unwrap())
}

#[test]
fn every_command_is_read_as_it_is_meant() {
    let inbox = || "inbox".into();
    let pair = |samples| Pair {
        from: CpuIndex(0),
        to: CpuIndex(3),
        samples,
    };
    for (line, expected) in [
        ("help", Command::Help(None)),
        ("help bench", Command::Help(Entry::find("bench"))),
        ("cpus", Command::Cpus),
        ("states", Command::Op(Op::States)),
        ("online 1-3,5", Command::Op(Op::Online(listed("1-3,5")))),
        ("offline all", Command::Op(Op::Offline(Which::All))),
        (
            "target 2 join",
            Command::Op(Op::Target(listed("2"), "join".into())),
        ),
        (
            "fail all inbox",
            Command::Op(Op::Fail(Which::All, inbox(), Direction::Up)),
        ),
        (
            "fail 1 inbox up",
            Command::Op(Op::Fail(listed("1"), inbox(), Direction::Up)),
        ),
        (
            "fail 1 inbox down",
            Command::Op(Op::Fail(listed("1"), inbox(), Direction::Down)),
        ),
        ("smt on", Command::Op(Op::Smt(Smt::On))),
        ("smt off", Command::Op(Op::Smt(Smt::Off))),
        (
            "bench",
            Command::Bench {
                strategy: None,
                rounds: times(5),
            },
        ),
        (
            "bench 9",
            Command::Bench {
                strategy: None,
                rounds: times(9),
            },
        ),
        (
            "bench two-pass",
            Command::Bench {
                strategy: Some(Way::TwoPass),
                rounds: times(5),
            },
        ),
        (
            "bench serial 2",
            Command::Bench {
                strategy: Some(Way::Serial),
                rounds: times(2),
            },
        ),
        ("cycle", Command::Cycle(times(10))),
        ("cycle 1000", Command::Cycle(times(1000))),
        ("torture", Command::Torture { seconds: times(10) }),
        ("torture 60", Command::Torture { seconds: times(60) }),
        ("stop", Command::Stop(times(100))),
        ("stop 1", Command::Stop(times(1))),
        ("calls", Command::Calls(times(10_000))),
        ("calls 4294967295", Command::Calls(times(u32::MAX))),
        ("ipi", Command::Ipi(None)),
        ("ipi 0 3", Command::Ipi(Some(pair(None)))),
        ("ipi 0 3 50", Command::Ipi(Some(pair(Some(times(50)))))),
        ("trace on", Command::Trace(TraceAsked::On)),
        ("trace off", Command::Trace(TraceAsked::Off)),
        ("trace show", Command::Trace(TraceAsked::Show)),
        ("metrics", Command::Metrics),
        ("watch", Command::Watch),
        ("report", Command::Report),
        ("jobs", Command::Jobs),
        ("kill", Command::Kill(None)),
        ("kill 2", Command::Kill(Some(JobNumber(2)))),
        ("clear", Command::Clear),
        ("reboot", Command::Reboot),
        ("exit", Command::Exit(None)),
        ("exit ok", Command::Exit(Some(Verdict::Ok))),
        ("exit failed", Command::Exit(Some(Verdict::Failed))),
    ] {
        let spaced = format!("  {} ", line.replace(' ', "\t  "));
        for line in [line, &spaced] {
            let front = Invocation {
                command: expected.clone(),
                behind: false,
            };
            assert_eq!(parse(line), Ok(Some(front.clone())), "{line}");
            assert_eq!(parse(&front.to_string()), Ok(Some(front)), "{line}");
        }
    }
}

#[test]
fn what_ends_in_an_ampersand_runs_behind() {
    for line in ["torture 60 &", "torture 60&", " torture  60 & "] {
        let invocation = parse(line).unwrap().unwrap();
        assert_eq!(
            invocation.command,
            Command::Torture { seconds: times(60) },
            "{line}"
        );
        assert!(invocation.behind, "{line}");
        assert_eq!(invocation.to_string(), "torture 60 &");
    }
    assert_eq!(
        error("watch &"),
        "watch: it needs the screen and cannot run behind; it is `watch`"
    );
    assert!(
        error("&").starts_with(
            "`&` stands behind a command, as in `torture 60 &`; the commands are help, "
        )
    );
    assert!(error("torture & 60").starts_with("torture: `&` has no place here; "));
    assert!(error("torture &&").starts_with("torture: `&` has no place here; "));
}

#[test]
fn a_blank_line_asks_for_nothing() {
    for line in ["", " ", "\t \u{3000}"] {
        assert_eq!(parse(line), Ok(None), "{line:?}");
    }
}

#[test]
fn each_error_says_what_would_be_right() {
    let commands = "; the commands are help, cpus, states, online, offline, target, fail, smt, bench, \
                    cycle, torture, stop, calls, ipi, trace, metrics, watch, report, jobs, kill, clear, \
                    reboot, exit";
    let list = "LIST is CPUs as in `1-3,5`, or `all`";
    let n = "N is a number from 1";
    for (line, says) in [
        ("bnech", format!("`bnech` is no command{commands}")),
        ("Help", format!("`Help` is no command{commands}")),
        ("help bnech", format!("help: `bnech` is no command{commands}")),
        ("cpus 3", "cpus: `3` has no place here; it is `cpus`".into()),
        ("online", format!("online: LIST is missing; it is `online LIST`, where {list}")),
        ("online 3-1", format!("online: `3-1` stands where LIST belongs; it is `online LIST`, where {list}")),
        ("offline 1 2", format!("offline: `2` has no place here; it is `offline LIST`, where {list}")),
        (
            "target 1",
            format!("target: STATE is missing; it is `target LIST STATE`, where {list}, STATE is a state that `states` lists"),
        ),
        (
            "fail 1 inbox left",
            format!("fail: `left` has no place here; it is `fail LIST STEP [up|down]`, where {list}, STEP is a step that `states` lists"),
        ),
        ("smt", "smt: on|off is missing; it is `smt on|off`".into()),
        ("smt maybe", "smt: `maybe` stands where on|off belongs; it is `smt on|off`".into()),
        (
            "bench many",
            format!("bench: `many` has no place here; it is `bench [STRATEGY] [N]`, where STRATEGY is parallel|broadcast|two-pass|serial|legacy, {n}"),
        ),
        ("cycle 0", format!("cycle: `0` has no place here; it is `cycle [N]`, where {n}")),
        ("cycle +1", format!("cycle: `+1` has no place here; it is `cycle [N]`, where {n}")),
        ("stop 4294967296", format!("stop: `4294967296` has no place here; it is `stop [N]`, where {n}")),
        (
            "ipi 1",
            format!("ipi: TO is missing; it is `ipi [FROM TO [N]]`, where FROM is the number of a CPU, TO is the number of a CPU, {n}"),
        ),
        (
            "ipi 1 1",
            format!("ipi: CPU 1 does not call itself; it is `ipi [FROM TO [N]]`, where FROM is the number of a CPU, TO is the number of a CPU, {n}"),
        ),
        ("trace", "trace: on|off|show is missing; it is `trace on|off|show`".into()),
        ("kill first", "kill: `first` has no place here; it is `kill [JOB]`, where JOB is a number that `jobs` lists".into()),
        ("exit now", "exit: `now` has no place here; it is `exit [ok|failed]`".into()),
    ] {
        assert_eq!(error(line), says);
    }
}

#[test]
fn an_error_shows_no_more_of_a_word_than_fits_and_nothing_that_commands_a_terminal() {
    let message = error(&"é".repeat(500));
    assert!(message.starts_with(&format!("`{}…` is no command", "é".repeat(40))));
    assert!(error("cpus\u{1b}[2J\u{fffd}").starts_with("`cpus\u{fffd}[2J\u{fffd}` is no command"));
}

#[test]
fn every_command_begins_its_own_syntax_and_has_arguments_that_are_explained() {
    for entry in COMMANDS {
        assert_eq!(entry.syntax.split(' ').next(), Some(entry.name));
        assert_eq!(Entry::find(entry.name), Some(entry));
        let written: Vec<_> = entry
            .syntax
            .split(' ')
            .skip(1)
            .map(|it| it.trim_matches(['[', ']']))
            .collect();
        let arguments: Vec<_> = entry.arguments().map(|it| it.to_string()).collect();
        assert_eq!(written, arguments);
        // A name that nobody explains would be taken for a word that can be typed.
        let capital = |it: Argument| it.words().concat().contains(|it: char| it.is_uppercase());
        assert!(!entry.arguments().any(capital), "{}", entry.syntax);
    }
}

#[test]
fn what_the_syntax_says_is_taken_with_all_that_can_be_left_out_and_without() {
    let sample = |word: &str| {
        match word.trim_matches(['[', ']']) {
            "LIST" => "1-3,5",
            "STATE" | "STEP" => "join",
            "STRATEGY" => "serial",
            "N" | "SECONDS" | "JOB" | "TO" => "7",
            "FROM" => "0",
            "COMMAND" => "cpus",
            words => words.split('|').next().unwrap_or_default(),
        }
        .to_owned()
    };
    for entry in COMMANDS {
        let words: Vec<_> = entry.syntax.split(' ').collect();
        let whole: Vec<_> = words.iter().map(|word| sample(word)).collect();
        assert!(parse(&whole.join(" ")).is_ok(), "{}", whole.join(" "));
        let needed = words
            .iter()
            .position(|word| word.starts_with('['))
            .unwrap_or(words.len());
        let least = whole[..needed].join(" ");
        assert!(parse(&least).is_ok(), "{least}");
        if needed > 1 {
            assert!(parse(&whole[..needed - 1].join(" ")).is_err(), "{least}");
        }
        assert!(parse(&format!("{} x y z", whole.join(" "))).is_err());
    }
}

#[test]
fn the_help_fits_into_eighty_columns() {
    let pages = COMMANDS.iter().map(|entry| entry.to_string());
    for page in pages.chain([overview().to_string()]) {
        for line in page.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
    let overview = overview().to_string();
    assert_eq!(overview.lines().count(), COMMANDS.len() + 2);
    assert!(
        overview.contains("\noffline LIST              takes CPUs down\n"),
        "{overview}"
    );
    assert_eq!(
        Entry::find("kill").unwrap().to_string(),
        "kill [JOB]: interrupts what runs behind\n    \
         The one that was started last, if nothing else is said.\n    \
         JOB is a number that `jobs` lists"
    );
}

#[test]
fn numbers_that_are_told_in_words_are_those_that_are_meant() {
    for (line, words) in [
        ("bench", "Five"),
        ("cycle", "Ten"),
        ("torture", "Ten"),
        ("stop", "A hundred"),
        ("calls", "10000"),
    ] {
        let number = match words {
            "Five" => 5,
            "Ten" => 10,
            "A hundred" => 100,
            digits => digits.parse().unwrap(),
        };
        assert!(
            Entry::find(line).unwrap().details.starts_with(words),
            "{line}"
        );
        assert_eq!(command(line), command(&format!("{line} {number}")));
    }
}

proptest! {
    #[test]
    fn what_is_taken_survives_its_own_text_and_what_is_not_is_explained(
        words in prop::collection::vec("help|online|target|fail|bench|ipi|kill|exit|serial|all|up|ok|[0-9,-]{1,5}|[a-z]{1,4}|&|\u{fffd}", 0..6)
    ) {
        let line = words.join(" ");
        match parse(&line) {
            Ok(None) => prop_assert!(line.trim().is_empty()),
            Ok(Some(invocation)) => {
                let text = invocation.to_string();
                prop_assert_eq!(parse(&text), Ok(Some(invocation)), "{}", text);
            }
            Err(error) => {
                let text = error.to_string();
                prop_assert!(text.contains("; it is `") || text.contains("; the commands are "), "{}", text);
            }
        }
    }
}
