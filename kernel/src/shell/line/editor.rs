//! What each key does to the line.

mod searching;

use alloc::{string::String, vec::Vec};

use super::{
    buffer::Buffer,
    completer::{Completer, Proposal},
    history::History,
    keys::Key,
    search::Search,
    view::{Line, Row, Scroll},
};

/// What is to be done behind a key. Behind [`Nothing`](Self::Nothing) and [`Bell`](Self::Bell) the row is
/// as it was, behind all others it may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The row is to be drawn.
    Redraw,
    /// Nothing.
    Nothing,
    /// This line was entered; it may be blank.
    Line(String),
    /// A line of so many bytes was entered, more than [`LONGEST_LINE`](super::LONGEST_LINE). It is gone, and
    /// no part of it is to be run.
    TooLong {
        /// All that were typed.
        bytes: usize,
    },
    /// Ctrl-C; the line is gone ([`Editor::text`] had it before).
    Interrupt,
    /// Ctrl-D on an empty line.
    EndOfInput,
    /// The key can do nothing here.
    Bell,
    /// The word that is typed may become these, and Tab cannot say more. They are to be shown.
    Candidates(Vec<String>),
    /// The screen is to be cleared.
    Clear,
}

/// A line that is being typed, with the history of those that were.
#[derive(Clone, Debug)]
pub struct Editor {
    prompt: String,
    width: usize,
    scroll: Scroll,
    line: Buffer,
    /// Bytes that had no room any more. While there are some the line can be refused or dropped, not edited:
    /// an edited part of it is not what was meant.
    excess: usize,
    history: History,
    search: Option<Search>,
    /// What Ctrl-Y puts back.
    killed: String,
    /// The last key killed text too, and what this one kills is added.
    was_kill: bool,
    in_paste: bool,
}

impl Editor {
    /// An empty line behind `prompt` on a screen of `width` columns.
    pub fn new(prompt: &str, width: usize) -> Self {
        Self {
            prompt: String::from(prompt),
            width,
            scroll: Scroll::default(),
            line: Buffer::default(),
            excess: 0,
            history: History::default(),
            search: None,
            killed: String::new(),
            was_kill: false,
            in_paste: false,
        }
    }

    /// The screen has so many columns now.
    pub fn set_width(&mut self, width: usize) {
        self.width = width;
        self.scroll = Scroll::default();
        self.follow();
    }

    /// What is typed.
    pub fn text(&self) -> &str {
        self.line.text()
    }

    /// What the screen is to show: never more than its width, and of a bounded length.
    pub fn footer(&self) -> Row {
        self.scroll.row(self.shown(&self.search_prompt()))
    }

    /// Does what the key is for.
    pub fn key(&mut self, key: Key, completer: &dyn Completer) -> Reaction {
        let was_kill = core::mem::take(&mut self.was_kill);
        let reaction = match key {
            Key::Ctrl(b'c') => self.interrupt(),
            Key::PasteStart => self.begin_paste(),
            Key::PasteEnd => {
                self.in_paste = false;
                Reaction::Nothing
            }
            _ if self.in_paste => self.pasted(key),
            _ if self.excess > 0 => self.too_long(key),
            _ => match self.search.take() {
                Some(search) => self.searching(search, key, completer),
                None => self.typed(key, was_kill, completer),
            },
        };
        self.follow();
        reaction
    }

    /// Nothing more comes, and nobody sits there: what is typed is entered as it is, whatever was begun.
    pub fn finish(&mut self, completer: &dyn Completer) -> Reaction {
        self.in_paste = false;
        let is_empty = self.line.text().is_empty() && self.excess == 0;
        match is_empty && self.search.is_none() {
            true => Reaction::Nothing,
            false => self.key(Key::Enter, completer),
        }
    }

    /// Ctrl-C.
    pub fn interrupt(&mut self) -> Reaction {
        self.search = None;
        self.in_paste = false;
        self.drop_line();
        self.follow();
        Reaction::Interrupt
    }

    /// A key as it is meant.
    fn typed(&mut self, key: Key, was_kill: bool, completer: &dyn Completer) -> Reaction {
        let (cursor, end) = (self.line.cursor(), self.line.text().len());
        match key {
            Key::Char(char) => self.insert(char),
            Key::Enter => self.enter(),
            Key::Tab => self.complete(completer),
            Key::Left | Key::Ctrl(b'b') => self.move_to(self.line.left()),
            Key::Right | Key::Ctrl(b'f') => self.move_to(self.line.right()),
            Key::Home | Key::Ctrl(b'a') => self.move_to(0),
            Key::End | Key::Ctrl(b'e') => self.move_to(end),
            Key::WordLeft | Key::Alt('b') => self.move_to(self.line.word_left()),
            Key::WordRight | Key::Alt('f') => self.move_to(self.line.word_right()),
            Key::Backspace => self.delete(self.line.left(), cursor),
            Key::Ctrl(b'd') if end == 0 => Reaction::EndOfInput,
            Key::Delete | Key::Ctrl(b'd') => self.delete(cursor, self.line.right()),
            Key::Ctrl(b'k') => self.kill(cursor, end, was_kill),
            Key::Ctrl(b'u') => self.kill(0, cursor, was_kill),
            Key::Ctrl(b'w') => self.kill(self.line.blank_left(), cursor, was_kill),
            Key::Alt('\u{7f}') => self.kill(self.line.word_left(), cursor, was_kill),
            Key::Alt('d') => self.kill(cursor, self.line.word_right(), was_kill),
            Key::Ctrl(b'y') => self.yank(),
            Key::Ctrl(b't') => done(self.line.transpose()),
            Key::Up | Key::Ctrl(b'p') => {
                let older = self.history.older(self.line.text());
                done(older.map(|line| self.line.set(line)).is_some())
            }
            Key::Down | Key::Ctrl(b'n') => {
                let newer = self.history.newer();
                done(newer.map(|line| self.line.set(line)).is_some())
            }
            Key::Ctrl(b'r') => {
                self.search = Some(Search::default());
                Reaction::Redraw
            }
            Key::Ctrl(b'l') => Reaction::Clear,
            _ => Reaction::Nothing,
        }
    }

    /// What is pasted is typed into the line, and not looked for.
    fn begin_paste(&mut self) -> Reaction {
        self.in_paste = true;
        match self.search.take() {
            Some(_) => Reaction::Redraw,
            None => Reaction::Nothing,
        }
    }

    /// A key that came out of a paste: it is text, or a line's end, and commands nothing else.
    fn pasted(&mut self, key: Key) -> Reaction {
        match key {
            Key::Char(char) => self.insert(char),
            Key::Tab => self.insert(' '),
            Key::Enter => self.enter(),
            _ => Reaction::Nothing,
        }
    }

    /// A key behind more than a line may have.
    fn too_long(&mut self, key: Key) -> Reaction {
        match key {
            Key::Char(char) => self.insert(char),
            Key::Enter => self.enter(),
            Key::Ctrl(b'u') => {
                self.drop_line();
                Reaction::Redraw
            }
            Key::Ctrl(b'l') => Reaction::Clear,
            Key::CursorReport { .. } | Key::Unknown => Reaction::Nothing,
            _ => Reaction::Bell,
        }
    }

    fn insert(&mut self, char: char) -> Reaction {
        if self.excess == 0 && self.line.insert(char.encode_utf8(&mut [0; 4])) {
            return Reaction::Redraw;
        }
        // One bell, and not ten thousand.
        let is_first = self.excess == 0;
        self.excess = self.excess.saturating_add(char.len_utf8());
        match is_first {
            true => Reaction::Bell,
            false => Reaction::Nothing,
        }
    }

    fn enter(&mut self) -> Reaction {
        if self.excess > 0 {
            let bytes = self.line.text().len().saturating_add(self.excess);
            self.drop_line();
            return Reaction::TooLong { bytes };
        }
        let line = self.line.take();
        self.history.add(&line);
        Reaction::Line(line)
    }

    fn drop_line(&mut self) {
        self.line.take();
        self.excess = 0;
        self.history.leave();
    }

    fn move_to(&mut self, to: usize) -> Reaction {
        done(self.line.move_to(to))
    }

    fn delete(&mut self, from: usize, to: usize) -> Reaction {
        done(!self.line.remove(from..to).is_empty())
    }

    /// Takes text out that Ctrl-Y puts back; of kills that follow one another, all of it.
    fn kill(&mut self, from: usize, to: usize, was_kill: bool) -> Reaction {
        let is_before = to == self.line.cursor();
        let text = self.line.remove(from..to);
        if text.is_empty() {
            self.was_kill = was_kill;
            return Reaction::Bell;
        }
        self.was_kill = true;
        match (was_kill, is_before) {
            (false, _) => self.killed = text,
            (true, true) => self.killed.insert_str(0, &text),
            (true, false) => self.killed.push_str(&text),
        }
        Reaction::Redraw
    }

    fn yank(&mut self) -> Reaction {
        done(!self.killed.is_empty() && self.line.insert(&self.killed))
    }

    fn complete(&mut self, completer: &dyn Completer) -> Reaction {
        let before = self.line.before();
        match completer.complete(before).proposal(before) {
            Proposal::Nothing => Reaction::Bell,
            Proposal::Candidates(candidates) => Reaction::Candidates(candidates),
            Proposal::More { text, is_whole } => {
                let is_longer = !text.is_empty() && self.line.insert(&text);
                // A space that is there already is as good as another.
                let is_passed = is_whole
                    && match self.line.behind().starts_with(' ') {
                        true => self.line.move_to(self.line.right()),
                        false => self.line.insert(" "),
                    };
                done(is_longer || is_passed)
            }
        }
    }

    fn follow(&mut self) {
        let prompt = self.search_prompt();
        let mut scroll = self.scroll;
        scroll.follow(self.shown(&prompt));
        self.scroll = scroll;
    }

    fn search_prompt(&self) -> Option<String> {
        self.search.as_ref().map(Search::prompt)
    }

    /// The line that is shown: what is typed, or what was found.
    fn shown<'a>(&'a self, search_prompt: &'a Option<String>) -> Line<'a> {
        let found = self.search.as_ref().and_then(|search| {
            let line = self.history.line(search.found()?)?;
            Some((line, search.place(line)))
        });
        let (text, cursor) = found.unwrap_or((self.line.text(), self.line.cursor()));
        Line {
            prompt: search_prompt.as_deref().unwrap_or(&self.prompt),
            text,
            cursor,
            width: self.width,
        }
    }
}

/// A key that changed nothing has nothing to do here.
fn done(is_changed: bool) -> Reaction {
    match is_changed {
        true => Reaction::Redraw,
        false => Reaction::Bell,
    }
}

#[cfg(test)]
mod tests;
