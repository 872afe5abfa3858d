//! The two pages below 1 MiB on which an AP starts: code, and mailbox.
//!
//! A SIPI names its page with 8 bits, so the code lies below 1 MiB (SDM volume 3, "Interrupt
//! Command Register"). No page
//! is fixed beforehand: every loader keeps its boot information somewhere else down there.

use core::ops::Range;

use super::map::{PAGE_SIZE, UsableMemory};

/// Where addresses that real mode reaches end.
const REAL_MODE_END: u64 = 1 << 20;

/// Two adjacent pages, mapped at their own addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LowPages {
    /// Physical address of the code page; the mailbox page follows it.
    code: u32,
}

impl LowPages {
    /// Takes the lowest two adjacent free pages out of `free`.
    ///
    /// `free` must hold nothing that the loader used, even if it was copied out since: late readers,
    /// such as a debugger, expect it there.
    pub fn take(free: &mut UsableMemory) -> Option<Self> {
        let start = free
            .ranges()
            .find(|range| {
                range.end.min(REAL_MODE_END).saturating_sub(range.start) >= 2 * PAGE_SIZE
            })?
            .start;
        free.remove(start..start + 2 * PAGE_SIZE);
        Some(Self {
            code: u32::try_from(start).expect("it lies below 1 MiB"),
        })
    }

    /// Address of the page for code, physical and virtual.
    pub fn code(self) -> u32 {
        self.code
    }

    /// Address of the page for data, physical and virtual.
    pub fn mailbox(self) -> u32 {
        self.code + PAGE_SIZE as u32
    }

    /// Both pages, in bytes.
    pub fn range(self) -> Range<u64> {
        let start = u64::from(self.code);
        start..start + 2 * PAGE_SIZE
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

    #[test]
    fn the_lowest_two_adjacent_free_pages_are_taken_and_no_longer_free() {
        let mut free = ram(0, 0x9_fc00);
        // QEMU's command line and start info.
        free.remove(0x11c0..0x11d0);
        free.remove(0x21e0..0x2218);
        let pages = LowPages::take(&mut free).unwrap();
        assert_eq!((pages.code(), pages.mailbox()), (0x3000, 0x4000));
        assert!(free.ranges().eq(core::iter::once(0x5000..0x9_f000)));
    }

    #[test]
    fn a_single_page_between_two_holes_is_passed_over() {
        let mut free = ram(0, 0x8000);
        free.remove(0x2000..0x3000);
        free.remove(0x4000..0x5000);
        assert_eq!(LowPages::take(&mut free).unwrap().code(), 0x5000);
    }

    #[test]
    fn pages_that_real_mode_cannot_reach_do_not_count() {
        assert_eq!(LowPages::take(&mut ram(0x10_0000, 0x10_0000)), None);
        assert_eq!(LowPages::take(&mut ram(0xf_f000, 0x2000)), None);
        assert_eq!(
            LowPages::take(&mut ram(0xf_e000, 0x8000))
                .unwrap()
                .mailbox(),
            0xf_f000
        );
    }
}
