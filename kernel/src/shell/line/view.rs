//! The part of a line that a row of the screen shows, scrolled sideways.
//!
//! The last column stays free: a terminal that has written to it waits with the cursor on it or behind
//! it, and not all agree which. So a row is never wider than the screen, whatever is typed, and the
//! cursor always has a column on it.

use alloc::string::String;
use core::ops::Range;

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
            let before = (room * 2)
                .div_ceil(3)
                .min(room.saturating_sub(cells + marks));
            self.0 = cursor - before;
        }
    }

    /// The row.
    pub(super) fn row(self, line: Line<'_>) -> Row {
        let room = line.room();
        let total = width::of_str(line.text);
        let (first, end) = self.seen(total, room);
        let mut text = String::from(line.shown_prompt());
        let prompt = width::of_str(&text);
        if first > self.0 {
            text.push(LEFT_MARK);
        }
        push_cells(&mut text, line.text, first..end);
        if end < total.min(self.0 + room) {
            text.push(RIGHT_MARK);
        }
        let cursor = width::of_str(&line.text[..line.cursor]);
        let column = prompt + cursor.saturating_sub(self.0).min(room);
        Row { text, column }
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

/// Appends what is in these cells of `text`. Of a wide character that is cut in half, a space.
fn push_cells(row: &mut String, text: &str, cells: Range<usize>) {
    if text.is_ascii() {
        row.push_str(text.get(cells).unwrap_or_default());
        return;
    }
    let mut to = 0;
    for cluster in width::clusters(text) {
        let from = to;
        to += width::of_str(cluster);
        match cells.start <= from && to <= cells.end {
            true => row.push_str(cluster),
            false => (from.max(cells.start)..to.min(cells.end)).for_each(|_| row.push(' ')),
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The row of a text with the cursor at the bar, scrolled from `scroll` on.
    fn row(scroll: &mut Scroll, prompt: &str, text: &str, width: usize) -> (String, usize) {
        let (before, behind) = text.split_once('|').unwrap();
        let line = Line {
            prompt,
            text: &[before, behind].concat(),
            cursor: before.len(),
            width,
        };
        scroll.follow(line);
        let Row { text, column } = scroll.row(line);
        (text, column)
    }

    #[test]
    fn a_line_that_fits_is_shown_whole_behind_the_prompt() {
        let mut scroll = Scroll::default();
        assert_eq!(row(&mut scroll, "> ", "|", 20), ("> ".into(), 2));
        assert_eq!(row(&mut scroll, "> ", "cpus|", 20), ("> cpus".into(), 6));
        assert_eq!(row(&mut scroll, "> ", "中|中", 20), ("> 中中".into(), 4));
        // The last column stays free.
        let fits = "12345678901234567|";
        assert_eq!(
            row(&mut scroll, "> ", fits, 20),
            ("> 12345678901234567".into(), 19)
        );
    }

    #[test]
    fn a_longer_line_is_scrolled_when_the_cursor_would_leave_the_row_and_only_then() {
        let mut scroll = Scroll::default();
        let mut row = |text| row(&mut scroll, "> ", text, 20);
        assert_eq!(row("abcdefghijklmnopqr|"), ("> <hijklmnopqr".into(), 14));
        assert_eq!(row("abcdefg|hijklmnopqr"), ("> <hijklmnopqr".into(), 3));
        assert_eq!(
            row("abcdef|ghijklmnopqr"),
            ("> <cdefghijklmnopqr".into(), 7)
        );
        assert_eq!(
            row("|abcdefghijklmnopqr"),
            ("> abcdefghijklmnop>".into(), 2)
        );
        assert_eq!(
            row("abcdefghijklmno|pqr"),
            ("> abcdefghijklmnop>".into(), 17)
        );
        assert_eq!(row("abcdefghijklmnop|qr"), ("> <fghijklmnopqr".into(), 14));
        assert_eq!(row("abcdefghij|"), ("> abcdefghij".into(), 12));
    }

    #[test]
    fn a_wide_character_that_is_cut_in_half_is_a_space() {
        let mut scroll = Scroll::default();
        let text = "中中中中中中中中中中中中x|";
        let (row, column) = row(&mut scroll, "", text, 20);
        assert_eq!((row.as_str(), column), ("< 中中中中中x", 13));
    }

    #[test]
    fn a_prompt_that_leaves_no_room_is_left_out() {
        let mut scroll = Scroll::default();
        assert_eq!(
            row(&mut scroll, "reveille> ", "cpus|", 22),
            ("cpus".into(), 4)
        );
        assert_eq!(
            row(&mut scroll, "reveille> ", "cpus|", 23),
            ("reveille> cpus".into(), 14)
        );
        for (width, seen) in [(0, ("", 0)), (1, ("", 0)), (2, ("s", 1)), (3, ("us", 2))] {
            let (text, column) = row(&mut Scroll::default(), "reveille> ", "cpus|", width);
            assert_eq!((text.as_str(), column), seen, "{width} columns");
        }
    }

    proptest! {
        #[test]
        fn the_row_fits_and_the_cursor_is_on_its_character(
            prompt in "[>a ]{0,12}",
            texts in prop::collection::vec(("[ab中🦀\u{301}]{0,40}", 0.0..1.0), 1..6),
            width in 0_usize..50,
        ) {
            let mut scroll = Scroll::default();
            for (text, at) in texts {
                let places: Vec<usize> = (0..=text.len()).filter(|&it| width::is_boundary(&text, it)).collect();
                let cursor = places[(at * places.len() as f64) as usize];
                let line = Line { prompt: &prompt, text: &text, cursor, width };
                scroll.follow(line);
                let row = scroll.row(line);
                prop_assert!(width::of_str(&row.text) <= width.saturating_sub(1), "{:?}", row);
                prop_assert!(row.column <= width.saturating_sub(1), "{:?}", row);
                // The character under the cursor is found in the column that is told.
                let Some(under) = width::clusters(&text[cursor..]).next() else { continue };
                if width <= width::of_str(under) || width::of_str(under) == 0 {
                    continue;
                }
                let mut column = 0;
                let seen = width::clusters(&row.text).find(|it| {
                    let cells = width::of_str(it);
                    let is_here = column == row.column && cells > 0;
                    column += cells;
                    is_here
                });
                prop_assert_eq!(seen.map(|it| it.chars().next()), Some(under.chars().next()), "{:?}", row);
            }
        }
    }
}
