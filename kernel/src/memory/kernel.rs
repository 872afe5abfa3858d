//! The kernel's own memory: set up once on the BSP, then shared under a lock.

use core::fmt;
use core::ops::Range;
use core::ptr::NonNull;

use reveille_smp::cpu::CpuIndex;
use spin::Mutex;
use x86_64::instructions::interrupts::without_interrupts;
use x86_64::instructions::tlb;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PhysFrame;
use x86_64::{PhysAddr, VirtAddr};

use super::frames::{FrameAllocator, FrameRun};
use super::heap::HEAP;
use super::image;
use super::low::LowPages;
use super::map::{PAGE_SIZE, UsableMemory};
use super::paging::{Access, AddressSpace, MapError};
use super::small;
use super::stacks::{self, StackPurpose};
use super::window::Window;
use crate::boot::BootInfo;

/// The heap gets this part of what is free after boot, and at most [`MOST_HEAP`].
const HEAP_SHARE: u64 = 8;
/// 512 CPUs take less.
const MOST_HEAP: u64 = 64 << 20;
/// Below lies what firmware and loaders use; it is left to AP start-up.
const LOW_MEMORY_END: u64 = 1 << 20;

static MEMORY: Mutex<Option<Memory>> = Mutex::new(None);

struct Memory {
    frames: FrameAllocator,
    space: AddressSpace,
    low: LowPages,
    window: Window,
}

/// Takes over all memory that `boot` describes, and switches to the final page tables.
///
/// # Safety
///
/// Called once, on the BSP, with the boot page tables in use and no other CPU running. `boot`
/// describes this machine, and is all of the loader's memory that is still wanted.
pub unsafe fn init(boot: &BootInfo) -> Result<(), MemoryError> {
    let ram = UsableMemory::from_regions(&boot.regions);
    let mut free = ram.clone();
    free.remove(image::whole());
    for range in &boot.occupied {
        free.remove(range.clone());
    }
    let low = LowPages::take(&mut free).ok_or(MemoryError::NoLowPages)?;
    free.remove(0..LOW_MEMORY_END);

    let mut frames = FrameAllocator::new(&free);
    // SAFETY: the boot tables, and then the final ones, show all RAM below 4 GiB at its own address.
    let mut space = unsafe { AddressSpace::new(VirtAddr::zero(), &mut frames) }?;
    let mut identity = |range: Range<u64>, access| {
        let start = range.start;
        space.map(range, start, access, &mut frames)
    };
    identity(image::text(), Access::Text)?;
    identity(image::rodata(), Access::ReadOnly)?;
    identity(image::data(), Access::Data)?;
    let mut other_ram = ram;
    other_ram.remove(image::whole());
    for range in other_ram.ranges() {
        identity(range, Access::Data)?;
    }
    if let Some(page) = space.writable_and_executable() {
        return Err(MemoryError::WritableAndExecutable { page });
    }

    let root = PhysFrame::containing_address(PhysAddr::new(space.root().into()));
    // SAFETY: the tables show the kernel, its data and the stack in use where the boot tables
    // showed them; nothing else that is in use lies outside of RAM.
    unsafe { Cr3::write(root, Cr3Flags::empty()) };

    let heap = (frames.free_frames() / HEAP_SHARE).min(MOST_HEAP / PAGE_SIZE);
    let heap = frames.allocate(heap.max(1)).ok_or(MapError::NoFrame)?;
    let start = NonNull::new(heap.start() as *mut u8).expect("page 0 is never free");
    // SAFETY: the run is RAM, mapped at its own address, and given up to the heap for good.
    unsafe { HEAP.grow(start, (heap.count() * PAGE_SIZE) as usize) };

    without_interrupts(|| {
        *MEMORY.lock() = Some(Memory {
            frames,
            space,
            low,
            window: Window::new(),
        })
    });
    Ok(())
}

/// The two pages below 1 MiB for AP start-up, mapped for reading and writing at their own
/// addresses. [`protect`] makes the code page executable once the code is in it.
pub fn low_pages() -> LowPages {
    with(|memory| memory.low)
}

/// Changes what the 4 KiB page at `page` is for. No other CPU is told: none runs yet.
pub fn protect(page: u64, access: Access) -> Result<(), MapError> {
    with(|memory| {
        memory.space.protect(page, access)?;
        tlb::flush(VirtAddr::new(page));
        Ok(())
    })
}

/// Maps the registers of a device, uncached, at their own addresses.
///
/// `start` and `length` are physical and in bytes; the pages they touch are mapped as a whole.
pub fn map_device(start: u64, length: u64) -> Result<(), MapError> {
    let pages = pages_of(start, length)?;
    let first = pages.start;
    with(|Memory { space, frames, .. }| space.map(pages, first, Access::Device, frames))
}

/// Maps the page of an address in memory that the firmware keeps for itself, at its own address. It
/// must not be RAM that the kernel may use, which is mapped already.
pub fn map_firmware(address: u64, access: Access) -> Result<(), MapError> {
    let page = pages_of(address, 1)?;
    let first = page.start;
    with(|Memory { space, frames, .. }| space.map(page, first, access, frames))
}

/// The pages that `length` bytes from `start` on touch. Firmware names both: they may be anything.
pub(super) fn pages_of(start: u64, length: u64) -> Result<Range<u64>, MapError> {
    let end = start
        .checked_add(length)
        .and_then(|end| end.checked_next_multiple_of(PAGE_SIZE))
        .ok_or(MapError::NotCanonical { address: start })?;
    Ok(start / PAGE_SIZE * PAGE_SIZE..end)
}

/// Maps a stack, and returns its addresses: it is used from the end down.
///
/// A stack is never given back, as a CPU that comes late may still use it.
pub fn allocate_stack(cpu: CpuIndex, purpose: StackPurpose) -> Result<Range<u64>, MapError> {
    let place = stacks::place(cpu, purpose).ok_or(MapError::NoFrame)?;
    with(|Memory { space, frames, .. }| {
        let run = frames
            .allocate(purpose.size() / PAGE_SIZE)
            .ok_or(MapError::NoFrame)?;
        space.map(place.clone(), run.start(), Access::Data, frames)?;
        Ok(place)
    })
}

/// Takes pages out of the tables, all or none. No CPU is told.
pub(super) fn unmap_in_tables(pages: Range<u64>) -> Result<(), MapError> {
    with(|memory| small::unmap(&mut memory.space, pages))
}

/// Maps so many pages somewhere in the window, to frames of their own: all or none.
pub(super) fn map_in_window(pages: u64) -> Result<(Range<u64>, FrameRun), MapError> {
    with(|memory| {
        let Memory {
            frames,
            space,
            window,
            ..
        } = memory;
        small::map_in_window(space, frames, window, pages)
    })
}

/// Lets mapped pages lead to other frames, which it gives: all or none. No CPU is told.
pub(super) fn remap(pages: Range<u64>) -> Result<FrameRun, MapError> {
    with(|Memory { space, frames, .. }| small::remap(space, frames, pages))
}

/// Takes frames back that no CPU can reach any more.
pub(super) fn free(run: FrameRun) {
    with(|memory| memory.frames.free(run));
}

/// Takes addresses of the window back of which no CPU has a translation any more.
pub(super) fn free_in_window(pages: Range<u64>) {
    with(|memory| memory.window.give_back(pages));
}

/// Physical address of the level 4 page table, for an AP's CR3.
pub fn root() -> u32 {
    with(|memory| memory.space.root())
}

/// The first page, if any, that the page tables in use allow to be both written and executed.
pub fn writable_and_executable() -> Option<u64> {
    with(|memory| memory.space.writable_and_executable())
}

/// Frames that somebody owns, the heap's among them: what a check for leaks compares.
pub fn frames_in_use() -> u64 {
    with(|memory| memory.frames.frames_in_use())
}

/// Frames that nobody owns.
pub fn frames_free() -> u64 {
    with(|memory| memory.frames.free_frames())
}

fn with<R>(action: impl FnOnce(&mut Memory) -> R) -> R {
    without_interrupts(|| {
        action(
            MEMORY
                .lock()
                .as_mut()
                .expect("memory is set up first of all"),
        )
    })
}

/// Why memory could not be set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryError {
    /// No two adjacent pages are free below 1 MiB: no AP can be started.
    NoLowPages,
    /// Page tables or the heap could not be made.
    Map(MapError),
    /// The final page tables break W^X.
    WritableAndExecutable {
        /// The page that can be written and executed.
        page: u64,
    },
}

impl From<MapError> for MemoryError {
    fn from(error: MapError) -> Self {
        Self::Map(error)
    }
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory: ")?;
        match self {
            Self::NoLowPages => write!(f, "no two adjacent pages are free below 1 MiB"),
            Self::Map(error) => write!(f, "{error}"),
            Self::WritableAndExecutable { page } => {
                write!(f, "page {page:#x} can be both written and executed")
            }
        }
    }
}

impl core::error::Error for MemoryError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_mapped_with_all_pages_that_they_touch() {
        assert_eq!(pages_of(0xfed0_0000, 0x400), Ok(0xfed0_0000..0xfed0_1000));
        assert_eq!(pages_of(0xfed0_0ff8, 0x10), Ok(0xfed0_0000..0xfed0_2000));
    }

    #[test]
    fn registers_beyond_the_last_address_are_refused() {
        for address in [u64::MAX - 7, u64::MAX - 0x400, u64::MAX - 0xfff] {
            assert_eq!(
                pages_of(address, 0x400),
                Err(MapError::NotCanonical { address })
            );
        }
    }
}
