//! A firmware for tests: it parks the APs at an ACPI wakeup mailbox, and starts the kernel.
//!
//! QEMU has no firmware that offers the mailbox (ACPI 6.5, section 5.2.12.19), so this one does. QEMU
//! loads it in the kernel's place, and the kernel beside it as a module. The library is what needs no
//! hardware: reading the kernel's ELF file, the memory map, the MADT, the words of the command line
//! that are for the firmware, and what an AP answers to a request. The binary beside it boots.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod answer;
pub mod elf;
pub mod list;
pub mod madt;
pub mod map;
pub mod words;

/// Most CPUs: each has a stack in the firmware's image.
pub const MOST_CPUS: usize = 512;

/// What the firmware writes to QEMU's debug exit when it cannot do its work: the same as the kernel.
pub const FAILED: u8 = 0x11;

#[cfg(test)]
mod tests {
    #[test]
    fn a_failure_is_told_as_the_kernel_tells_it() {
        assert_eq!(super::FAILED, reveille_smp::record::exit_code::FAILED);
    }
}
