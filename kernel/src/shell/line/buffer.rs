//! The text that is being typed, and where in it the cursor is.
//!
//! Invariants: the text has at most [`LONGEST_LINE`] bytes; the cursor is where a character begins that has
//! cells of its own, or at the end. So it is never inside a character, nor before a combining one.

use alloc::string::String;
use core::ops::Range;

use super::width::{self, is_boundary, next_boundary, previous_boundary};

/// As many bytes as a line may have.
pub const LONGEST_LINE: usize = 1024;

/// Text and cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Buffer {
    text: String,
    cursor: usize,
}

impl Buffer {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The cursor, in bytes from the start.
    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    /// The text before the cursor.
    pub(super) fn before(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// The text from the cursor on.
    pub(super) fn behind(&self) -> &str {
        &self.text[self.cursor..]
    }

    /// Puts `text` at the cursor, and the cursor behind it. `false`, and nothing is changed, where there
    /// is no room for all of it.
    pub(super) fn insert(&mut self, text: &str) -> bool {
        if self.text.len() + text.len() > LONGEST_LINE {
            return false;
        }
        self.text.insert_str(self.cursor, text);
        self.cursor += text.len();
        if !is_boundary(&self.text, self.cursor) {
            self.cursor = next_boundary(&self.text, self.cursor);
        }
        true
    }

    /// Another text, with the cursor at its end. Of one that is too long, the beginning.
    pub(super) fn set(&mut self, text: &str) {
        let length = text.floor_char_boundary(LONGEST_LINE);
        self.text.clear();
        self.text.push_str(&text[..length]);
        self.cursor = length;
    }

    /// The text, and nothing is left.
    pub(super) fn take(&mut self) -> String {
        self.cursor = 0;
        core::mem::take(&mut self.text)
    }

    /// Takes `range` out; the cursor is then where it was. Both ends are places for the cursor.
    pub(super) fn remove(&mut self, range: Range<usize>) -> String {
        self.cursor = range.start;
        self.text.drain(range).collect()
    }

    /// Moves the cursor; `false` if it is there.
    pub(super) fn move_to(&mut self, to: usize) -> bool {
        let moves = self.cursor != to;
        self.cursor = to;
        moves
    }

    /// One place to the left of the cursor.
    pub(super) fn left(&self) -> usize {
        previous_boundary(&self.text, self.cursor)
    }

    /// One place to the right of the cursor.
    pub(super) fn right(&self) -> usize {
        next_boundary(&self.text, self.cursor)
    }

    /// Where the word begins in which the cursor is, or the one before it. A word is letters and digits.
    pub(super) fn word_left(&self) -> usize {
        let in_word = self.before().trim_end_matches(|it| !is_of_word(it));
        self.place(in_word.trim_end_matches(is_of_word).len())
    }

    /// Where the word ends in which the cursor is, or the one behind it.
    pub(super) fn word_right(&self) -> usize {
        let in_word = self.behind().trim_start_matches(|it| !is_of_word(it));
        let rest = in_word.trim_start_matches(is_of_word).len();
        self.place(self.text.len() - rest)
    }

    /// Where what is between spaces begins, before the cursor.
    pub(super) fn blank_left(&self) -> usize {
        let with_word = self.before().trim_end();
        let word = with_word.trim_end_matches(|it: char| !it.is_whitespace());
        self.place(word.len())
    }

    /// The pieces before and at the cursor change places, at the end of the text the last two, and the
    /// cursor goes behind both. `false` where there are not two.
    pub(super) fn transpose(&mut self) -> bool {
        let end = match self.cursor == self.text.len() {
            true => self.cursor,
            false => self.right(),
        };
        let middle = previous_boundary(&self.text, end);
        let start = previous_boundary(&self.text, middle);
        if start == middle {
            return false;
        }
        self.cursor = end;
        let first = self.remove(start..middle);
        // A combining character at the very start would join what comes before it.
        self.cursor = start + end - middle;
        let fits = self.insert(&first);
        debug_assert!(fits);
        true
    }

    /// The nearest place for the cursor that is not behind `at`.
    fn place(&self, at: usize) -> usize {
        match is_boundary(&self.text, at) {
            true => at,
            false => previous_boundary(&self.text, at),
        }
    }
}

/// What goes into the cells of a letter belongs to its word.
fn is_of_word(char: char) -> bool {
    char.is_alphanumeric() || width::of_char(char) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A buffer with the cursor at the bar.
    fn buffer(text: &str) -> Buffer {
        let (before, behind) = text.split_once('|').unwrap();
        let mut buffer = Buffer::default();
        assert!(buffer.insert(behind) && buffer.move_to(0) != behind.is_empty());
        assert!(buffer.insert(before));
        buffer
    }

    fn seen(buffer: &Buffer) -> String {
        format!("{}|{}", buffer.before(), buffer.behind())
    }

    #[test]
    fn words_are_letters_and_digits_and_what_is_between_spaces_is_more() {
        let text = buffer("target 1-3,5  join|ed now");
        assert_eq!(&text.text()[text.word_left()..], "joined now");
        assert_eq!(&text.text()[text.word_right()..], " now");
        let text = buffer("target 1-3,5  |joined");
        assert_eq!(&text.text()[text.word_left()..], "5  joined");
        assert_eq!(&text.text()[text.blank_left()..], "1-3,5  joined");
        let text = buffer("  |");
        assert_eq!(
            (text.word_left(), text.blank_left(), text.word_right()),
            (0, 0, 2)
        );
    }

    #[test]
    fn a_combining_character_is_never_parted_from_its_letter() {
        let mut text = buffer("re\u{301}|sume\u{301}");
        assert_eq!(&text.text()[text.left()..], "e\u{301}sume\u{301}");
        assert_eq!(&text.text()[text.word_right()..], "");
        assert!(text.transpose());
        assert_eq!(seen(&text), "rse\u{301}|ume\u{301}");
        // One that has no letter joins the one that comes before it.
        let mut text = buffer("|\u{301}x");
        assert!(text.insert("e"));
        assert_eq!(seen(&text), "e\u{301}|x");
    }

    #[test]
    fn the_last_two_change_places_at_the_end_and_else_the_two_around_the_cursor() {
        for (before, behind) in [
            ("ab|", "ba|"),
            ("a|b", "ba|"),
            ("ab|cd", "acb|d"),
            ("中x|", "x中|"),
        ] {
            let mut text = buffer(before);
            assert!(text.transpose());
            assert_eq!(seen(&text), behind);
        }
        for text in ["|", "a|", "|a", "|ab"] {
            assert!(!buffer(text).transpose(), "{text}");
        }
    }

    #[test]
    fn a_full_line_takes_nothing_more_and_loses_nothing() {
        let mut text = buffer("|");
        assert!(text.insert(&"x".repeat(LONGEST_LINE - 1)));
        assert!(!text.insert("é"));
        assert!(text.insert("y") && !text.insert("z"));
        assert_eq!(
            (text.text().len(), text.cursor()),
            (LONGEST_LINE, LONGEST_LINE)
        );
        text.set(&"é".repeat(LONGEST_LINE));
        assert_eq!(text.text().len(), LONGEST_LINE);
    }

    fn step() -> impl Strategy<Value = (u8, String)> {
        (0..12_u8, "[a1 中\u{301}\u{200d}🦀-]{1,3}")
    }

    proptest! {
        #[test]
        fn the_cursor_is_always_where_one_can_be(steps in prop::collection::vec(step(), 0..60)) {
            let mut buffer = Buffer::default();
            for (step, text) in steps {
                let cursor = buffer.cursor();
                let targets = [
                    buffer.left(), buffer.right(), buffer.word_left(), buffer.word_right(),
                    buffer.blank_left(), 0, buffer.text().len(),
                ];
                prop_assert!(targets[0] <= cursor && targets[2] <= cursor && targets[4] <= cursor);
                prop_assert!(targets[1] >= cursor && targets[3] >= cursor);
                let length = buffer.text().chars().count();
                match step {
                    0..=6 => {
                        let target = targets[usize::from(step)];
                        prop_assert_eq!(buffer.move_to(target), target != cursor);
                    }
                    7 => {
                        let _ = buffer.remove(targets[2]..cursor);
                    }
                    8 => {
                        let _ = buffer.remove(cursor..targets[1]);
                    }
                    9 => {
                        buffer.transpose();
                        prop_assert_eq!(buffer.text().chars().count(), length);
                    }
                    _ => prop_assert!(buffer.insert(&text)),
                }
                prop_assert!(is_boundary(buffer.text(), buffer.cursor()));
            }
        }
    }
}
