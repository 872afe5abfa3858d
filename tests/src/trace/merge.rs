//! The marks of all tracks, as one row.
//!
//! Invariant: no mark is earlier than the one before it, and among those of the same time an arrow leaves
//! before it arrives. Where that cannot be, as arrows wait for each other in a ring, the arrow that had
//! to arrive first is torn.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap},
};

use super::track::{Mark, Track, What};

/// Goes through the marks.
pub(super) struct Merge<'a> {
    tracks: &'a [Track],
    /// When each track goes on, which track that is, and with which of its marks.
    heads: BinaryHeap<Reverse<(u64, usize, usize)>>,
    /// The arrows that have left and not arrived.
    under_way: BTreeSet<u64>,
    /// The arrows that had to arrive before they left.
    pub(super) torn: BTreeSet<u64>,
}

impl<'a> Merge<'a> {
    pub(super) fn of(tracks: &'a [Track]) -> Self {
        let first = |(index, track): (usize, &Track)| {
            let mark = track.marks.first()?;
            Some(Reverse((mark.at_ns, index, 0)))
        };
        Self {
            tracks,
            heads: tracks.iter().enumerate().filter_map(first).collect(),
            under_way: BTreeSet::new(),
            torn: BTreeSet::new(),
        }
    }

    fn is_ready(&self, mark: &Mark) -> bool {
        let arrive = match &mark.what {
            What::Begin(label) => label.ends.arrive.as_slice(),
            _ => &[],
        };
        arrive.iter().all(|it| self.under_way.contains(&it.number))
    }

    fn take(&mut self) -> Option<(u64, usize, usize)> {
        let Reverse(first) = self.heads.pop()?;
        let mut waiting = Vec::new();
        let mut taken = first;
        while !self.is_ready(&self.tracks[taken.1].marks[taken.2]) {
            waiting.push(Reverse(taken));
            match self.heads.pop() {
                Some(Reverse(next)) if next.0 == first.0 => taken = next,
                other => {
                    // They wait for each other in a ring, or their arrows never leave: there is no
                    // right order.
                    self.heads.extend(other);
                    waiting.swap_remove(0);
                    taken = first;
                    break;
                }
            }
        }
        self.heads.extend(waiting);
        Some(taken)
    }
}

impl<'a> Iterator for Merge<'a> {
    type Item = (&'a Track, &'a Mark);

    fn next(&mut self) -> Option<Self::Item> {
        let (_, index, place) = self.take()?;
        let track = &self.tracks[index];
        let mark = &track.marks[place];
        if let What::Begin(label) = &mark.what {
            for arrow in &label.ends.arrive {
                if !self.under_way.remove(&arrow.number) {
                    self.torn.insert(arrow.number);
                }
            }
            self.under_way
                .extend(label.ends.leave.iter().map(|it| it.number));
        }
        if let Some(next) = track.marks.get(place + 1) {
            self.heads.push(Reverse((next.at_ns, index, place + 1)));
        }
        Some((track, mark))
    }
}
