//! An escape sequence: ESC `[` or ESC `O`, parameters, and the byte that says which key it is.

use super::keys::Key;

/// As many bytes as a sequence may have behind its ESC. Those of keys have fewer; what is longer was sent
/// to do harm or is noise, and what is typed behind it counts again.
pub const LONGEST_SEQUENCE: u8 = 32;

/// A sequence as far as it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sequence {
    kind: Kind,
    /// Bytes behind the ESC.
    length: u8,
    /// The first two parameters; 0 where there is none. None that means anything is larger.
    parameters: [u16; 2],
    /// How many semicolons there were.
    separators: u8,
    /// Numbers and semicolons are all there was.
    is_plain: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// ESC `[`.
    Csi,
    /// ESC `O`.
    Ss3,
    /// ESC `[` `[`: a function key of Linux's console, and one byte says which.
    Linux,
}

impl Sequence {
    /// The one that this byte behind ESC introduces.
    pub(super) fn introduced_by(byte: u8) -> Option<Self> {
        let kind = match byte {
            b'[' => Kind::Csi,
            b'O' => Kind::Ss3,
            _ => return None,
        };
        Some(Self {
            kind,
            length: 1,
            parameters: [0; 2],
            separators: 0,
            is_plain: true,
        })
    }

    /// Takes a printable byte. Gives the key once the sequence is whole, or too long.
    pub(super) fn take(&mut self, byte: u8) -> Option<Key> {
        self.length += 1;
        match byte {
            _ if self.kind == Kind::Linux => Some(Key::Unknown),
            b'[' if self.kind == Kind::Csi && self.length == 2 => {
                self.kind = Kind::Linux;
                None
            }
            b'@'.. => Some(self.key(byte)),
            _ if self.length >= LONGEST_SEQUENCE => Some(Key::Unknown),
            b'0'..=b'9' => {
                if let Some(parameter) = self.parameters.get_mut(usize::from(self.separators)) {
                    let digit = u16::from(byte - b'0');
                    *parameter = parameter.saturating_mul(10).saturating_add(digit);
                }
                None
            }
            b';' => {
                self.separators += 1;
                None
            }
            _ => {
                self.is_plain = false;
                None
            }
        }
    }

    /// What it is if nothing follows.
    pub(super) fn broken_off(self) -> Key {
        match (self.kind, self.length) {
            (Kind::Csi, 1) => Key::Alt('['),
            (Kind::Ss3, 1) => Key::Alt('O'),
            _ => Key::Unknown,
        }
    }

    /// Whether that is a key that somebody pressed.
    pub(super) fn may_be_whole(self) -> bool {
        self.broken_off() != Key::Unknown
    }

    /// The key, by the last byte.
    fn key(&self, last: u8) -> Key {
        if !self.is_plain {
            return Key::Unknown;
        }
        let [first, second] = self.parameters;
        match last {
            b'A' => Key::Up,
            b'B' => Key::Down,
            b'C' if self.is_with_ctrl_or_alt() => Key::WordRight,
            b'D' if self.is_with_ctrl_or_alt() => Key::WordLeft,
            b'C' => Key::Right,
            b'D' => Key::Left,
            b'H' => Key::Home,
            b'F' => Key::End,
            // The keypad's Enter, and rxvt's Ctrl with an arrow.
            b'M' if self.kind == Kind::Ss3 => Key::Enter,
            b'c' if self.kind == Kind::Ss3 => Key::WordRight,
            b'd' if self.kind == Kind::Ss3 => Key::WordLeft,
            b'R' if self.kind == Kind::Csi && self.separators == 1 && first > 0 && second > 0 => {
                Key::CursorReport {
                    row: first,
                    column: second,
                }
            }
            b'~' => match first {
                1 | 7 => Key::Home,
                3 => Key::Delete,
                4 | 8 => Key::End,
                5 => Key::PageUp,
                6 => Key::PageDown,
                200 => Key::PasteStart,
                201 => Key::PasteEnd,
                _ => Key::Unknown,
            },
            _ => Key::Unknown,
        }
    }

    /// The second parameter is 1 and, added up, 1 for Shift, 2 for Alt, 4 for Ctrl, 8 for Meta. Old ones
    /// send it first.
    fn is_with_ctrl_or_alt(&self) -> bool {
        let [first, second] = self.parameters;
        let modifiers = if self.separators == 0 { first } else { second };
        modifiers.saturating_sub(1) & 0b1110 != 0
    }
}
