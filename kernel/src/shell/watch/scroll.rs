//! Which CPU stands in the first line, and what keys do about that.

/// Where the view is scrolled to: the place of the first CPU that is shown, among those that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scroll {
    first: usize,
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// A line up.
    Up,
    /// A line down.
    Down,
    /// A screen up.
    PageUp,
    /// A screen down.
    PageDown,
    /// To the first CPU.
    Home,
    /// To the last.
    End,
}

impl Scroll {
    /// The place of the first CPU that is shown.
    pub fn first(self) -> usize {
        self.first
    }

    /// Stays where it is, unless that is beyond the last of so many CPUs, of which so many are shown.
    pub fn keep_within(&mut self, cpus: usize, shown: usize) {
        self.first = self.first.min(cpus.saturating_sub(shown));
    }

    /// Moves, where so many CPUs are there and so many are shown at once. Never beyond the last.
    pub fn go(&mut self, to: Move, cpus: usize, shown: usize) {
        let last = cpus.saturating_sub(shown);
        let page = shown.max(1);
        self.first = match to {
            Move::Up => self.first.saturating_sub(1),
            Move::Down => self.first.saturating_add(1),
            Move::PageUp => self.first.saturating_sub(page),
            Move::PageDown => self.first.saturating_add(page),
            Move::Home => 0,
            Move::End => last,
        }
        .min(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_view_moves_by_lines_and_screens_and_never_beyond_the_last_cpu() {
        let mut scroll = Scroll::default();
        let mut after = |to| {
            scroll.go(to, 64, 20);
            scroll.first()
        };
        assert_eq!(after(Move::Up), 0);
        assert_eq!(after(Move::Down), 1);
        assert_eq!(after(Move::PageDown), 21);
        assert_eq!(after(Move::PageDown), 41);
        assert_eq!(after(Move::PageDown), 44);
        assert_eq!(after(Move::Down), 44);
        assert_eq!(after(Move::PageUp), 24);
        assert_eq!(after(Move::End), 44);
        assert_eq!(after(Move::Home), 0);
        scroll.go(Move::End, 8, 20);
        assert_eq!(scroll.first(), 0);
    }
}
