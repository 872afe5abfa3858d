//! What stands on a console whose guest moves the cursor: the lines, as one would read them.
//!
//! The shell draws its row again and again, and what others print replaces it. Whoever looks for a line
//! of the kernel's wants what stayed there. The row is one row, so no more is followed than what happens
//! within a line.

use std::{borrow::Cow, mem};

use vte::{Params, Parser, Perform};

/// The text of `console`. Without control sequences it is the console itself.
pub fn plain(console: &str) -> Cow<'_, str> {
    if !console.contains('\x1b') {
        return Cow::Borrowed(console);
    }
    let mut lines = Lines::default();
    Parser::new().advance(&mut lines, console.as_bytes());
    lines.end_line(false);
    Cow::Owned(lines.text)
}

#[derive(Debug, Default)]
struct Lines {
    text: String,
    line: Vec<char>,
    column: usize,
}

impl Lines {
    fn end_line(&mut self, with_its_end: bool) {
        self.text.extend(mem::take(&mut self.line));
        if with_its_end {
            self.text.push('\n');
        }
        self.column = 0;
    }
}

impl Perform for Lines {
    fn print(&mut self, character: char) {
        if self.line.len() <= self.column {
            self.line.resize(self.column + 1, ' ');
        }
        self.line[self.column] = character;
        self.column += 1;
    }

    fn execute(&mut self, control: u8) {
        match control {
            b'\n' => self.end_line(true),
            b'\r' => self.column = 0,
            b'\x08' => self.column = self.column.saturating_sub(1),
            b'\t' => self.print('\t'),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], _: bool, action: char) {
        if !intermediates.is_empty() {
            return;
        }
        let first = params.iter().next().and_then(|it| it.first());
        let first = usize::from(first.copied().unwrap_or_default());
        let distance = first.max(1);
        match (action, first) {
            ('K', 0) | ('J', 0) => self.line.truncate(self.column),
            ('K', 2) => self.line.clear(),
            ('G', _) => self.column = distance - 1,
            ('C', _) => self.column += distance,
            ('D', _) => self.column = self.column.saturating_sub(distance),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_drawn_again_is_not_part_of_what_replaces_it() {
        let console = "reveille> cpu\r\x1b[Kop: online 1\nreveille> cpu\r\x1b[K\x1b[?25hok\n";
        assert_eq!(plain(console), "op: online 1\nok\n");
        assert_eq!(plain("as it is\r\n"), "as it is\r\n");
    }

    #[test]
    fn within_a_line_the_cursor_is_followed() {
        assert_eq!(plain("abc\x1b[2Dx"), "axc");
        assert_eq!(plain("abc\rx\x1b[K"), "x");
        assert_eq!(plain("abc\x1b[2Kd"), "   d");
        assert_eq!(plain("a\x1b[5Gb\x1b[1;31mc"), "a   bc");
    }
}
