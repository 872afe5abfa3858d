//! The text that is being typed, and where in it the cursor is.
//!
//! Invariants: the text has at most [`LONGEST_LINE`] bytes; the cursor is where a character begins that has
//! cells of its own, or at the end. So it is never inside a character, nor before a combining one.

use alloc::string::String;
use core::ops::Range;

use super::width::{is_boundary, next_boundary, previous_boundary};

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

fn is_of_word(char: char) -> bool {
    char.is_alphanumeric()
}
