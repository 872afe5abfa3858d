//! ACPI's fixed hardware, as the FADT tells of it: the SCI, and the registers of what raises it (ACPI 6.5,
//! sections 4.8 and 5.2.9).
//!
//! The fields are read here and not by the `acpi` crate, which counts a block's bits in 8 of them. Whatever
//! the table says, each block has at least the registers that are to be read in it, all of them I/O ports.

#![forbid(unsafe_code)]

use core::{fmt, ops::Range};

/// A block of registers in I/O ports, its first and the one behind its last.
pub type Ports = Range<u16>;

/// Where the registers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedHardware {
    /// Which interrupt the SCI is: an ISA interrupt's number, or where there is no such the number among all
    /// I/O APICs.
    pub sci: u16,
    /// How the firmware is asked to hand the hardware over: the port, and what is to be written there.
    /// `None` where it is ours from the start.
    pub enable: Option<(u16, u8)>,
    /// PM1a and PM1b: status in the first two ports, enable in the two behind.
    pub pm1_events: [Option<Ports>; 2],
    /// PM1a's control register, of two ports.
    pub pm1_control: u16,
    /// GPE0: status in the first half, enable in the second. Empty if there is none.
    pub gpe0: Ports,
    /// GPE1, in the same way.
    pub gpe1: Ports,
}

/// Why the fixed hardware cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoFixedHardware {
    /// There is no FADT that can be read.
    NoFadt,
    /// The machine is "hardware-reduced": it has none.
    Reduced,
    /// A block has fewer registers than it must have, or lies elsewhere than in I/O ports.
    Block {
        /// Which.
        name: &'static str,
    },
}

/// Where a block's address, its extended address and its length stand in the table.
struct Field {
    name: &'static str,
    address: usize,
    extended: usize,
    length: usize,
}

const PM1A_EVENTS: Field = Field {
    name: "PM1a_EVT_BLK",
    address: 56,
    extended: 148,
    length: 88,
};
const PM1B_EVENTS: Field = Field {
    name: "PM1b_EVT_BLK",
    address: 60,
    extended: 160,
    length: 88,
};
const PM1A_CONTROL: Field = Field {
    name: "PM1a_CNT_BLK",
    address: 64,
    extended: 172,
    length: 89,
};
const GPE0: Field = Field {
    name: "GPE0_BLK",
    address: 80,
    extended: 220,
    length: 92,
};
const GPE1: Field = Field {
    name: "GPE1_BLK",
    address: 84,
    extended: 232,
    length: 93,
};

impl FixedHardware {
    /// Reads a FADT, header included.
    pub(super) fn parse(table: &[u8]) -> Result<Self, NoFixedHardware> {
        const SCI_INT: usize = 46;
        const SMI_CMD: usize = 48;
        const ACPI_ENABLE: usize = 52;
        const FLAGS: usize = 112;
        const HW_REDUCED_ACPI: u32 = 1 << 20;
        // The two words of status and enable, and the one of control.
        const PM1_EVENTS: u16 = 4;
        const PM1_CONTROL: u16 = 2;
        // Revision 1 of the table ends behind the flags.
        let flags = u32::from_le_bytes(field(table, FLAGS).ok_or(NoFixedHardware::NoFadt)?);
        if flags & HW_REDUCED_ACPI != 0 {
            return Err(NoFixedHardware::Reduced);
        }
        let must = |field: Field, least| block(table, &field, least);
        let missing = |field: &Field| NoFixedHardware::Block { name: field.name };
        let smi_command = u32::from_le_bytes(field(table, SMI_CMD).unwrap_or_default());
        let enable = table[ACPI_ENABLE];
        let enable = match u16::try_from(smi_command) {
            Ok(0) => None,
            Ok(port) if enable != 0 => Some((port, enable)),
            Ok(_) => None,
            Err(_) => return Err(NoFixedHardware::Block { name: "SMI_CMD" }),
        };
        let gpe = |field: Field| -> Result<Ports, NoFixedHardware> {
            let ports = must(field, 0)?.unwrap_or_default();
            let half = ports.len() as u16 / 2;
            Ok(ports.start..ports.start + 2 * half)
        };
        Ok(Self {
            sci: u16::from_le_bytes(field(table, SCI_INT).unwrap_or_default()),
            enable,
            pm1_events: [
                Some(must(PM1A_EVENTS, PM1_EVENTS)?.ok_or(missing(&PM1A_EVENTS))?),
                must(PM1B_EVENTS, PM1_EVENTS)?,
            ],
            pm1_control: must(PM1A_CONTROL, PM1_CONTROL)?
                .ok_or(missing(&PM1A_CONTROL))?
                .start,
            gpe0: gpe(GPE0)?,
            gpe1: gpe(GPE1)?,
        })
    }
}

/// The ports of a block, `least` or more; `None` where the table names none.
fn block(table: &[u8], told: &Field, least: u16) -> Result<Option<Ports>, NoFixedHardware> {
    const SYSTEM_IO: u8 = 1;
    let wrong = NoFixedHardware::Block { name: told.name };
    // A generic address structure: address space, three bytes that do not matter for whole blocks, address.
    let extended = field::<12>(table, told.extended).map(|bytes| {
        let address: [u8; 8] = bytes[4..].try_into().expect("eight bytes");
        (bytes[0], u64::from_le_bytes(address))
    });
    let (space, address) = match extended {
        Some((space, address)) if address != 0 => (space, address),
        // The older field is always in I/O ports.
        _ => {
            let address = u32::from_le_bytes(field(table, told.address).unwrap_or_default());
            (SYSTEM_IO, address.into())
        }
    };
    if address == 0 {
        return Ok(None);
    }
    let length = u16::from(table.get(told.length).copied().unwrap_or_default());
    let start = u16::try_from(address).map_err(|_| wrong)?;
    let end = start.checked_add(length).ok_or(wrong)?;
    if space != SYSTEM_IO || length < least {
        return Err(wrong);
    }
    Ok(Some(start..end))
}

fn field<const N: usize>(table: &[u8], offset: usize) -> Option<[u8; N]> {
    table.get(offset..)?.first_chunk().copied()
}

impl fmt::Display for NoFixedHardware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFadt => f.write_str("ACPI has no FADT that can be read"),
            Self::Reduced => f.write_str("the machine has none of ACPI's fixed hardware"),
            Self::Block { name } => {
                write!(f, "the FADT's {name} is not where its registers can be")
            }
        }
    }
}

impl core::error::Error for NoFixedHardware {}

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use super::*;

    /// As QEMU's q35 has it (`hw/i386/acpi-build.c`, `hw/isa/lpc_ich9.c`), in a table of revision 3.
    fn q35() -> Vec<u8> {
        let mut table = vec![0; 244];
        let mut set = |offset: usize, bytes: &[u8]| {
            table[offset..][..bytes.len()].copy_from_slice(bytes);
        };
        set(0, b"FACP");
        set(46, &9_u16.to_le_bytes());
        set(48, &0xb2_u32.to_le_bytes());
        set(52, &[2]);
        for (address, value) in [(56, 0x600_u32), (64, 0x604), (80, 0x620)] {
            set(address, &value.to_le_bytes());
        }
        set(88, &[4, 2, 0, 4, 16, 0]);
        for (extended, value) in [(148, 0x600_u64), (172, 0x604), (220, 0x620)] {
            set(extended, &[1]);
            set(extended + 4, &value.to_le_bytes());
        }
        table
    }

    fn with(changes: &[(usize, &[u8])]) -> Result<FixedHardware, NoFixedHardware> {
        let mut table = q35();
        for (offset, bytes) in changes {
            table[*offset..][..bytes.len()].copy_from_slice(bytes);
        }
        FixedHardware::parse(&table)
    }

    fn expected() -> FixedHardware {
        FixedHardware {
            sci: 9,
            enable: Some((0xb2, 2)),
            pm1_events: [Some(0x600..0x604), None],
            pm1_control: 0x604,
            gpe0: 0x620..0x630,
            gpe1: 0..0,
        }
    }

    #[test]
    fn the_hardware_of_a_q35_is_found_in_tables_of_any_revision() {
        assert_eq!(with(&[]), Ok(expected()));
        // Revision 1 has no extended addresses, and those of a later one may be 0.
        assert_eq!(FixedHardware::parse(&q35()[..116]), Ok(expected()));
        let zero = [0; 12];
        assert_eq!(
            with(&[(148, &zero), (172, &zero), (220, &zero)]),
            Ok(expected())
        );
    }

    #[test]
    fn a_second_block_and_an_odd_length_are_taken_for_what_they_are() {
        let changes: [(usize, &[u8]); 3] =
            [(60, &[0, 7, 0, 0]), (84, &[0, 8, 0, 0]), (92, &[255, 3])];
        let hardware = with(&changes).unwrap();
        assert_eq!(hardware.pm1_events[1], Some(0x700..0x704));
        assert_eq!(hardware.gpe0, 0x620..0x620 + 254);
        assert_eq!(hardware.gpe1, 0x800..0x802);
    }

    #[test]
    fn a_machine_without_an_enable_command_is_ours_from_the_start() {
        for changes in [[(48, &[0; 4][..])], [(52, &[0; 1][..])]] {
            assert_eq!(with(&changes).map(|it| it.enable), Ok(None));
        }
    }

    #[test]
    fn blocks_that_cannot_be_ports_are_refused_by_name() {
        let name = |changes| match with(changes) {
            Err(NoFixedHardware::Block { name }) => name,
            other => panic!("{other:?}"),
        };
        assert_eq!(name(&[(148, &[0])]), "PM1a_EVT_BLK", "in memory");
        assert_eq!(name(&[(154, &[1])]), "PM1a_EVT_BLK", "beyond 64 Ki ports");
        assert_eq!(name(&[(88, &[3])]), "PM1a_EVT_BLK", "too short");
        assert_eq!(name(&[(89, &[1])]), "PM1a_CNT_BLK");
        assert_eq!(name(&[(224, &[0xf8, 0xff])]), "GPE0_BLK", "over the last");
        assert_eq!(name(&[(64, &[0; 4]), (172, &[0; 12])]), "PM1a_CNT_BLK");
        assert_eq!(name(&[(50, &[1])]), "SMI_CMD");
    }

    #[test]
    fn whatever_a_table_says_each_block_has_its_registers() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut usable = 0;
        for _ in 0..20_000 {
            let mut table = q35();
            for _ in 0..random.usize(1..6) {
                let at = random.usize(46..table.len());
                table[at] = random.u8(..);
            }
            let Ok(hardware) = FixedHardware::parse(&table) else {
                continue;
            };
            usable += 1;
            for events in hardware.pm1_events.iter().flatten() {
                assert!(events.len() >= 4);
            }
            assert!(hardware.pm1_control < u16::MAX);
            for gpe in [hardware.gpe0, hardware.gpe1] {
                assert!(gpe.len().is_multiple_of(2));
            }
        }
        assert!(usable > 5_000, "{usable}");
    }

    #[test]
    fn reduced_hardware_and_a_table_that_is_cut_are_none() {
        assert_eq!(with(&[(114, &[0x10])]), Err(NoFixedHardware::Reduced));
        for length in 0..116 {
            let cut = FixedHardware::parse(&q35()[..length]);
            assert_eq!(cut, Err(NoFixedHardware::NoFadt), "{length} bytes");
        }
        for length in 116..244 {
            // Whatever is left of the extended addresses: it does not panic.
            let _ = FixedHardware::parse(&q35()[..length]);
        }
    }
}
