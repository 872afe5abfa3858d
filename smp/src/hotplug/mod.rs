//! CPUs that are added while the system runs, and such as are to be taken out of it.
//!
//! ```text
//! controller ──▶ scan ──▶ events ──▶ place ──▶ the driver ──▶ status, eject
//! registers      bounded             which slot, or why none
//! ```
//!
//! The machine's registers are behind [`Controller`]. A CPU that is added appears in its slot and goes up by
//! the way that it would have gone at boot. One that is to be removed goes down, disappears from its slot, and
//! is ejected only then: the machine never takes out a CPU that might hold anything. What cannot be done is
//! refused for a reason, and the machine is told so.

mod controller;
mod line;
mod place;
mod removal;
mod scan;

pub use controller::{Bay, Controller, Notification, Status, Verdict};
pub use line::HotplugLine;
pub use place::{Refusal, Seat, seat};
pub use removal::let_go;
pub use scan::{Flaw, Found, Scan, scan, survey};

use crate::cpu::ApicId;

/// What happened to a CPU, or is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// One with this id was added.
    Added(ApicId),
    /// The machine asks that the one with this id be let go.
    RemovalAsked(ApicId),
}

impl Event {
    /// The APIC's id of the CPU.
    pub const fn apic_id(self) -> ApicId {
        match self {
            Self::Added(id) | Self::RemovalAsked(id) => id,
        }
    }
}
