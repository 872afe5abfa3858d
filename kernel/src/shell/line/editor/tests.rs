//! Sessions at the keyboard.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::{
    super::{Completion, Keys},
    *,
};

/// Completes a few words.
struct Words(&'static [&'static str]);

impl Completer for Words {
    fn complete(&self, before: &str) -> Completion {
        let start = before.rfind(' ').map_or(0, |space| space + 1);
        Completion {
            start,
            candidates: self.0.iter().map(|&word| word.into()).collect(),
            goes_on: false,
        }
    }
}

const WORDS: Words = Words(&["online", "offline", "only", "trace", "état"]);

/// Types, and returns what came of it, but for redraws and nothing.
fn type_into(editor: &mut Editor, bytes: &[u8]) -> Vec<Reaction> {
    let mut keys = Keys::default();
    let mut reactions = Vec::new();
    let typed: Vec<Key> = bytes.iter().flat_map(|&byte| keys.feed(byte)).collect();
    for key in typed.into_iter().chain(keys.rest()) {
        match editor.key(key, &WORDS) {
            Reaction::Redraw | Reaction::Nothing => (),
            reaction => reactions.push(reaction),
        }
    }
    reactions
}

fn editor() -> Editor {
    Editor::new("> ", 80)
}

/// The line that all this ends with.
#[track_caller]
fn line(bytes: &str) -> String {
    let mut editor = editor();
    match type_into(&mut editor, format!("{bytes}\r").as_bytes()).pop() {
        Some(Reaction::Line(line)) => line,
        other => panic!("{bytes:?} gave {other:?}"),
    }
}

#[test]
fn each_key_does_what_it_does_in_a_unix_shell() {
    for (typed, entered) in [
        ("cpus", "cpus"),
        ("cpu\x1b[Ds\x05!", "cpsu!"),
        ("bc\x01a", "abc"),
        ("acd\x02\x02b", "abcd"),
        ("ab\x1b[H\x06x", "axb"),
        ("abx\x7fc", "abc"),
        ("abxc\x02\x02\x04", "abc"),
        ("xabc\x1b[1~\x1b[3~", "abc"),
        ("one two\x1b[1;5Dx", "one xtwo"),
        ("one two\x1bb\x1bb\x1bfx", "onex two"),
        ("one two three\x17\x17", "one "),
        ("one two\x17\x17\x19", "one two"),
        ("one two\x1b\x7f\x19\x19", "one twotwo"),
        ("one two\x01\x1bd\x1bd\x19", "one two"),
        ("one two\x01\x0b\x19\x19", "one twoone two"),
        ("one two\x1bb\x15", "two"),
        ("one two\x1bb\x15\x05\x19", "twoone "),
        // What was killed before another key was pressed is another kill.
        ("one two\x17\x02\x06\x17\x19", "one "),
        ("ab\x14", "ba"),
        ("中国\x02\x7fx", "x国"),
        ("e\u{301}\u{301}\x7fx", "x"),
    ] {
        assert_eq!(line(typed), entered, "{typed:?}");
    }
}

#[test]
fn a_key_that_can_do_nothing_rings() {
    for keys in [
        "\x7f", "\x1b[D", "\x1b[C", "\x1b[A", "\x1b[B", "\x01", "\x0b", "\x17", "\x19", "\x14",
        "\x1b[3~", "\t",
    ] {
        // Tab has too much to say on an empty line.
        let expected = match keys {
            "\t" => Reaction::Candidates(WORDS.0.iter().map(|&word| word.into()).collect()),
            _ => Reaction::Bell,
        };
        assert_eq!(
            type_into(&mut editor(), keys.as_bytes()),
            [expected],
            "{keys:?}"
        );
    }
}

#[test]
fn earlier_lines_come_back_and_so_does_the_one_that_was_begun() {
    let mut editor = editor();
    type_into(&mut editor, b"first\rsecond\rbegun");
    for (keys, text) in [
        ("\x1b[A", "second"),
        ("\x10", "first"),
        ("\x10", "first"),
        ("\x1b[B", "second"),
        ("\x0e", "begun"),
        ("\x0e", "begun"),
    ] {
        type_into(&mut editor, keys.as_bytes());
        assert_eq!(editor.text(), text);
    }
}

#[test]
fn an_earlier_line_is_found_by_a_part_of_it() {
    let mut editor = editor();
    type_into(&mut editor, b"offline 1\rcpus\ronline 2\rbegun\x12");
    for (keys, row) in [
        ("", "(search `') begun"),
        ("li", "(search `li') online 2"),
        ("\x12", "(search `li') offline 1"),
        ("\x12", "(no search `li') offline 1"),
        ("\x7f", "(search `l') online 2"),
        ("x", "(no search `lx') online 2"),
        ("\x7f\x7f", "(search `') begun"),
        ("ff\x1b[C", "> offline 1"),
        ("\x1b[B", "> cpus"),
        ("\x12off\x07", "> cpus"),
    ] {
        type_into(&mut editor, keys.as_bytes());
        assert_eq!(editor.footer().text, row, "{keys:?}");
    }
    assert_eq!(
        type_into(&mut editor, b"\x12off\r"),
        [Reaction::Line("offline 1".into())]
    );
    assert_eq!(type_into(&mut editor, b"\x12on\x03"), [Reaction::Interrupt]);
    assert_eq!(editor.footer().text, "> ");
}

#[test]
fn tab_types_what_is_certain_and_shows_what_is_not() {
    let mut editor = editor();
    let mut tab = |typed: &str| {
        let reactions = type_into(&mut editor, typed.as_bytes());
        (editor.text().to_owned(), reactions)
    };
    assert_eq!(tab("t\t"), ("trace ".into(), vec![]));
    assert_eq!(tab("on\t"), ("trace onl".into(), vec![]));
    let both = Reaction::Candidates(vec!["online".into(), "only".into()]);
    assert_eq!(tab("\t"), ("trace onl".into(), vec![both]));
    assert_eq!(tab("i\t"), ("trace online ".into(), vec![]));
    assert_eq!(tab("x\t"), ("trace online x".into(), vec![Reaction::Bell]));
    // In the middle of a line, the space that is there will do.
    assert_eq!(tab("\x15of 1\x02\x02\t2"), ("offline 21".into(), vec![]));
    assert_eq!(tab("\x15\x0b\u{e9}\t"), ("état ".into(), vec![]));
}

#[test]
fn a_line_that_is_too_long_is_refused_whole_with_its_length() {
    let mut editor = editor();
    let long = "x".repeat(10_000);
    let entered = type_into(&mut editor, format!("{long}\r").as_bytes());
    assert_eq!(
        entered,
        [Reaction::Bell, Reaction::TooLong { bytes: 10_000 }]
    );
    assert_eq!(editor.text(), "");
    // Nothing makes a line of it that may be run, whatever is deleted.
    let entered = type_into(
        &mut editor,
        format!("{long}\x7f\x17\x1b[A\x1b[3~\r").as_bytes(),
    );
    let refused = Reaction::TooLong { bytes: 10_000 };
    assert_eq!(entered.last(), Some(&refused));
    assert_eq!(
        type_into(&mut editor, format!("{long}\x15cpus\r").as_bytes()).pop(),
        Some(Reaction::Line("cpus".into()))
    );
    // What fits exactly is a line.
    let full = "é".repeat(super::super::LONGEST_LINE / 2);
    assert_eq!(
        type_into(&mut editor, format!("{full}\r").as_bytes()),
        [Reaction::Line(full)]
    );
}

#[test]
fn what_is_pasted_is_text_and_commands_nothing_but_ctrl_c() {
    let mut editor = editor();
    let entered = type_into(
        &mut editor,
        b"\x1b[200~on\tline\x04\x15\x12\x1b[A 1\r2\x1b[201~\x01x\r",
    );
    assert_eq!(
        entered,
        [
            Reaction::Line("on line 1".into()),
            Reaction::Line("x2".into())
        ]
    );
    let entered = type_into(&mut editor, b"\x1b[200~abc\x03t\t");
    assert_eq!(
        (entered, editor.text()),
        (vec![Reaction::Interrupt], "trace ")
    );
}

#[test]
fn a_hundred_lines_at_once_are_a_hundred_lines() {
    let pasted: String = (0..100).map(|number| format!("calls {number}\r")).collect();
    let lines = type_into(&mut editor(), pasted.as_bytes());
    let expected: Vec<_> = (0..100)
        .map(|number| Reaction::Line(format!("calls {number}")))
        .collect();
    assert_eq!(lines, expected);
}

#[test]
fn ctrl_d_ends_the_input_on_an_empty_line_and_deletes_on_another() {
    assert_eq!(type_into(&mut editor(), b"\x04"), [Reaction::EndOfInput]);
    assert_eq!(
        type_into(&mut editor(), b"ab\x01\x04\x04\x04"),
        [Reaction::EndOfInput]
    );
    assert_eq!(type_into(&mut editor(), b"ab\x04"), [Reaction::Bell]);
}

#[test]
fn a_line_that_is_dropped_is_not_kept() {
    let mut editor = editor();
    assert_eq!(
        type_into(&mut editor, b"first\rdropped\x03"),
        [Reaction::Line("first".into()), Reaction::Interrupt]
    );
    assert_eq!(editor.text(), "");
    type_into(&mut editor, b"\x1b[A");
    assert_eq!(editor.text(), "first");
}

#[test]
fn another_width_is_shown_at_once() {
    let mut editor = Editor::new("reveille> ", 80);
    type_into(&mut editor, b"0123456789abcdefghijklmnopqrstuvwxyz");
    assert_eq!(
        editor.footer().text,
        "reveille> 0123456789abcdefghijklmnopqrstuvwxyz"
    );
    editor.set_width(30);
    assert_eq!(
        editor.footer(),
        Row {
            text: "reveille> <opqrstuvwxyz".into(),
            column: 23
        }
    );
}

/// What plain typing, moving and deleting make of a line, told by two stacks.
#[derive(Default)]
struct Model {
    before: Vec<char>,
    behind: VecDeque<char>,
}

impl Model {
    fn key(&mut self, key: Key) {
        match key {
            Key::Char(char) => self.before.push(char),
            Key::Left => self
                .before
                .pop()
                .into_iter()
                .for_each(|char| self.behind.push_front(char)),
            Key::Right => self.before.extend(self.behind.pop_front()),
            Key::Home => self.behind = self.before.drain(..).chain(self.behind.drain(..)).collect(),
            Key::End => self.before.extend(self.behind.drain(..)),
            Key::Backspace => drop(self.before.pop()),
            Key::Delete => drop(self.behind.pop_front()),
            other => unreachable!("{other:?}"),
        }
    }

    fn text(&self) -> String {
        self.before.iter().chain(&self.behind).collect()
    }
}

fn plain_key() -> impl Strategy<Value = Key> {
    prop_oneof![
        6 => prop::sample::select(vec!['a', 'b', ' ', 'é', '中']).prop_map(Key::Char),
        4 => prop::sample::select(vec![
            Key::Left, Key::Right, Key::Home, Key::End, Key::Backspace, Key::Delete,
        ]),
    ]
}

proptest! {
    #[test]
    fn typing_moving_and_deleting_is_what_everybody_expects(keys in prop::collection::vec(plain_key(), 0..80)) {
        let mut editor = editor();
        let mut model = Model::default();
        for key in keys {
            let before = (editor.text().to_owned(), editor.footer());
            let reaction = editor.key(key, &WORDS);
            model.key(key);
            prop_assert_eq!(editor.text(), model.text());
            // It says that something is to be drawn just where something is.
            let after = (editor.text().to_owned(), editor.footer());
            prop_assert_eq!(reaction == Reaction::Redraw, before != after);
        }
    }
}
