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

    /// Writes what was kept, and how much was not; behind it nothing is kept.
    pub(super) fn tell(&mut self, out: &mut impl Write) -> fmt::Result {
        let (length, lost) = (self.length, self.lost);
        (self.length, self.lost) = (0, 0);
        let text = str::from_utf8(&self.bytes[..length]).expect("whole characters were put there");
        out.write_str(text)?;
        if lost > 0 {
            write!(
                out,
                "\n({lost} bytes more were printed while the screen was held, and are lost)\n"
            )?;
        }
        Ok(())
    }
}

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
    use std::{format, string::String};

    use super::*;

    fn told(kept: &mut Kept) -> String {
        let mut text = String::new();
        kept.tell(&mut text).unwrap();
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
}
