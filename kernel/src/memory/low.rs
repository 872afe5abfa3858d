//! The two pages below 1 MiB on which an AP starts: code, and mailbox.
//!
//! A SIPI names its page with 8 bits, so the code lies below 1 MiB (SDM volume 3, "Interrupt
//! Command Register"). No page is fixed beforehand: every loader keeps its boot information
//! somewhere else down there. The highest pair is taken, because the firmware of many PCs writes to
//! the lowest 64 KiB long after it has told that they are free (Linux reserves them for that).

use super::map::{PAGE_SIZE, UsableMemory};

/// Where addresses that real mode reaches end.
const REAL_MODE_END: u64 = 1 << 20;

/// Both pages, in bytes.
const SIZE: u64 = 2 * PAGE_SIZE;

/// Two adjacent pages, mapped at their own addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LowPages {
    /// Physical address of the code page; the mailbox page follows it.
    code: u32,
}

impl LowPages {
    /// Takes the highest two adjacent free pages out of `free`.
    ///
    /// `free` must hold nothing that the loader used, even if it was copied out since: late readers,
    /// such as a debugger, expect it there.
    pub fn take(free: &mut UsableMemory) -> Option<Self> {
        let start = free
            .ranges()
            .filter_map(|range| {
                let start = range.end.min(REAL_MODE_END).checked_sub(SIZE)?;
                (start >= range.start).then_some(start)
            })
            .max()?;
        free.remove(start..start + SIZE);
        Some(Self {
            code: u32::try_from(start).expect("it lies below 1 MiB"),
        })
    }

    /// Address of the page for code, physical and virtual.
    pub fn code(self) -> u32 {
        self.code
    }
}

#[cfg(test)]
mod tests {
    use super::super::map::{Region, UsableMemory};
    use super::LowPages;

    fn ram(start: u64, length: u64) -> UsableMemory {
        UsableMemory::from_regions(&[Region {
            start,
            length,
            usable: true,
        }])
    }

    fn take(mut free: UsableMemory) -> Option<u32> {
        LowPages::take(&mut free).map(LowPages::code)
    }

    #[test]
    fn the_highest_two_adjacent_free_pages_are_taken_and_no_longer_free() {
        // A PC's low memory: what the extended BIOS data area touches is not RAM.
        let mut free = ram(0, 0x9_fc00);
        assert_eq!(LowPages::take(&mut free).unwrap().code(), 0x9_d000);
        assert!(free.ranges().eq(core::iter::once(0x1000..0x9_d000)));
    }

    #[test]
    fn what_lies_above_is_not_looked_at() {
        let regions = [(0, 0x9_fc00), (0x10_0000, 0x100_0000)].map(|(start, length)| Region {
            start,
            length,
            usable: true,
        });
        assert_eq!(take(UsableMemory::from_regions(&regions)), Some(0x9_d000));
    }

    #[test]
    fn of_several_free_places_the_highest_is_taken() {
        let mut free = ram(0, 0x9_fc00);
        free.remove(0x5_0000..0x6_0000);
        free.remove(0x9_d000..0x9_e000);
        assert_eq!(take(free), Some(0x9_b000));
        let mut free = ram(0, 0x9_fc00);
        free.remove(0x5_0000..0x9_e000);
        assert_eq!(take(free), Some(0x4_e000));
    }

    #[test]
    fn a_single_page_between_two_holes_is_passed_over() {
        let mut free = ram(0, 0x8000);
        free.remove(0x5000..0x6000);
        free.remove(0x7000..0x8000);
        assert_eq!(take(free), Some(0x3000));
    }

    #[test]
    fn the_lowest_pages_are_taken_where_there_are_no_others() {
        assert_eq!(take(ram(0, 0x3000)), Some(0x1000));
    }

    #[test]
    fn pages_that_real_mode_cannot_reach_do_not_count() {
        assert_eq!(take(ram(0x10_0000, 0x10_0000)), None);
        assert_eq!(take(ram(0xf_f000, 0x2000)), None);
        assert_eq!(take(ram(0xf_e000, 0x8000)), Some(0xf_e000));
    }
}
