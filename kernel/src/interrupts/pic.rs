//! The two 8259 interrupt controllers of a PC: moved out of the way and silenced.
//!
//! After reset their vectors lie among the exceptions, where a stray one would look like a double
//! fault. So they are moved even though every line is masked: a spurious interrupt of theirs is
//! not maskable. Where a machine has no 8259s, the writes go nowhere.

use x86_64::instructions::port::PortWriteOnly;

use super::vectors::Vector;

/// Moves both controllers to [`Vector::PIC`] and masks all their lines.
pub fn silence() {
    /// Command and data port.
    const PRIMARY: (u16, u16) = (0x20, 0x21);
    const SECONDARY: (u16, u16) = (0xa0, 0xa1);
    /// Initialisation word 1: edge triggered, cascaded, word 4 follows.
    const INITIALISE: u8 = 0x11;
    /// Initialisation word 4: vectors as the 8086 wants them.
    const MODE_8086: u8 = 0x01;
    const ALL_LINES: u8 = 0xff;
    let first_vector = Vector::PIC.as_u8();
    // Word 3 says where the cascade is: for the primary as a mask, for the secondary as a number.
    let controllers = [
        (PRIMARY, first_vector, 1 << 2),
        (SECONDARY, first_vector + 8, 2),
    ];
    for ((command, data), vector, cascade) in controllers {
        write(command, INITIALISE);
        write(data, vector);
        write(data, cascade);
        write(data, MODE_8086);
        write(data, ALL_LINES);
    }
}

fn write(port: u16, value: u8) {
    /// Nobody uses it; a write to it takes about 1 µs on an ISA bus, which old controllers need
    /// between two words.
    const UNUSED_PORT: u16 = 0xed;
    // SAFETY: the ports are the 8259s' on every PC, or nobody's; they touch no memory.
    unsafe {
        PortWriteOnly::new(port).write(value);
        PortWriteOnly::<u8>::new(UNUSED_PORT).write(0);
    }
}
