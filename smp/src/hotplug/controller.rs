//! How the machine is seen that adds and removes CPUs: bays in which a CPU may sit, each with a status.
//!
//! One CPU drives a controller. It may be hostile, so nothing that it says is believed further than it can
//! be checked ([`scan`](super::scan())).

use core::fmt;

use crate::cpu::ApicId;

/// A place of the machine in which a CPU may sit, by the machine's own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bay(pub u32);

impl fmt::Display for Bay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a bay shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// A CPU sits there.
    pub is_present: bool,
    /// It was added, and nobody has acknowledged that yet.
    pub was_added: bool,
    /// It is to be removed, and nobody has acknowledged that yet.
    pub is_to_go: bool,
}

impl Status {
    /// Whether there is anything to acknowledge.
    pub const fn is_pending(self) -> bool {
        self.was_added || self.is_to_go
    }
}

/// The registers of a machine whose CPUs can be added and removed.
pub trait Controller {
    /// The lowest bay in which something is pending, and what it shows.
    fn find_pending(&self) -> Option<(Bay, Status)>;

    /// Whether the machine has a bay of this number. They are numbered from 0, without holes.
    fn has(&self, bay: Bay) -> bool;

    /// What a bay shows.
    fn status(&self, bay: Bay) -> Status;

    /// The id of the APIC of the CPU that sits in a bay, or may; `None` where what the machine says is
    /// no such id.
    fn apic_id(&self, bay: Bay) -> Option<ApicId>;

    /// Says that it has been heard of. In a bay in which both are pending, the other stays so.
    fn acknowledge(&self, bay: Bay, heard: Notification);

    /// Takes the CPU out. It stops at once, wherever it is: so it is only ejected once it is in no slot
    /// ([`let_go`](super::let_go())).
    fn eject(&self, bay: Bay);

    /// Tells the machine what came of it, for whoever asked for it.
    fn report(&self, bay: Bay, heard: Notification, verdict: Verdict);
}

/// What the machine notifies of. The value is that of ACPI's notification (ACPI 6.5, table 5.166).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Notification {
    /// Device check: a CPU was added.
    Added = 1,
    /// Eject request.
    RemovalAsked = 3,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It was done.
    Done,
    /// It failed.
    Failed,
    /// The CPU cannot go, because it is busy. Of removals.
    Busy,
    /// The CPU cannot be used. Of additions.
    CannotBeUsed,
    /// The CPU can never go. Of removals.
    CannotGo,
}

impl Verdict {
    /// The status of ACPI's that says so (ACPI 6.5, section 6.3.5, "_OST"). The first two are common to all
    /// that is notified; the others mean something else of an insertion than of an ejection.
    pub const fn status(self) -> u32 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            // An insertion: not supported. An ejection: the device is busy.
            Self::CannotBeUsed | Self::Busy => 0x82,
            // An ejection: not supported.
            Self::CannotGo => 0x80,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// By the tables of "_OST": 0x81 is a device that an application uses, 0x84 an ejection that goes on.
    #[test]
    fn a_verdict_is_the_status_that_acpi_has_for_it() {
        use Verdict::{Busy, CannotBeUsed, CannotGo, Done, Failed};
        let statuses = [Done, Failed, Busy, CannotBeUsed, CannotGo].map(Verdict::status);
        assert_eq!(statuses, [0, 1, 0x82, 0x82, 0x80]);
    }
}
