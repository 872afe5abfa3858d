//! The heap: Rust's global allocator, which the `talc` crate manages.
//!
//! It works from the first line of Rust on, out of an arena in the kernel's own data; once physical
//! memory is known, [`Heap::grow`] adds to it. Any CPU may allocate at any time outside of an NMI:
//! the lock is taken with interrupts off, so no interrupt handler waits for the CPU it interrupted.
//! An NMI, and so the panic path, allocates nothing.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{NonNull, null_mut};

use spin::Mutex;
use talc::DefaultBinning;
use talc::base::Talc;
use talc::source::Claim;
use x86_64::instructions::interrupts::without_interrupts;

/// Enough for what is allocated before physical memory is known: the copies of boot information
/// and of ACPI tables.
pub(crate) const FIRST_ARENA_SIZE: usize = 1 << 20;

static mut FIRST_ARENA: [u8; FIRST_ARENA_SIZE] = [0; FIRST_ARENA_SIZE];

/// The kernel's heap.
#[cfg_attr(target_os = "none", global_allocator)]
pub static HEAP: Heap =
    // SAFETY: nothing but the heap names the arena, and the heap is never taken down.
    Heap(Mutex::new(Talc::new(unsafe {
        Claim::array(&raw mut FIRST_ARENA)
    })));

/// An allocator that is safe to use on several CPUs and with interrupts on.
pub struct Heap(Mutex<Talc<Claim, DefaultBinning>>);

impl Heap {
    /// Adds memory to the heap for good.
    ///
    /// # Safety
    ///
    /// The `size` bytes from `base` on are mapped for reading and writing, belong to nobody else,
    /// and stay so.
    pub unsafe fn grow(&self, base: NonNull<u8>, size: usize) {
        let claimed = self.with(|heap| {
            // SAFETY: the caller hands the memory over for good.
            unsafe { heap.claim(base.as_ptr(), size) }
        });
        assert!(
            claimed.is_some(),
            "{size} bytes are too few to add to the heap"
        );
    }

    /// Bytes that are allocated and not yet freed: what a check for leaks compares.
    pub fn bytes_in_use(&self) -> usize {
        self.with(|heap| heap.counters().allocated_bytes)
    }

    /// Bytes that are free, in pieces of whatever size.
    pub fn bytes_free(&self) -> usize {
        self.with(|heap| heap.counters().available_bytes)
    }

    fn with<R>(&self, action: impl FnOnce(&mut Talc<Claim, DefaultBinning>) -> R) -> R {
        without_interrupts(|| action(&mut self.0.lock()))
    }
}

// SAFETY: `Talc` hands out memory that is disjoint and as large and aligned as the layout asks,
// and the lock serialises all calls to it.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `GlobalAlloc`'s contract: the size is not zero.
        self.with(|heap| unsafe { heap.allocate(layout) })
            .map_or(null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `GlobalAlloc`'s contract: the block is of this heap and layout.
        self.with(|heap| unsafe { heap.deallocate(block, layout) });
    }
}
