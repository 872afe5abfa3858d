//! The part of a line that a row of the screen shows, scrolled sideways.
//!
//! The last column stays free: a terminal that has written to it waits with the cursor on it or behind
//! it, and not all agree which. So a row is never wider than the screen, whatever is typed, and the
//! cursor always has a column on it.

use alloc::string::String;

use super::width;

/// One row: what is in it, and in which column the cursor is, counted from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The prompt and what is seen of the line; no control characters, no line ends.
    pub text: String,
    /// Cells to the left of the cursor; less than the screen has.
    pub column: usize,
}

/// A prompt that would leave less room than this for the line is not shown.
const LEAST_ROOM: usize = 12;
/// Where a row has less room than this, nothing says that there is more of the line.
const LEAST_WITH_MARKS: usize = 12;

/// What is hidden to the left and to the right.
const LEFT_MARK: char = '<';
const RIGHT_MARK: char = '>';

/// How far the line is scrolled, in cells. It moves only when the cursor would leave the row, so that the
/// text does not move with every key.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scroll(usize);

/// A line as it is to be shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub(super) prompt: &'a str,
    pub(super) text: &'a str,
    /// In bytes.
    pub(super) cursor: usize,
    /// Columns of the screen.
    pub(super) width: usize,
}

impl Scroll {
    /// Scrolls no more than it takes for the cursor to be seen.
    pub(super) fn follow(&mut self, line: Line<'_>) {
        let room = line.room();
        let cursor = width::of_str(&line.text[..line.cursor]);
        let total = width::of_str(line.text);
        if total <= room {
            self.0 = 0;
            return;
        }
        let marks = usize::from(room >= LEAST_WITH_MARKS);
        let under = line.text[line.cursor..].chars().next();
        let cells = under.map_or(0, |char| width::of_char(char).max(1));
        let (first, end) = self.seen(total, room);
        if cursor < first {
            self.0 = cursor.saturating_sub((room / 3).max(marks));
        } else if cursor + cells > end {
            let before = (room * 2 / 3).min(room.saturating_sub(2 + marks));
            self.0 = cursor - before;
        }
    }

    /// The row.
    pub(super) fn row(self, line: Line<'_>) -> Row {
        let room = line.room();
        let total = width::of_str(line.text);
        let (first, end) = self.seen(total, room);
        let mut row = Row {
            text: String::from(line.shown_prompt()),
            column: 0,
        };
        let prompt = width::of_str(&row.text);
        let mut mark = |is_there, mark| {
            if is_there {
                row.text.push(mark)
            }
        };
        mark(first > self.0, LEFT_MARK);
        // A wide character that is cut in half is a space.
        let mut cell = 0;
        for cluster in width::clusters(line.text) {
            let (from, to) = (cell, cell + width::of_str(cluster));
            match (from >= first, to <= end) {
                (true, true) => row.text.push_str(cluster),
                _ => (from.max(first)..to.min(end)).for_each(|_| row.text.push(' ')),
            }
            cell = to;
        }
        if end < total && end < self.0 + room {
            row.text.push(RIGHT_MARK);
        }
        let cursor = width::of_str(&line.text[..line.cursor]);
        row.column = prompt + (cursor.saturating_sub(self.0)).min(room);
        row
    }

    /// The cells of the line that are seen, between the marks.
    fn seen(self, total: usize, room: usize) -> (usize, usize) {
        let has_marks = room >= LEAST_WITH_MARKS;
        let first = self.0 + usize::from(has_marks && self.0 > 0);
        let end = self.0 + room;
        (
            first,
            total.min(end - usize::from(has_marks && end < total)),
        )
    }
}

impl<'a> Line<'a> {
    /// Cells for the text, beside the prompt and the column that stays free.
    fn room(&self) -> usize {
        let all = self.width.saturating_sub(1);
        all - width::of_str(self.shown_prompt())
    }

    fn shown_prompt(&self) -> &'a str {
        let needed = width::of_str(self.prompt) + LEAST_ROOM;
        match needed < self.width {
            true => self.prompt,
            false => "",
        }
    }
}
