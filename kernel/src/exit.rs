//! Ends the run with a status that the one who started the machine can see.

use core::sync::atomic::{AtomicUsize, Ordering};

use reveille_smp::record::exit_code;
use x86_64::instructions::{hlt, interrupts, port::PortWriteOnly};

use crate::{console, vmm_probe::marks};

/// Port of QEMU's `isa-debug-exit` device, as `iobase=0xf4` sets it.
pub(crate) const DEBUG_EXIT_PORT: u16 = 0xf4;

/// What ends the machine where that device is not, without a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PowerOff {
    /// The OEM's name in the machine's ACPI tables.
    oem: &'static str,
    port: u16,
    value: u8,
}

/// Machines that end by a write of which others would make something else.
const POWER_OFFS: [PowerOff; 2] = [
    // It takes the keyboard controller's reset for the end (`src/vmm/src/devices/legacy/i8042.rs`).
    PowerOff {
        oem: "FIRECK",
        port: 0x64,
        value: 0xfe,
    },
    // Sleep state 5, and the bit that enters it (`devices/src/acpi.rs`).
    PowerOff {
        oem: "CLOUDH",
        port: 0x600,
        value: 5 << 2 | 1 << 5,
    },
];

/// Which of [`POWER_OFFS`] this machine has; their number if none. Relaxed: set on the BSP before there is an
/// AP.
static POWER_OFF: AtomicUsize = AtomicUsize::new(POWER_OFFS.len());

/// The machine's tables have this OEM's names.
pub fn on_machine_of(oem: &str) {
    POWER_OFF.store(way(oem), Ordering::Relaxed);
}

fn way(oem: &str) -> usize {
    let oem = oem.split_whitespace().next();
    let known = POWER_OFFS.iter().position(|it| Some(it.oem) == oem);
    known.unwrap_or(POWER_OFFS.len())
}

/// Ends the run, once the console's last words are out. QEMU's status becomes `code << 1 | 1` (`hw/misc/debugexit.c`).
///
/// On a machine without the device, and of which no other way is known, this CPU halts for good.
pub fn exit(code: u8) -> ! {
    console::close();
    marks::end(code == exit_code::OK);
    // SAFETY: the port belongs to the debug exit device or to nobody; a write touches no memory.
    unsafe { PortWriteOnly::new(DEBUG_EXIT_PORT).write(u32::from(code)) };
    interrupts::disable();
    if let Some(it) = POWER_OFFS.get(POWER_OFF.load(Ordering::Relaxed)) {
        // SAFETY: on this machine the port ends it; a write touches no memory.
        unsafe { PortWriteOnly::new(it.port).write(it.value) };
    }
    loop {
        hlt();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_written_to_only_where_the_machine_is_known_to_end_by_it() {
        let known = |oem| POWER_OFFS.get(way(oem)).map(|it| (it.port, it.value));
        assert_eq!(known("FIRECK FCVMMADT"), Some((0x64, 0xfe)));
        assert_eq!(known("CLOUDH CHMADT"), Some((0x600, 0x34)));
        for oem in ["BOCHS BXPC", "unknown", "", "FIRECKS FC", "X FIRECK"] {
            assert_eq!(known(oem), None, "{oem}");
        }
    }
}
