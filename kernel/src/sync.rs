//! The atomics that [`stop`](crate::stop) is made of; its model puts loom's in their place.

pub(crate) use core::sync::atomic::{AtomicU8, AtomicU64, Ordering, fence};
