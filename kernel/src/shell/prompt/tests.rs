//! Scripts and people: what runs, in which order, and what is lost.

use std::{format, string::ToString};

use proptest::prelude::*;

use super::{
    super::{
        line::{Completion, Keys, LONGEST_LINE},
        type_ahead::MOST_LINES,
        typed_keys::MOST_KEYS,
    },
    *,
};

/// Completes nothing.
struct NoNames;

impl Completer for NoNames {
    fn complete(&self, _: &str) -> Completion {
        Completion::default()
    }
}

/// A shell of which every line runs at once, but `sleep`, which stays in front until it is told to end, and
/// `view`, which does so until it gets a `q` or Ctrl-D.
struct Shell {
    prompt: Prompt,
    keys: Keys,
    view: Option<TypedKeys>,
    /// What came about, as text.
    done: Vec<String>,
}

impl Shell {
    fn new(is_plain: bool) -> Self {
        Self {
            prompt: Prompt::new("> ", 80, is_plain),
            keys: Keys::default(),
            view: None,
            done: Vec::new(),
        }
    }

    fn at_a_pipe(input: &[u8]) -> Vec<String> {
        let mut shell = Self::new(true);
        shell.read(input);
        shell.done
    }

    /// Reads as much at once as there is room for. What is in front ends whenever there is none.
    fn read(&mut self, mut input: &[u8]) {
        while !input.is_empty() {
            let room = self.prompt.room().min(input.len()).min(256);
            if room == 0 {
                self.end_front();
                continue;
            }
            let (now, rest) = input.split_at(room);
            now.iter().for_each(|&byte| self.byte(byte));
            self.look();
            input = rest;
        }
        while matches!(self.prompt.front, Front::Command) {
            self.end_front();
            self.look();
        }
    }

    fn byte(&mut self, byte: u8) {
        let keys: Vec<_> = self.keys.feed(byte).collect();
        for key in keys {
            if let Some(dropped) = self.prompt.key(key) {
                self.done.push(format!("^C {}", dropped.lines));
            }
            self.go_on();
        }
    }

    fn go_on(&mut self) {
        while let Some(asked) = self.prompt.next(&NoNames) {
            match asked {
                Asked::Run(line) if line == "sleep" => self.prompt.started(Front::Command),
                Asked::Run(line) if line == "view" => {
                    let keys = TypedKeys::default();
                    self.view = Some(keys.clone());
                    self.prompt.started(Front::View(keys));
                }
                Asked::Run(line) => self.done.push(line),
                Asked::TooLong { .. } => self.done.push("too long".into()),
                Asked::Full(_) => self.done.push("full".into()),
                Asked::Candidates(_) | Asked::Clear => {}
            }
        }
    }

    /// A view takes its keys, up to the one that ends it.
    fn look(&mut self) {
        while let Some(key) = self.view.as_ref().and_then(TypedKeys::left) {
            if matches!(key, Key::Char('q') | Key::Ctrl(b'd')) {
                self.view = None;
                self.end_front();
            }
        }
    }

    fn end_front(&mut self) {
        self.prompt.is_free();
        self.go_on();
    }
}

#[test]
fn the_end_of_a_pipe_is_an_end_whatever_was_begun_before_it() {
    let ran = |input: &str| Shell::at_a_pipe(format!("{input}\x04").as_bytes());
    assert_eq!(ran(""), ["exit"]);
    assert_eq!(ran("cpus\n"), ["cpus", "exit"]);
    // Its last line has no end.
    assert_eq!(ran("help\ncpus"), ["help", "cpus", "exit"]);
    assert_eq!(ran("exit"), ["exit", "exit"]);
    assert_eq!(ran(&"x".repeat(LONGEST_LINE + 1)), ["too long", "exit"]);
    for begun in ["\x1b[200~x", "x\x1b[", "x\x01"] {
        assert_eq!(ran(begun), ["x", "exit"], "{begun:?}");
    }
    // A search is left with what it has found.
    assert_eq!(ran("cpus\n\x12cp"), ["cpus", "cpus", "exit"]);
    assert_eq!(ran("cpus\n\x12"), ["cpus", "", "exit"]);
    assert_eq!(ran("sleep\ncpus"), ["cpus", "exit"]);
}

#[test]
fn nothing_behind_the_end_of_a_pipe_runs() {
    let done = Shell::at_a_pipe(b"one\n\x04two\n\x04");
    assert_eq!(done, ["one", "exit"]);
}

#[test]
fn a_persons_end_is_on_an_empty_line_only() {
    let mut shell = Shell::new(false);
    shell.read(b"ab\x01\x04\n");
    assert_eq!(shell.done, ["b"]);
    shell.read(b"\x04");
    assert_eq!(shell.done, ["b", "exit"]);
}

#[test]
fn what_follows_a_view_in_a_script_is_run_and_its_end_ends_the_view() {
    let ran = |input: &str| Shell::at_a_pipe(input.as_bytes());
    assert_eq!(ran("view\n\x04"), ["exit"]);
    assert_eq!(ran("view\nqcpus\n\x04"), ["cpus", "exit"]);
    assert_eq!(ran("view\nqview\nqcpus\x04"), ["cpus", "exit"]);
    // Here the end has come before the view begins.
    assert_eq!(ran("sleep\nview\ncpus\n\x04"), ["cpus", "exit"]);
    // Far more lines than may wait, and more keys than a view is given.
    let lines: Vec<_> = (0..4 * MOST_KEYS).map(|it| it.to_string()).collect();
    let script = format!("view\nqsleep\n{}\n\x04", lines.join("\n"));
    let mut all = lines;
    all.push("exit".into());
    assert_eq!(ran(&script), all);
}

#[test]
fn ctrl_c_drops_what_waits_behind_a_view_too() {
    for is_plain in [false, true] {
        let mut shell = Shell::new(is_plain);
        b"view\nqcpus\n\x03".iter().for_each(|&it| shell.byte(it));
        assert_eq!(shell.done, ["^C 0"]);
        // It hears of it, and ends.
        shell.view = None;
        shell.end_front();
        shell.read(b"help\n");
        assert_eq!(shell.done, ["^C 0", "help"]);
    }
}

#[test]
fn ctrl_c_does_not_drop_the_end_of_a_pipe() {
    for script in ["view\n\x04\x03", "sleep\ncpus\n\x04\x03"] {
        let done = Shell::at_a_pipe(script.as_bytes());
        assert_eq!(done.last().map(String::as_str), Some("exit"), "{script:?}");
    }
}

#[test]
fn the_width_that_a_terminal_tells_is_the_views_and_the_lines() {
    let mut shell = Shell::new(false);
    b"view\n".iter().for_each(|&it| shell.byte(it));
    let told = Key::CursorReport {
        row: 24,
        column: 132,
    };
    assert_eq!(shell.prompt.key(told), None);
    assert_eq!(shell.prompt.width(), 132);
    let keys = shell.view.unwrap();
    assert_eq!((keys.left(), keys.left()), (Some(told), None));
}

#[test]
fn a_person_is_told_of_a_line_that_finds_no_place() {
    let mut shell = Shell::new(false);
    let typed = format!("sleep\n{}", "x\n".repeat(MOST_LINES + 1));
    typed.bytes().for_each(|it| shell.byte(it));
    assert_eq!(shell.done, ["full"]);
    shell.byte(0x03);
    assert_eq!(shell.done[1], format!("^C {MOST_LINES}"));
}

proptest! {
    /// At a pipe every line runs, in its order, whatever runs in front meanwhile, and `exit` is the last.
    #[test]
    fn a_script_runs_to_its_end(
        front in "sleep\n|view\nq",
        lines in proptest::collection::vec("[fa-c]{1,3}", 0..400),
        end in "\n?\x04",
    ) {
        // Often one stays in front.
        let stays = |line: &&String| line.starts_with('f');
        let script: String = lines
            .iter()
            .map(|line| if stays(&line) { front.clone() } else { format!("{line}\n") })
            .collect();
        let script = script.strip_suffix('\n').unwrap_or(&script);
        let script = format!("{script}{end}");
        let mut done = Shell::at_a_pipe(script.as_bytes());
        done.retain(|line| !line.is_empty());
        let mut expected: Vec<_> = lines.iter().filter(|line| !stays(line)).cloned().collect();
        expected.push("exit".into());
        prop_assert_eq!(done, expected);
    }
}
