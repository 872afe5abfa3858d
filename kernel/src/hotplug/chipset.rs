//! Which of QEMU's chipsets this machine has, and where it keeps the registers of CPU hot-plug.
//!
//! The host bridge says which, in the first word of its configuration space; OVMF tells them apart in the same
//! way (edk2, `OvmfPkg/Library/PlatformInitLib/Platform.c`).

use core::fmt;

/// A chipset of QEMU's that has the registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chipset {
    /// The machine `pc`.
    Piix4,
    /// The machine `q35`.
    Ich9,
}

impl Chipset {
    /// The chipset whose host bridge begins with this word: the vendor in its lower half, the device in its
    /// upper one. `None` for any other, and where there is no PCI: then all bits are ones, or zeros.
    pub const fn of_host_bridge(word: u32) -> Option<Self> {
        /// Intel's 82441FX, the host bridge of an i440FX.
        const I440FX: u32 = 0x1237_8086;
        /// Intel's MCH, the host bridge of a Q35.
        const Q35: u32 = 0x29c0_8086;
        match word {
            I440FX => Some(Self::Piix4),
            Q35 => Some(Self::Ich9),
            _ => None,
        }
    }

    /// The first port of the registers (QEMU, `docs/specs/acpi_cpu_hotplug.rst`).
    pub const fn registers(self) -> u16 {
        match self {
            Self::Piix4 => 0xaf00,
            Self::Ich9 => 0x0cd8,
        }
    }

    /// The general-purpose event by which they tell that something is pending (there).
    pub const fn event(self) -> u8 {
        2
    }
}

impl fmt::Display for Chipset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Piix4 => "PIIX4",
            Self::Ich9 => "ICH9",
        })
    }
}

/// The chipset of this machine. On the BSP, while nobody else uses PCI's configuration space.
#[cfg(target_os = "none")]
pub fn of_this_machine() -> Option<Chipset> {
    use x86_64::instructions::port::{PortReadOnly, PortWriteOnly};
    /// Bus 0, device 0, function 0, register 0; the highest bit turns the access on (PCI Local Bus
    /// Specification 3.0, section 3.2.2.3.2).
    const HOST_BRIDGE: u32 = 1 << 31;
    // SAFETY: the two ports select a register of PCI's configuration space and read it, or belong to nobody;
    // no memory is touched, and the register has no side effect.
    let word = unsafe {
        PortWriteOnly::new(0xcf8).write(HOST_BRIDGE);
        PortReadOnly::new(0xcfc).read()
    };
    Chipset::of_host_bridge(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_host_bridges_of_qemus_two_machines_are_known() {
        assert_eq!(Chipset::of_host_bridge(0x1237_8086), Some(Chipset::Piix4));
        assert_eq!(Chipset::of_host_bridge(0x29c0_8086), Some(Chipset::Ich9));
        // Nobody there, Cloud Hypervisor's, the vendor alone.
        for other in [u32::MAX, 0, 0x0d57_8086, 0x8086, 0x29c0_1022] {
            assert_eq!(Chipset::of_host_bridge(other), None);
        }
    }
}
