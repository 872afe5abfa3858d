//! The shared primitives, exchanged for loom's where a model checks the code that uses them.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
#[cfg(not(loom))]
pub(crate) use futures_util::task::AtomicWaker;
#[cfg(loom)]
pub(crate) use loom::{
    future::AtomicWaker,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};
