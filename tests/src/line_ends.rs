//! The line ends of a serial line, as text on the host has them.

/// Makes LF of a serial line's CR LF, whose two bytes may arrive apart.
#[derive(Clone, Debug, Default)]
pub struct LineEnds {
    /// The last byte was a CR, and what follows it is not known yet.
    after_cr: bool,
}

impl LineEnds {
    /// `bytes`, which follow those of the last time. A CR at their end comes with the next ones.
    pub fn plain(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if self.after_cr && byte != b'\n' {
                plain.push(b'\r');
            }
            self.after_cr = byte == b'\r';
            if !self.after_cr {
                plain.push(byte);
            }
        }
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_cr_of_a_line_end_is_dropped() {
        let mut line_ends = LineEnds::default();
        let pieces: [&[u8]; 3] = [b"a\r\nb\rc\r", b"\n\r", b"\r\nd"];
        assert_eq!(
            pieces.map(|piece| line_ends.plain(piece)).concat(),
            b"a\nb\rc\n\r\nd"
        );
    }
}
