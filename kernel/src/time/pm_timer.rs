//! The ACPI power management timer (ACPI 6.5, section 4.8.2.1).

use x86_64::instructions::port::PortReadOnly;

use super::measure::Counter;

/// The timer's one register.
#[derive(Debug)]
pub struct PmTimer {
    port: PortReadOnly<u32>,
    mask: u64,
}

impl PmTimer {
    /// The timer at the I/O port that the FADT names; `is_32_bit` is the FADT's flag TMR_VAL_EXT,
    /// without which the counter has 24 bits.
    pub const fn at(port: u16, is_32_bit: bool) -> Self {
        let mask = if is_32_bit {
            u32::MAX as u64
        } else {
            0xff_ffff
        };
        Self {
            port: PortReadOnly::new(port),
            mask,
        }
    }
}

impl Counter for PmTimer {
    fn hz(&self) -> u64 {
        3_579_545
    }

    fn mask(&self) -> u64 {
        self.mask
    }

    fn read(&mut self) -> u64 {
        // SAFETY: reading a port touches no memory, and the FADT says that this one is a counter.
        u64::from(unsafe { self.port.read() }) & self.mask
    }
}
