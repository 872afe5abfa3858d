//! Memory.
pub mod frames;
#[cfg(target_os = "none")]
pub mod heap;
pub mod low;
pub mod map;
pub mod physical;
