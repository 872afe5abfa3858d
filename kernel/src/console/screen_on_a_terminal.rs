//! [`screen`](super::screen) on a terminal: whatever is printed, typed and held in whichever order, what a person
//! sees is what was printed, and below it the footer.

use core::{fmt::Write, num::NonZero};
use std::{format, string::String, vec, vec::Vec};

use vt100::Parser;

use super::{footer::Footer, screen::Screen};

const ROWS: NonZero<u16> = NonZero::new(12).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(40).unwrap();

/// A terminal at the end of the line, where a UART makes CR LF of line ends.
struct Terminal {
    parser: Parser,
    bytes: usize,
}

impl Terminal {
    fn new() -> Self {
        Self {
            parser: Parser::new(ROWS, COLUMNS, 0),
            bytes: 0,
        }
    }

    fn rows(&self) -> Vec<String> {
        let rows = self.parser.screen().rows(0, COLUMNS.get());
        rows.map(|row| row.trim_end().into()).collect()
    }

    /// The rows down to the cursor's.
    fn shown(&self) -> Vec<String> {
        let (row, _) = self.parser.screen().cursor_position();
        let rows = self.rows();
        assert!(rows[usize::from(row) + 1..].iter().all(String::is_empty));
        rows[..=usize::from(row)].to_vec()
    }

    fn column(&self) -> usize {
        self.parser.screen().cursor_position().1.into()
    }
}

impl Write for Terminal {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.bytes += text.len();
        self.parser.process(text.replace('\n', "\r\n").as_bytes());
        Ok(())
    }
}

/// A screen, and the terminal on which it is.
struct Both {
    screen: Screen,
    terminal: Terminal,
}

impl Both {
    fn new() -> Self {
        Self {
            screen: Screen::new(),
            terminal: Terminal::new(),
        }
    }

    fn print(&mut self, text: &str) {
        let Self { screen, terminal } = self;
        screen.print(terminal, format_args!("{text}")).unwrap();
    }

    fn footer(&mut self, text: &str, column: usize) {
        let Self { screen, terminal } = self;
        let footer = Some(Footer { text, column });
        screen.set_footer(terminal, footer).unwrap();
    }

    fn no_footer(&mut self) {
        let Self { screen, terminal } = self;
        screen.set_footer(terminal, None).unwrap();
    }

    fn clear(&mut self) {
        let Self { screen, terminal } = self;
        screen.clear(terminal).unwrap();
    }

    fn ask(&mut self) {
        let Self { screen, terminal } = self;
        screen
            .ask(terminal, "\x1b7\x1b[999;999H\x1b[6n\x1b8")
            .unwrap();
    }

    fn release(&mut self) {
        let Self { screen, terminal } = self;
        screen.release(terminal, true).unwrap();
        while screen.tell_piece(terminal).unwrap() {}
    }
}

#[test]
fn what_is_printed_goes_above_the_footer() {
    let mut both = Both::new();
    both.print("one\n");
    both.footer("> ab", 3);
    both.print("two\nthree\n");
    assert_eq!(both.terminal.shown(), ["one", "two", "three", "> ab"]);
    assert_eq!(both.terminal.column(), 3);
    both.no_footer();
    both.print("four\n");
    assert_eq!(both.terminal.shown(), ["one", "two", "three", "four", ""]);
}

#[test]
fn the_footer_stands_where_a_line_would_behind_a_question_and_in_the_first_row_of_a_cleared_screen()
{
    let mut both = Both::new();
    both.print("one\n");
    both.ask();
    both.footer("> ab", 3);
    assert_eq!(both.terminal.shown(), ["one", "> ab"]);
    both.ask();
    assert_eq!(
        (both.terminal.shown(), both.terminal.column()),
        (vec!["one".into(), "> ab".into()], 3)
    );
    both.clear();
    assert_eq!(both.terminal.shown(), ["> ab"]);
    both.print("two ");
    both.clear();
    assert_eq!(both.terminal.shown(), ["> ab"]);
}

#[test]
fn half_a_line_has_the_screen_for_itself_until_it_ends_or_somebody_types() {
    let mut both = Both::new();
    both.footer("> ", 2);
    both.print("ha");
    assert_eq!(both.terminal.shown(), ["ha"]);
    both.print("lf\n");
    assert_eq!(both.terminal.shown(), ["half", ">"]);
    both.print("another ");
    both.footer("> x", 3);
    assert_eq!(both.terminal.shown(), ["half", "another", "> x"]);
    both.print("end\n");
    assert_eq!(both.terminal.shown(), ["half", "another", "end", "> x"]);
}

#[test]
fn a_key_costs_a_byte_where_it_changes_nothing_but_the_end() {
    let mut both = Both::new();
    both.footer("reveille> onlin", 15);
    let before = both.terminal.bytes;
    both.footer("reveille> online", 16);
    assert_eq!(both.terminal.bytes - before, 1);
    assert_eq!(both.terminal.shown(), ["reveille> online"]);
    both.footer("reveille> online", 16);
    assert_eq!(both.terminal.bytes - before, 1, "nothing has changed");
}

#[test]
fn a_view_has_the_screen_for_itself_and_what_was_printed_meanwhile_follows() {
    let mut both = Both::new();
    both.print("one\n");
    both.footer("> w", 3);
    assert!(both.screen.hold(&mut both.terminal));
    assert!(!both.screen.hold(&mut both.terminal), "it is held");
    both.terminal.write_str("the view").unwrap();
    both.print("two\n");
    both.footer("> x", 3);
    assert_eq!(both.terminal.shown(), ["the view"]);
    assert!(both.terminal.parser.screen().hide_cursor());
    both.release();
    assert_eq!(both.terminal.shown(), ["one", "two", "> x"]);
    assert!(!both.terminal.parser.screen().hide_cursor());
    both.print("three\n");
    assert_eq!(both.terminal.shown(), ["one", "two", "three", "> x"]);
}

#[test]
fn what_is_printed_while_kept_text_is_told_goes_behind_it_and_does_not_make_it_grow() {
    let mut both = Both::new();
    both.footer("> x", 3);
    assert!(both.screen.hold(&mut both.terminal));
    both.print("one\ntwo\nthree\nfour\nfive\n");
    let Both { screen, terminal } = &mut both;
    screen.release(terminal, true).unwrap();
    assert_eq!(screen.tell_piece(terminal), Ok(true));
    assert!(!screen.hold(terminal), "it is being given back");
    // It stands behind what was kept, and as much of that has been told.
    both.print("six ");
    both.footer("> y", 3);
    assert_eq!(both.terminal.shown(), ["one", "two", ""]);
    both.print("seven\n");
    assert_eq!(both.terminal.shown(), ["one", "two", "three", ""]);
    both.print("a line that is longer than all the rest\n");
    let all = [
        "one",
        "two",
        "three",
        "four",
        "five",
        "six seven",
        "a line that is longer than all the rest",
        "> y",
    ];
    assert_eq!(both.terminal.shown(), all);
    assert!(both.screen.hold(&mut both.terminal));
}

#[test]
fn a_footer_that_would_leave_its_row_does_not() {
    let mut both = Both::new();
    both.footer("a\nb\rc\x07d", 7);
    both.print("one\n");
    assert_eq!(both.terminal.shown(), ["one", "a b c d"]);
    let long = "€".repeat(super::footer::MOST_BYTES);
    both.footer(&long, 0);
    both.no_footer();
}

/// What is done to a screen.
#[derive(Clone, Copy, Debug)]
enum Act {
    Print(&'static str),
    Footer(&'static str, usize),
    NoFooter,
    Hold,
    Release,
    Clear,
    Ask,
}

/// Rows that differ in their ends, beginnings and middles, with colours and wide characters.
const FOOTERS: [(&str, usize); 9] = [
    ("> ", 2),
    ("> ab", 4),
    ("> abc", 5),
    ("> abc", 2),
    ("> xbc", 0),
    ("\x1b[1m>\x1b[0m abc", 5),
    ("> 日本", 4),
    ("", 0),
    ("(history) ab", 11),
];

fn any_act() -> impl Fn(&mut fastrand::Rng) -> Act {
    |random| match random.u8(..12) {
        0 => Act::NoFooter,
        1 => Act::Hold,
        2 => Act::Release,
        3 => Act::Print("line\n"),
        4 => Act::Print("half "),
        5 => Act::Print("two\nlines\n"),
        6 => Act::Print(""),
        7 => Act::Clear,
        8 => Act::Ask,
        _ => {
            let (text, column) = FOOTERS[random.usize(..FOOTERS.len())];
            Act::Footer(text, column)
        }
    }
}

/// What a person is to see: all lines that were printed, and the footer.
#[derive(Default)]
struct Expected {
    printed: String,
    kept: String,
    footer: Option<(&'static str, usize)>,
    is_held: bool,
}

impl Expected {
    fn act(&mut self, act: Act) {
        match act {
            Act::Print(text) if self.is_held => self.kept += text,
            Act::Print(text) => self.printed += text,
            Act::NoFooter => self.footer = None,
            Act::Clear if self.is_held => {}
            Act::Clear => self.printed.clear(),
            Act::Ask => {}
            Act::Hold => self.is_held = true,
            Act::Release => {
                self.is_held = false;
                self.printed += &core::mem::take(&mut self.kept);
            }
            Act::Footer(text, column) => {
                self.footer = Some((text, column));
                let is_half = !(self.printed.is_empty() || self.printed.ends_with('\n'));
                if is_half && !self.is_held {
                    self.printed += "\n";
                }
            }
        }
    }

    /// The last rows, down to the cursor's.
    fn rows(&self) -> Vec<String> {
        let mut rows: Vec<String> = self.printed.split('\n').map(trimmed).collect();
        if let Some((text, _)) = self.footer
            && rows.last().is_some_and(String::is_empty)
        {
            rows.pop();
            let plain = text.replace("\x1b[1m", "").replace("\x1b[0m", "");
            rows.push(trimmed(&plain));
        }
        let first = rows.len().saturating_sub(ROWS.get().into());
        rows.split_off(first)
    }
}

fn trimmed(row: &str) -> String {
    row.trim_end().into()
}

#[test]
fn whatever_happens_in_whichever_order_a_person_sees_what_was_printed_and_the_footer() {
    for seed in 0..2000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut both, mut expected) = (Both::new(), Expected::default());
        let mut acts = Vec::new();
        for _ in 0..random.usize(..30) {
            let act = any_act()(&mut random);
            acts.push(act);
            match act {
                Act::Print(text) => both.print(text),
                Act::Footer(text, column) => both.footer(text, column),
                Act::NoFooter => both.no_footer(),
                Act::Hold => {
                    both.screen.hold(&mut both.terminal);
                }
                Act::Clear => both.clear(),
                Act::Ask => both.ask(),
                Act::Release if both.screen.is_held() => both.release(),
                Act::Release => {}
            }
            expected.act(act);
            if expected.is_held {
                continue;
            }
            let told = format!("seed {seed}: {acts:?}");
            assert_eq!(both.terminal.shown(), expected.rows(), "{told}");
            let is_alone = expected.printed.is_empty() || expected.printed.ends_with('\n');
            if let Some((_, column)) = expected.footer.filter(|_| is_alone) {
                assert_eq!(both.terminal.column(), column, "{told}");
            }
        }
    }
}
