//! The I/O APICs: how an interrupt of a device comes to a CPU.

use core::fmt;

use reveille_smp::cpu::ApicId;

use crate::{interrupts::vectors::Vector, memory::paging::MapError};

/// The I/O APICs that the firmware lists, and where it wired the ISA interrupts to. Nothing is mapped or
/// touched before an interrupt is routed.
#[derive(Debug, Default)]
pub struct IoApics {}

/// The number of one of the 16 ISA interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IsaIrq(u8);

impl IsaIrq {
    /// The first serial port's.
    pub const COM1: Self = Self(4);
}

/// An interrupt that was routed. It comes masked.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    gsi: u32,
}

/// Why an interrupt cannot be routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IoApicError {
    /// The firmware lists no I/O APIC, or there is no list.
    NoneListed,
    /// No I/O APIC that answers has the interrupt.
    NoSuchInterrupt {
        /// Its number among all I/O APICs.
        gsi: u32,
    },
    /// The registers cannot be mapped.
    NotMapped {
        /// Their physical address.
        address: u64,
        /// Why.
        cause: MapError,
    },
    /// An I/O APIC cannot name that CPU, whose id has more than 8 bits.
    Unreachable {
        /// Whom the interrupt was to go to.
        destination: ApicId,
    },
}

impl IoApics {
    /// Routes an ISA interrupt to a vector of one CPU.
    ///
    /// # Errors
    ///
    /// As [`IoApicError`] says.
    pub fn route(&self, irq: IsaIrq, vector: Vector, to: ApicId) -> Result<Line, IoApicError> {
        let _ = (irq, vector, to);
        Err(IoApicError::NoneListed)
    }
}

impl Line {
    /// The interrupt's number among all I/O APICs.
    pub fn gsi(&self) -> u32 {
        self.gsi
    }

    /// Lets the interrupt through.
    pub fn unmask(&self) {}

    /// Holds it back.
    pub fn mask(&self) {}
}

impl fmt::Display for IoApicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoneListed => f.write_str("the firmware lists no I/O APIC"),
            Self::NoSuchInterrupt { gsi } => write!(f, "no I/O APIC has interrupt {gsi}"),
            Self::NotMapped { address, cause } => {
                write!(f, "the I/O APIC at {address:#x}: {cause}")
            }
            Self::Unreachable { destination } => {
                write!(f, "an I/O APIC cannot name APIC {destination}")
            }
        }
    }
}

impl core::error::Error for IoApicError {}
