//! The window: addresses for memory that is mapped for a while, in an area that holds nothing else.
//!
//! Between any two ranges lies a page that is never mapped, so that whoever runs over the end of one
//! faults. A range is handed out again only when it was given back, which is when no CPU has a translation
//! of it any more.

#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::ops::Range;

use super::map::PAGE_SIZE;

/// Behind the area of stacks (`stacks.rs`), in an entry of the level 4 table of its own.
const START: u64 = 0xffff_8080_0000_0000;
/// Half a terabyte: all of that entry.
const END: u64 = START + (1 << 39);

/// Which addresses are free.
#[derive(Debug)]
pub struct Window {
    /// From here on nothing was ever handed out.
    untouched: u64,
    given_back: Vec<Range<u64>>,
}

impl Window {
    /// All of it free.
    pub const fn new() -> Self {
        Self {
            untouched: START,
            given_back: Vec::new(),
        }
    }

    /// Addresses of so many pages; `None` when there are none left.
    pub fn take(&mut self, pages: u64) -> Option<Range<u64>> {
        let bytes = pages.checked_mul(PAGE_SIZE).filter(|&bytes| bytes > 0)?;
        let fits = |range: &Range<u64>| range.end - range.start == bytes;
        if let Some(at) = self.given_back.iter().position(fits) {
            return Some(self.given_back.swap_remove(at));
        }
        let start = self.untouched + PAGE_SIZE;
        let end = start.checked_add(bytes).filter(|&end| end <= END)?;
        self.untouched = end;
        Some(start..end)
    }

    /// Takes addresses back that [`take`](Self::take) gave.
    pub fn give_back(&mut self, range: Range<u64>) {
        self.given_back.push(range);
    }
}

impl Default for Window {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_apart_by_a_page_and_come_again_when_they_are_given_back() {
        let mut window = Window::new();
        let first = window.take(3).unwrap();
        let second = window.take(1).unwrap();
        assert_eq!(first.end - first.start, 3 * PAGE_SIZE);
        assert_eq!(second.start - first.end, PAGE_SIZE);
        window.give_back(first.clone());
        assert_ne!(window.take(2).unwrap().start, first.start);
        assert_eq!(window.take(3), Some(first));
    }

    #[test]
    fn more_than_there_is_is_refused() {
        let mut window = Window::new();
        let all = (1 << 39) / PAGE_SIZE;
        for pages in [0, all, u64::MAX, u64::MAX / PAGE_SIZE] {
            assert_eq!(window.take(pages), None, "{pages}");
        }
        assert!(window.take(all - 1).is_some());
        assert_eq!(window.take(1), None);
    }
}
