//! Memory: who owns which part of it, and where it is mapped.
//!
//! The final address space shows RAM, devices and pages of the firmware's at their own addresses and stacks in an area of
//! their own. Nothing is both writable and executable; page 0, the page below the boot stack, and
//! the guards below all other stacks are not mapped.
//!
//! Mappings are added while several CPUs run, which no TLB needs to be told. They are changed and taken
//! away while the BSP runs alone, or by [`shoot_down`], which tells all.

pub mod frames;
pub mod heap;
pub mod image;
mod kernel;
pub mod low;
pub mod map;
pub mod paging;
pub mod physical;
pub mod shoot_down;
mod small;
pub mod stacks;
pub mod temporary;
pub mod window;

pub use kernel::{
    MemoryError, allocate_stack, frames_free, frames_in_use, init, low_pages, map_device,
    map_firmware, protect, root, writable_and_executable,
};
