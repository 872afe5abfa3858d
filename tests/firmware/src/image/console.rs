//! The way out: one line on COM1, and QEMU's debug exit.

use core::fmt::{self, Write};

use reveille_test_firmware::FAILED;
use x86_64::instructions::{hlt, interrupts, port::Port};

/// Port of QEMU's `isa-debug-exit`, as `iobase=0xf4` sets it.
pub(super) const DEBUG_EXIT_PORT: u16 = 0xf4;

/// COM1, whose first register takes the bytes. QEMU's takes them at once.
const COM1: u16 = 0x3f8;

/// Says why the firmware cannot go on, and ends the run as failed.
pub(super) fn fail(why: fmt::Arguments<'_>) -> ! {
    let _ = writeln!(Com1, "firmware: {why}");
    // SAFETY: the port belongs to the debug exit device or to nobody; a write touches no memory.
    unsafe { Port::new(DEBUG_EXIT_PORT).write(u32::from(FAILED)) };
    halt_for_good()
}

/// This CPU does no more.
pub(super) fn halt_for_good() -> ! {
    interrupts::disable();
    loop {
        hlt();
    }
}

struct Com1;

impl Write for Com1 {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            let line_end = (byte == b'\n').then_some(b'\r');
            for byte in line_end.into_iter().chain([byte]) {
                // SAFETY: a serial port takes a byte; no memory is touched.
                unsafe { Port::new(COM1).write(byte) };
            }
        }
        Ok(())
    }
}
