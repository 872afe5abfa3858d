//! The high precision event timer, of which only the main counter is used (IA-PC HPET
//! Specification 1.0a).

use core::ptr;

use super::measure::Counter;

/// Femtoseconds in a second.
const FEMTOS_PER_SECOND: u64 = 1_000_000_000_000_000;

/// The main counter never ticks slower than this (section 2.3.4, COUNTER_CLK_PERIOD).
const LONGEST_PERIOD_FEMTOS: u64 = 100_000_000;

/// The HPET's registers.
#[derive(Debug)]
pub struct Hpet {
    base: usize,
    hz: u64,
    mask: u64,
}

impl Hpet {
    /// Bytes of its registers (IA-PC HPET 1.0a, 2.3).
    pub const SIZE: u64 = 0x400;

    const CAPABILITIES: usize = 0x000;
    const CONFIGURATION: usize = 0x010;
    const MAIN_COUNTER: usize = 0x0f0;

    /// Finds the HPET at a virtual address, and lets its counter run; `None` if there is none.
    ///
    /// # Safety
    ///
    /// `base` is where the block of registers that ACPI's HPET table names is mapped, uncached,
    /// readable and writable, for as long as the value lives.
    pub unsafe fn at(base: usize) -> Option<Self> {
        const COUNTER_IS_64_BIT: u64 = 1 << 13;
        const ENABLE: u64 = 1 << 0;
        let mut hpet = Self {
            base,
            hz: 0,
            mask: 0,
        };
        let capabilities = hpet.read_at(Self::CAPABILITIES);
        let period_femtos = capabilities >> 32;
        if !(1..=LONGEST_PERIOD_FEMTOS).contains(&period_femtos) {
            return None;
        }
        hpet.hz = FEMTOS_PER_SECOND / period_femtos;
        hpet.mask = if capabilities & COUNTER_IS_64_BIT != 0 {
            u64::MAX
        } else {
            u32::MAX.into()
        };
        let configuration = hpet.read_at(Self::CONFIGURATION);
        hpet.write_at(Self::CONFIGURATION, configuration | ENABLE);
        Some(hpet)
    }

    fn read_at(&self, offset: usize) -> u64 {
        // SAFETY: `at`'s caller mapped the registers; reading one touches no memory.
        unsafe { ptr::with_exposed_provenance::<u64>(self.base + offset).read_volatile() }
    }

    fn write_at(&self, offset: usize, value: u64) {
        // SAFETY: `at`'s caller mapped the registers; the counter's run bit reaches no memory.
        unsafe {
            ptr::with_exposed_provenance_mut::<u64>(self.base + offset).write_volatile(value)
        };
    }
}

impl Counter for Hpet {
    fn hz(&self) -> u64 {
        self.hz
    }

    fn mask(&self) -> u64 {
        self.mask
    }

    fn read(&mut self) -> u64 {
        self.read_at(Self::MAIN_COUNTER) & self.mask
    }
}
