//! The atomics that [`ring`](super::ring) is made of; its model puts loom's in their place.

pub(super) use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};
