//! What the firmware's ACPI tables say: the CPUs' list, their nodes, two clocks, and the fixed hardware.
//!
//! The RSDP is found and checked here; the `acpi` crate walks the XSDT or RSDT. Two rules keep
//! hostile tables from leading it astray: it sees only copies made through [`PhysicalMemory`], and
//! a header whose length cannot be true loses its signature in the copy, so the crate passes it
//! over. The entries of MADT and SRAT are for `reveille_smp` to walk; the MADT leaves here as bytes.

mod copies;
mod error;
pub mod fixed_hardware;

use alloc::vec;
use alloc::vec::Vec;
use core::iter;
use core::ops::Range;

use acpi::address::AddressSpace;
use acpi::fadt::Fadt;
use acpi::hpet::HpetTable;
use acpi::madt::Madt;
use acpi::sdt::{SdtHeader, Signature};
use acpi::{AcpiTable, AcpiTables};
use reveille_smp::srat::Srat;

pub use self::copies::LONGEST_TABLE;
use self::copies::{Copies, Seen, bytes};
pub use self::error::{AcpiError, MadtError};
use self::fixed_hardware::{FixedHardware, NoFixedHardware};
use crate::memory::physical::PhysicalMemory;
use crate::reset::{Place, ResetRegister};

/// What the kernel wants from ACPI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcpiInfo {
    /// The whole MADT, header first, as long as the header says. Its checksum and its entries are
    /// unchecked: a list of CPUs with a flaw is better than none.
    pub madt: Result<Vec<u8>, MadtError>,
    /// The power management timer, if the machine has one.
    pub pm_timer: Option<PmTimer>,
    /// Physical address of the HPET's registers, if the machine has one.
    pub hpet: Option<u64>,
    /// The register by which the machine is reset, if it names one.
    pub reset: Option<ResetRegister>,
    /// The nodes of the CPUs, if the machine has a table of them that can be read.
    pub srat: Option<Srat>,
    /// The hardware that raises the SCI.
    pub fixed_hardware: Result<FixedHardware, NoFixedHardware>,
}

/// The ACPI power management timer: a counter of 3.579545 MHz (ACPI 6.5, 4.8.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PmTimer {
    /// The I/O port that reads the counter, as 32 bits.
    pub port: u16,
    /// Whether the counter has 32 bits; if not, it has 24, and the upper 8 are to be ignored.
    pub is_32_bit: bool,
}

/// Reads the tables.
///
/// `rsdp` is the RSDP's physical address if the loader knows it; otherwise it is looked for where a
/// BIOS leaves it.
pub fn read(memory: &impl PhysicalMemory, rsdp: Option<u64>) -> Result<AcpiInfo, AcpiError> {
    let root = match rsdp {
        Some(address) => root_table(memory, address)?,
        None => bios_areas(memory)
            .flat_map(|area| area.step_by(16))
            .find_map(|address| root_table(memory, address).ok())
            .ok_or(AcpiError::NoRsdp)?,
    };

    let seen = Seen::default();
    let copies = Copies {
        memory,
        seen: &seen,
    };
    // SAFETY: the crate sees copies only, so no address is invalid.
    let tables = unsafe { AcpiTables::from_rsdt(copies, root.revision, root.address as usize) }
        .map_err(|cause| AcpiError::RootTable {
            address: root.address,
            cause,
        })?;

    // The nodes first: then no more copies are there at once than the MADT's own.
    let srat = match (tables.find_table::<SratTable>(), seen.srat.get()) {
        (Ok(srat), _) => Srat::parse(bytes(&srat)).ok(),
        (Err(_), Some(address)) => flawed(memory, address as u64)
            .ok()
            .and_then(|table| Srat::parse(&table).ok()),
        (Err(_), None) => None,
    };
    let madt = match (tables.find_table::<Madt>(), seen.madt.get()) {
        (Ok(madt), _) => Ok(bytes(&madt).to_vec()),
        (Err(_), Some(address)) => flawed(memory, address as u64),
        (Err(_), None) => Err(MadtError::Missing),
    };
    let (pm_timer, fixed_hardware) = match tables.find_table::<Fadt>() {
        Ok(fadt) => (pm_timer(&fadt), FixedHardware::parse(bytes(&fadt))),
        Err(_) => (None, Err(NoFixedHardware::NoFadt)),
    };
    Ok(AcpiInfo {
        madt,
        pm_timer,
        hpet: tables
            .find_table::<HpetTable>()
            .ok()
            .and_then(|hpet| hpet_base(bytes(&hpet))),
        reset: tables
            .find_table::<Fadt>()
            .ok()
            .and_then(|fadt| reset_register(&fadt)),
        srat,
        fixed_hardware,
    })
}

/// The SRAT, of which the crate knows the name only.
#[repr(transparent)]
struct SratTable(SdtHeader);

// SAFETY: the type is a table's header and nothing else.
unsafe impl AcpiTable for SratTable {
    const SIGNATURE: Signature = Signature::SRAT;

    fn header(&self) -> &SdtHeader {
        &self.0
    }
}

/// The table that the crate found at `address` and did not accept, if its length can be true.
fn flawed(memory: &impl PhysicalMemory, address: u64) -> Result<Vec<u8>, MadtError> {
    let unreadable = |cause| MadtError::Unreadable { cause };
    let header: [u8; size_of::<SdtHeader>()] = memory.read_array(address).map_err(unreadable)?;
    let length = u32::from_le_bytes(header[4..8].try_into().expect("four bytes"));
    if !(header.len()..=LONGEST_TABLE).contains(&(length as usize)) {
        return Err(MadtError::Length { address, length });
    }
    let mut table = vec![0; length as usize];
    memory.read(address, &mut table).map_err(unreadable)?;
    Ok(table)
}

fn pm_timer(fadt: &Fadt) -> Option<PmTimer> {
    let block = fadt.pm_timer_block().ok()??;
    if block.address_space != AddressSpace::SystemIo {
        return None;
    }
    let flags = { fadt.flags };
    Some(PmTimer {
        port: u16::try_from(block.address).ok()?,
        is_32_bit: flags.pm_timer_is_32_bit(),
    })
}

fn reset_register(fadt: &Fadt) -> Option<ResetRegister> {
    let flags = { fadt.flags };
    if !flags.supports_system_reset_via_fadt() {
        return None;
    }
    let register = fadt.reset_register().ok()?;
    let place = match register.address_space {
        AddressSpace::SystemIo => Place::Port(u16::try_from(register.address).ok()?),
        AddressSpace::SystemMemory => Place::Memory(register.address),
        _ => return None,
    };
    let value = fadt.reset_value;
    Some(ResetRegister { place, value })
}

/// The base address is a generic address structure at offset 40 (IA-PC HPET 1.0a, 3.2.4). The
/// crate's own reading of it panics on an address space other than memory.
fn hpet_base(table: &[u8]) -> Option<u64> {
    const SYSTEM_MEMORY: u8 = 0;
    /// The registers are read as words of 64 bits.
    const ALIGNMENT: u64 = 8;
    let base = table.get(40..52)?;
    let address = u64::from_le_bytes(base[4..].try_into().expect("eight bytes"));
    let is_usable = address != 0 && address.is_multiple_of(ALIGNMENT);
    (base[0] == SYSTEM_MEMORY && is_usable).then_some(address)
}

/// The XSDT or the RSDT.
struct RootTable {
    address: u64,
    /// As the crate counts: 0 for an RSDT, with addresses of 4 bytes, else an XSDT, with 8.
    revision: u8,
}

/// What the RSDP at `address` leads to (ACPI 6.5, 5.2.5.3).
fn root_table(memory: &impl PhysicalMemory, address: u64) -> Result<RootTable, AcpiError> {
    /// ACPI 2.0.
    const SINCE_XSDT: u8 = 2;
    let unreadable = |cause| AcpiError::UnreadableRsdp { cause };
    let first: [u8; 20] = memory.read_array(address).map_err(unreadable)?;
    if !first.starts_with(b"RSD PTR ") || checksum(&first) != 0 {
        return Err(AcpiError::BadRsdp { address });
    }
    let revision = first[15];
    let rsdt = u32::from_le_bytes(first[16..].try_into().expect("four bytes"));
    if revision >= SINCE_XSDT {
        // Length, XSDT address, checksum over all, reserved.
        let whole: [u8; 36] = memory.read_array(address).map_err(unreadable)?;
        let length = u32::from_le_bytes(whole[20..24].try_into().expect("four bytes"));
        if length as usize != whole.len() || checksum(&whole) != 0 {
            return Err(AcpiError::BadRsdp { address });
        }
        let xsdt = u64::from_le_bytes(whole[24..32].try_into().expect("eight bytes"));
        if xsdt != 0 {
            return Ok(RootTable {
                address: xsdt,
                revision,
            });
        }
    }
    Ok(RootTable {
        address: rsdt.into(),
        revision: 0,
    })
}

/// Where a BIOS may leave the RSDP, on a boundary of 16 bytes (ACPI 6.5, 5.2.5.1): the first KiB of
/// the extended BIOS data area, and the BIOS's own area.
fn bios_areas(memory: &impl PhysicalMemory) -> impl Iterator<Item = Range<u64>> {
    /// In the BIOS data area: the extended area's real-mode segment.
    const EBDA_SEGMENT: u64 = 0x40e;
    let ebda = memory
        .read_array(EBDA_SEGMENT)
        .map(|segment| u64::from(u16::from_le_bytes(segment)) << 4)
        .ok()
        .filter(|ebda| (0x8_0000..0xa_0000).contains(ebda))
        .map(|ebda| ebda..ebda + 0x400);
    ebda.into_iter().chain(iter::once(0xe_0000..0x10_0000))
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

#[cfg(test)]
mod tests;
