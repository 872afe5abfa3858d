//! Wakers: one pointer, nothing to count and nothing to free.
//!
//! **Waker Invariant**: a waker's data pointer is the address of a [`Leaf`] plus the number of a
//! bit in it (0 to 63); the leaf lives for ever, and is connected to the [`Shared`] at the head of
//! a [`Core`] of just the metrics type for which the waker's table was made.

use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::task::{RawWaker, RawWakerVTable, Waker};

use crate::Metrics;
use crate::ready::{Leaf, TASKS_PER_BLOCK};
use crate::storage::Core;

/// The waker of the task whose ready bit is number `bit` of `leaf`.
///
/// # Safety
///
/// `leaf` must be connected to the `Shared` at the head of a `Core<M>`, by a pointer that may
/// reach all of that core.
#[inline]
pub(crate) unsafe fn waker<M: Metrics>(leaf: &'static Leaf, bit: u32) -> ManuallyDrop<Waker> {
    debug_assert!((bit as usize) < TASKS_PER_BLOCK);
    let data = core::ptr::from_ref(leaf)
        .cast::<()>()
        .wrapping_byte_add(bit as usize);
    // SAFETY: the table keeps RawWaker's contract: all four functions may be called from any
    // thread, and clone and drop have nothing to manage. The Waker Invariant holds by the
    // caller's promise and because `leaf` is `'static`.
    let waker = unsafe { Waker::from_raw(RawWaker::new(data, &Table::<M>::TABLE)) };
    // Its drop does nothing, but the compiler would call it through the table.
    ManuallyDrop::new(waker)
}

struct Table<M>(core::marker::PhantomData<M>);

impl<M: Metrics> Table<M> {
    const TABLE: RawWakerVTable = RawWakerVTable::new(
        |data| RawWaker::new(data, &Self::TABLE),
        wake::<M>,
        wake::<M>,
        |_| {},
    );
}

/// Sets the task's ready bit, and rings if the executor sleeps.
fn wake<M: Metrics>(data: *const ()) {
    let bit = data.addr() % TASKS_PER_BLOCK;
    let leaf = data.wrapping_byte_sub(bit).cast::<Leaf>();
    // SAFETY: Waker Invariant.
    let leaf = unsafe { &*leaf };
    let Some(home) = leaf.home() else { return };
    let home: NonNull<Core<M>> = home.cast();
    // SAFETY: Waker Invariant; `shared` and `metrics` may be used from any CPU.
    let (shared, metrics) = unsafe { (&(*home.as_ptr()).shared, &(*home.as_ptr()).metrics) };
    metrics.woken(leaf.insert(1 << bit));
    metrics.doorbell(shared.sleep.ring_if_asleep(shared.platform));
}
