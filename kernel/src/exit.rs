//! Ends the run with a status that the one who started the machine can see.

use x86_64::instructions::{hlt, interrupts, port::PortWriteOnly};

use reveille_smp::record::exit_code;

use crate::{console, vmm_probe::marks};

/// Port of QEMU's `isa-debug-exit` device, as `iobase=0xf4` sets it.
pub(crate) const DEBUG_EXIT_PORT: u16 = 0xf4;

/// Ends the run, once the console's last words are out. QEMU's status becomes `code << 1 | 1` (`hw/misc/debugexit.c`).
///
/// On a machine without the device this CPU halts for good.
pub fn exit(code: u8) -> ! {
    console::close();
    marks::end(code == exit_code::OK);
    // SAFETY: the port belongs to the debug exit device or to nobody; a write touches no memory.
    unsafe { PortWriteOnly::new(DEBUG_EXIT_PORT).write(u32::from(code)) };
    interrupts::disable();
    loop {
        hlt();
    }
}
