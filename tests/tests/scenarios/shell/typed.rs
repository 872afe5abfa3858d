//! Whatever is typed, the shell answers the next line as ever.

use std::fmt::Write;

use reveille_tests::{outcome::Outcome, qemu::machine::Machine};

use super::session::{PROMPT, Session};

/// Checks that it still answers, and ends as if nothing had been.
fn is_well(mut session: Session) {
    assert!(session.asks("cpus").contains("2 of 2 CPUs are online"));
    // Whatever was refused.
    assert_eq!(session.leaves_by("exit ok").outcome, Outcome::Ok);
}

#[test]
fn a_line_of_10_000_characters_is_refused_as_a_whole() {
    let mut session = Session::start(Machine::new(2));
    let line = "offline 1 ".repeat(1000);
    session.types(line.as_bytes());
    session.types(b"\r");
    session.sees("a line of 10000 bytes was entered, of which nothing is run");
    session.sees(PROMPT);
    is_well(session);
}

#[test]
fn a_line_of_as_many_bytes_as_may_be_is_run_and_one_more_is_refused() {
    let mut session = Session::start(Machine::new(2));
    let longest = format!("cpus{}", " ".repeat(1020));
    assert!(session.asks(&longest).contains("2 of 2 CPUs are online"));
    session.types(format!("{longest} \r").as_bytes());
    session.sees("a line of 1025 bytes was entered");
    session.sees(PROMPT);
    is_well(session);
}

#[test]
fn bytes_that_are_no_utf_8_are_shown_as_such_and_refused() {
    let mut session = Session::start(Machine::new(2));
    // A lone continuation, a sequence that is cut off, an overlong one, a surrogate, beyond Unicode.
    let wrong: [&[u8]; 5] = [
        b"\x80",
        b"\xe2\x82",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf5\x80\x80\x80",
    ];
    for bytes in wrong {
        session.types(b"cpus ");
        session.types(bytes);
        session.types(b"\r");
        let echo = session.sees("\n");
        assert!(echo.contains('\u{fffd}'), "{bytes:x?}: {echo}");
        session.sees("has no place here; it is `cpus`\n");
        session.sees(PROMPT);
    }
    let good = session.asks("cpus zażółć-語-🦀");
    assert!(good.contains("`zażółć-語-🦀` has no place here"), "{good}");
    is_well(session);
}

#[test]
fn every_byte_but_those_that_leave_is_harmless() {
    let mut session = Session::start(Machine::new(2));
    // Ctrl-D on an empty line leaves, and it leaves only there.
    for byte in (0..=u8::MAX).filter(|it| *it != 4) {
        session.types(&[b'x', byte, byte, b'\x1b', b'[', byte, b';', byte]);
    }
    // An escape sequence may be open still: it ends here at the latest.
    session.types(b"~\x1b\\\x03");
    session.sees("^C");
    session.types(b"\x03\rhelp exit\r");
    session.sees("exit [ok|failed]: ");
    session.sees(PROMPT);
    is_well(session);
}

#[test]
fn a_paste_of_a_hundred_lines_runs_line_by_line() {
    let mut session = Session::start(Machine::new(2));
    let mut paste = String::new();
    for number in 0..100 {
        write!(paste, "pasted-{number}\r").expect("a text takes all");
    }
    session.types(paste.as_bytes());
    for number in 0..100 {
        let answer = session.answer_to(&format!("pasted-{number}"));
        assert!(answer.starts_with(&format!("`pasted-{number}` is no command")));
    }
    is_well(session);
}

#[test]
fn a_paste_of_a_hundred_lines_waits_for_a_command_that_runs() {
    let mut session = Session::start(Machine::new(2));
    let mut paste = "torture 3\r".to_owned();
    for number in 0..100 {
        write!(paste, "pasted-{number}\r").expect("a text takes all");
    }
    session.types(paste.as_bytes());
    assert!(session.answer_to("torture 3").contains(" 0 lost, 0 failed"));
    for number in 0..100 {
        session.answer_to(&format!("pasted-{number}"));
    }
    is_well(session);
}
