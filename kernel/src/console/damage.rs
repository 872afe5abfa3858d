//! Where bytes are missing or wrong, among those that come out of the UART.
//!
//! **What was damaged on its way does not pass for what was sent.** A [`MARK`] stands where bytes were lost, and
//! in place of a byte that the UART calls wrong: no character has that byte, so no line with it is a command.
//!
//! The UART tells of an overrun when it has happened, and a read of the line status clears that: so the FIFO is
//! full by then, and what was lost belongs behind all that it holds. Framing and parity it tells of the byte that is
//! read next (PC16550D datasheet, section 8.4). Whoever waits for the transmitter may have read the status instead,
//! on any CPU, and tells a moment later; then a byte more or less may have been fetched meanwhile, and the marks
//! leave room for that.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU8, AtomicU16, Ordering};

use super::uart::{FIFO_DEPTH, line_status};

/// What stands in a damaged place. It is no part of any UTF-8.
pub(super) const MARK: u8 = 0xff;

/// Bytes that one out of the FIFO becomes at most.
pub(super) const MOST_FOR_ONE: u32 = 4;

/// Damage that was told of, and is not marked yet.
///
/// Relaxed, both words: neither announces anything but itself.
#[derive(Debug)]
pub(super) struct Damage {
    /// Bits of the line status that others have read. Any CPU sets them, who fetches takes them.
    told: AtomicU8,
    /// Bit N: something is missing behind N + 1 more bytes. For who fetches alone.
    holes: AtomicU16,
}

/// Behind all that a full FIFO holds.
const BEHIND_FIFO: u16 = {
    assert!(FIFO_DEPTH as u32 == u16::BITS);
    1 << (FIFO_DEPTH - 1)
};

impl Damage {
    pub(super) const fn new() -> Self {
        Self {
            told: AtomicU8::new(0),
            holes: AtomicU16::new(0),
        }
    }

    /// Takes note of a line status behind which this CPU does not fetch.
    pub(super) fn tell(&self, status: u8) {
        let damage = damage(status);
        if damage != 0 {
            self.told.fetch_or(damage, Ordering::Relaxed);
        }
    }

    /// What one byte out of the FIFO becomes, with the line status that was read before it.
    pub(super) fn mark(&self, byte: u8, status: u8) -> impl Iterator<Item = u8> + use<> {
        // Behind the byte's being fetched: so whoever has cleared what was said of it has told.
        let told = self.told.swap(0, Ordering::Relaxed);
        let mut holes = self.holes.load(Ordering::Relaxed);
        if status & line_status::OVERRUN != 0 {
            holes |= BEHIND_FIFO;
        }
        if told & line_status::OVERRUN != 0 {
            holes |= BEHIND_FIFO | BEHIND_FIFO >> 1;
        }
        self.holes.store(holes >> 1, Ordering::Relaxed);
        let mark = |is_due: bool| is_due.then_some(MARK);
        // Nobody knows whether it is this byte, the one before or the next.
        let is_near = told & line_status::WRONG != 0;
        let byte = if status & line_status::BREAK != 0 {
            // It comes with a byte that nobody sent.
            None
        } else if status & line_status::WRONG != 0 {
            Some(MARK)
        } else {
            Some(byte)
        };
        let marked: [_; MOST_FOR_ONE as usize] =
            [mark(is_near), byte, mark(is_near), mark(holes & 1 != 0)];
        marked.into_iter().flatten()
    }

    /// The mark that is due where the FIFO has turned out empty, if its status told of a loss or some is owed.
    pub(super) fn mark_at_end(&self, status: u8) -> Option<u8> {
        let told = self.told.swap(0, Ordering::Relaxed) | damage(status);
        let holes = self.holes.swap(0, Ordering::Relaxed);
        (told != 0 || holes != 0).then_some(MARK)
    }
}

/// The bits that say that something is missing or wrong.
fn damage(status: u8) -> u8 {
    match status {
        // An absent UART reads as all ones.
        u8::MAX => 0,
        _ if status & line_status::BREAK != 0 => status & line_status::OVERRUN,
        _ => status & (line_status::OVERRUN | line_status::WRONG),
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn marked(damage: &Damage, bytes: &[u8], status: u8) -> Vec<u8> {
        let bytes = bytes.iter().zip((0..).map(|at| status * u8::from(at == 0)));
        bytes
            .flat_map(|(&byte, status)| damage.mark(byte, status))
            .collect()
    }

    #[test]
    fn what_was_lost_is_missing_behind_what_the_fifo_holds() {
        let damage = Damage::new();
        let bytes: Vec<u8> = (0..20).collect();
        let mut expected = bytes.clone();
        expected.insert(16, MARK);
        assert_eq!(marked(&damage, &bytes, line_status::OVERRUN), expected);
        // Two at once, of which the second comes when there is room for one byte again.
        let mut seen = marked(&damage, &bytes[..1], line_status::OVERRUN);
        seen.extend(marked(&damage, &bytes[1..], line_status::OVERRUN));
        expected.insert(18, MARK);
        assert_eq!(seen, expected);
        assert_eq!(damage.mark_at_end(0), None);
    }

    #[test]
    fn what_was_lost_behind_fewer_bytes_is_marked_where_they_end() {
        let damage = Damage::new();
        assert_eq!(marked(&damage, &[1, 2], line_status::OVERRUN), [1, 2]);
        assert_eq!(damage.mark_at_end(0), Some(MARK));
        assert_eq!(damage.mark_at_end(0), None);
    }

    #[test]
    fn a_byte_that_the_uart_calls_wrong_is_a_mark_and_a_break_is_no_byte() {
        let damage = Damage::new();
        for wrong in [line_status::FRAMING, line_status::PARITY] {
            assert_eq!(marked(&damage, &[1, 2], wrong), [MARK, 2]);
        }
        let broken = line_status::BREAK | line_status::FRAMING;
        assert_eq!(marked(&damage, &[0, 2], broken), [2]);
    }

    #[test]
    fn what_another_cpu_was_told_is_marked_on_both_sides_of_what_it_may_be() {
        let damage = Damage::new();
        damage.tell(u8::MAX);
        damage.tell(line_status::BREAK | line_status::FRAMING);
        assert_eq!(marked(&damage, &[1], 0), [1]);
        damage.tell(line_status::FRAMING);
        assert_eq!(marked(&damage, &[1, 2], 0), [MARK, 1, MARK, 2]);
        damage.tell(line_status::OVERRUN);
        let bytes: Vec<u8> = (0..17).collect();
        let mut expected = bytes.clone();
        expected.splice(15..15, [MARK]);
        expected.splice(17..17, [MARK]);
        assert_eq!(marked(&damage, &bytes, 0), expected);
        damage.tell(line_status::OVERRUN);
        assert_eq!(damage.mark_at_end(0), Some(MARK));
    }
}
