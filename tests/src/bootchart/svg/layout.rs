//! How high things are, and where they begin: few lanes are high ones with words in them, many are thin.

use std::ops::Range;

/// The drawing's width, in pixels as everything here.
pub(super) const WIDTH: f64 = 1200.0;

/// From where to where times are drawn: left of it are the CPUs' names, right of it ends of words and crosses.
pub(super) const PLOT: Range<f64> = 132.0..1136.0;

/// Left of all that is not in the plot.
pub(super) const LEFT: f64 = 20.0;

/// What the lanes may take together before they are thinned.
const LANES: f64 = 900.0;

/// The height of a lane.
const LANE: Range<f64> = 3.0..22.0;

/// From which height on a lane has room for words.
const READABLE: f64 = 11.0;

/// Of a row above the lanes.
pub(super) const ROW: f64 = 18.0;

/// Of a line of words.
pub(super) const LINE: f64 = 17.0;

/// A letter's width as a part of its height. What is measured by it is cut rather early than late.
const LETTER: f64 = 0.56;

/// The lanes' places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes {
    /// Where the first one begins.
    pub(super) top: f64,
    /// Of each.
    pub(super) height: f64,
    /// How many there are.
    pub(super) count: usize,
}

impl Lanes {
    /// So many of them, from here downwards.
    pub(super) fn new(top: f64, count: usize) -> Self {
        let height = LANES / count.max(1) as f64;
        // In halves: a screen's pixels, or those of a fine one.
        let height = (height.clamp(LANE.start, LANE.end) * 2.0).floor() / 2.0;
        Self { top, height, count }
    }

    /// The top of a lane.
    pub(super) fn y(&self, lane: usize) -> f64 {
        self.top + self.height * lane as f64
    }

    /// Where they end.
    pub(super) fn bottom(&self) -> f64 {
        self.y(self.count)
    }

    /// Whether there is room for words in each.
    pub(super) fn are_readable(&self) -> bool {
        self.height >= READABLE
    }

    /// What is drawn of a lane: top and height. Between thin ones is no room.
    pub(super) fn bar(&self, lane: usize) -> (f64, f64) {
        let gap = match self.height {
            height if height >= READABLE => (height * 0.2).round(),
            height if height >= 5.0 => 1.0,
            _ => 0.0,
        };
        let top = self.y(lane) + (gap / 2.0).floor();
        (top, self.height - gap)
    }

    /// The size of letters in a lane, or beside it.
    pub(super) fn letters(&self) -> f64 {
        (self.height * 0.75).clamp(10.0, 12.0)
    }

    /// Each how many lanes one has its name beside it.
    pub(super) fn names_each(&self) -> usize {
        let steps = [1, 2, 4, 8, 16, 32, 64];
        let has_room = |step: &&usize| **step as f64 * self.height >= READABLE;
        steps.iter().find(has_room).copied().unwrap_or(128)
    }

    /// The line on which words stand that are about some neighbouring lanes.
    pub(super) fn words_y(&self, lanes: Range<usize>) -> f64 {
        let middle = (self.y(lanes.start) + self.y(lanes.end)) / 2.0;
        middle + self.letters() * 0.35
    }

    /// Whether words about some neighbouring lanes fit into them.
    pub(super) fn have_room(&self, lanes: &Range<usize>) -> bool {
        lanes.len() as f64 * self.height >= READABLE
    }
}

/// How wide words are, at the most.
pub(super) fn width(words: &str, letters: f64) -> f64 {
    words.chars().count() as f64 * letters * LETTER
}

/// So many letters there is room for, and for one at least.
pub(super) fn letters_in(room: f64, letters: f64) -> usize {
    (room / (letters * LETTER)).max(1.0) as usize
}

/// As much of the words as there is room for.
pub(super) fn cut(words: &str, letters: f64, room: f64) -> String {
    let most = letters_in(room, letters);
    if words.chars().count() <= most {
        return words.to_owned();
    }
    let kept: String = words.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_lanes_are_thin_and_only_some_of_them_have_their_names() {
        let few = Lanes::new(100.0, 4);
        assert!(few.are_readable());
        assert_eq!((few.height, few.names_each()), (22.0, 1));
        let many = Lanes::new(100.0, 512);
        assert!(!many.are_readable());
        assert_eq!((many.height, many.names_each()), (3.0, 4));
        assert_eq!(many.bottom(), 100.0 + 512.0 * 3.0);
        assert!(many.have_room(&(3..7)) && !many.have_room(&(3..6)));
        assert!(Lanes::new(0.0, 64).are_readable());
    }

    #[test]
    fn words_that_have_no_room_are_cut() {
        assert_eq!(cut("never-started", 10.0, 200.0), "never-started");
        let cut = cut("it gave no sign of life", 10.0, 60.0);
        assert_eq!(cut, "it gave n…");
        assert!(width(&cut, 10.0) <= 62.0);
    }
}
