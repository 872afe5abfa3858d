//! The shared primitives, exchanged for loom's where a model checks the code that uses them, and for
//! those of `preemption.rs` where a simulation runs it.

#[cfg(not(any(loom, feature = "preemption")))]
pub(crate) use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};
#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{Ordering, fence};

#[cfg(not(any(loom, feature = "preemption")))]
pub(crate) use futures_util::task::AtomicWaker;
#[cfg(loom)]
pub(crate) use loom::{
    future::AtomicWaker,
    sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering, fence},
};
#[cfg(not(loom))]
pub(crate) use spin::Mutex;

#[cfg(all(feature = "preemption", not(loom)))]
pub(crate) use crate::preemption::{AtomicU16, AtomicU32, AtomicU64, AtomicWaker};

#[cfg(loom)]
pub(crate) use self::mutex::Mutex;

/// A mutex for those who know that it is free: it orders nothing by itself, and loom reports two who
/// have it at once, or of whom the later one does not see what the earlier one did.
#[cfg(loom)]
mod mutex {
    use core::ops::{Deref, DerefMut};

    use loom::cell::{MutPtr, UnsafeCell};

    pub(crate) struct Mutex<T>(UnsafeCell<T>);

    // SAFETY: loom checks each borrow against all others.
    unsafe impl<T: Send> Sync for Mutex<T> {}

    pub(crate) struct Guard<T>(MutPtr<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(UnsafeCell::new(value))
        }

        pub(crate) fn try_lock(&self) -> Option<Guard<T>> {
            Some(Guard(self.0.get_mut()))
        }
    }

    impl<T> Deref for Guard<T> {
        type Target = T;

        fn deref(&self) -> &T {
            // SAFETY: as above.
            unsafe { self.0.deref() }
        }
    }

    impl<T> DerefMut for Guard<T> {
        fn deref_mut(&mut self) -> &mut T {
            // SAFETY: as above.
            unsafe { self.0.deref() }
        }
    }
}
