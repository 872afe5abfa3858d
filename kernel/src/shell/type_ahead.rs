//! Lines that were entered while a command runs. They wait, and run in their order.
//!
//! Their memory is bounded: a line has at most [`LONGEST_LINE`](super::line::LONGEST_LINE) bytes, and no more
//! than [`MOST_LINES`] wait. One that finds no room is refused as a whole; it is never run later, out of its
//! order.

#![forbid(unsafe_code)]

use alloc::{collections::VecDeque, string::String};
use core::fmt;

/// As many lines wait. A paste of a hundred lines has room.
pub const MOST_LINES: usize = 128;

/// The lines, the oldest first.
#[derive(Debug, Default)]
pub struct TypeAhead(VecDeque<String>);

/// No more lines can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl TypeAhead {
    /// Adds a line behind all others.
    ///
    /// # Errors
    ///
    /// [`Full`]; the line is dropped.
    pub fn push(&mut self, line: String) -> Result<(), Full> {
        if self.0.len() >= MOST_LINES {
            return Err(Full);
        }
        self.0.push_back(line);
        Ok(())
    }

    /// Takes the oldest line.
    pub fn pop(&mut self) -> Option<String> {
        self.0.pop_front()
    }

    /// So many lines more can wait.
    pub fn room(&self) -> usize {
        MOST_LINES.saturating_sub(self.0.len())
    }

    /// Whether no line waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Drops all lines, and says how many there were. Their memory is given back.
    pub fn clear(&mut self) -> usize {
        core::mem::take(&mut self.0).len()
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{MOST_LINES} lines wait already: this one is dropped; Ctrl-C drops all of them"
        )
    }
}

impl core::error::Error for Full {}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn lines_run_in_their_order_and_no_more_wait_than_there_is_room_for() {
        let mut lines = TypeAhead::default();
        for number in 0..MOST_LINES {
            assert_eq!(lines.push(number.to_string()), Ok(()));
        }
        assert_eq!(lines.room(), 0);
        assert_eq!(lines.push("one more".into()), Err(Full));
        assert_eq!(lines.pop().as_deref(), Some("0"));
        assert_eq!(lines.room(), 1);
        assert_eq!(lines.push("there is room again".into()), Ok(()));
        assert_eq!(lines.pop().as_deref(), Some("1"));
        assert_eq!(lines.clear(), MOST_LINES - 1);
        assert!(lines.is_empty() && lines.pop().is_none());
    }
}
