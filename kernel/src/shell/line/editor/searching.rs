//! What each key does while the history is searched.

use super::{Completer, Editor, Key, Reaction, Search, done};

impl Editor {
    /// A key while the history is searched: one that is not for the search ends it, with what was found,
    /// and does what it is for.
    pub(super) fn searching(
        &mut self,
        mut search: Search,
        key: Key,
        completer: &dyn Completer,
    ) -> Reaction {
        let history = &self.history;
        let reaction = match key {
            Key::Char(char) => done(search.push(char, history)),
            Key::Backspace => done(search.pop(history)),
            Key::Ctrl(b'r') => done(search.older(history)),
            Key::Ctrl(b'g') => return Reaction::Redraw,
            Key::CursorReport { .. } | Key::Unknown => Reaction::Nothing,
            Key::Ctrl(b'l') => Reaction::Clear,
            _ => {
                if let Some(found) = search.found()
                    && let Some(line) = self.history.visit(found, self.line.text())
                {
                    self.line.set(line);
                }
                return match self.typed(key, false, completer) {
                    // The prompt is the usual one again.
                    Reaction::Nothing | Reaction::Bell => Reaction::Redraw,
                    reaction => reaction,
                };
            }
        };
        self.search = Some(search);
        // The prompt tells that nothing was found.
        match reaction {
            Reaction::Bell => Reaction::Redraw,
            reaction => reaction,
        }
    }
}
