//! Tables as the `acpi` crate sees them: copies, in which a header that cannot be true has lost its
//! signature.

use alloc::{boxed::Box, vec, vec::Vec};
use core::{cell::Cell, ptr::NonNull};

use acpi::sdt::SdtHeader;
use acpi::{AcpiHandler, AcpiTable, PhysicalMapping};

use crate::memory::{heap::FIRST_ARENA_SIZE, physical::PhysicalMemory};

/// The copy of a table that the crate has found and checked.
pub(super) fn bytes<H: AcpiHandler, T: AcpiTable>(table: &PhysicalMapping<H, T>) -> &[u8] {
    // SAFETY: a mapping made by `Copies` holds at least the bytes that were asked for.
    unsafe {
        core::slice::from_raw_parts(
            table.virtual_start().as_ptr().cast::<u8>(),
            table.region_length(),
        )
    }
}

/// Gives the crate copies in place of mappings.
pub(super) struct Copies<'a, M> {
    pub(super) memory: &'a M,
    pub(super) seen: &'a Seen,
}

/// Addresses of the first tables with these signatures, whatever else is wrong with them.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) madt: Cell<Option<usize>>,
    pub(super) srat: Cell<Option<usize>>,
}

/// Longest table that is copied: a MADT with 12,000 entries of type 9, 16 bytes each, has less.
pub const LONGEST_TABLE: usize = 192 << 10;

/// Three such copies are there at once: the root table's, the MADT's, and the one that leaves here;
/// or two, when a module takes the MADT's place. What is kept of a SRAT takes less than a copy of it.
/// They come out of the first arena, with what the loader told, which is less than one.
const _: () = assert!(5 * LONGEST_TABLE <= FIRST_ARENA_SIZE);

impl<M: PhysicalMemory> Copies<'_, M> {
    /// `length` bytes from `address` on, zeroes if they cannot be read; `None` if there is no room
    /// for them. Never shorter than `least`, with zeroes behind.
    fn copy(&self, address: usize, length: usize, least: usize) -> Option<Vec<u8>> {
        let mut copy = Vec::new();
        copy.try_reserve_exact(length.max(least)).ok()?;
        copy.resize(length, 0);
        if self.memory.read(address as u64, &mut copy).is_err() {
            copy.fill(0);
        }
        copy.resize(length.max(least), 0);
        Some(copy)
    }

    /// A header at the start of a copy keeps its signature if its length can be true. A table must
    /// be longer than its header also because the crate takes the header's mapping for that of the
    /// table otherwise, which its type for the table may outrun.
    fn check_header(&self, address: usize, header: &mut [u8]) {
        let (signature, rest) = header.split_at_mut(4);
        let seen = match &*signature {
            b"APIC" => Some(&self.seen.madt),
            b"SRAT" => Some(&self.seen.srat),
            _ => None,
        };
        if let Some(seen) = seen {
            seen.set(seen.get().or(Some(address)));
        }
        let length = u32::from_le_bytes(rest[..4].try_into().expect("four bytes")) as usize;
        if length <= size_of::<SdtHeader>() || length > LONGEST_TABLE {
            signature.fill(0);
        }
    }
}

impl<M> Clone for Copies<'_, M> {
    fn clone(&self) -> Self {
        Self {
            memory: self.memory,
            seen: self.seen,
        }
    }
}

impl<M: PhysicalMemory> AcpiHandler for Copies<'_, M> {
    unsafe fn map_physical_region<T>(
        &self,
        physical_address: usize,
        size: usize,
    ) -> PhysicalMapping<Self, T> {
        const { assert!(align_of::<T>() == 1, "a copy of bytes is not aligned") };
        // Never less than a whole `T`: tables of old revisions are shorter than the crate's type.
        let (mut copy, size) = match self.copy(physical_address, size, size_of::<T>()) {
            Some(copy) => (copy, size),
            // Without a signature it is not read any further.
            None => (vec![0; size_of::<T>()], size_of::<T>()),
        };
        if size >= size_of::<SdtHeader>() {
            self.check_header(physical_address, &mut copy);
        }
        let mapped = copy.len();
        let start = NonNull::from(Box::leak(copy.into_boxed_slice())).cast();
        // SAFETY: the copy has `mapped` bytes, enough for a `T`, and lives until
        // `unmap_physical_region` takes it back.
        unsafe { PhysicalMapping::new(physical_address, start, size, mapped, self.clone()) }
    }

    fn unmap_physical_region<T>(region: &PhysicalMapping<Self, T>) {
        let start = region.virtual_start().as_ptr().cast::<u8>();
        let copy = core::ptr::slice_from_raw_parts_mut(start, region.mapped_length());
        // SAFETY: `map_physical_region` leaked a box of so many bytes, and the crate drops each
        // mapping once.
        drop(unsafe { Box::from_raw(copy) });
    }
}
