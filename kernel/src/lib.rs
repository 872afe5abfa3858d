//! The parts of the kernel.
#![cfg_attr(not(test), no_std)]

pub mod boot;
pub mod console;
pub mod exit;
