//! The I/O APICs: how an interrupt of a device comes to a CPU.
//!
//! Nothing of them is mapped or touched before somebody routes an interrupt, so a boot that needs none does
//! not pay for them. Whatever the firmware says of them is checked where it matters: an address that is
//! memory, or where nobody answers, costs the interrupt and no more.

mod entry;
mod registers;

use core::{cell::RefCell, fmt};

use alloc::vec::Vec;

use reveille_smp::{
    cpu::ApicId,
    wiring::{Gsi, IoApic, IsaIrq, Wire, Wiring},
};

use self::{
    entry::{Entry, MASKED},
    registers::Registers,
};
use crate::{
    interrupts::vectors::Vector,
    memory::{self, map::PAGE_SIZE, paging::MapError},
};

/// The I/O APICs that the firmware lists, and where it wired the ISA interrupts to. The BSP has them.
#[derive(Debug, Default)]
pub struct IoApics {
    wiring: Wiring,
    /// Pages of registers that are mapped: two I/O APICs may share one.
    mapped: RefCell<Vec<u64>>,
}

/// An interrupt that was routed. It comes masked.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    registers: Registers,
    gsi: Gsi,
    /// Which of its I/O APIC's.
    input: u8,
    entry: Entry,
}

/// Why an interrupt cannot be routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IoApicError {
    /// The firmware lists none that has the interrupt.
    NotListed {
        /// Its number among all I/O APICs.
        gsi: Gsi,
    },
    /// The one that would have it does not: it has fewer inputs, or nobody answers.
    NoSuchInput {
        /// Its number among all I/O APICs.
        gsi: Gsi,
        /// How many inputs it says that it has.
        inputs: u32,
    },
    /// No registers can be where the firmware says.
    Address(u32),
    /// The registers cannot be mapped.
    NotMapped(MapError),
    /// An I/O APIC cannot name that CPU, whose id has more than 8 bits.
    Unreachable {
        /// Whom the interrupt was to go to.
        destination: ApicId,
    },
}

impl IoApics {
    /// Those that are listed.
    pub fn new(wiring: Wiring) -> Self {
        Self {
            wiring,
            mapped: RefCell::default(),
        }
    }

    /// Routes an ISA interrupt to a vector of one CPU. To be called on the BSP.
    ///
    /// # Errors
    ///
    /// As [`IoApicError`] says; nothing is routed then.
    pub fn route(&self, irq: IsaIrq, vector: Vector, to: ApicId) -> Result<Line, IoApicError> {
        self.route_wire(self.wiring.isa(irq), vector, to)
    }

    /// Routes the SCI, whose number the FADT tells, in the same way.
    ///
    /// # Errors
    ///
    /// As [`IoApicError`] says; nothing is routed then.
    pub fn route_sci(&self, number: u16, vector: Vector, to: ApicId) -> Result<Line, IoApicError> {
        self.route_wire(self.wiring.sci(number), vector, to)
    }

    fn route_wire(&self, wire: Wire, vector: Vector, to: ApicId) -> Result<Line, IoApicError> {
        let gsi = wire.gsi;
        let entry = Entry::new(wire, vector, to)?;
        let listed = self.wiring.io_apic_of(gsi);
        let io_apic = listed.ok_or(IoApicError::NotListed { gsi })?;
        let registers = self.map(io_apic)?;
        let inputs = registers.inputs();
        let input = input_of(io_apic, gsi, inputs)?;
        registers.set(input, entry);
        Ok(Line {
            registers,
            gsi,
            input,
            entry,
        })
    }

    fn map(&self, io_apic: IoApic) -> Result<Registers, IoApicError> {
        let start = checked(io_apic.address)?;
        let page = start / PAGE_SIZE * PAGE_SIZE;
        let mut mapped = self.mapped.borrow_mut();
        if !mapped.contains(&page) {
            memory::map_device(page, PAGE_SIZE).map_err(IoApicError::NotMapped)?;
            mapped.push(page);
        }
        Ok(Registers::at(start as usize))
    }
}

/// Registers lie at a multiple of 1 KiB (ICH9 datasheet, section 13.5.1), and not where every PC has memory: what
/// is above that is mapped already where it is memory, and refused for that.
fn checked(address: u32) -> Result<u64, IoApicError> {
    const ALIGNMENT: u32 = 1 << 10;
    const _: () = assert!(registers::SIZE <= ALIGNMENT as u64);
    const LOW_MEMORY_END: u32 = 1 << 20;
    if address < LOW_MEMORY_END || !address.is_multiple_of(ALIGNMENT) {
        return Err(IoApicError::Address(address));
    }
    Ok(address.into())
}

/// Which of its inputs an interrupt is, if it has so many.
fn input_of(io_apic: IoApic, gsi: Gsi, inputs: u32) -> Result<u8, IoApicError> {
    /// What the register that chooses an entry can choose: 8 bits, two an entry, the table behind 16 others.
    const MOST_INPUTS: u32 = (256 - 16) / 2;
    let input = gsi.0 - io_apic.first.0;
    match u8::try_from(input) {
        Ok(number) if input < inputs.min(MOST_INPUTS) => Ok(number),
        _ => Err(IoApicError::NoSuchInput { gsi, inputs }),
    }
}

impl Line {
    /// The interrupt's number among all I/O APICs.
    pub fn gsi(&self) -> Gsi {
        self.gsi
    }

    /// Lets the interrupt through. To be called on the BSP, as all else.
    pub fn unmask(&self) {
        let low = self.entry.low & !MASKED;
        self.registers.set_low(self.input, low);
    }

    /// Holds it back. A handler may do so. One that is on its way still comes.
    pub fn mask(&self) {
        self.registers.set_low(self.input, self.entry.low | MASKED);
    }
}

impl fmt::Display for IoApicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotListed { gsi } => {
                write!(f, "the firmware lists no I/O APIC with interrupt {gsi}")
            }
            Self::NoSuchInput { gsi, inputs: 0 } => {
                write!(f, "the I/O APIC of interrupt {gsi} does not answer")
            }
            Self::NoSuchInput { gsi, inputs } => {
                write!(
                    f,
                    "the I/O APIC of interrupt {gsi} has only {inputs} inputs"
                )
            }
            Self::Address(address) => write!(f, "no I/O APIC can be at {address:#x}"),
            Self::NotMapped(cause) => write!(f, "the I/O APIC: {cause}"),
            Self::Unreachable { destination } => {
                write!(f, "an I/O APIC cannot name APIC {destination}")
            }
        }
    }
}

impl core::error::Error for IoApicError {}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    const IO_APIC: IoApic = IoApic {
        id: 0,
        address: 0xfec0_0000,
        first: Gsi(24),
    };

    #[test]
    fn an_interrupt_is_an_input_where_the_io_apic_has_so_many() {
        let input = |gsi, inputs| input_of(IO_APIC, Gsi(gsi), inputs).ok();
        assert_eq!([24, 47].map(|gsi| input(gsi, 24)), [Some(0), Some(23)]);
        assert_eq!(
            [48, 24 + 256, u32::MAX].map(|gsi| input(gsi, 24)),
            [None; 3]
        );
        assert_eq!(input(24, 0), None, "nobody answers");
        // The register that chooses an entry has 8 bits, whatever the device says.
        assert_eq!([143, 144].map(|gsi| input(gsi, 256)), [Some(119), None]);
    }

    #[test]
    fn an_address_where_no_registers_can_be_is_refused() {
        for address in [0, 0x1000, 0xf_fc00, 0xfec0_0010, u32::MAX] {
            assert_eq!(checked(address), Err(IoApicError::Address(address)));
        }
        for address in [0x10_0000, 0xfec0_0000, 0xfec0_0400, 0xffff_fc00] {
            assert_eq!(checked(address), Ok(address.into()));
        }
    }

    #[test]
    fn an_interrupt_of_no_io_apic_is_refused_before_anything_is_mapped() {
        let routed = IoApics::default().route(IsaIrq::COM1, Vector::UART, ApicId(0));
        let error = routed.expect_err("there is none");
        assert_eq!(error, IoApicError::NotListed { gsi: Gsi(4) });
        let told = "the firmware lists no I/O APIC with interrupt 4";
        assert_eq!(error.to_string(), told);
    }
}
