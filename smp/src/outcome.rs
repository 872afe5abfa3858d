//! How the bring-up of one CPU ended.

use strum::{Display, IntoStaticStr};

/// How the bring-up of one CPU ended. Every CPU that is listed gets exactly one. Its text is the name
/// used in records and tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Display, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Outcome {
    /// The CPU that booted; it needs no waking.
    Bsp,
    /// It ran its online steps on its own CPU and polled its own executor.
    Online,
    /// It left no sign of life before the deadline.
    NeverStarted,
    /// It left evidence in real mode and never reached long mode.
    StuckRealMode,
    /// It reached long mode, or claimed its slot, and never became alive.
    StuckLongMode,
    /// A CPU arrived whose APIC id no slot carries.
    UnknownId,
    /// It answered only after its deadline; it is parked, or waits to be called by another attempt.
    Late,
    /// It failed in a step, or fell silent in one after it was alive.
    Failed,
    /// It is not to be woken, or cannot be reached; the reason says which.
    Skipped,
    /// The firmware lists it as disabled.
    Disabled,
}

impl Outcome {
    /// Whether the CPU was to come up and did not.
    pub const fn is_failure(self) -> bool {
        !matches!(
            self,
            Self::Bsp | Self::Online | Self::Skipped | Self::Disabled
        )
    }

    /// What a person can make of it, for the outcomes that call for an explanation.
    pub const fn advice(self) -> Option<&'static str> {
        match self {
            Self::Bsp | Self::Online | Self::Skipped | Self::Disabled => None,
            Self::NeverStarted => Some(
                "it gave no sign of life: is it really there, and do INIT and SIPI, or the mailbox, reach it?",
            ),
            Self::StuckRealMode => Some(
                "it started in real mode and went no further: is the page it starts on intact, and is long mode available on it?",
            ),
            Self::StuckLongMode => Some(
                "it reached long mode and never reported: look for an exception or a hang in its early code",
            ),
            Self::UnknownId => {
                Some("its APIC id is not in the MADT: the firmware's table and the APIC disagree")
            }
            Self::Late => Some(
                "it answered after its deadline: raise alive-timeout= on a slow or crowded host",
            ),
            Self::Failed => Some("it did not pass all steps of its way up"),
        }
    }
}
