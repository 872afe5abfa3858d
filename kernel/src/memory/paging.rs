//! Page tables: which addresses exist, and what may be done with them.
//!
//! W^X holds by construction: every mapping is made for an [`Access`], and none of them both writes
//! and executes. [`AddressSpace::writable_and_executable`] checks it against the tables themselves.

use core::fmt;
use core::ops::Range;

use x86_64::structures::paging::mapper::{
    FlagUpdateError, MapToError, Mapper, OffsetPageTable, TranslateError, UnmapError,
};
use x86_64::structures::paging::{
    FrameAllocator as TableFrames, Page, PageSize, PageTable, PageTableFlags, PhysFrame, Size2MiB,
    Size4KiB,
};
use x86_64::{PhysAddr, VirtAddr};

use super::frames::FrameAllocator;
use super::map::PAGE_SIZE;

/// Tables lie below: the boot tables reach no further, and an AP loads CR3 with 32 bits.
const TABLES_END: u64 = 4 << 30;

/// What a page is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Code: read and execute.
    Text,
    /// Constants: read.
    ReadOnly,
    /// Everything else in RAM: read and write.
    Data,
    /// Registers of a device: read and write, uncached.
    Device,
}

impl Access {
    fn flags(self) -> PageTableFlags {
        let flags = PageTableFlags::PRESENT;
        match self {
            Self::Text => flags,
            Self::ReadOnly => flags | PageTableFlags::NO_EXECUTE,
            Self::Data => flags | PageTableFlags::NO_EXECUTE | PageTableFlags::WRITABLE,
            // PCD and PWT together select PAT entry 3, uncacheable after reset (SDM volume 3,
            // "Page Attribute Table").
            Self::Device => {
                Self::Data.flags() | PageTableFlags::NO_CACHE | PageTableFlags::WRITE_THROUGH
            }
        }
    }
}

/// A hierarchy of page tables. Nothing here flushes a TLB: its owner does.
pub struct AddressSpace {
    /// The level 4 table.
    root: PhysFrame,
    /// Where physical address 0 is mapped, for access to the tables.
    physical: VirtAddr,
}

impl AddressSpace {
    /// An empty one.
    ///
    /// # Safety
    ///
    /// As long as the value is used, every frame of `frames` below 4 GiB is mapped for reading and
    /// writing at its physical address plus `physical`.
    pub unsafe fn new(physical: VirtAddr, frames: &mut FrameAllocator) -> Result<Self, MapError> {
        let root = BelowTablesEnd(frames)
            .allocate_frame()
            .ok_or(MapError::NoFrame)?;
        let table: *mut PageTable = (physical + root.start_address().as_u64()).as_mut_ptr();
        // SAFETY: by the caller's word the frame is mapped there, and it is ours alone.
        unsafe { table.write(PageTable::new()) };
        Ok(Self { root, physical })
    }

    /// Physical address of the level 4 table, which is what CR3 takes.
    pub fn root(&self) -> u32 {
        u32::try_from(self.root.start_address().as_u64()).expect("tables lie below 4 GiB")
    }

    /// Maps whole pages at `pages` to the physical memory from `physical` on, in 2 MiB pages where
    /// both sides allow it.
    ///
    /// On an error the pages before the offending one stay mapped.
    pub fn map(
        &mut self,
        pages: Range<u64>,
        physical: u64,
        access: Access,
        frames: &mut FrameAllocator,
    ) -> Result<(), MapError> {
        for address in [pages.start, pages.end, physical] {
            if !address.is_multiple_of(PAGE_SIZE) {
                return Err(MapError::NotAligned { address });
            }
        }
        let mut done = 0;
        while pages.start + done < pages.end {
            let (page, frame) = (pages.start + done, physical + done);
            let fits_large = page.is_multiple_of(Size2MiB::SIZE)
                && frame.is_multiple_of(Size2MiB::SIZE)
                && pages.end - page >= Size2MiB::SIZE;
            done += if fits_large {
                self.map_page::<Size2MiB>(page, frame, access, frames)?
            } else {
                self.map_page::<Size4KiB>(page, frame, access, frames)?
            };
        }
        Ok(())
    }

    /// Changes what the 4 KiB page at `page` is for.
    pub fn protect(&mut self, page: u64, access: Access) -> Result<(), MapError> {
        let page = small_page(page)?;
        // SAFETY: the flags never make a page executable that can be written, and what is mapped
        // stays mapped to the same frame.
        let updated = unsafe { self.mapper().update_flags(page, access.flags()) };
        match updated {
            Ok(flush) => {
                // The owner flushes.
                flush.ignore();
                Ok(())
            }
            Err(FlagUpdateError::PageNotMapped) => Err(MapError::NotMapped {
                page: page.start_address().as_u64(),
            }),
            Err(FlagUpdateError::ParentEntryHugePage) => Err(MapError::PartOfLargePage {
                page: page.start_address().as_u64(),
            }),
        }
    }

    /// Unmaps the 4 KiB page at `page`, and returns the physical address that it led to.
    pub fn unmap(&mut self, page: u64) -> Result<u64, MapError> {
        let small = small_page(page)?;
        match self.mapper().unmap(small) {
            Ok((frame, flush)) => {
                // The owner flushes.
                flush.ignore();
                Ok(frame.start_address().as_u64())
            }
            Err(UnmapError::ParentEntryHugePage) => Err(MapError::PartOfLargePage { page }),
            Err(UnmapError::PageNotMapped | UnmapError::InvalidFrameAddress(_)) => {
                Err(MapError::NotMapped { page })
            }
        }
    }

    /// The physical address that the 4 KiB page at `page` leads to; the errors are those of
    /// [`unmap`](Self::unmap).
    pub fn frame_of(&mut self, page: u64) -> Result<u64, MapError> {
        match self.mapper().translate_page(small_page(page)?) {
            Ok(frame) => Ok(frame.start_address().as_u64()),
            Err(TranslateError::ParentEntryHugePage) => Err(MapError::PartOfLargePage { page }),
            Err(TranslateError::PageNotMapped | TranslateError::InvalidFrameAddress(_)) => {
                Err(MapError::NotMapped { page })
            }
        }
    }

    /// Makes all tables that 4 KiB pages need to be mapped, and maps none: [`map`](Self::map) wants no frame
    /// for them any more. On an error the tables that were made stay.
    pub fn make_tables(
        &mut self,
        pages: Range<u64>,
        frames: &mut FrameAllocator,
    ) -> Result<(), MapError> {
        let tables = PageTableFlags::PRESENT | PageTableFlags::WRITABLE;
        for page in pages.step_by(PAGE_SIZE as usize) {
            // SAFETY: the entry of the page is written as 0, which is what it was: nothing is mapped.
            let made = unsafe {
                self.mapper().map_to_with_table_flags(
                    small_page(page)?,
                    PhysFrame::containing_address(PhysAddr::zero()),
                    PageTableFlags::empty(),
                    tables,
                    &mut BelowTablesEnd(frames),
                )
            };
            made.map_err(|error| mistake(error, page))?.ignore();
        }
        Ok(())
    }

    /// The first page that can be both written and executed, found by a walk over all tables.
    pub fn writable_and_executable(&self) -> Option<u64> {
        self.search_table(self.root.start_address(), 4, 0)
    }

    /// Goes down only where neither writing nor executing is forbidden yet: an upper entry forbids
    /// for all below it.
    fn search_table(&self, table: PhysAddr, level: u32, base: u64) -> Option<u64> {
        let table: *const PageTable = (self.physical + table.as_u64()).as_ptr();
        // SAFETY: by `new`'s contract, the tables of this hierarchy are mapped there.
        let table = unsafe { &*table };
        table.iter().enumerate().find_map(|(index, entry)| {
            let flags = entry.flags();
            if !flags.contains(PageTableFlags::PRESENT | PageTableFlags::WRITABLE)
                || flags.contains(PageTableFlags::NO_EXECUTE)
            {
                return None;
            }
            // 12 bits of offset, then 9 bits a level.
            let page = base | (index as u64) << (12 + 9 * (level - 1));
            if level == 1 || flags.contains(PageTableFlags::HUGE_PAGE) {
                Some(VirtAddr::new_truncate(page).as_u64())
            } else {
                self.search_table(entry.addr(), level - 1, page)
            }
        })
    }

    /// Returns the bytes mapped.
    fn map_page<S: PageSize>(
        &mut self,
        page: u64,
        frame: u64,
        access: Access,
        frames: &mut FrameAllocator,
    ) -> Result<u64, MapError>
    where
        for<'a> OffsetPageTable<'a>: Mapper<S>,
    {
        let not_canonical = MapError::NotCanonical { address: page };
        let virt = VirtAddr::try_new(page).map_err(|_| not_canonical)?;
        let phys = PhysAddr::try_new(frame).map_err(|_| not_canonical)?;
        // SAFETY: no page is mapped to memory that Rust uses for something else. The kernel's own
        // tables show RAM at its own address, where Rust finds what the linker and the heap put
        // there; a stack is mapped a second time, in frames that it owns for good, and Rust reaches
        // it by the second mapping only.
        let mapped = unsafe {
            self.mapper().map_to(
                Page::<S>::containing_address(virt),
                PhysFrame::<S>::containing_address(phys),
                access.flags(),
                &mut BelowTablesEnd(frames),
            )
        };
        // Nothing to flush: no TLB holds a page that was not present.
        mapped.map_err(|error| mistake(error, page))?.ignore();
        Ok(S::SIZE)
    }

    fn mapper(&mut self) -> OffsetPageTable<'_> {
        let table: *mut PageTable =
            (self.physical + self.root.start_address().as_u64()).as_mut_ptr();
        // SAFETY: by `new`'s contract the tables are mapped at that offset; `self` owns them.
        unsafe { OffsetPageTable::new(&mut *table, self.physical) }
    }
}

fn mistake<S: PageSize>(error: MapToError<S>, page: u64) -> MapError {
    match error {
        MapToError::FrameAllocationFailed => MapError::NoFrame,
        MapToError::PageAlreadyMapped(_) | MapToError::ParentEntryHugePage => {
            MapError::AlreadyMapped { page }
        }
    }
}

fn small_page(address: u64) -> Result<Page<Size4KiB>, MapError> {
    let address = VirtAddr::try_new(address).map_err(|_| MapError::NotCanonical { address })?;
    Page::from_start_address(address).map_err(|_| MapError::NotAligned {
        address: address.as_u64(),
    })
}

/// Frames for tables.
struct BelowTablesEnd<'a>(&'a mut FrameAllocator);

// SAFETY: a frame that the allocator hands out is in nobody else's hands.
unsafe impl TableFrames<Size4KiB> for BelowTablesEnd<'_> {
    fn allocate_frame(&mut self) -> Option<PhysFrame<Size4KiB>> {
        let run = self.0.allocate_below(1, TABLES_END)?;
        Some(PhysFrame::containing_address(PhysAddr::new(run.start())))
    }
}

/// Why a page was not mapped, unmapped or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapError {
    /// No free frame for a table, or for the page.
    NoFrame,
    /// An address is not a multiple of the page size.
    NotAligned {
        /// The address.
        address: u64,
    },
    /// No such virtual or physical address exists.
    NotCanonical {
        /// The virtual address that was to be mapped.
        address: u64,
    },
    /// The page is mapped.
    AlreadyMapped {
        /// The page's address.
        page: u64,
    },
    /// The page is not mapped.
    NotMapped {
        /// The page's address.
        page: u64,
    },
    /// The page is part of a 2 MiB page, which is mapped as a whole.
    PartOfLargePage {
        /// The page's address.
        page: u64,
    },
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoFrame => write!(f, "out of physical memory"),
            Self::NotAligned { address } => write!(f, "{address:#x} is not the start of a page"),
            Self::NotCanonical { address } => write!(f, "no page can be mapped at {address:#x}"),
            Self::AlreadyMapped { page } => write!(f, "page {page:#x} is mapped already"),
            Self::NotMapped { page } => write!(f, "page {page:#x} is not mapped"),
            Self::PartOfLargePage { page } => write!(f, "page {page:#x} is part of a 2 MiB page"),
        }
    }
}

impl core::error::Error for MapError {}

#[cfg(test)]
pub(super) mod tests {
    use x86_64::VirtAddr;
    use x86_64::structures::paging::{PageTable, PageTableFlags, Translate};

    use super::super::frames::FrameAllocator;
    use super::super::map::{PAGE_SIZE, Region, UsableMemory};
    use super::{Access, AddressSpace, MapError};

    const MIB: u64 = 1 << 20;
    /// Enough for the tables of every test.
    const FRAMES: usize = 64;

    /// An address space whose tables lie in a host buffer.
    pub(crate) struct Fixture {
        pub(crate) space: AddressSpace,
        pub(crate) frames: FrameAllocator,
        // Physical memory from address 0 on. Tables have a page's alignment and size. In a `Vec`,
        // as moving a `Box` takes away the right to reach its contents by address.
        _memory: Vec<PageTable>,
    }

    impl Fixture {
        pub(crate) fn new() -> Self {
            let mut memory: Vec<PageTable> = (0..FRAMES).map(|_| PageTable::new()).collect();
            let length = FRAMES as u64 * PAGE_SIZE;
            let mut frames = FrameAllocator::new(&UsableMemory::from_regions(&[Region {
                start: 0,
                length,
                usable: true,
            }]));
            let physical = VirtAddr::from_ptr(memory.as_mut_ptr());
            // SAFETY: `memory` holds all frames and lives as long as the space does.
            let space = unsafe { AddressSpace::new(physical, &mut frames) }.unwrap();
            Self {
                space,
                frames,
                _memory: memory,
            }
        }

        fn map(&mut self, pages: core::ops::Range<u64>, access: Access) -> Result<(), MapError> {
            let start = pages.start;
            self.space.map(pages, start, access, &mut self.frames)
        }

        fn translate(&mut self, address: u64) -> Option<u64> {
            let address = VirtAddr::new(address);
            self.space
                .mapper()
                .translate_addr(address)
                .map(|it| it.as_u64())
        }

        fn flags(&mut self, address: u64) -> PageTableFlags {
            use x86_64::structures::paging::mapper::TranslateResult;
            match self.space.mapper().translate(VirtAddr::new(address)) {
                TranslateResult::Mapped { flags, .. } => flags,
                other => panic!("{address:#x}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_was_mapped_leads_to_its_frame_and_nothing_else_is_there() {
        let mut fixture = Fixture::new();
        let stack = 0xffff_8000_0000_1000;
        let Fixture { space, frames, .. } = &mut fixture;
        space
            .map(stack..stack + 0x2000, 0x7000, Access::Data, frames)
            .unwrap();
        assert_eq!(fixture.translate(stack + 0x1234), Some(0x8234));
        assert_eq!(fixture.translate(stack - 1), None);
        assert_eq!(fixture.translate(stack + 0x2000), None);
    }

    #[test]
    fn a_range_uses_large_pages_only_where_both_addresses_are_aligned() {
        let mut fixture = Fixture::new();
        let before = fixture.frames.free_frames();
        // 4 KiB pages up to 2 MiB, two large pages, 4 KiB pages again.
        fixture
            .map(2 * MIB - 0x1000..6 * MIB + 0x1000, Access::Data)
            .unwrap();
        // Levels 3 and 2, and a level 1 table at each end.
        assert_eq!(before - fixture.frames.free_frames(), 4);
        for address in [2 * MIB - 0x1000, 2 * MIB, 5 * MIB, 6 * MIB + 0xfff] {
            assert_eq!(fixture.translate(address), Some(address));
        }
        assert_eq!(fixture.translate(6 * MIB + 0x1000), None);

        let Fixture { space, frames, .. } = &mut fixture;
        space
            .map(8 * MIB..10 * MIB, 0x1000, Access::Data, frames)
            .unwrap();
        assert_eq!(fixture.translate(9 * MIB), Some(MIB + 0x1000));
    }

    #[test]
    fn each_access_has_exactly_its_flags() {
        let mut fixture = Fixture::new();
        let (p, w, nx) = (
            PageTableFlags::PRESENT,
            PageTableFlags::WRITABLE,
            PageTableFlags::NO_EXECUTE,
        );
        let uncached = PageTableFlags::NO_CACHE | PageTableFlags::WRITE_THROUGH;
        for (page, access, flags) in [
            (0x1000, Access::Text, p),
            (0x2000, Access::ReadOnly, p | nx),
            (0x3000, Access::Data, p | w | nx),
            (0x4000, Access::Device, p | w | nx | uncached),
        ] {
            fixture.map(page..page + 0x1000, access).unwrap();
            assert_eq!(fixture.flags(page), flags, "{access:?}");
        }
        assert_eq!(fixture.space.writable_and_executable(), None);
    }

    #[test]
    fn protecting_a_page_changes_it_alone() {
        let mut fixture = Fixture::new();
        fixture.map(0x1000..0x4000, Access::Data).unwrap();
        fixture.space.protect(0x2000, Access::Text).unwrap();
        assert_eq!(fixture.flags(0x2000), PageTableFlags::PRESENT);
        assert!(fixture.flags(0x1000).contains(PageTableFlags::WRITABLE));
        assert!(fixture.flags(0x3000).contains(PageTableFlags::WRITABLE));
        assert_eq!(fixture.translate(0x2000), Some(0x2000));
    }

    #[test]
    fn an_unmapped_page_is_gone_and_its_neighbours_are_not() {
        let mut fixture = Fixture::new();
        fixture.map(0x1000..0x4000, Access::Data).unwrap();
        assert_eq!(fixture.space.unmap(0x2000), Ok(0x2000));
        assert_eq!(fixture.translate(0x2000), None);
        assert_eq!(fixture.translate(0x1fff), Some(0x1fff));
        assert_eq!(fixture.translate(0x3000), Some(0x3000));
    }

    #[test]
    fn a_page_with_tables_is_not_mapped_and_wants_no_frame_to_be() {
        let mut fixture = Fixture::new();
        let Fixture { space, frames, .. } = &mut fixture;
        let pages = 2 * MIB - 0x1000..2 * MIB + 0x1000;
        space.make_tables(pages.clone(), frames).unwrap();
        assert_eq!(
            space.frame_of(2 * MIB),
            Err(MapError::NotMapped { page: 2 * MIB })
        );
        let before = frames.free_frames();
        space
            .map(pages.clone(), 0x7000, Access::Data, frames)
            .unwrap();
        assert_eq!(before, frames.free_frames());
        assert_eq!(space.frame_of(2 * MIB), Ok(0x8000));
        assert_eq!(
            space.make_tables(pages.clone(), frames),
            Err(MapError::AlreadyMapped { page: pages.start })
        );
        space
            .map(4 * MIB..6 * MIB, 4 * MIB, Access::Data, frames)
            .unwrap();
        assert_eq!(
            space.frame_of(5 * MIB),
            Err(MapError::PartOfLargePage { page: 5 * MIB })
        );
    }

    #[test]
    fn the_search_finds_a_page_that_writes_and_executes_at_every_size() {
        for (level, page) in [(1, 0x20_3000), (2, 0x4000_0000), (1, 0xffff_8000_0000_1000)] {
            let mut fixture = Fixture::new();
            fixture.map(0x1000..0x2000, Access::Data).unwrap();
            let size = if level == 1 { PAGE_SIZE } else { 2 * MIB };
            let Fixture { space, frames, .. } = &mut fixture;
            space
                .map(page..page + size, 4 * MIB, Access::Data, frames)
                .unwrap();
            assert_eq!(space.writable_and_executable(), None);
            make_executable(space, page);
            assert_eq!(space.writable_and_executable(), Some(page));
        }
    }

    /// Clears the no-execute bit of a page that can be written, which the type does not allow.
    fn make_executable(space: &mut AddressSpace, page: u64) {
        let (physical, mut table) = (space.physical, space.root.start_address());
        let page = VirtAddr::new(page);
        for index in [
            page.p4_index(),
            page.p3_index(),
            page.p2_index(),
            page.p1_index(),
        ] {
            let entries: *mut PageTable = (physical + table.as_u64()).as_mut_ptr();
            // SAFETY: the tables lie in the fixture's memory.
            let entry = unsafe { &mut (&mut *entries)[index] };
            if entry.flags().contains(PageTableFlags::NO_EXECUTE) {
                entry.set_flags(entry.flags() - PageTableFlags::NO_EXECUTE);
                return;
            }
            table = entry.addr();
        }
        panic!("{page:?} is not mapped");
    }

    #[test]
    fn mistakes_have_their_errors() {
        let mut fixture = Fixture::new();
        fixture.map(0x1000..0x2000, Access::Data).unwrap();
        fixture.map(2 * MIB..4 * MIB, Access::Data).unwrap();
        let hole = 0x8000_0000_0000;
        assert_eq!(
            fixture.map(0x1000..0x2000, Access::Data),
            Err(MapError::AlreadyMapped { page: 0x1000 })
        );
        assert_eq!(
            fixture.map(3 * MIB..3 * MIB + 0x1000, Access::Data),
            Err(MapError::AlreadyMapped { page: 3 * MIB })
        );
        assert_eq!(
            fixture.map(0x5000..0x5001, Access::Data),
            Err(MapError::NotAligned { address: 0x5001 })
        );
        assert_eq!(
            fixture.map(hole..hole + 0x1000, Access::Data),
            Err(MapError::NotCanonical { address: hole })
        );
        assert_eq!(
            fixture.space.unmap(0x9000),
            Err(MapError::NotMapped { page: 0x9000 })
        );
        assert_eq!(
            fixture.space.protect(0x9000, Access::Text),
            Err(MapError::NotMapped { page: 0x9000 })
        );
        assert_eq!(
            fixture.space.protect(3 * MIB, Access::Text),
            Err(MapError::PartOfLargePage { page: 3 * MIB })
        );
        while fixture.frames.allocate(1).is_some() {}
        assert_eq!(
            fixture.map(1 << 40..(1 << 40) + 0x1000, Access::Data),
            Err(MapError::NoFrame)
        );
    }
}
