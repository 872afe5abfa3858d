//! What the guest shows, on the standard output, and how the screen is left.
//!
//! The guest may switch things on and never off: it crashes, or is ended. An emulator follows what it
//! writes, so that at the end exactly that is switched off, and nothing is sent to a terminal that
//! needs none of it: leaving an alternate screen that was never entered would move the cursor.
//!
//! There is one emulator for the process, as there is one terminal. Its lock is held while something is shown, so
//! who ends or stops the process from another thread ([`leave_for_good`], [`Left`]) has the last word.

use std::{
    io::{self, IsTerminal, Write},
    mem,
    num::NonZeroU16,
    sync::{Mutex, MutexGuard, PoisonError, TryLockError},
    thread,
    time::Duration,
};

use rustix::{stdio::stdout, termios::tcgetwinsize};

use super::{Ends, PROMPT};
use crate::line_ends::LineEnds;

/// Brings the terminal back from the guest's alternate screen.
const LEAVE_ALTERNATE_SCREEN: &str = "\x1b[?1049l";
const SHOW_CURSOR: &str = "\x1b[?25h";
const PLAIN_ATTRIBUTES: &str = "\x1b[m";
const LINE_END: &str = "\r\n";
const ERASE_LINE: &str = "\r\x1b[K";
const DIM: &str = "\x1b[2m";
const ENTER_ALTERNATE_SCREEN: &str = "\x1b[?1049h";
const HIDE_CURSOR: &str = "\x1b[?25l";

/// What the terminal shows, if the guest has shown anything.
static SHOWN: Mutex<Option<vt100::Parser>> = Mutex::new(None);

/// The standard output, as the guest has left it so far.
pub struct Screen {
    ends: Ends,
    /// Whether what is shown is followed, so that the terminal can be left as it was.
    is_followed: bool,
    line_ends: LineEnds,
    prompt: Prompt,
}

impl Screen {
    /// One on which the guest has shown nothing yet.
    pub fn new(ends: Ends) -> Self {
        Self::with(ends, ends == Ends::Terminal)
    }

    /// The same for somebody who only looks on: the lines end as in a file, but a terminal's colours may be left
    /// in the middle of one.
    pub fn to_look_on() -> Self {
        Self::with(Ends::Plain, io::stdout().is_terminal())
    }

    fn with(ends: Ends, is_followed: bool) -> Self {
        Self {
            ends,
            is_followed,
            line_ends: LineEnds::default(),
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
        // Held until all of it is shown.
        let mut followed = self.is_followed.then(shown);
        if let Some(shown) = &mut followed {
            let emulator = shown.get_or_insert_default();
            fit(emulator);
            emulator.process(bytes);
        }
        let shown = match self.ends {
            Ends::Terminal => write(bytes),
            Ends::Plain => write(&self.line_ends.plain(bytes)),
        };
        (prompt, shown)
    }

    /// Says something of ours beside what the guest shows, on a line of its own.
    pub fn say(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        // A terminal that has hung up hears nothing.
        let _gone = match self.ends {
            Ends::Terminal => writeln!(stderr, "{ERASE_LINE}{DIM}{text}{PLAIN_ATTRIBUTES}"),
            Ends::Plain => writeln!(stderr, "{text}"),
        };
    }

    /// Leaves the screen as a person wants it who goes on at it: what the guest switched on is off,
    /// and the cursor is at the beginning of a line.
    pub fn leave(&mut self) {
        leave(&shown().take());
    }
}

/// Leaves the screen as [`Screen::leave`] does, before the process ends: nothing is shown any more.
pub fn leave_for_good() {
    /// A terminal that takes nothing for so long keeps somebody who shows something, and would keep us.
    const TRIES: u32 = 10;
    const BETWEEN: Duration = Duration::from_millis(10);
    for _ in 0..TRIES {
        let shown = match SHOWN.try_lock() {
            Ok(shown) => shown,
            Err(TryLockError::Poisoned(shown)) => shown.into_inner(),
            Err(TryLockError::WouldBlock) => {
                thread::sleep(BETWEEN);
                continue;
            }
        };
        leave(&shown);
        mem::forget(shown);
        return;
    }
}

/// The screen is left for a while, and nothing is shown until this is dropped.
pub struct Left {
    shown: MutexGuard<'static, Option<vt100::Parser>>,
}

impl Left {
    /// Leaves it as [`Screen::leave`] does.
    pub fn now() -> Self {
        let shown = shown();
        leave(&shown);
        Self { shown }
    }

    /// It was left without a chance to say so, and others have used it.
    pub fn unseen() -> Self {
        Self { shown: shown() }
    }

    /// Shows again what was shown.
    pub fn come_back(mut self) {
        if let Some(emulator) = &mut *self.shown {
            fit(emulator);
            // Who hung up needs no screen.
            let _gone = write(returning(emulator.screen()).as_bytes());
        }
    }
}

fn leave(shown: &Option<vt100::Parser>) {
    let text = shown.as_ref().map(|it| leaving(it.screen()));
    if let Some(text) = text.filter(|it| !it.is_empty()) {
        // Who hung up needs no screen.
        let _gone = write(text.as_bytes());
    }
}

fn shown() -> MutexGuard<'static, Option<vt100::Parser>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the emulator the terminal's size. One that does not tell is taken for one of 80 by 24.
fn fit(emulator: &mut vt100::Parser) {
    let Ok(size) = tcgetwinsize(stdout()) else {
        return;
    };
    let (rows, columns) = (NonZeroU16::new(size.ws_row), NonZeroU16::new(size.ws_col));
    if let (Some(rows), Some(columns)) = (rows, columns)
        && emulator.screen().size() != (rows, columns)
    {
        emulator.screen_mut().set_size(rows, columns);
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

/// What brings back all that [`leaving`] has switched off: the whole alternate screen, or else the cursor's row.
fn returning(screen: &vt100::Screen) -> String {
    if screen.alternate_screen() {
        return format!("{ENTER_ALTERNATE_SCREEN}{}", screen.state_formatted());
    }
    let (row, column) = screen.cursor_position();
    let columns = screen.size().1.get();
    let mut text = format!("{PLAIN_ATTRIBUTES}{ERASE_LINE}");
    text.extend(screen.rows_formatted(0, columns).nth(row.into()));
    text += &format!("\x1b[{}G", column + 1);
    text += &screen.input_mode_formatted();
    text += &screen.attributes_formatted();
    if screen.hide_cursor() {
        text += HIDE_CURSOR;
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
        assert_eq!(left("half \x1b[33m░░"), "\x1b[m\r\n");
        left("a view\x1b[?1049h\x1b[?25l\x1b[1;7mhalf\x1b[3;5H of it");
    }

    #[test]
    fn a_screen_that_was_left_is_brought_back() {
        let views = [
            "a view\x1b[?1049h\x1b[?25l\x1b[1;7mhalf\x1b[3;5H of it",
            "lines\r\n\x1b[?2004hreveille> \x1b[1mcpus\x1b[2D",
        ];
        for written in views {
            let mut emulator = vt100::Parser::default();
            emulator.process(written.as_bytes());
            let before = emulator.screen().clone();
            emulator.process(leaving(&before).as_bytes());
            emulator.process(b"$ fg\r\n");
            emulator.process(returning(&before).as_bytes());
            let after = emulator.screen();
            assert_eq!(after.alternate_screen(), before.alternate_screen());
            assert_eq!(after.hide_cursor(), before.hide_cursor());
            assert_eq!(after.attributes_formatted(), before.attributes_formatted());
            assert_eq!(after.input_mode_formatted(), before.input_mode_formatted());
            let row = |screen: &vt100::Screen| {
                let (row, column) = screen.cursor_position();
                (column, screen.rows(0, 80).nth(row.into()))
            };
            assert_eq!(row(after), row(&before));
            if before.alternate_screen() {
                assert_eq!(after.contents(), before.contents());
            }
        }
    }

    #[test]
    fn the_prompt_is_found_once_and_in_pieces() {
        let mut prompt = Prompt::default();
        let pieces = ["reveille: ok\r\nrev", "reveil", "le", "> ", "reveille> "];
        let found: Vec<_> = pieces.map(|it| prompt.comes_with(it.as_bytes())).into();
        assert_eq!(found, [false, false, false, true, false]);
    }
}
