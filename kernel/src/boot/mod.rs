//! From the loader to Rust: the entry code, and what the loader tells about the machine.

// Entry code and boot page tables. `kernel.ld` names its symbols; nothing in Rust does.
#[cfg(target_os = "none")]
core::arch::global_asm!(include_str!("entry.S"));
