//! The interrupt table of all CPUs while they are the firmware's: an interrupt ends a halt, an NMI
//! changes nothing, an exception ends the run.

use core::{
    arch::asm,
    sync::atomic::{AtomicU64, Ordering},
};

/// The vector of the timer.
pub(super) const TIMER: u8 = 0xf0;
/// The vector of interrupts that are none, where the APIC is enabled.
pub(super) const SPURIOUS: u8 = 0xff;

/// Vectors below are the processor's own.
const FIRST_FREE: usize = 32;
const NMI: usize = 2;

/// The code segment of `entry.S`.
const CODE_64: u64 = 0x08;

unsafe extern "C" {
    fn interrupt_exception();
    fn interrupt_nmi();
    fn interrupt_wake();
}

/// The table: two words a gate (SDM volume 3, "64-Bit Mode IDT"). Relaxed is enough: it is written
/// before any other CPU is started, and then never.
static TABLE: [[AtomicU64; 2]; 256] = [const { [const { AtomicU64::new(0) }; 2] }; 256];

/// Writes the table, on the CPU that boots, before others are started.
pub(super) fn set_up() {
    for (vector, gate) in TABLE.iter().enumerate() {
        let handler = match vector {
            NMI => interrupt_nmi as *const () as u64,
            ..FIRST_FREE => interrupt_exception as *const () as u64,
            _ => interrupt_wake as *const () as u64,
        };
        /// Present, ring 0, interrupt gate.
        const INTERRUPT_GATE: u64 = 0x8e00 << 32;
        let low = handler & 0xffff | CODE_64 << 16 | INTERRUPT_GATE | (handler & 0xffff_0000) << 32;
        gate[0].store(low, Ordering::Relaxed);
        gate[1].store(handler >> 32, Ordering::Relaxed);
    }
}

/// Lets this CPU use the table.
pub(super) fn load() {
    #[repr(C, packed)]
    struct Pointer {
        limit: u16,
        base: u64,
    }
    let pointer = Pointer {
        limit: (size_of_val(&TABLE) - 1) as u16,
        base: &raw const TABLE as u64,
    };
    // SAFETY: the table is whole, stays for good, and its handlers keep all registers.
    unsafe { asm!("lidt [{}]", in(reg) &pointer, options(readonly, nostack, preserves_flags)) };
}
