//! The machine as the bring-up sees it: who can be reset, started and looked at, by which way, and
//! what time it is. Hardware and simulator both implement it, so the code above it is the same on both.

use core::fmt;

use reveille_executor::Clock;
use strum::{Display, IntoStaticStr};

use crate::{
    cpu::{ApicId, CpuIndex},
    step::{Direction, StepError},
};

/// A machine whose APs can be started: by INIT and SIPI (SDM volume 3, "Multiple-Processor
/// Management"), or by a mailbox. A value of it is a handle: clones mean the same machine.
pub trait Machine: Clock + Clone + 'static {
    /// Resets the CPU; it then waits for a SIPI. To be called only for a CPU that is not yet
    /// running or has parked.
    fn send_init(&self, target: ApicId) -> Result<(), SendError>;

    /// Starts the CPU on the trampoline's page, if it waits for that. The hardware never repeats a
    /// SIPI that was lost.
    fn send_sipi(&self, target: ApicId) -> Result<(), SendError>;

    /// Resets all CPUs but the caller's own, also those that nobody has listed. To be called only
    /// while none of them runs.
    fn broadcast_init(&self) -> Result<(), SendError>;

    /// Starts all CPUs that wait for it.
    fn broadcast_sipi(&self) -> Result<(), SendError>;

    /// The mailbox by which the APs are woken, where it is not by INIT and SIPI. It is always the
    /// same answer, and with a mailbox nothing of the above is used.
    fn mailbox(&self) -> Option<&dyn WakeMailbox> {
        None
    }

    /// How far the CPU seems to have come since [`forget_evidence`](Self::forget_evidence). A
    /// hint: it may belong to another CPU.
    fn evidence(&self, target: ApicId) -> Evidence;

    /// Wipes the evidence of an earlier attempt.
    fn forget_evidence(&self, target: ApicId);

    /// A step of the first section begins, on the CPU that calls, for one that is down.
    fn step_begins(&self, of: CpuIndex, step: usize, direction: Direction) {
        let _ = (of, step, direction);
    }

    /// It has ended.
    fn step_ended(
        &self,
        of: CpuIndex,
        step: usize,
        direction: Direction,
        result: Result<(), StepError>,
    ) {
        let _ = (of, step, direction, result);
    }

    /// The CPUs that have ever arrived with an id that no slot carries. They are parked.
    fn strangers(&self) -> Strangers;
}

/// How a machine's APs are woken. Its text is the name used on the command line and in records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Display, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Way {
    /// INIT resets them and SIPI starts them.
    #[default]
    InitSipi,
    /// The firmware keeps them, and looks into a mailbox for whom to let go.
    Mailbox,
}

/// The ACPI multiprocessor wakeup mailbox. It has room for one request, and nobody is told when that
/// is taken ([`Words`](crate::mailbox::Words) has the rules).
pub trait WakeMailbox {
    /// Asks the CPU to come to the trampoline. The mailbox is free.
    fn request(&self, target: ApicId);

    /// Whether the request has been taken: then it is free for the next.
    fn is_free(&self) -> bool;

    /// Takes the request back. `false` when it has been taken first.
    fn retract(&self) -> bool;

    /// Whether a CPU that parks is the firmware's again, so that it can be woken once more.
    fn takes_back(&self) -> bool;
}

/// CPUs that arrived with an id that no slot carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strangers {
    /// How many.
    pub count: u32,
    /// The id of the last of them; without meaning when there was none.
    pub last: ApicId,
}

/// How far a CPU seems to have come before it claimed its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Nothing was seen of it.
    None,
    /// It ran in real mode.
    RealMode,
    /// It ran in long mode.
    LongMode,
}

/// Why an interrupt could not be sent to another CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The sender's APIC is in xAPIC mode, which cannot name this id.
    Unreachable,
    /// The sender's APIC did not accept the interrupt within its bound.
    Busy,
}

impl SendError {
    /// A sentence for reports.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unreachable => "an APIC in xAPIC mode cannot address this id",
            Self::Busy => "the local APIC did not accept the interrupt in time",
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for SendError {}
