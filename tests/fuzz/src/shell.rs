//! What is typed at the shell: bytes, keys, the line, the command.
//!
//! The bytes are what a terminal sends. A NUL, which no key sends, says what comes about beside it: with a
//! second one nothing comes for a while, with another byte behind it the terminal is so many columns wide.

use reveille_kernel::shell::{
    command::{self, CommandError, Invocation, JobNumber},
    completion::{Completions, Names},
    line::{Editor, Key, Keys, LONGEST_LINE, Reaction, Row},
};
use reveille_smp::cpu::CpuIndex;
use unicode_width::UnicodeWidthChar;

/// Columns before anything else is said.
pub(crate) const WIDTH: usize = 80;
/// More bytes than a row ever has: a line, a prompt, and what is looked for.
const LONGEST_ROW: usize = LONGEST_LINE + 128;

/// Types, and looks after each key. Returns whether a command was entered.
pub fn check(bytes: &[u8]) -> bool {
    crate::prompt::check(bytes);
    let mut terminal = Terminal {
        editor: Editor::new("reveille> ", WIDTH),
        width: WIDTH,
        has_command: false,
    };
    let mut keys = Keys::default();
    let mut bytes = bytes.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            0 => match bytes.next() {
                Some(0) | None => {
                    let key = keys.rest();
                    assert!(!keys.has_begun() && keys.rest().is_none());
                    key.into_iter().for_each(|key| drop(terminal.press(key)));
                }
                Some(width) => terminal.resize(width.into()),
            },
            _ => {
                let reactions: Vec<_> = keys.feed(byte).map(|key| terminal.press(key)).collect();
                assert!(reactions.len() <= 2);
                let is_interrupt = byte == 0x03;
                let last = reactions.last();
                assert_eq!(last == Some(&Reaction::Interrupt), is_interrupt);
            }
        }
    }
    terminal.has_command
}

struct Terminal {
    editor: Editor,
    width: usize,
    has_command: bool,
}

impl Terminal {
    fn resize(&mut self, width: usize) {
        self.width = width;
        self.editor.set_width(width);
        self.check_row();
    }

    /// Presses a key.
    fn press(&mut self, key: Key) -> Reaction {
        if let Key::Char(char) = key {
            assert!(!char.is_control(), "{char:?}");
        }
        let before = self.editor.footer();
        let reaction = self.editor.key(key, &Completions(Machine));
        let row = self.check_row();
        assert!(self.editor.text().len() <= LONGEST_LINE);
        match &reaction {
            Reaction::Nothing | Reaction::Bell => assert_eq!(before, row, "{key:?}"),
            Reaction::Line(line) => {
                assert!(self.editor.text().is_empty() && line.len() <= LONGEST_LINE);
                self.has_command |= check_line(line);
            }
            Reaction::TooLong { bytes } => {
                assert!(self.editor.text().is_empty() && *bytes > LONGEST_LINE);
            }
            Reaction::Interrupt | Reaction::EndOfInput => assert!(self.editor.text().is_empty()),
            Reaction::Candidates(candidates) => assert!(candidates.len() > 1),
            _ => (),
        }
        reaction
    }

    /// The row fits, commands the terminal nothing, and has the cursor at a character.
    fn check_row(&self) -> Row {
        let row = self.editor.footer();
        assert!(row.text.len() <= LONGEST_ROW);
        assert!(
            !row.text.contains(|char: char| char.is_control()),
            "{row:?}"
        );
        let last = self.width.saturating_sub(1);
        let mut cells = vec![0];
        for char in row.text.chars() {
            cells.push(cells[cells.len() - 1] + char.width().unwrap_or(0));
        }
        assert!(
            cells[cells.len() - 1] <= last,
            "{row:?} on {} columns",
            self.width
        );
        assert!(row.column <= last && cells.contains(&row.column), "{row:?}");
        row
    }
}

/// Reads a line as a command. Returns whether it is one.
fn check_line(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let read = command::parse(line);
    assert_eq!(command::parse(&words.join(" ")), read, "spaces count");
    match read {
        Ok(None) => assert!(words.is_empty()),
        Ok(Some(invocation)) => {
            check_taken(&words, &invocation);
            return true;
        }
        Err(error) => check_refused(&words, &error),
    }
    false
}

/// A command that is taken is taken from its own text, and from none that is longer.
fn check_taken(words: &[&str], invocation: &Invocation) {
    let text = invocation.to_string();
    // A list of many ranges is cut short, and no list any more.
    if !text.contains(" more") {
        assert_eq!(
            command::parse(&text).as_ref(),
            Ok(&Some(invocation.clone())),
            "`{text}`"
        );
    }
    assert!(command::parse(&format!("{} no-such-word x y", words.join(" "))).is_err());
    let behind = words.last().is_some_and(|word| word.ends_with('&'));
    assert_eq!(invocation.behind, behind);
}

/// One that is refused is told what would be right, in a line of a bounded length.
fn check_refused(words: &[&str], error: &CommandError) {
    let text = error.to_string();
    assert!(!text.contains(|char: char| char.is_control()), "{text:?}");
    assert!(text.chars().count() < 400, "{text}");
    match error.entry {
        Some(entry) => {
            assert!(words[0].trim_end_matches('&') == entry.name);
            assert!(text.starts_with(&format!("{}: ", entry.name)), "{text}");
            assert!(text.contains("; it is `") || entry.name == "help", "{text}");
        }
        None => assert!(text.contains("; the commands are "), "{text}"),
    }
}

/// A machine with a few names of each kind.
pub(crate) struct Machine;

impl Names for Machine {
    fn cpus(&self) -> Vec<CpuIndex> {
        (0..32).map(CpuIndex).collect()
    }

    fn states(&self) -> Vec<&'static str> {
        vec!["offline", "apic", "join", "online"]
    }

    fn steps(&self) -> Vec<&'static str> {
        vec!["stack", "kick", "apic", "join", "inbox"]
    }

    fn jobs(&self) -> Vec<JobNumber> {
        vec![JobNumber(1), JobNumber(12)]
    }
}
