//! The local APIC's registers, by the offsets of SDM volume 3, "Local APIC Register Address Map".

/// A 32-bit register that both modes have. The interrupt command register is not among them: its
/// two halves are where the modes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Register {
    Id = 0x020,
    TaskPriority = 0x080,
    Eoi = 0x0b0,
    SpuriousVector = 0x0f0,
    ErrorStatus = 0x280,
    LvtTimer = 0x320,
    LvtLint0 = 0x350,
    LvtError = 0x370,
    TimerInitialCount = 0x380,
    TimerCurrentCount = 0x390,
    TimerDivide = 0x3e0,
}

/// Local vector table: the entry raises no interrupt.
pub(super) const LVT_MASKED: u32 = 1 << 16;

/// Spurious vector register: the APIC takes interrupts.
pub(super) const SOFTWARE_ENABLE: u32 = 1 << 8;
