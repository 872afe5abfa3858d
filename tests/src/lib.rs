//! The host side: builds, boots and measures the kernel.

pub mod setup;
