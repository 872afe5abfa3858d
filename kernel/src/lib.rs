//! The parts of the kernel.
#![cfg_attr(not(test), no_std)]
