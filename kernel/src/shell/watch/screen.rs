//! A screen of text, and what a terminal must be sent to show it in the place of another.
//!
//! Only what differs is sent: at 115,200 baud a screen of 80 by 24 takes a sixth of a second, for which
//! the CPU that draws would do nothing else.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// How large the terminal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Its rows.
    pub rows: usize,
    /// Its columns.
    pub columns: usize,
}

impl Size {
    /// What is taken for the size where the terminal does not tell.
    pub const USUAL: Self = Self {
        rows: 24,
        columns: 80,
    };

    /// Nobody's terminal is larger; it bounds what a false answer can make us draw.
    const MOST: Self = Self {
        rows: 500,
        columns: 500,
    };

    /// Of a terminal that says so, within reason.
    pub fn told(rows: usize, columns: usize) -> Self {
        Self {
            rows: rows.clamp(1, Self::MOST.rows),
            columns: columns.clamp(2, Self::MOST.columns),
        }
    }
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Dim,
    /// Over the whole width.
    Inverse,
}

impl Style {
    /// Select Graphic Rendition (ECMA-48, section 8.3.117).
    fn begin(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Dim => "\x1b[2m",
            Self::Inverse => "\x1b[7m",
        }
    }
}

/// A line: printable ASCII, so that a byte is a column.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    text: String,
    style: Style,
}

/// What a terminal of this size shows. The last column stays free: some terminals go on to the next line
/// when it is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    size: Size,
    lines: Vec<Line>,
}

impl Screen {
    pub(super) fn new(size: Size) -> Self {
        Self {
            size,
            lines: Vec::with_capacity(size.rows),
        }
    }

    /// Adds a line below the others, if there is a row for it. What does not fit is cut off, and what no
    /// terminal shows in one column becomes a question mark.
    pub(super) fn push(&mut self, text: &str, style: Style) {
        if self.lines.len() == self.size.rows {
            return;
        }
        let width = self.size.columns - 1;
        let shown = |it: char| match it {
            ' '..='~' => it,
            _ => '?',
        };
        let mut text: String = text.chars().take(width).map(shown).collect();
        if style == Style::Inverse {
            text = format!("{text:<width$}");
        }
        self.lines.push(Line { text, style });
    }

    /// The lines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.text.as_str())
    }

    /// What lets a terminal that shows `before` show this, in pieces of a row at most. Without a `before`,
    /// or where the size is another, it is cleared first.
    pub fn drawn_over(&self, before: Option<&Self>) -> Vec<String> {
        let before = before.filter(|before| before.size == self.size);
        let mut pieces = Vec::new();
        if before.is_none() {
            pieces.push("\x1b[H\x1b[2J".to_string());
        }
        for row in 0..self.size.rows {
            let old = before.and_then(|before| before.lines.get(row));
            pieces.extend(redraw(row, old, self.lines.get(row)));
        }
        pieces
    }
}

/// What changes one row; nothing if it stays as it is.
fn redraw(row: usize, old: Option<&Line>, new: Option<&Line>) -> Option<String> {
    const BLANK: &Line = &Line {
        text: String::new(),
        style: Style::Plain,
    };
    let (old, new) = (old.unwrap_or(BLANK), new.unwrap_or(BLANK));
    let (from, to) = match old.style == new.style {
        true => difference(old.text.as_bytes(), new.text.as_bytes())?,
        false => (0, new.text.len()),
    };
    let (begin, end) = match new.style {
        Style::Plain => ("", ""),
        style => (style.begin(), "\x1b[m"),
    };
    let text = &new.text[from..to];
    let erase = match new.text.len() < old.text.len() {
        true => "\x1b[K",
        false => "",
    };
    Some(format!(
        "\x1b[{};{}H{begin}{text}{end}{erase}",
        row + 1,
        from + 1
    ))
}

/// The part of the new text that stands where the old one differs; `None` if it does not.
fn difference(old: &[u8], new: &[u8]) -> Option<(usize, usize)> {
    if old == new {
        return None;
    }
    let alike = |(old, new): &(&u8, &u8)| old == new;
    let from = old.iter().zip(new).take_while(alike).count();
    if old.len() != new.len() {
        return Some((from, new.len()));
    }
    let behind = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(alike)
        .count();
    Some((from, new.len() - behind))
}

#[cfg(test)]
mod tests {
    use core::num::NonZero;

    use proptest::prelude::*;

    use super::*;

    fn screen(size: Size, lines: &[(&str, Style)]) -> Screen {
        let mut screen = Screen::new(size);
        lines
            .iter()
            .for_each(|(text, style)| screen.push(text, *style));
        screen
    }

    const SMALL: Size = Size {
        rows: 3,
        columns: 20,
    };

    #[test]
    fn what_does_not_change_is_not_sent() {
        let first = screen(SMALL, &[("polls 100", Style::Plain), ("idle", Style::Dim)]);
        let next = screen(SMALL, &[("polls 170", Style::Plain), ("idle", Style::Dim)]);
        assert_eq!(next.drawn_over(Some(&first)), ["\x1b[1;8H7"]);
        assert!(first.drawn_over(Some(&first)).is_empty());
        let shorter = screen(SMALL, &[("polls 1", Style::Plain)]);
        assert_eq!(
            shorter.drawn_over(Some(&first)),
            ["\x1b[1;8H\x1b[K", "\x1b[2;1H\x1b[K"]
        );
    }

    #[test]
    fn what_no_terminal_shows_in_one_column_is_replaced() {
        let odd = screen(SMALL, &[("a\x1b[2Jb\u{4e00}\u{301}\n", Style::Plain)]);
        assert_eq!(odd.lines().next(), Some("a?[2Jb???"));
        let long = screen(SMALL, &[("0123456789012345678901234", Style::Plain)]);
        assert_eq!(long.lines().next().map(str::len), Some(19));
    }

    /// What a terminal shows that was sent these pieces.
    fn shown(parser: &vt100::Parser) -> Vec<(String, Vec<bool>)> {
        let (rows, columns) = parser.screen().size();
        let (rows, columns) = (rows.get(), columns.get());
        let row = |row| {
            let cells = (0..columns).filter_map(|column| parser.screen().cell(row, column));
            let text: String = cells
                .clone()
                .map(|it| match it.contents() {
                    "" => " ",
                    text => text,
                })
                .collect();
            (text, cells.map(|it| it.inverse()).collect())
        };
        (0..rows).map(row).collect()
    }

    fn terminal(size: Size) -> vt100::Parser {
        let length = |it| NonZero::new(it as u16).expect("a terminal has rows and columns");
        vt100::Parser::new(length(size.rows), length(size.columns), 100)
    }

    fn any_line() -> impl Strategy<Value = (String, Style)> {
        let style = prop_oneof![
            3 => Just(Style::Plain),
            1 => Just(Style::Dim),
            1 => Just(Style::Inverse)
        ];
        ("[ a-c]{0,30}", style)
    }

    fn any_lines() -> impl Strategy<Value = Vec<(String, Style)>> {
        prop::collection::vec(any_line(), 0..8)
    }

    proptest! {
        #[test]
        fn a_screen_over_any_other_looks_as_one_on_an_empty_terminal(
            screens in prop::collection::vec(any_lines(), 1..5),
            rows in 1_usize..8,
            columns in 2_usize..30,
        ) {
            let size = Size::told(rows, columns);
            let mut used = terminal(size);
            let mut before: Option<Screen> = None;
            for lines in screens {
                let mut screen = Screen::new(size);
                lines.iter().for_each(|(text, style)| screen.push(text, *style));
                for piece in screen.drawn_over(before.as_ref()) {
                    used.process(piece.as_bytes());
                }
                let mut fresh = terminal(size);
                for piece in screen.drawn_over(None) {
                    fresh.process(piece.as_bytes());
                }
                prop_assert_eq!(shown(&used), shown(&fresh));
                for (row, line) in screen.lines().enumerate() {
                    let (text, _) = &shown(&used)[row];
                    prop_assert_eq!(text.trim_end(), line.trim_end());
                }
                before = Some(screen);
            }
        }
    }
}
