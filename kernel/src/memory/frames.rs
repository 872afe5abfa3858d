//! The frame allocator: physical memory in runs of adjacent frames.
//!
//! It keeps the free frames as a sorted list of ranges, disjoint and never adjacent, and takes the
//! lowest run that fits. Frames are handed out at boot and when a CPU comes or goes, not on a hot
//! path, so a walk over a handful of ranges is enough.

use alloc::vec::Vec;
use core::ops::Range;

use super::map::{PAGE_SIZE, UsableMemory};

/// Adjacent frames that somebody owns. Forgetting one leaks its frames.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct FrameRun {
    /// In frame numbers, not in bytes.
    frames: Range<u64>,
}

impl FrameRun {
    /// Physical address of the first byte.
    pub fn start(&self) -> u64 {
        self.frames.start * PAGE_SIZE
    }

    /// How many frames there are.
    pub fn count(&self) -> u64 {
        self.frames.end - self.frames.start
    }
}

/// Owns the frames that are free.
#[derive(Debug)]
pub struct FrameAllocator {
    /// In frame numbers.
    free: Vec<Range<u64>>,
    /// Frames that were taken over.
    total: u64,
}

impl FrameAllocator {
    /// Takes over all of `memory`.
    pub fn new(memory: &UsableMemory) -> Self {
        let mut frames = Self {
            free: memory
                .ranges()
                .map(|it| it.start / PAGE_SIZE..it.end / PAGE_SIZE)
                .collect(),
            total: 0,
        };
        frames.total = frames.free_frames();
        frames
    }

    /// The lowest run of `count` adjacent free frames; `None` if there is no such run.
    pub fn allocate(&mut self, count: u64) -> Option<FrameRun> {
        self.allocate_below(count, u64::MAX)
    }

    /// As [`allocate`](Self::allocate), and the run ends at or below the physical address `limit`.
    pub fn allocate_below(&mut self, count: u64, limit: u64) -> Option<FrameRun> {
        assert!(count > 0, "an empty run of frames has no address");
        let limit = limit / PAGE_SIZE;
        let at = self
            .free
            .iter()
            .position(|range| range.end.min(limit).saturating_sub(range.start) >= count)?;
        let start = self.free[at].start;
        self.free[at].start += count;
        if self.free[at].is_empty() {
            self.free.remove(at);
        }
        Some(FrameRun {
            frames: start..start + count,
        })
    }

    /// Takes a run back.
    pub fn free(&mut self, run: FrameRun) {
        let Range { start, end } = run.frames;
        let at = self.free.partition_point(|range| range.start < start);
        let joins_previous = at > 0 && self.free[at - 1].end >= start;
        let joins_next = self.free.get(at).is_some_and(|next| next.start <= end);
        // Only this module makes runs, so an overlap is a run that was made twice.
        assert!(
            at == 0 || self.free[at - 1].end <= start,
            "frame {start:#x} is free already"
        );
        assert!(
            self.free.get(at).is_none_or(|next| next.start >= end),
            "frame run freed twice"
        );
        match (joins_previous, joins_next) {
            (true, true) => self.free[at - 1].end = self.free.remove(at).end,
            (true, false) => self.free[at - 1].end = end,
            (false, true) => self.free[at].start = start,
            (false, false) => self.free.insert(at, start..end),
        }
    }

    /// How many frames are free.
    pub fn free_frames(&self) -> u64 {
        self.free.iter().map(|range| range.end - range.start).sum()
    }

    /// How many frames somebody owns: what a check for leaks compares.
    pub fn frames_in_use(&self) -> u64 {
        self.total - self.free_frames()
    }
}

#[cfg(test)]
mod tests {
    use super::super::map::{PAGE_SIZE, Region, UsableMemory};
    use super::{FrameAllocator, FrameRun};

    fn allocator(ranges: &[(u64, u64)]) -> FrameAllocator {
        let regions: Vec<_> = ranges
            .iter()
            .map(|&(first, count)| Region {
                start: first * PAGE_SIZE,
                length: count * PAGE_SIZE,
                usable: true,
            })
            .collect();
        FrameAllocator::new(&UsableMemory::from_regions(&regions))
    }

    #[test]
    fn runs_are_adjacent_frames_and_never_overlap() {
        let mut frames = allocator(&[(1, 3), (10, 8)]);
        let first = frames.allocate(2).unwrap();
        let second = frames.allocate(4).unwrap();
        let third = frames.allocate(1).unwrap();
        assert_eq!((first.start(), first.count()), (PAGE_SIZE, 2));
        assert_eq!((second.start(), second.count()), (10 * PAGE_SIZE, 4));
        assert_eq!((third.start(), third.count()), (3 * PAGE_SIZE, 1));
        assert_eq!((frames.free_frames(), frames.frames_in_use()), (4, 7));
        assert_eq!(frames.allocate(5), None);
    }

    #[test]
    fn whatever_the_order_of_freeing_all_frames_become_one_run_again() {
        for order in [
            [0, 1, 2, 3],
            [3, 2, 1, 0],
            [0, 2, 1, 3],
            [1, 3, 0, 2],
            [2, 0, 3, 1],
        ] {
            let mut frames = allocator(&[(1, 8)]);
            let mut runs: Vec<_> = (0..4).map(|_| frames.allocate(2)).collect();
            assert_eq!(frames.free_frames(), 0);
            for index in order {
                frames.free(runs[index].take().unwrap());
            }
            assert_eq!(
                frames.allocate(8).unwrap().start(),
                PAGE_SIZE,
                "freed in order {order:?}"
            );
        }
    }

    #[test]
    fn a_limit_keeps_the_whole_run_below_it() {
        let mut frames = allocator(&[(6, 4), (20, 20)]);
        assert_eq!(frames.allocate_below(5, 24 * PAGE_SIZE), None);
        assert_eq!(
            frames.allocate_below(4, 24 * PAGE_SIZE).unwrap().start(),
            6 * PAGE_SIZE
        );
        assert_eq!(
            frames.allocate_below(4, 24 * PAGE_SIZE).unwrap().start(),
            20 * PAGE_SIZE
        );
        assert_eq!(frames.allocate_below(1, 24 * PAGE_SIZE), None);
    }

    #[test]
    #[should_panic(expected = "free already")]
    fn freeing_what_is_free_is_caught() {
        let mut frames = allocator(&[(1, 8)]);
        frames.free(FrameRun { frames: 3..4 });
    }
}
