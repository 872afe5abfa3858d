//! Starts the machine again.
//!
//! The ways are tried in the order in which they are likely to be the right one, each with some patience:
//! what ACPI names, the chipset's reset control, the keyboard controller, and a CPU that can go no further,
//! which every PC takes for a reset.

use core::arch::asm;

use x86_64::{
    VirtAddr,
    instructions::{interrupts, port::PortWriteOnly, tables},
    structures::DescriptorTablePointer,
};

use crate::{console, memory, patience::Patience};

/// The register by which a machine is reset, and what is to be written there (ACPI 6.5, section 4.8.3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetRegister {
    /// Where it is.
    pub place: Place,
    /// What resets the machine.
    pub value: u8,
}

/// Where a register of one byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In an I/O port.
    Port(u16),
    /// At a physical address.
    Memory(u64),
}

/// Resets the machine, once the console's last words are out. `register` is the one that ACPI names.
pub fn reset(register: Option<ResetRegister>) -> ! {
    console::close();
    interrupts::disable();
    if let Some(register) = register {
        register.write();
        wait();
    }
    // The reset control register of Intel's chipsets, RST_CNT: first which kind of reset, a full one, then
    // that it is to happen (ICH9 datasheet, 13.7.5).
    write(0xcf9, 0x0a);
    write(0xcf9, 0x0e);
    wait();
    // The keyboard controller pulses its output port's bit 0, the reset line.
    write(0x64, 0xfe);
    wait();
    triple_fault()
}

impl ResetRegister {
    fn write(self) {
        match self.place {
            Place::Port(port) => write(port, self.value),
            Place::Memory(address) => {
                if memory::map_device(address, 1).is_ok() {
                    // SAFETY: the register is mapped at its own address, and ACPI says that a write resets
                    // the machine.
                    unsafe { (address as *mut u8).write_volatile(self.value) };
                }
            }
        }
    }
}

fn write(port: u16, value: u8) {
    // SAFETY: these ports reset the machine or belong to nobody; nothing goes on behind that.
    unsafe { PortWriteOnly::new(port).write(value) };
}

/// Lets the machine notice.
fn wait() {
    Patience::begin().until(|| false);
}

/// An exception with no handler left: the machine is reset.
pub(crate) fn triple_fault() -> ! {
    let nothing = DescriptorTablePointer {
        limit: 0,
        base: VirtAddr::zero(),
    };
    // SAFETY: with an empty IDT no exception finds a handler, and the invalid opcode shuts the
    // machine down, which is what was asked for.
    unsafe {
        tables::lidt(&nothing);
        asm!("ud2", options(noreturn));
    }
}
