//! What [`alive_count`](super::alive_count) is made of; its model puts loom's in its place.

pub(super) use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
