//! The machine under the calls: who calls, how a CPU is interrupted, and how one halts.

use core::time::Duration;

use reveille_executor::{Clock, Instant};

use super::{CallQueue, Pending};
use crate::cpu::CpuIndex;

/// How long a CPU that waits for its own call polls before it halts: about what an
/// interrupt to a halted CPU and back takes under an emulator, so that it pays where both run at once.
const LOOK: Duration = Duration::from_micros(10);

/// How far behind its deadline a call that has begun and does not end is told of.
const STUCK: Duration = Duration::from_secs(1);

/// A machine whose CPUs call each other. A value of it is a handle: copies mean the same machine.
///
/// Four hooks are for a trace and do nothing by themselves: [`queued`](Self::queued),
/// [`entered`](Self::entered), [`left`](Self::left) and [`dropped`](Self::dropped). They are called with
/// interrupts on or off, and must neither wait nor allocate.
pub trait Carrier: Clock + Copy + Send + Sync + 'static {
    /// The CPU that asks.
    fn this_cpu(&self) -> CpuIndex;

    /// The queue of a CPU; `None` if there is no such CPU. It is always the same answer.
    fn queue(&self, cpu: CpuIndex) -> Option<&'static CallQueue>;

    /// Interrupts a CPU, which may be the one that asks; the handler calls [`CallQueue::serve`].
    /// It may be called in any context but an NMI, and does not wait.
    ///
    /// `false` if it was not sent, so that nobody relies on it: whoever comes next tries it again.
    fn interrupt(&self, cpu: CpuIndex) -> bool;

    /// Does this with interrupts off, and leaves them as they were.
    fn masked<T>(&self, work: impl FnOnce() -> T) -> T;

    /// Halts until an interrupt comes, whose handler then runs, or until this instant. Interrupts are
    /// off before and after; one that came before the halt ends it. Returning earlier is allowed, but
    /// what is pending is let in.
    fn halt(&self, until: Instant);

    /// How long a CPU that waits polls before it halts. Where that does not pay it halts at once.
    fn look(&self) -> Duration {
        LOOK
    }

    /// How far behind its deadline a call that has begun is told of by [`overdue`](Self::overdue).
    fn stuck(&self) -> Duration {
        STUCK
    }

    /// Blocking calls of one caller are past their deadline, have begun, and do not end: it cannot leave
    /// them. It is told once, of all of them together, with interrupts off, and may wait if that has a
    /// deadline: the caller could not go on anyway.
    fn overdue(&self, pending: &[Pending]) {
        let _ = pending;
    }

    /// A call is about to be put into the queue of a CPU. What it gives names the call from then on.
    fn queued(&self, cpu: CpuIndex) -> CallId {
        let _ = cpu;
        CallId::NONE
    }

    /// On its CPU: the call begins.
    fn entered(&self, call: CallId) {
        let _ = call;
    }

    /// On its CPU: it is over. Its caller does not know yet.
    fn left(&self, call: CallId) {
        let _ = call;
    }

    /// It will not be run: its caller has taken it back, or its CPU took no more calls.
    fn dropped(&self, call: CallId) {
        let _ = call;
    }
}

/// The name of a call in a trace, which means something to the [`Carrier`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

impl CallId {
    /// Of a carrier that keeps no trace.
    pub const NONE: Self = Self(0);
}
