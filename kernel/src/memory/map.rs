//! The memory map: from what the loader tells to the RAM that the kernel may use.
//!
//! Loaders list regions unsorted, with holes, overlaps and odd bounds (Firecracker's map is unsorted
//! and has a hole). [`UsableMemory`] keeps one invariant whatever it was made from: its ranges are
//! whole pages of RAM, sorted, disjoint, not adjacent and not empty. Where regions disagree, the one
//! that forbids wins.

use alloc::vec::Vec;
use core::ops::Range;

/// The size of a page and of a frame in bytes.
pub const PAGE_SIZE: u64 = 4096;

/// Above this, x86_64 has no physical addresses: 52 bits (SDM volume 3, "Enumeration of Paging Features").
const PHYSICAL_END: u64 = 1 << 52;

/// One region as the loader lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// Physical address of the first byte.
    pub start: u64,
    /// Bytes.
    pub length: u64,
    /// Whether it is RAM free for the kernel's use; anything else is to be left alone.
    pub usable: bool,
}

/// RAM that the kernel may use, in whole pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsableMemory(Vec<Range<u64>>);

impl UsableMemory {
    /// What is usable by these regions. Page 0 is not: a null pointer must not lead to memory.
    pub fn from_regions(regions: &[Region]) -> Self {
        let mut ram: Vec<_> = regions
            .iter()
            .filter(|region| region.usable)
            .map(|region| {
                let end = region.start.saturating_add(region.length).min(PHYSICAL_END);
                region.start.min(end).next_multiple_of(PAGE_SIZE)..end / PAGE_SIZE * PAGE_SIZE
            })
            .filter(|range| !range.is_empty())
            .collect();
        ram.sort_unstable_by_key(|range| range.start);

        let mut merged: Vec<Range<u64>> = Vec::with_capacity(ram.len());
        for range in ram {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }

        let mut usable = Self(merged);
        usable.remove(0..PAGE_SIZE);
        for region in regions.iter().filter(|region| !region.usable) {
            usable.remove(region.start..region.start.saturating_add(region.length));
        }
        usable
    }

    /// Takes out every page that `range` touches.
    pub fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let start = range.start / PAGE_SIZE * PAGE_SIZE;
        let end = range.end.min(PHYSICAL_END).next_multiple_of(PAGE_SIZE);
        let kept = self.0.iter().flat_map(|usable| {
            [
                usable.start..usable.end.min(start),
                usable.start.max(end)..usable.end,
            ]
        });
        self.0 = kept.filter(|range| !range.is_empty()).collect();
    }

    /// The ranges, in bytes, lowest first.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.0.iter().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::{PAGE_SIZE, PHYSICAL_END, Region, UsableMemory};

    fn ram(start: u64, length: u64) -> Region {
        Region {
            start,
            length,
            usable: true,
        }
    }

    fn reserved(start: u64, length: u64) -> Region {
        Region {
            start,
            length,
            usable: false,
        }
    }

    /// Start and end of each range.
    fn usable(regions: &[Region]) -> Vec<(u64, u64)> {
        ends(&UsableMemory::from_regions(regions))
    }

    fn ends(memory: &UsableMemory) -> Vec<(u64, u64)> {
        memory
            .ranges()
            .map(|range| (range.start, range.end))
            .collect()
    }

    #[test]
    fn an_unsorted_map_with_a_hole_comes_out_sorted_with_the_hole() {
        // The shape of Firecracker's map: high memory first, and a hole for devices.
        let map = [
            ram(0x1_0000_0000, 0x1000_0000),
            ram(0x10_0000, 0xbff0_0000),
            ram(0, 0x9_fc00),
        ];
        assert_eq!(
            usable(&map),
            [
                (0x1000, 0x9_f000),
                (0x10_0000, 0xc000_0000),
                (0x1_0000_0000, 0x1_1000_0000)
            ]
        );
    }

    #[test]
    fn adjacent_and_overlapping_ram_becomes_one_range() {
        let map = [
            ram(0x2000, 0x2000),
            ram(0x4000, 0x1000),
            ram(0x3000, 0x5000),
        ];
        assert_eq!(usable(&map), [(0x2000, 0x8000)]);
    }

    #[test]
    fn what_a_reserved_region_touches_is_not_usable_whatever_the_order() {
        let expected = [(0x10_0000, 0x11_0000), (0x11_2000, 0x20_0000)];
        let odd = reserved(0x11_0fff, 2);
        assert_eq!(usable(&[ram(0x10_0000, 0x10_0000), odd]), expected);
        assert_eq!(usable(&[odd, ram(0x10_0000, 0x10_0000)]), expected);
    }

    #[test]
    fn pages_that_are_ram_only_in_part_are_left_out() {
        assert_eq!(usable(&[ram(0x1001, 0x1ffe)]), []);
        assert_eq!(usable(&[ram(0x1001, 0x2000)]), [(0x2000, 0x3000)]);
    }

    #[test]
    fn page_zero_is_never_usable() {
        assert_eq!(usable(&[ram(0, 0x1000)]), []);
        assert_eq!(usable(&[ram(0, 0x2000)]), [(0x1000, 0x2000)]);
    }

    #[test]
    fn lengths_that_run_over_the_end_of_the_address_space_are_cut() {
        assert_eq!(
            usable(&[ram(PHYSICAL_END - PAGE_SIZE, u64::MAX)]),
            [(PHYSICAL_END - PAGE_SIZE, PHYSICAL_END)]
        );
        assert_eq!(usable(&[ram(u64::MAX - 1, u64::MAX)]), []);
        assert_eq!(
            usable(&[ram(0x1000, u64::MAX), reserved(0x3000, u64::MAX)]),
            [(0x1000, 0x3000)]
        );
        assert_eq!(
            usable(&[ram(0x1000, 0x1000), reserved(u64::MAX, u64::MAX)]),
            [(0x1000, 0x2000)]
        );
    }

    #[test]
    fn an_empty_reserved_region_takes_nothing() {
        assert_eq!(
            usable(&[ram(0x1000, 0x3000), reserved(0x2000, 0)]),
            [(0x1000, 0x4000)]
        );
    }

    #[test]
    fn removing_from_the_middle_leaves_both_ends() {
        let mut memory = UsableMemory::from_regions(&[ram(0x1000, 0x5000)]);
        memory.remove(0x2800..0x2801);
        assert_eq!(ends(&memory), [(0x1000, 0x2000), (0x3000, 0x6000)]);
    }
}
