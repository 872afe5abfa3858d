//! The memory map of the PVH boot protocol: what of it is free, and the same map with the firmware's
//! own memory reserved.
//!
//! Whatever is reserved is whole pages, and all that it does not touch stays as it was.

use core::ops::Range;

use crate::list::{Full, List};

/// Bytes of a page.
pub const PAGE: u64 = 4096;

/// Most regions. QEMU lists about ten.
pub const MOST_REGIONS: usize = 128;

/// Types of a region (Xen, `public/arch-x86/hvm/start_info.h`).
pub const RAM: u32 = 1;
/// Memory to be left alone.
pub const RESERVED: u32 = 2;

/// A region, as the start info lists it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Region {
    /// Physical address of the first byte.
    pub start: u64,
    /// Bytes.
    pub length: u64,
    /// [`RAM`], [`RESERVED`], or another kind that is not free.
    pub kind: u32,
    /// Zero.
    pub reserved: u32,
}

impl Region {
    /// A region of this kind.
    pub fn new(range: Range<u64>, kind: u32) -> Self {
        Self {
            start: range.start,
            length: range.end.saturating_sub(range.start),
            kind,
            reserved: 0,
        }
    }

    fn range(&self) -> Range<u64> {
        self.start..self.start.saturating_add(self.length)
    }
}

/// A memory map.
#[derive(Clone, Copy, Debug, Default)]
pub struct Map(List<Region, MOST_REGIONS>);

impl Map {
    /// The map of these regions.
    ///
    /// # Errors
    ///
    /// [`Full`] where there are too many.
    pub fn new(regions: impl IntoIterator<Item = Region>) -> Result<Self, Full> {
        let mut map = Self::default();
        for region in regions {
            map.0.push(region)?;
        }
        Ok(map)
    }

    /// The regions.
    pub fn regions(&self) -> &[Region] {
        &self.0
    }

    /// The same map, in which each page of RAM that `range` touches is reserved.
    ///
    /// # Errors
    ///
    /// [`Full`] where the map gets too long.
    pub fn reserve(&self, range: Range<u64>) -> Result<Self, Full> {
        let start = range.start / PAGE * PAGE;
        let end = range.end.next_multiple_of(PAGE);
        let mut map = Self::default();
        for region in self.regions() {
            let ram = region.range();
            if region.kind != RAM {
                map.0.push(*region)?;
                continue;
            }
            for (part, kind) in [
                (ram.start..ram.end.min(start), RAM),
                (ram.start.max(start)..ram.end.min(end), RESERVED),
                (ram.start.max(end)..ram.end, RAM),
            ] {
                if !part.is_empty() {
                    map.0.push(Region::new(part, kind))?;
                }
            }
        }
        Ok(map)
    }

    /// Whether all of `range` is RAM.
    pub fn is_ram(&self, range: &Range<u64>) -> bool {
        let mut reached = range.start;
        // Regions may be in any order: each turn gets at least one further, or is the last.
        for _ in self.regions() {
            let next = self
                .regions()
                .iter()
                .filter(|region| region.kind == RAM && region.range().contains(&reached));
            reached = next
                .map(|region| region.range().end)
                .fold(reached, u64::max);
        }
        reached >= range.end
            && !self
                .regions()
                .iter()
                .any(|region| region.kind != RAM && overlap(&region.range(), range))
    }

    /// The highest address of `length` bytes of RAM, at a page's beginning, that end at or below
    /// `limit` and touch nothing in `taken`. Page 0 is never free.
    pub fn highest_free(&self, length: u64, limit: u64, taken: &[Range<u64>]) -> Option<u64> {
        let ends = self.regions().iter().map(|region| region.range().end);
        let starts = self.regions().iter().map(|region| region.start);
        let candidates = ends
            .chain(starts)
            .chain(taken.iter().map(|range| range.start));
        candidates
            .filter_map(|end| Some(end.min(limit).checked_sub(length)? / PAGE * PAGE))
            .filter(|&start| {
                let wanted = start..start + length;
                start >= PAGE
                    && self.is_ram(&wanted)
                    && !taken.iter().any(|range| overlap(range, &wanted))
            })
            .max()
    }
}

/// Whether two ranges have a byte in common.
pub fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start.max(other.start) < one.end.min(other.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// Low memory of a PC with 512 MiB.
    fn pc() -> Map {
        Map::new([
            Region::new(0..0x9_fc00, RAM),
            Region::new(0x9_fc00..0xa_0000, RESERVED),
            Region::new(MIB..0x1ffd_f000, RAM),
            Region::new(0x1ffd_f000..0x2000_0000, RESERVED),
        ])
        .unwrap()
    }

    #[test]
    fn what_is_reserved_is_cut_out_in_whole_pages_and_the_rest_stays() {
        let map = pc().reserve(12 * MIB + 5..13 * MIB - 5).unwrap();
        assert_eq!(
            map.regions(),
            [
                Region::new(0..0x9_fc00, RAM),
                Region::new(0x9_fc00..0xa_0000, RESERVED),
                Region::new(MIB..12 * MIB, RAM),
                Region::new(12 * MIB..13 * MIB, RESERVED),
                Region::new(13 * MIB..0x1ffd_f000, RAM),
                Region::new(0x1ffd_f000..0x2000_0000, RESERVED),
            ]
        );
    }

    #[test]
    fn a_whole_region_can_be_reserved_and_one_that_is_not_ram_stays_what_it_is() {
        let acpi = Region::new(0x3000..0x4000, 3);
        let map = Map::new([Region::new(0x1000..0x3000, RAM), acpi]).unwrap();
        let all = map.reserve(0..u64::MAX / 2).unwrap();
        assert_eq!(all.regions(), [Region::new(0x1000..0x3000, RESERVED), acpi]);
    }

    #[test]
    fn a_map_that_gets_too_long_is_refused() {
        let regions = (0..MOST_REGIONS as u64).map(|at| {
            let start = at * 0x10_000;
            Region::new(start..start + 0x8000, RAM)
        });
        let map = Map::new(regions).unwrap();
        assert_eq!(map.reserve(0x2000..0x3000).err(), Some(Full));
    }

    #[test]
    fn ram_may_be_listed_in_pieces_and_in_any_order() {
        let map = Map::new([
            Region::new(0x3000..0x5000, RAM),
            Region::new(0x1000..0x3000, RAM),
            Region::new(0x4000..0x4800, RESERVED),
        ])
        .unwrap();
        assert!(map.is_ram(&(0x1000..0x4000)));
        assert!(!map.is_ram(&(0x1000..0x4001)));
        assert!(!map.is_ram(&(0xfff..0x2000)));
    }

    #[test]
    fn the_highest_free_page_is_below_the_limit_and_beside_what_is_taken() {
        let free =
            |limit, taken: Option<Range<u64>>| pc().highest_free(PAGE, limit, taken.as_slice());
        assert_eq!(free(MIB, None), Some(0x9_e000));
        assert_eq!(free(MIB, Some(0x9_e800..0x9_e801)), Some(0x9_d000));
        assert_eq!(free(0x3000, None), Some(0x2000));
        assert_eq!(free(0x3000, Some(0x2000..0x3000)), Some(0x1000));
        assert_eq!(free(0x3000, Some(0x1000..0x3000)), None);
    }

    #[test]
    fn a_module_finds_room_above_or_below_what_is_in_the_way() {
        let map = Map::new([Region::new(MIB..32 * MIB, RAM)]).unwrap();
        let kernel = 2 * MIB..10 * MIB;
        let image = 12 * MIB..14 * MIB;
        let taken = [kernel, image];
        assert_eq!(map.highest_free(16 * MIB, 1 << 32, &taken), Some(16 * MIB));
        assert_eq!(map.highest_free(2 * MIB, 14 * MIB, &taken), Some(10 * MIB));
        assert_eq!(map.highest_free(19 * MIB, 1 << 32, &taken), None);
    }
}
