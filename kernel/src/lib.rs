//! The parts of the kernel.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod acpi;
pub mod boot;
pub mod command_line;
pub mod console;
pub mod exit;
pub mod memory;
pub mod records;
