//! What is printed while a view has the screen: kept in a fixed place, for nobody who prints may have to
//! allocate. What does not fit is counted.

#![forbid(unsafe_code)]

use core::fmt::{self, Write};

use super::hold::MOST_KEPT_BYTES;

/// Text that waits.
#[derive(Debug)]
pub(super) struct Kept {
    bytes: [u8; MOST_KEPT_BYTES],
    length: usize,
    /// Bytes that came when it was full. From the first one on nothing is kept: so what is kept has no gap.
    lost: usize,
}

impl Kept {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; MOST_KEPT_BYTES],
            length: 0,
            lost: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0 && self.lost == 0
    }

    /// Writes the first line of what was kept, or a part of it that is not long, or, behind the last one, how much
    /// was not kept; and keeps it no more. Tells how many bytes of what was kept these were.
    pub(super) fn tell_piece(&mut self, out: &mut impl Write) -> Result<usize, fmt::Error> {
        let text = str::from_utf8(&self.bytes[..self.length]);
        let text = text.expect("whole characters were put there");
        let most = text.floor_char_boundary(MOST_PIECE_BYTES);
        let end = text[..most].find('\n').map_or(most, |at| at + 1);
        let told = out.write_str(&text[..end]);
        self.bytes.copy_within(end..self.length, 0);
        self.length -= end;
        told?;
        if self.length == 0 && self.lost > 0 {
            let lost = core::mem::take(&mut self.lost);
            write!(
                out,
                "\n({lost} bytes more were printed while the screen was held, and are lost)\n"
            )?;
        }
        Ok(end)
    }
}

/// So much is told at once: at 115,200 baud it takes 11 ms.
const MOST_PIECE_BYTES: usize = 128;

impl Write for Kept {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = match self.lost {
            0 => MOST_KEPT_BYTES - self.length,
            _ => 0,
        };
        let fits = text.floor_char_boundary(room);
        let end = self.length + fits;
        self.bytes[self.length..end].copy_from_slice(&text.as_bytes()[..fits]);
        self.length = end;
        self.lost += text.len() - fits;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{format, string::String, vec::Vec};

    use super::*;

    fn told(kept: &mut Kept) -> String {
        let mut text = String::new();
        while !kept.is_empty() {
            let before = text.len();
            kept.tell_piece(&mut text).unwrap();
            assert!(text.len() - before <= 2 * MOST_PIECE_BYTES);
        }
        text
    }

    #[test]
    fn what_fits_is_told_and_the_rest_is_counted() {
        let mut kept = Kept::new();
        let (first, last) = ("x".repeat(MOST_KEPT_BYTES - 4), "12€45€");
        for text in [&first, last, "a line that would fit\n"] {
            kept.write_str(text).unwrap();
        }
        // Two bytes of room are none for a character of three.
        let expected = format!(
            "{first}12\n(30 bytes more were printed while the screen was held, and are lost)\n"
        );
        assert_eq!(told(&mut kept), expected);
        assert_eq!(told(&mut kept), "");
        kept.write_str("again").unwrap();
        assert_eq!(told(&mut kept), "again");
    }

    #[test]
    fn a_piece_is_a_line_or_a_part_of_one_and_whole_characters() {
        let mut kept = Kept::new();
        let long = "€".repeat(MOST_PIECE_BYTES / 3 + 2);
        kept.write_str(&format!("one\n\n{long}\nlast")).unwrap();
        let mut pieces = Vec::new();
        while !kept.is_empty() {
            let mut piece = String::new();
            assert_eq!(kept.tell_piece(&mut piece), Ok(piece.len()));
            pieces.push(piece);
        }
        let first = "€".repeat(MOST_PIECE_BYTES / 3);
        assert_eq!(pieces, ["one\n", "\n", &first, "€€\n", "last"]);
    }
}
