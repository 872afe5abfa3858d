//! How the registers are read and written on the CPU that calls.

use x86_64::registers::{
    control::{Cr0, Cr4},
    model_specific::Msr,
};

use super::register::Register;

/// Reads a register that this CPU has.
pub(super) fn read(register: Register) -> u64 {
    match register.msr() {
        None if register == Register::CR0 => Cr0::read_raw(),
        None => Cr4::read_raw(),
        Some(number) => read_number(number),
    }
}

/// Reads an MSR that this CPU has.
pub(super) fn read_number(number: u32) -> u64 {
    // SAFETY: to read one of these has no effect, and the callers ask CPUID before.
    unsafe { Msr::new(number).read() }
}

/// Writes a register.
///
/// # Safety
///
/// This CPU has the register, and the value is valid there. Nothing that runs on the CPU, or shares
/// memory with it, relies on what changes.
pub(super) unsafe fn write(register: Register, value: u64) {
    // SAFETY: as promised to us.
    unsafe {
        match register.msr() {
            None if register == Register::CR0 => Cr0::write_raw(value),
            None => Cr4::write_raw(value),
            Some(number) => Msr::new(number).write(value),
        }
    }
}
