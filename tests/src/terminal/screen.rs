//! What the guest shows, on the standard output, and how the screen is left.
//!
//! The guest may switch things on and never off: it crashes, or is ended. An emulator follows what it
//! writes, so that at the end exactly that is switched off, and nothing is sent to a terminal that
//! needs none of it: leaving an alternate screen that was never entered would move the cursor.

use std::io::{self, Write};

use super::{Ends, PROMPT};
use crate::line_ends::LineEnds;

/// Brings the terminal back from the guest's alternate screen.
const LEAVE_ALTERNATE_SCREEN: &str = "\x1b[?1049l";
const SHOW_CURSOR: &str = "\x1b[?25h";
const PLAIN_ATTRIBUTES: &str = "\x1b[m";
const LINE_END: &str = "\r\n";
const ERASE_LINE: &str = "\r\x1b[K";
const DIM: &str = "\x1b[2m";

/// The standard output, as the guest has left it so far.
pub struct Screen {
    ends: Ends,
    line_ends: LineEnds,
    emulator: vt100::Parser,
    prompt: Prompt,
}

impl Screen {
    /// One on which the guest has shown nothing yet.
    pub fn new(ends: Ends) -> Self {
        Self {
            ends,
            line_ends: LineEnds::default(),
            emulator: vt100::Parser::default(),
            prompt: Prompt::default(),
        }
    }

    /// Another guest begins.
    pub fn begin(&mut self) {
        self.leave();
        self.line_ends = LineEnds::default();
        self.prompt = Prompt::default();
    }

    /// Shows what the guest wrote. Says whether its prompt was among it, for the first time.
    ///
    /// # Errors
    ///
    /// The reader of the standard output is gone. What the guest wrote counts all the same.
    pub fn show(&mut self, bytes: &[u8]) -> (bool, io::Result<()>) {
        let prompt = self.prompt.comes_with(bytes);
        let shown = match self.ends {
            Ends::Terminal => {
                self.emulator.process(bytes);
                write(bytes)
            }
            Ends::Plain => write(&self.line_ends.plain(bytes)),
        };
        (prompt, shown)
    }

    /// Says something of ours beside what the guest shows, on a line of its own.
    pub fn say(&self, text: &str) {
        match self.ends {
            Ends::Terminal => eprintln!("{ERASE_LINE}{DIM}{text}{PLAIN_ATTRIBUTES}"),
            Ends::Plain => eprintln!("{text}"),
        }
    }

    /// Leaves the screen as a person wants it who goes on at it: what the guest switched on is off,
    /// and the cursor is at the beginning of a line.
    pub fn leave(&mut self) {
        let text = leaving(self.emulator.screen());
        self.emulator = vt100::Parser::default();
        if !text.is_empty() {
            // Who hung up needs no screen.
            let _gone = write(text.as_bytes());
        }
    }
}

/// What switches off all that is on, and ends a line that has begun.
fn leaving(screen: &vt100::Screen) -> String {
    let blank = vt100::Parser::default();
    let blank = blank.screen();
    let is_alternate = screen.alternate_screen();
    let mut text = blank.input_mode_diff(screen);
    if screen.attributes_formatted() != blank.attributes_formatted() {
        text += PLAIN_ATTRIBUTES;
    }
    if is_alternate {
        text += LEAVE_ALTERNATE_SCREEN;
    }
    if screen.hide_cursor() {
        text += SHOW_CURSOR;
    }
    // Where the cursor comes back to from the alternate screen, a line may have begun.
    if is_alternate || screen.cursor_position().1 > 0 {
        text += LINE_END;
    }
    text
}

/// Finds the guest's prompt, once, however what it writes is cut into pieces.
#[derive(Debug, Default)]
struct Prompt {
    was_shown: bool,
    /// So many bytes of it were the last ones of the piece before.
    begun: usize,
}

impl Prompt {
    fn comes_with(&mut self, bytes: &[u8]) -> bool {
        if self.was_shown {
            return false;
        }
        let prompt = PROMPT.as_bytes();
        for &byte in bytes {
            // `r` is its first byte and no other: nothing but a first byte begins it anew.
            self.begun = if byte == prompt[self.begun] {
                self.begun + 1
            } else {
                usize::from(byte == prompt[0])
            };
            if self.begun == prompt.len() {
                self.was_shown = true;
                return true;
            }
        }
        false
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(written: &str) -> String {
        let mut emulator = vt100::Parser::default();
        emulator.process(written.as_bytes());
        let text = leaving(emulator.screen());
        emulator.process(text.as_bytes());
        let screen = emulator.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
        assert!(!screen.bold() && !screen.inverse());
        assert_eq!(screen.cursor_position().1, 0);
        text
    }

    #[test]
    fn what_the_guest_switched_on_is_switched_off_and_nothing_else() {
        assert_eq!(left("a line\r\n"), "");
        assert_eq!(
            left("a view \x1b[?1049h\x1b[?25l\x1b[?25h\x1b[?1049l\r\n"),
            ""
        );
        assert_eq!(left("half a line"), "\r\n");
        assert_eq!(left("\x1b[?2004h"), "\x1b[?2004l");
        left("a view\x1b[?1049h\x1b[?25l\x1b[1;7mhalf\x1b[3;5H of it");
    }

    #[test]
    fn the_prompt_is_found_once_and_in_pieces() {
        let mut prompt = Prompt::default();
        let pieces = ["reveille: ok\r\nrev", "reveil", "le", "> ", "reveille> "];
        let found: Vec<_> = pieces.map(|it| prompt.comes_with(it.as_bytes())).into();
        assert_eq!(found, [false, false, false, true, false]);
    }
}
