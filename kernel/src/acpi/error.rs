//! Why ACPI did not tell what was asked of it.

use core::fmt;

use crate::memory::physical::OutOfReach;

/// Why ACPI did not say who the CPUs are.
#[derive(Debug)]
#[non_exhaustive]
pub enum AcpiError {
    /// The loader names no RSDP, and none is where a BIOS leaves it.
    NoRsdp,
    /// The loader's RSDP lies where no memory can be read.
    UnreadableRsdp {
        /// Where.
        cause: OutOfReach,
    },
    /// The loader's RSDP has a wrong signature, length or checksum.
    BadRsdp {
        /// Its physical address.
        address: u64,
    },
    /// The XSDT or RSDT is damaged.
    RootTable {
        /// Its physical address.
        address: u64,
        /// What is wrong with it.
        cause: acpi::AcpiError,
    },
}

impl fmt::Display for AcpiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ACPI: ")?;
        match self {
            Self::NoRsdp => write!(f, "no RSDP; is ACPI switched off?"),
            Self::UnreadableRsdp { cause } => write!(f, "RSDP: {cause}"),
            Self::BadRsdp { address } => {
                write!(
                    f,
                    "RSDP at {address:#x} has a wrong signature, length or checksum"
                )
            }
            Self::RootTable { address, cause } => {
                write!(f, "XSDT or RSDT at {address:#x}: {cause:?}")
            }
        }
    }
}

impl core::error::Error for AcpiError {}

/// Why there is no MADT to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MadtError {
    /// No table is one.
    Missing,
    /// Its header says a length that cannot be true.
    Length {
        /// Its physical address.
        address: u64,
        /// What the header says.
        length: u32,
    },
    /// It cannot be read to its end.
    Unreadable {
        /// Where.
        cause: OutOfReach,
    },
}

impl fmt::Display for MadtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "there is no MADT, so no list of CPUs"),
            Self::Length { address, length } => write!(
                f,
                "the MADT at {address:#x} says that it has {length} bytes, which cannot be"
            ),
            Self::Unreadable { cause } => write!(f, "the MADT: {cause}"),
        }
    }
}

impl core::error::Error for MadtError {}
