//! A view that somebody looks at: what keys do to it, and what the terminal must be sent next.
//!
//! It neither reads nor writes, and the CPUs are handed to it as they were at a moment. A key draws what is
//! known anew and reads nothing: so nobody's figures are read more often than once a refresh, however
//! many keys are typed.

use alloc::{string::String, vec::Vec};

use super::{
    screen::{Screen, Size},
    scroll::{Move, Scroll},
    view::{View, rows_for_cpus},
};
use crate::shell::{figures::Moment, line::Key};

/// What lets a terminal tell its size: the cursor is sent further than any screen goes, and where it has
/// come is asked for (DSR 6). So a window that changes its size is seen at the next refresh.
pub const ASK_FOR_SIZE: &str = "\x1b[999;999H\x1b[6n";

/// The view, and the one who looks.
pub struct Session {
    size: Size,
    scroll: Scroll,
    before: Option<Moment>,
    now: Moment,
    jobs: Vec<String>,
    /// What the terminal shows.
    shown: Option<Screen>,
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing that is to be seen.
    Nothing,
    /// What is shown changes.
    Redraw,
    /// The end.
    Quit,
}

impl Session {
    /// Begins with what the CPUs show now; rates are there from the next moment on.
    pub fn new(now: Moment, jobs: Vec<String>) -> Self {
        Self {
            size: Size::USUAL,
            scroll: Scroll::default(),
            before: None,
            now,
            jobs,
            shown: None,
        }
    }

    /// Takes what the CPUs show a refresh later.
    pub fn refresh(&mut self, now: Moment, jobs: Vec<String>) {
        self.before = Some(core::mem::replace(&mut self.now, now));
        self.jobs = jobs;
        // There may be fewer than before.
        self.scroll
            .keep_within(self.now.present().count(), rows_for_cpus(self.size));
    }

    /// Takes a key, or what the terminal tells of itself.
    pub fn key(&mut self, key: Key) -> Asked {
        let to = match key {
            Key::Char('q' | 'Q') | Key::Escape | Key::Ctrl(b'c' | b'd') => return Asked::Quit,
            Key::CursorReport { row, column } => return self.resize(row, column),
            // As if it had never been drawn: what others have written over it goes.
            Key::Ctrl(b'l') => {
                self.shown = None;
                return Asked::Redraw;
            }
            Key::Up => Move::Up,
            Key::Down => Move::Down,
            Key::PageUp => Move::PageUp,
            Key::PageDown | Key::Char(' ') => Move::PageDown,
            Key::Home => Move::Home,
            Key::End => Move::End,
            _ => return Asked::Nothing,
        };
        let before = self.scroll;
        self.scroll
            .go(to, self.now.present().count(), rows_for_cpus(self.size));
        match self.scroll == before {
            true => Asked::Nothing,
            false => Asked::Redraw,
        }
    }

    fn resize(&mut self, row: u16, column: u16) -> Asked {
        let size = Size::told(row.into(), column.into());
        if size == self.size {
            return Asked::Nothing;
        }
        self.size = size;
        self.scroll
            .keep_within(self.now.present().count(), rows_for_cpus(size));
        Asked::Redraw
    }

    /// What the terminal must be sent to show the view as it is now, in pieces of a row at most; nothing
    /// if it does.
    pub fn draw(&mut self) -> Vec<String> {
        let view = View {
            before: self.before.as_ref(),
            now: &self.now,
            jobs: &self.jobs,
            first: self.scroll.first(),
        };
        let screen = view.screen(self.size);
        let pieces = screen.drawn_over(self.shown.as_ref());
        self.shown = Some(screen);
        pieces
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::shell::figures::for_tests::*;

    fn session(cpus: u32) -> Session {
        Session::new(moment(0..cpus), Vec::new())
    }

    #[test]
    fn the_first_drawing_clears_the_screen_and_the_next_sends_what_changed() {
        let mut session = session(4);
        let first = session.draw();
        assert_eq!(first[0], "\x1b[H\x1b[2J");
        assert!(session.draw().is_empty());
        let mut later = moment(0..4);
        later.at = later.at + Duration::from_secs(1);
        session.refresh(later, Vec::new());
        let next: usize = session.draw().iter().map(String::len).sum();
        let all: usize = first.iter().map(String::len).sum();
        assert!(0 < next && next < all, "{next} of {all}");
        assert_eq!(session.key(Key::Ctrl(b'l')), Asked::Redraw);
        assert_eq!(session.draw()[0], "\x1b[H\x1b[2J");
    }

    #[test]
    fn the_view_goes_with_the_terminals_size() {
        let mut session = session(64);
        session.draw();
        let told = Key::CursorReport {
            row: 60,
            column: 120,
        };
        assert_eq!(session.key(told), Asked::Redraw);
        assert_eq!(session.draw()[0], "\x1b[H\x1b[2J");
        assert_eq!(session.shown.as_ref().unwrap().lines().count(), 60);
        assert_eq!(session.key(told), Asked::Nothing);
        // It is at the end, and the window grows: the CPUs above come into view.
        session.key(Key::End);
        assert_eq!(session.scroll.first(), 64 - 55);
        session.key(Key::CursorReport {
            row: 65,
            column: 120,
        });
        assert_eq!(session.scroll.first(), 64 - 60);
        for absurd in [(0, 0), (1, 1), (u16::MAX, u16::MAX)] {
            let (row, column) = absurd;
            session.key(Key::CursorReport { row, column });
            session.draw();
        }
    }

    #[test]
    fn keys_scroll_and_quit_and_others_do_nothing() {
        let mut session = session(64);
        assert_eq!(session.key(Key::Up), Asked::Nothing);
        assert_eq!(session.key(Key::PageDown), Asked::Redraw);
        assert_eq!(session.scroll.first(), 19);
        assert_eq!(session.key(Key::Char('x')), Asked::Nothing);
        for key in [
            Key::Char('q'),
            Key::Escape,
            Key::Ctrl(b'c'),
            Key::Ctrl(b'd'),
        ] {
            assert_eq!(session.key(key), Asked::Quit);
        }
        // CPUs that go take the view along.
        session.key(Key::End);
        session.refresh(moment(0..20), Vec::new());
        assert_eq!(session.scroll.first(), 1);
    }
}
