//! Where the kernel itself lies, as `kernel.ld` has put it.

use core::ops::Range;

use super::map::PAGE_SIZE;

// Addresses only: what lies there is not a variable.
unsafe extern "C" {
    static __text_start: u8;
    static __text_end: u8;
    static __rodata_start: u8;
    static __rodata_end: u8;
    static __data_start: u8;
    static __data_end: u8;
    static __boot_stack_bottom: u8;
    static __boot_stack_top: u8;
}

/// Code, in whole pages.
pub fn text() -> Range<u64> {
    pages(&raw const __text_start, &raw const __text_end)
}

/// Constants, in whole pages.
pub fn rodata() -> Range<u64> {
    pages(&raw const __rodata_start, &raw const __rodata_end)
}

/// Variables and the boot stack, in whole pages.
pub fn data() -> Range<u64> {
    pages(&raw const __data_start, &raw const __data_end)
}

/// The stack that the BSP boots on. It is the lowest thing in the data region, and the page below
/// it is not mapped.
pub fn boot_stack() -> Range<u64> {
    pages(&raw const __boot_stack_bottom, &raw const __boot_stack_top)
}

/// From the first byte of the kernel to its last, with the gaps between its regions.
pub fn whole() -> Range<u64> {
    text().start..data().end
}

fn pages(start: *const u8, end: *const u8) -> Range<u64> {
    start as u64..(end as u64).next_multiple_of(PAGE_SIZE)
}
