//! What the person sees of the line that is typed.
//!
//! A terminal that knows escape sequences has a row for it at the bottom, and all that is printed goes
//! above. On any other, and into a pipe, the prompt is printed when lines are taken, and each line once, when
//! it is run: what comes out reads like what was done.

use alloc::{string::String, vec::Vec};

use super::line::Row;
use crate::{
    command_line,
    console::{self, Footer, print_lines},
    print, println,
};

/// What lines are entered behind.
pub(super) const PROMPT: &str = "reveille> ";

/// The columns of a terminal that does not tell.
pub(super) const WIDTH: usize = 80;

/// Asks for the terminal's size: saves the cursor, sends it as far as it goes, asks where it is, and puts it
/// back. The answer is a [`CursorReport`](super::line::Key::CursorReport).
const ASK_FOR_SIZE: &str = "\x1b7\x1b[999;999H\x1b[6n\x1b8";

/// The terminal.
pub(super) struct Terminal {
    kind: command_line::Terminal,
    /// The prompt stands there, and no line behind it yet. Only where there is no row for it.
    has_prompt: bool,
}

impl Terminal {
    pub(super) fn new(kind: command_line::Terminal) -> Self {
        Self {
            kind,
            has_prompt: false,
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        self.kind == command_line::Terminal::Plain
    }

    /// Asks for its size, if it can tell.
    pub(super) fn ask_for_size(&self) {
        if !self.is_plain() {
            console::ask(ASK_FOR_SIZE);
        }
    }

    /// Shows the line as it is. `is_idle` says that lines are run at once.
    pub(super) fn show(&mut self, row: &Row, is_idle: bool) {
        if !self.is_plain() {
            let (text, column) = (&row.text, row.column);
            console::set_footer(Some(Footer { text, column }));
        } else if is_idle && !self.has_prompt {
            self.has_prompt = true;
            print!("{PROMPT}");
        }
    }

    /// A line that is run.
    pub(super) fn echo(&mut self, line: &str) {
        match self.has_prompt {
            true => println!("{line}"),
            false => println!("{PROMPT}{line}"),
        }
        self.has_prompt = false;
    }

    /// What is no command's: it does not stand behind the prompt.
    pub(super) fn say(&mut self, text: core::fmt::Arguments<'_>) {
        if core::mem::take(&mut self.has_prompt) {
            println!();
        }
        print_lines(text);
    }

    pub(super) fn clear(&self) {
        if !self.is_plain() {
            console::clear();
            console::ask(ASK_FOR_SIZE);
        }
    }

    /// What a word may become, in columns.
    pub(super) fn candidates(&mut self, candidates: &[String], width: usize) {
        for line in in_columns(candidates, width) {
            self.say(format_args!("{line}"));
        }
    }

    /// Leaves the terminal as it was.
    pub(super) fn leave(&mut self) {
        console::set_footer(None);
        if core::mem::take(&mut self.has_prompt) {
            println!();
        }
    }
}

/// Words in as many columns as fit, line by line.
fn in_columns(words: &[String], width: usize) -> Vec<String> {
    let longest = words.iter().map(|word| word.chars().count()).max();
    let cell = longest.unwrap_or(0) + 2;
    let columns = (width / cell).max(1);
    let line = |words: &[String]| {
        let mut line = String::new();
        for word in words {
            line.push_str(word);
            let blanks = cell - word.chars().count();
            line.extend(core::iter::repeat_n(' ', blanks));
        }
        line.truncate(line.trim_end().len());
        line
    };
    words.chunks(columns).map(line).collect()
}
