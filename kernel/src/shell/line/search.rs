//! The search through the history, character by character (Ctrl-R).

use alloc::{format, string::String};

use super::history::History;

/// As many bytes as can be looked for: more than this names any line.
const LONGEST_PART: usize = 64;

/// A search under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Search {
    /// What is looked for.
    part: String,
    /// The line that has it, by its number in the history.
    found: Option<usize>,
    /// No line has what was typed last.
    is_lost: bool,
}

impl Search {
    /// Looks for a character more. `false` if no line has it.
    pub(super) fn push(&mut self, char: char, history: &History) -> bool {
        if self.part.len() + char.len_utf8() > LONGEST_PART {
            return false;
        }
        self.part.push(char);
        // The line that is shown may do.
        let before = self.found.map(|number| number + 1);
        self.look(history, before)
    }

    /// Looks for a character less. `false` if there was none.
    pub(super) fn pop(&mut self, history: &History) -> bool {
        if self.part.pop().is_none() {
            return false;
        }
        self.found = None;
        self.is_lost = false;
        self.part.is_empty() || self.look(history, None)
    }

    /// Looks for an older line. `false` if there is none.
    pub(super) fn older(&mut self, history: &History) -> bool {
        !self.part.is_empty() && self.look(history, self.found)
    }

    /// The number of the line that was found.
    pub(super) fn found(&self) -> Option<usize> {
        self.found
    }

    /// Where in that line it was found, in bytes.
    pub(super) fn place(&self, line: &str) -> usize {
        line.find(&self.part).unwrap_or(line.len())
    }

    /// What stands in the prompt's place.
    pub(super) fn prompt(&self) -> String {
        let lost = if self.is_lost { "no " } else { "" };
        format!("({lost}search `{}') ", self.part)
    }

    fn look(&mut self, history: &History, before: Option<usize>) -> bool {
        let found = history.find(&self.part, before);
        self.is_lost = found.is_none();
        self.found = found.or(self.found);
        !self.is_lost
    }
}
