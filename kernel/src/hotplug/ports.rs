//! The I/O ports behind which the registers are.

use x86_64::instructions::port::Port;

use super::{
    chipset::Chipset,
    registers::{Ports, Register},
};

/// The ports of a chipset's registers. One value, one user.
#[derive(Debug)]
pub(super) struct IoPorts {
    first: u16,
}

impl IoPorts {
    /// Those of this machine's chipset.
    pub(super) const fn of(chipset: Chipset) -> Self {
        Self {
            first: chipset.registers(),
        }
    }
}

// No register is named but those of [`Register`]. Of this chipset, by which `first` was chosen, their ports belong
// to CPU hot-plug, or, on a machine with that chipset which has none, to nobody. What is done by them touches no
// memory of this kernel: a CPU that is ejected has parked before, and one that was never started has none.
impl Ports for IoPorts {
    fn read_u8(&self, register: Register) -> u8 {
        // SAFETY: as said above.
        unsafe { Port::new(self.first + register as u16).read() }
    }

    fn read_u32(&self, register: Register) -> u32 {
        // SAFETY: as said above.
        unsafe { Port::new(self.first + register as u16).read() }
    }

    fn write_u8(&self, register: Register, value: u8) {
        // SAFETY: as said above.
        unsafe { Port::new(self.first + register as u16).write(value) }
    }

    fn write_u32(&self, register: Register, value: u32) {
        // SAFETY: as said above.
        unsafe { Port::new(self.first + register as u16).write(value) }
    }
}
