//! Firecracker's boot timer: a device that logs how long the guest took until it wrote a certain byte.
//!
//! It is there with `firecracker --boot-timer`, at the start of the hole for devices below 4 GiB, and takes one
//! byte at that address (Firecracker, `src/vmm/src/devices/pseudo/boot_timer.rs` and
//! `arch/x86_64/layout.rs`). Without that option nobody is there, and the write is lost.
//!
//! **On any other machine the address is another device's, or memory.** CPUID does not tell: Firecracker's
//! guests see KVM's signature, as those of others do. What does is the OEM's name in the ACPI tables, which
//! Firecracker has made since 1.8. So the device is mapped and written to where the firmware's own MADT has that
//! name, or where `probe=firecracker` says so; a MADT in a module is for trying things out, and is not asked.

use core::{fmt, ptr};

use super::VmmProbe;
use crate::{memory::paging::MapError, vmm::Vmm};

/// The first byte behind the RAM below 4 GiB.
const ADDRESS: u64 = 0xc000_0000;

/// What says that the boot is complete.
const COMPLETE: u8 = 123;

/// The mapped device.
#[derive(Clone, Copy, Debug)]
pub struct BootTimer(usize);

impl BootTimer {
    /// The device of this machine, if there is one: `vmm` is the one that the firmware's MADT names. `map` makes
    /// the page at a physical address writable, uncached, and says where it lies.
    ///
    /// # Errors
    ///
    /// Where it is asked for, and `map` fails: there is memory at that address. Where only the tables say so,
    /// such a machine is no Firecracker.
    pub fn find(
        probe: VmmProbe,
        vmm: Option<Vmm>,
        map: impl FnOnce(u64) -> Result<usize, MapError>,
    ) -> Result<Option<Self>, NoBootTimer> {
        match probe {
            VmmProbe::Firecracker => map(ADDRESS).map(Some).map_err(NoBootTimer),
            VmmProbe::On if vmm == Some(Vmm::Firecracker) => Ok(map(ADDRESS).ok()),
            VmmProbe::On | VmmProbe::Off => Ok(None),
        }
        .map(|address| address.map(Self))
    }

    /// Says that the boot is complete.
    pub fn tell(&self) {
        let device = ptr::with_exposed_provenance_mut::<u8>(self.0);
        // SAFETY: the page is mapped for good and nobody's memory.
        unsafe { device.write_volatile(COMPLETE) };
    }
}

/// There is no boot timer where one is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoBootTimer(MapError);

impl fmt::Display for NoBootTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        write!(
            f,
            "probe=firecracker: no boot timer at {ADDRESS:#x}: {error}"
        )
    }
}

impl core::error::Error for NoBootTimer {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a device is found, and whether anything was mapped for that.
    fn found(probe: VmmProbe, vmm: Option<Vmm>) -> (bool, bool) {
        let mut asked = None;
        let found = BootTimer::find(probe, vmm, |at| {
            asked = Some(at);
            Ok(at as usize)
        });
        assert!(asked.is_none_or(|at| at == ADDRESS));
        (found.unwrap().is_some(), asked.is_some())
    }

    #[test]
    fn the_device_is_touched_where_it_is_said_to_be_and_nowhere_else() {
        use VmmProbe::{Firecracker, Off, On};
        assert_eq!(found(On, Some(Vmm::Firecracker)), (true, true));
        for vmm in [None, Some(Vmm::CloudHypervisor)] {
            assert_eq!(found(On, vmm), (false, false), "{vmm:?}");
            assert_eq!(found(Firecracker, vmm), (true, true), "{vmm:?}");
        }
        assert_eq!(found(Off, Some(Vmm::Firecracker)), (false, false));
    }

    #[test]
    fn memory_at_its_address_is_an_error_only_where_it_was_asked_for() {
        let memory = |_| Err(MapError::AlreadyMapped { page: ADDRESS });
        let named = Some(Vmm::Firecracker);
        assert!(
            BootTimer::find(VmmProbe::On, named, memory)
                .unwrap()
                .is_none()
        );
        let error = BootTimer::find(VmmProbe::Firecracker, named, memory).unwrap_err();
        assert_eq!(
            error.to_string(),
            "probe=firecracker: no boot timer at 0xc0000000: page 0xc0000000 is mapped already"
        );
    }

    #[test]
    fn what_is_told_is_one_byte() {
        let mut device = [0_u8; 4];
        BootTimer(device.as_mut_ptr().expose_provenance()).tell();
        assert_eq!(device, [COMPLETE, 0, 0, 0]);
    }
}
