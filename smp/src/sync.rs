//! The shared primitives, exchanged for loom's where a model checks the code that uses them.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

#[cfg(not(loom))]
pub(crate) use atomic_refcell::AtomicRefCell;
#[cfg(not(loom))]
pub(crate) use futures_util::task::AtomicWaker;
#[cfg(loom)]
pub(crate) use loom::{
    future::AtomicWaker,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

#[cfg(loom)]
pub(crate) use self::cell::AtomicRefCell;

/// An `AtomicRefCell` without atomics: it orders nothing, and loom reports two who borrow at once
/// or who see each other too late.
#[cfg(loom)]
mod cell {
    use core::ops::{Deref, DerefMut};

    use loom::cell::{MutPtr, UnsafeCell};

    pub(crate) struct AtomicRefCell<T>(UnsafeCell<T>);

    // SAFETY: loom checks each borrow against all others.
    unsafe impl<T: Send> Sync for AtomicRefCell<T> {}

    pub(crate) struct RefMut<T>(MutPtr<T>);

    impl<T> AtomicRefCell<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(UnsafeCell::new(value))
        }

        pub(crate) fn borrow_mut(&self) -> RefMut<T> {
            RefMut(self.0.get_mut())
        }
    }

    impl<T> Deref for RefMut<T> {
        type Target = T;

        fn deref(&self) -> &T {
            // SAFETY: as above.
            unsafe { self.0.deref() }
        }
    }

    impl<T> DerefMut for RefMut<T> {
        fn deref_mut(&mut self) -> &mut T {
            // SAFETY: as above.
            unsafe { self.0.deref() }
        }
    }
}
