//! The lines that were entered, and which of them is looked at.

use alloc::{collections::VecDeque, string::String};

/// So many lines are kept; of more, the oldest go.
pub const MOST_LINES: usize = 64;

/// Lines, the newest last, none twice in a row and none blank.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    lines: VecDeque<String>,
    /// The line that is looked at; none while a new one is typed.
    at: Option<usize>,
    /// The new line, while others are looked at.
    draft: String,
}

impl History {
    /// Keeps a line that was entered, and looks at none.
    pub(super) fn add(&mut self, line: &str) {
        self.leave();
        if line.trim().is_empty() || self.lines.back().is_some_and(|last| last == line) {
            return;
        }
        if self.lines.len() == MOST_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(String::from(line));
    }

    /// The next older line. `line` is what is in the editor: it is kept if it is the new one.
    pub(super) fn older(&mut self, line: &str) -> Option<&str> {
        let older = self.at.unwrap_or(self.lines.len()).checked_sub(1)?;
        self.visit(older, line)
    }

    /// The next newer line; behind the newest of all, the new one as it was left.
    pub(super) fn newer(&mut self) -> Option<&str> {
        let at = self.at? + 1;
        self.at = (at < self.lines.len()).then_some(at);
        match self.at {
            Some(at) => self.lines.get(at).map(String::as_str),
            None => Some(&self.draft),
        }
    }

    /// Looks at the line of a number that [`find`](Self::find) gave, while `line` is in the editor.
    pub(super) fn visit(&mut self, number: usize, line: &str) -> Option<&str> {
        if self.at.is_none() {
            self.draft = String::from(line);
        }
        self.at = Some(number);
        self.lines.get(number).map(String::as_str)
    }

    /// Looks at none.
    pub(super) fn leave(&mut self) {
        self.at = None;
        self.draft = String::new();
    }

    /// The newest line with `part` in it, older than that with number `before`, if one is given.
    pub(super) fn find(&self, part: &str, before: Option<usize>) -> Option<usize> {
        let lines = self.lines.iter().take(before.unwrap_or(usize::MAX));
        let mut numbered = lines.enumerate().rev();
        numbered
            .find(|(_, line)| line.contains(part))
            .map(|(number, _)| number)
    }

    /// The line of a number that [`find`](Self::find) gave.
    pub(super) fn line(&self, number: usize) -> Option<&str> {
        self.lines.get(number).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(lines: &[&str]) -> History {
        let mut history = History::default();
        lines.iter().for_each(|line| history.add(line));
        history
    }

    #[test]
    fn lines_come_back_one_by_one_and_the_new_one_last() {
        let mut history = history(&["cpus", "states"]);
        assert_eq!(history.newer(), None);
        assert_eq!(history.older("onl"), Some("states"));
        assert_eq!(history.older("states"), Some("cpus"));
        assert_eq!(history.older("cpus"), None);
        assert_eq!(history.newer(), Some("states"));
        assert_eq!(history.newer(), Some("onl"));
        assert_eq!(history.newer(), None);
    }

    #[test]
    fn blank_lines_and_repetitions_are_not_kept() {
        let mut history = history(&["cpus", "cpus", "", "  ", "cpus", "states", "cpus"]);
        let mut lines = Vec::new();
        while let Some(line) = history.older("") {
            lines.push(line.to_owned());
        }
        assert_eq!(lines, ["cpus", "states", "cpus"]);
    }

    #[test]
    fn of_too_many_lines_the_oldest_are_gone() {
        let mut history = History::default();
        for number in 0..=MOST_LINES {
            history.add(&number.to_string());
        }
        assert_eq!(history.lines.len(), MOST_LINES);
        assert_eq!(
            (history.find("0", None), history.line(0)),
            (Some(59), Some("1"))
        );
    }

    #[test]
    fn what_is_looked_for_is_found_from_the_newest_on() {
        let history = history(&["online 1", "offline 1", "cpus", "online 2"]);
        assert_eq!(history.find("line", None), Some(3));
        assert_eq!(history.find("line", Some(3)), Some(1));
        assert_eq!(history.find("line", Some(0)), None);
        assert_eq!(history.find("watch", None), None);
    }
}
