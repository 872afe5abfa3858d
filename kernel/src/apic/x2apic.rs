//! The APIC through MSRs: 32-bit ids, and one write that sends an interrupt.

use core::arch::asm;

use reveille_smp::cpu::ApicId;
use x86_64::registers::model_specific::Msr;

use super::register::Register;

/// The id that means all CPUs; the highest one that a CPU may have is one below.
pub(super) const BROADCAST_ID: u32 = u32::MAX;

/// First MSR of the x2APIC; the others follow at a sixteenth of the xAPIC's offsets (SDM volume 3,
/// "x2APIC Register Address Space").
const MSR_BASE: u32 = 0x800;

/// The interrupt command register, both halves.
const COMMAND: Msr = Msr::new(0x830);

/// The MSRs, of which each CPU has its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers;

impl Registers {
    pub(super) fn read(self, register: Register) -> u32 {
        // SAFETY: the register exists in x2APIC mode, which `LocalApic::enable` turned on.
        unsafe { Self::msr(register).read() as u32 }
    }

    pub(super) fn write(self, register: Register, value: u32) {
        // SAFETY: as in `read`; the callers write no reserved bits, and none of these registers
        // reaches memory.
        unsafe { Self::msr(register).write(u64::from(value)) };
    }

    /// Sends an interrupt. The APIC takes it with the write: there is no state to wait for.
    pub(super) fn send(self, destination: ApicId, command: u32) {
        let mut register = COMMAND;
        // SAFETY: fences, and an MSR of x2APIC mode as above. Unlike a write to memory, this WRMSR
        // is not ordered behind earlier stores: without the fences, the one that gets the interrupt
        // might not yet see what it was sent for (SDM volume 3, "MSR Access in x2APIC Mode").
        unsafe {
            asm!("mfence", "lfence", options(nostack, preserves_flags));
            register.write(u64::from(destination.0) << 32 | u64::from(command));
        }
    }

    fn msr(register: Register) -> Msr {
        Msr::new(MSR_BASE + register as u32 / 16)
    }
}
