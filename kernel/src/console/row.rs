//! The footer's row: what it shows, and the fewest bytes that bring the terminal from one to the next. A person
//! who types sees each key, and a serial line takes 0.1 ms for a byte.

#![forbid(unsafe_code)]

use core::fmt::{self, Write};

use super::footer::{Footer, MOST_BYTES};

/// Erases from the cursor to the end of the row.
const ERASE_REST: &str = "\x1b[K";

/// A row, kept. Its text has no control character but escape.
#[derive(Debug)]
pub(super) struct Row {
    bytes: [u8; MOST_BYTES],
    length: usize,
    column: usize,
}

impl Row {
    pub(super) const fn empty() -> Self {
        Self {
            bytes: [0; MOST_BYTES],
            length: 0,
            column: 0,
        }
    }

    fn text(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).expect("whole characters were put there")
    }

    /// Keeps what a footer says.
    pub(super) fn set(&mut self, footer: Footer<'_>) {
        self.length = 0;
        self.column = footer.column;
        for char in shown(footer.text) {
            let end = self.length + char.len_utf8();
            let Some(room) = self.bytes.get_mut(self.length..end) else {
                break;
            };
            char.encode_utf8(room);
            self.length = end;
        }
    }

    /// Draws it in an empty row, from the left edge on.
    pub(super) fn draw(&self, out: &mut impl Write) -> fmt::Result {
        let text = self.text();
        out.write_str(text)?;
        match is_plain(text) {
            true => move_cursor(out, text.len(), self.column),
            false => from_the_edge(out, self.column),
        }
    }

    /// Keeps what another footer says, and changes the row, which shows this one, into that.
    pub(super) fn change(&mut self, to: Footer<'_>, out: &mut impl Write) -> fmt::Result {
        let old = self.text();
        // Without escape sequences and wide characters, bytes are columns.
        if !(is_plain(old) && is_plain(to.text) && to.text.len() <= MOST_BYTES) {
            self.set(to);
            out.write_str("\r")?;
            out.write_str(self.text())?;
            out.write_str(ERASE_REST)?;
            return from_the_edge(out, self.column);
        }
        let pairs = old.bytes().zip(to.text.bytes());
        let same = pairs.take_while(|(old, new)| old == new).count();
        let mut column = self.column;
        if same < old.len().max(to.text.len()) {
            move_cursor(out, column, same)?;
            out.write_str(&to.text[same..])?;
            if to.text.len() < old.len() {
                out.write_str(ERASE_REST)?;
            }
            column = to.text.len();
        }
        move_cursor(out, column, to.column)?;
        self.set(to);
        Ok(())
    }

    /// Empties the row, wherever in it the cursor is, and leaves the cursor at its left edge.
    pub(super) fn erase(out: &mut impl Write) -> fmt::Result {
        write!(out, "\r{ERASE_REST}")
    }
}

/// A text without what would leave the row.
fn shown(text: &str) -> impl Iterator<Item = char> {
    text.chars().map(|char| match char {
        '\x1b' => char,
        control if control.is_control() => ' ',
        other => other,
    })
}

/// Whether each byte takes one column.
fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

fn from_the_edge(out: &mut impl Write, column: usize) -> fmt::Result {
    out.write_str("\r")?;
    move_cursor(out, 0, column)
}

fn move_cursor(out: &mut impl Write, from: usize, to: usize) -> fmt::Result {
    match (from, to) {
        _ if from == to => Ok(()),
        (_, 0) => out.write_str("\r"),
        _ if from == to + 1 => out.write_str("\x08"),
        _ if from > to => write!(out, "\x1b[{}D", from - to),
        _ => write!(out, "\x1b[{}C", to - from),
    }
}
