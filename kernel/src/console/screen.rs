//! What the terminal shows: text that scrolls, below it at most one row that does not, and in place of both a
//! view that somebody holds.
//!
//! ```text
//!                  set_footer, a line ends
//!   text ──────────────────────────────────────▶ text, and the footer below it
//!     ▲            print, set_footer(None)                │
//!     ├───────────────────────────────────────────────────┤
//!     │ release                                      hold │
//!     └──────────── the view; text is kept ◀──────────────┘
//! ```
//!
//! The footer stands only where a line begins: whoever prints half a line takes it away until the line ends,
//! and whoever sets it ends the line.

#![forbid(unsafe_code)]

use core::fmt::{self, Write};

use super::{footer::Footer, kept::Kept, row::Row};

/// The state of the terminal, as far as we know it. Each method writes to it what brings it there.
#[derive(Debug)]
pub(super) struct Screen {
    row: Row,
    has_footer: bool,
    /// The row is there, and the cursor in it.
    is_drawn: bool,
    /// What is printed next begins a line.
    at_line_start: bool,
    is_held: bool,
    kept: Kept,
}

/// The cursor goes to the upper left corner of a screen that is emptied, with what has scrolled off it.
const CLEAR: &str = "\x1b[H\x1b[2J\x1b[3J";
/// To the other screen, without a cursor, emptied, from the upper left corner on.
const TAKE_SCREEN: &str = "\x1b[?1049h\x1b[?25l\x1b[2J\x1b[H";
/// And back, where the cursor is as it was.
pub(super) const GIVE_SCREEN_BACK: &str = "\x1b[0m\x1b[?25h\x1b[?1049l";

impl Screen {
    pub(super) const fn new() -> Self {
        Self {
            row: Row::empty(),
            has_footer: false,
            is_drawn: false,
            at_line_start: true,
            is_held: false,
            kept: Kept::new(),
        }
    }

    pub(super) fn print(&mut self, out: &mut impl Write, text: fmt::Arguments<'_>) -> fmt::Result {
        if self.is_held {
            return self.kept.write_fmt(text);
        }
        if self.has_kept() {
            return Behind { screen: self, out }.write_fmt(text);
        }
        self.take_row_away(out)?;
        let mut ends = Ends {
            out: &mut *out,
            with_line: self.at_line_start,
        };
        let printed = ends.write_fmt(text);
        self.at_line_start = ends.with_line;
        self.draw_row(out)?;
        printed
    }

    pub(super) fn set_footer(
        &mut self,
        out: &mut impl Write,
        footer: Option<Footer<'_>>,
    ) -> fmt::Result {
        self.has_footer = footer.is_some();
        let Some(footer) = footer else {
            return self.take_row_away(out);
        };
        if self.is_drawn {
            return self.row.change(footer, out);
        }
        self.row.set(footer);
        if !(self.is_held || self.has_kept() || self.at_line_start) {
            out.write_str("\n")?;
            self.at_line_start = true;
        }
        self.draw_row(out)
    }

    /// Sends what leaves all as it is, and the cursor where it is: a question. Whoever holds the screen asks
    /// himself.
    pub(super) fn ask(&mut self, out: &mut impl Write, question: &str) -> fmt::Result {
        match self.is_held {
            true => Ok(()),
            false => out.write_str(question),
        }
    }

    /// Empties it but for the footer. A held one stays.
    pub(super) fn clear(&mut self, out: &mut impl Write) -> fmt::Result {
        if self.is_held {
            return Ok(());
        }
        self.take_row_away(out)?;
        out.write_str(CLEAR)?;
        self.at_line_start = true;
        self.draw_row(out)
    }

    /// Gives the whole screen to somebody; `false` if somebody has it, or gives it back.
    pub(super) fn hold(&mut self, out: &mut impl Write) -> bool {
        if !self.can_be_held() {
            return false;
        }
        // A terminal that does not take text loses it, and no more.
        let _ = self.take_row_away(out);
        let _ = out.write_str(TAKE_SCREEN);
        self.is_held = true;
        true
    }

    /// Takes the screen back. Whether the terminal is to be told, or was already, the caller knows, who also has
    /// what was kept [told](Self::tell_piece) behind this.
    pub(super) fn release(&mut self, out: &mut impl Write, is_to_be_told: bool) -> fmt::Result {
        if is_to_be_told {
            out.write_str(GIVE_SCREEN_BACK)?;
        }
        self.is_held = false;
        self.draw_row(out)
    }

    /// Shows a little of what was kept, which takes milliseconds; whether there is more. Until there is none,
    /// what others print goes behind it.
    pub(super) fn tell_piece(&mut self, out: &mut impl Write) -> Result<bool, fmt::Error> {
        if self.has_kept() {
            self.tell(out)?;
        }
        Ok(self.has_kept())
    }

    fn tell(&mut self, out: &mut impl Write) -> Result<usize, fmt::Error> {
        let mut ends = Ends {
            out: &mut *out,
            with_line: self.at_line_start,
        };
        let told = self.kept.tell_piece(&mut ends);
        self.at_line_start = ends.with_line;
        self.draw_row(out)?;
        told
    }

    fn has_kept(&self) -> bool {
        !self.kept.is_empty()
    }

    pub(super) fn can_be_held(&self) -> bool {
        !(self.is_held || self.has_kept())
    }

    pub(super) fn is_held(&self) -> bool {
        self.is_held
    }

    fn take_row_away(&mut self, out: &mut impl Write) -> fmt::Result {
        if core::mem::take(&mut self.is_drawn) {
            Row::erase(out)?;
        }
        Ok(())
    }

    fn draw_row(&mut self, out: &mut impl Write) -> fmt::Result {
        if self.has_footer && self.can_be_held() && self.at_line_start {
            self.is_drawn = true;
            self.row.draw(out)?;
        }
        Ok(())
    }
}

/// Passes text on, and knows whether it has ended with a line.
struct Ends<'a, W> {
    out: &'a mut W,
    with_line: bool,
}

impl<W: Write> Write for Ends<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if !text.is_empty() {
            self.with_line = text.ends_with('\n');
        }
        self.out.write_str(text)
    }
}

/// Puts text behind what is kept, and tells as much of that: so the kept text never grows while it is told, and
/// whoever prints pays for no more than what he prints.
struct Behind<'a, W> {
    screen: &'a mut Screen,
    out: &'a mut W,
}

impl<W: Write> Write for Behind<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut told = 0;
        while told < text.len() && self.screen.has_kept() {
            told += self.screen.tell(self.out)?;
        }
        if self.screen.has_kept() {
            return self.screen.kept.write_str(text);
        }
        self.screen.print(self.out, format_args!("{text}"))
    }
}
