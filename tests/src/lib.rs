//! The host side: builds, boots and measures the kernel.
