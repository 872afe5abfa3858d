//! The record channel: lines for programs, on QEMU's debug console.
//!
//! A channel of its own, so that no record is torn by what the console prints. Records are written
//! by one CPU: the BSP after the last measured event, or the CPU that fails once it has stopped all
//! others. So there is nothing to lock.

use core::arch::asm;

use x86_64::instructions::port::PortReadOnly;

/// Port of QEMU's `isa-debugcon` device.
const PORT: u16 = 0xe9;
/// What reading the port gives where the device is (`hw/char/debugcon.c`, property `readback`).
const READBACK: u8 = 0xe9;

/// A channel that somebody listens to.
pub struct RecordChannel(());

impl RecordChannel {
    /// The channel, if the machine has one.
    pub fn open() -> Option<Self> {
        // SAFETY: the port belongs to the debug console or to nobody; reading it changes nothing.
        let answer: u8 = unsafe { PortReadOnly::new(PORT).read() };
        (answer == READBACK).then_some(Self(()))
    }

    /// Writes one record, which has no line break in it, and ends the line.
    pub fn write(&mut self, record: &[u8]) {
        debug_assert!(!record.contains(&b'\n'), "a record is one line");
        send(record);
        send(b"\n");
    }
}

/// One instruction for all bytes: under a hypervisor that is one exit, not one a byte.
fn send(bytes: &[u8]) {
    // SAFETY: the instruction reads `bytes` and writes no memory; the direction flag is clear, as
    // it always is in Rust; the port belongs to the debug console.
    unsafe {
        asm!(
            "rep outsb",
            in("dx") PORT,
            inout("rsi") bytes.as_ptr() => _,
            inout("rcx") bytes.len() => _,
            options(nostack, preserves_flags, readonly),
        );
    }
}
