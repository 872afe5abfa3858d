//! What a terminal sends, byte by byte, as keys.
//!
//! Whatever comes, nothing that is typed behind it is lost:
//!
//! - A control character gets through at once, whatever was begun before it; so Ctrl-C always does.
//! - No sequence takes more than [`LONGEST_SEQUENCE`](super::LONGEST_SEQUENCE) bytes.
//! - What is kept between two bytes has a fixed size.
//!
//! The sequences are those of xterm ("XTerm Control Sequences", "PC-Style Function Keys"), which most
//! others send too, and a few of rxvt's and of Linux's console.

use super::sequence::Sequence;

/// What was pressed, or what a terminal tells of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A character that is shown, and never a control character; U+FFFD for bytes that are no UTF-8.
    Char(char),
    /// CR, LF, or both as one.
    Enter,
    /// Tab, or Ctrl-I.
    Tab,
    /// DEL, or Ctrl-H.
    Backspace,
    /// Delete, in the direction of the text.
    Delete,
    /// Left.
    Left,
    /// Right.
    Right,
    /// Up.
    Up,
    /// Down.
    Down,
    /// Home.
    Home,
    /// End.
    End,
    /// Left, with Ctrl or Alt.
    WordLeft,
    /// Right, with Ctrl or Alt.
    WordRight,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// Ctrl with this letter, in lower case; but for those that have a name of their own here.
    Ctrl(u8),
    /// Alt with this character; U+007F for Alt-Backspace.
    Alt(char),
    /// Where the cursor is, as the terminal was asked to tell (DSR 6). Both count from 1.
    CursorReport {
        /// From the top.
        row: u16,
        /// From the left.
        column: u16,
    },
    /// What follows is pasted (bracketed paste).
    PasteStart,
    /// It was pasted up to here.
    PasteEnd,
    /// Escape, and nothing that belongs to it.
    Escape,
    /// A key that has no name here, or a broken sequence.
    Unknown,
}

/// Turns bytes into keys.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    begun: Begun,
    /// The last byte was CR: an LF behind it is the same Enter.
    after_return: bool,
}

/// What the last bytes have begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Begun {
    #[default]
    Nothing,
    /// ESC: a sequence, Alt with a character, or the key itself.
    Escape,
    /// ESC `[` or ESC `O`, and what followed.
    Sequence(Sequence),
    /// A character of several bytes.
    Utf8 { bytes: [u8; 4], length: usize },
}

impl Keys {
    /// Takes a byte. Gives at most two keys: one that this byte breaks off, and its own.
    pub fn feed(&mut self, byte: u8) -> impl Iterator<Item = Key> + use<> {
        let goes_on = match self.begun {
            Begun::Nothing => true,
            Begun::Escape => matches!(byte, b' '..=0x7f),
            Begun::Sequence(_) => matches!(byte, b' '..=b'~'),
            Begun::Utf8 { bytes, length } => continues(bytes, length, byte),
        };
        let broken_off = if goes_on { None } else { self.rest() };
        let key = self.take(byte);
        self.after_return = byte == b'\r';
        [broken_off, key].into_iter().flatten()
    }

    /// Ends what was begun, because nothing has followed for a while: of an ESC alone only that can tell that it was
    /// the key, as [`may_be_whole`](Self::may_be_whole) says.
    pub fn rest(&mut self) -> Option<Key> {
        match core::mem::take(&mut self.begun) {
            Begun::Nothing => None,
            Begun::Escape => Some(Key::Escape),
            Begun::Sequence(sequence) => Some(sequence.broken_off()),
            Begun::Utf8 { .. } => Some(Key::Char(char::REPLACEMENT_CHARACTER)),
        }
    }

    /// Whether something is begun that [`rest`](Self::rest) would end.
    pub fn has_begun(&self) -> bool {
        self.begun != Begun::Nothing
    }

    /// Whether what is begun may be a key as it is: ESC, or Alt with a character that begins sequences, too. The
    /// rest of what else is begun is on its way, however long that takes.
    pub fn may_be_whole(&self) -> bool {
        match self.begun {
            Begun::Escape => true,
            Begun::Sequence(sequence) => sequence.may_be_whole(),
            Begun::Nothing | Begun::Utf8 { .. } => false,
        }
    }

    /// A byte that goes on with what was begun.
    fn take(&mut self, byte: u8) -> Option<Key> {
        match core::mem::take(&mut self.begun) {
            Begun::Nothing => self.start(byte),
            Begun::Escape => match Sequence::introduced_by(byte) {
                Some(sequence) => {
                    self.begun = Begun::Sequence(sequence);
                    None
                }
                None => Some(Key::Alt(char::from(byte))),
            },
            Begun::Sequence(mut sequence) => {
                let key = sequence.take(byte);
                if key.is_none() {
                    self.begun = Begun::Sequence(sequence);
                }
                key
            }
            Begun::Utf8 { bytes, length } => self.utf8(bytes, length, byte),
        }
    }

    fn start(&mut self, byte: u8) -> Option<Key> {
        match byte {
            0x1b => {
                self.begun = Begun::Escape;
                None
            }
            b'\n' if self.after_return => None,
            b'\r' | b'\n' => Some(Key::Enter),
            b'\t' => Some(Key::Tab),
            0x08 | 0x7f => Some(Key::Backspace),
            0x01..=0x1a => Some(Key::Ctrl(byte | 0x60)),
            0x00 | 0x1c..=0x1f => Some(Key::Unknown),
            b' '..=b'~' => Some(Key::Char(char::from(byte))),
            0x80.. => self.utf8([0; 4], 0, byte),
        }
    }

    /// The next byte of a character, or its first.
    fn utf8(&mut self, mut bytes: [u8; 4], mut length: usize, byte: u8) -> Option<Key> {
        bytes[length] = byte;
        length += 1;
        match str::from_utf8(&bytes[..length]) {
            Ok(text) => text.chars().next().map(shown),
            Err(error) if error.error_len().is_none() => {
                self.begun = Begun::Utf8 { bytes, length };
                None
            }
            Err(_) => Some(Key::Char(char::REPLACEMENT_CHARACTER)),
        }
    }
}

/// Whether `byte` goes on with the character that was begun, as far as it is one.
fn continues(mut bytes: [u8; 4], length: usize, byte: u8) -> bool {
    bytes[length] = byte;
    let tried = str::from_utf8(&bytes[..=length]);
    tried.is_ok_and(|text| text.chars().count() == 1)
        || tried.is_err_and(|error| error.error_len().is_none())
}

/// Control characters beyond ASCII command a terminal that they are sent to.
fn shown(char: char) -> Key {
    match char.is_control() {
        true => Key::Unknown,
        false => Key::Char(char),
    }
}

#[cfg(test)]
mod tests;
