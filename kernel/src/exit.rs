//! Ends the run with a status that the one who started the machine can see.

use conquer_once::spin::OnceCell;
use reveille_smp::record::exit_code;
use x86_64::instructions::{hlt, interrupts, port::PortWriteOnly};

use crate::{console, vmm::Vmm, vmm_probe::marks};

/// Port of QEMU's `isa-debug-exit` device, as `iobase=0xf4` sets it.
pub(crate) const DEBUG_EXIT_PORT: u16 = 0xf4;

/// What ends the machine where that device is not, without a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PowerOff {
    port: u16,
    value: u8,
}

impl PowerOff {
    /// Others would make something else of the write.
    const fn of(vmm: Vmm) -> Self {
        match vmm {
            // It takes the keyboard controller's reset for the end (`src/vmm/src/devices/legacy/i8042.rs`).
            Vmm::Firecracker => Self {
                port: 0x64,
                value: 0xfe,
            },
            // Sleep state 5, and the bit that enters it (`devices/src/acpi.rs`).
            Vmm::CloudHypervisor => Self {
                port: 0x600,
                value: 5 << 2 | 1 << 5,
            },
        }
    }
}

/// How this machine ends, if that is known. Set on the BSP before there is an AP.
static POWER_OFF: OnceCell<PowerOff> = OnceCell::uninit();

/// This VMM plays the machine, unless another one was named before.
pub fn on_machine_of(vmm: Vmm) {
    POWER_OFF.init_once(|| PowerOff::of(vmm));
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
    if let Ok(it) = POWER_OFF.try_get() {
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
    fn each_vmm_ends_by_its_own_write() {
        let known = [Vmm::Firecracker, Vmm::CloudHypervisor].map(PowerOff::of);
        assert_eq!(
            known.map(|it| (it.port, it.value)),
            [(0x64, 0xfe), (0x600, 0x34)]
        );
    }
}
