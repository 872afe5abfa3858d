//! ACPI's fixed hardware, as the FADT tells of it: the SCI, and the registers of what raises it (ACPI 6.5,
//! sections 4.8 and 5.2.9).

use core::ops::Range;

/// A block of registers in I/O ports, its first and the one behind its last.
pub type Ports = Range<u16>;

/// Where the registers are. Each block is in I/O ports and has room for what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedHardware {
    /// Which interrupt the SCI is: where there are 8259s an ISA interrupt's number, else the number among all
    /// I/O APICs.
    pub sci: u16,
    /// How the firmware is asked to hand the hardware over: what is to be written to which port.
    pub enable: Option<(u16, u8)>,
    /// PM1a and PM1b: status in the first half, enable in the second.
    pub pm1_event: [Option<Ports>; 2],
    /// PM1a's control register, whose bit 0 says that the SCI is enabled.
    pub pm1_control: u16,
    /// GPE0: status in the first half, enable in the second.
    pub gpe0: Option<Ports>,
    /// GPE1, in the same way.
    pub gpe1: Option<Ports>,
}
