//! What is typed, and what becomes of it: the shell's policy, without a machine.
//!
//! ```text
//!            ┌─▶ Ctrl-C: what is typed and what waits is dropped
//!   key ─────┼─▶ the view in front ── what it leaves ──┐
//!            └─▶ editor ◀──────────────────────────────┘
//!                  └─▶ lines that wait ─▶ next(): the one to run, while nothing is in front
//! ```
//!
//! **At a pipe nothing is lost, and its end is an end**: as many bytes are read as there are places for
//! ([`Prompt::room`]), and Ctrl-D, by which the pipe's end is told, ends the input whatever was begun before
//! it. A person is read on, for the sake of Ctrl-C, and told of what finds no place.

#![forbid(unsafe_code)]

use alloc::{collections::VecDeque, string::String, vec::Vec};

use super::{
    line::{Completer, Editor, Key, Reaction, Row},
    type_ahead::{Full, TypeAhead},
    typed_keys::TypedKeys,
};

/// What the end of the input is told by, at a pipe.
const END_OF_INPUT: Key = Key::Ctrl(b'd');

/// What is typed, up to where it runs.
#[derive(Debug)]
pub struct Prompt {
    editor: Editor,
    width: usize,
    /// Nobody sits there: a pipe, or a terminal that does not edit.
    is_plain: bool,
    front: Front,
    lines: TypeAhead,
    /// Keys that a view has left. At a pipe they wait while no line can.
    keys: VecDeque<Key>,
    end: End,
}

/// What is in front, for which lines wait.
#[derive(Clone, Debug, Default)]
pub enum Front {
    /// Nothing.
    #[default]
    Nothing,
    /// A command that takes no keys: what is typed is edited.
    Command,
    /// One that takes them.
    View(TypedKeys),
}

/// How far the end of a pipe has come. There is none at a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// More may come.
    Open,
    /// It was read, and stands behind all keys that wait.
    Read,
    /// And behind all lines that wait.
    Edited,
    /// The shell has been told.
    Told,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// This line runs now.
    Run(String),
    /// A line of so many bytes was entered, more than [`LONGEST_LINE`](super::line::LONGEST_LINE).
    TooLong {
        /// All that were typed.
        bytes: usize,
    },
    /// A line was entered and found no place.
    Full(Full),
    /// The word that is typed may become these.
    Candidates(Vec<String>),
    /// The screen is to be cleared.
    Clear,
}

/// What Ctrl-C has dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// What was typed and not entered.
    pub typed: String,
    /// So many lines waited.
    pub lines: usize,
}

impl Prompt {
    /// An empty line behind `prompt`, on a screen of `width` columns or in plain text.
    pub fn new(prompt: &str, width: usize, is_plain: bool) -> Self {
        Self {
            editor: Editor::new(prompt, width),
            width,
            is_plain,
            front: Front::Nothing,
            lines: TypeAhead::default(),
            keys: VecDeque::new(),
            end: End::Open,
        }
    }

    /// At most so many bytes may be read before the next call, for each may be a key, and a key a line. A pipe
    /// waits while it is 0.
    pub fn room(&self) -> usize {
        match (&self.front, self.is_plain) {
            (_, false) => usize::MAX,
            (Front::View(keys), true) => keys.room(),
            // The keys go first.
            (_, true) if !self.keys.is_empty() => 0,
            (_, true) => self.lines.room(),
        }
    }

    /// Takes a key; [`next`](Self::next) tells what comes of it. Of Ctrl-C, which must not wait, this does.
    pub fn key(&mut self, key: Key) -> Option<Dropped> {
        match key {
            Key::Ctrl(b'c') => return Some(self.interrupt()),
            // A row has its width, whoever asked for it.
            Key::CursorReport { column, .. } => {
                self.width = column.into();
                self.editor.set_width(self.width);
            }
            _ if self.end != End::Open => return None,
            END_OF_INPUT if self.is_plain => self.end = End::Read,
            _ => {}
        }
        match &self.front {
            // Its end ends a view too.
            Front::View(keys) => keys.push(key),
            _ if self.end == End::Open => self.keys.push_back(key),
            _ => {}
        }
        None
    }

    /// What is to be done next, until there is nothing. A line that is to run does so before the next call,
    /// which is told by [`started`](Self::started) if the line has put something in front.
    pub fn next(&mut self, completer: &dyn Completer) -> Option<Asked> {
        loop {
            match self.front {
                Front::View(_) => return None,
                Front::Command => {}
                Front::Nothing => {
                    if let Some(line) = self.lines.pop() {
                        return Some(Asked::Run(line));
                    }
                }
            }
            if self.is_plain && self.lines.room() == 0 {
                return None;
            }
            let reaction = match (self.keys.pop_front(), self.end) {
                (Some(key), _) => self.editor.key(key, completer),
                (None, End::Read) => {
                    self.end = End::Edited;
                    self.editor.finish(completer)
                }
                (None, End::Edited) => {
                    self.end = End::Told;
                    Reaction::EndOfInput
                }
                (None, End::Open | End::Told) => return None,
            };
            if let Some(asked) = self.react(reaction) {
                return Some(asked);
            }
        }
    }

    fn react(&mut self, reaction: Reaction) -> Option<Asked> {
        match reaction {
            Reaction::Line(line) => self.wait(line),
            Reaction::EndOfInput => self.wait(String::from("exit")),
            Reaction::TooLong { bytes } => Some(Asked::TooLong { bytes }),
            Reaction::Candidates(candidates) => Some(Asked::Candidates(candidates)),
            Reaction::Clear => Some(Asked::Clear),
            Reaction::Interrupt | Reaction::Redraw | Reaction::Nothing | Reaction::Bell => None,
        }
    }

    /// A line runs when its turn comes.
    fn wait(&mut self, line: String) -> Option<Asked> {
        self.lines.push(line).err().map(Asked::Full)
    }

    /// A command was started in front.
    pub fn started(&mut self, front: Front) {
        if let Front::View(keys) = &front {
            self.keys.drain(..).for_each(|key| keys.push(key));
            // Nobody is there any more who could leave it.
            if self.end != End::Open {
                keys.push(END_OF_INPUT);
            }
        }
        self.front = front;
    }

    /// Nothing is in front any more: it has ended, or goes on behind. What came behind the key that ended a view
    /// is typed now.
    pub fn is_free(&mut self) {
        if let Front::View(keys) = core::mem::take(&mut self.front) {
            let left = core::iter::from_fn(|| keys.left());
            // The input's own end is known.
            let is_end = |key: &Key| self.is_plain && *key == END_OF_INPUT;
            self.keys.extend(left.filter(|key| !is_end(key)));
        }
    }

    /// Whether a view is in front.
    pub fn has_view(&self) -> bool {
        matches!(self.front, Front::View(_))
    }

    /// Whether nothing runs in front, nor waits for it.
    pub fn is_idle(&self) -> bool {
        matches!(self.front, Front::Nothing) && self.lines.is_empty() && self.keys.is_empty()
    }

    /// The columns of the screen.
    pub fn width(&self) -> usize {
        self.width
    }

    /// What the screen is to show of the line.
    pub fn row(&self) -> Row {
        self.editor.footer()
    }

    /// Ctrl-C: drops what is typed, also behind a view, and what waits. A pipe's end stays.
    fn interrupt(&mut self) -> Dropped {
        let typed = String::from(self.editor.text());
        self.editor.interrupt();
        self.keys.clear();
        if let Front::View(keys) = &self.front {
            while keys.left().is_some() {}
            if self.end != End::Open {
                keys.push(END_OF_INPUT);
            }
        }
        let lines = self.lines.clear();
        if self.end == End::Told {
            self.end = End::Edited;
        }
        Dropped { typed, lines }
    }
}

#[cfg(test)]
mod tests;
