//! From the loader to Rust: the entry code, and what the loader tells about the machine.
//!
//! Everything the loader tells is copied out into a [`BootInfo`] before any memory is handed out,
//! as its own copy lies in memory that counts as free. The pages it lies in stay unused all the
//! same: they are listed in [`BootInfo::occupied`].

pub mod pvh;

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

#[cfg(target_os = "none")]
use reveille_smp::record::exit_code;

#[cfg(target_os = "none")]
use crate::exit::DEBUG_EXIT_PORT;
use crate::memory::map::Region;

// Entry code and boot page tables. `kernel.ld` names its symbols; nothing in Rust does.
#[cfg(target_os = "none")]
core::arch::global_asm!(
    include_str!("entry.S"),
    failed = const exit_code::FAILED,
    exit_port = const DEBUG_EXIT_PORT,
);

/// What the loader tells, whatever its protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootInfo {
    /// The kernel's command line; empty if there is none.
    pub command_line: String,
    /// The memory map, in the loader's order.
    pub regions: Vec<Region>,
    /// Physical address of the RSDP, if the loader knows it.
    pub rsdp: Option<u64>,
    /// Files loaded beside the kernel.
    pub modules: Vec<Module>,
    /// Physical memory that holds the loader's information or a module.
    pub occupied: Vec<Range<u64>>,
}

/// A file that was loaded beside the kernel. Its bytes stay where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Where it lies in physical memory.
    pub range: Range<u64>,
    /// Its command line; empty if there is none.
    pub command_line: String,
}
