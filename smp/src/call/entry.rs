//! What lies in a place of a queue: a call of whatever type, and how its caller hears of its end.
//!
//! Whoever has begun a call ([`Begun`]) tells its end, whatever happens: it is told as the value is
//! dropped, also when the closure panics. A call that was withdrawn is dropped as an [`Entry`], and
//! nobody is told, for its caller has done it.

use alloc::sync::Arc;

use super::{CallId, CallQueue, Carrier, lent::LentJob};
use crate::cpu::CpuIndex;

/// A call, of whatever type.
pub(super) trait Job: Send + Sync {
    /// Runs the closure, on this CPU.
    fn run(&self, cpu: CpuIndex);

    /// It is over on this CPU. For what is shared, its caller hears of it by this; for what was lent, by
    /// its queue, a moment later.
    fn over(&self, cpu: CpuIndex);
}

/// What a place holds.
pub(super) struct Entry {
    pub(super) job: AnyJob,
    /// Its name in a trace.
    pub(super) id: CallId,
}

/// To whom the call belongs.
pub(super) enum AnyJob {
    /// To caller and queue together.
    Shared(Arc<dyn Job>),
    /// To a caller that blocks, on whose stack it is. When it is over, its queue is told.
    Lent {
        job: LentJob,
        caller: CpuIndex,
        queue: &'static CallQueue,
    },
}

impl Entry {
    /// What the CPU has taken out of its queue and is to run: its caller cannot take it back.
    pub(super) fn begin<C: Carrier>(self, carrier: C, cpu: CpuIndex) -> Begun<C> {
        Begun {
            entry: self,
            carrier,
            cpu,
        }
    }
}

/// A call that its CPU runs.
pub(super) struct Begun<C: Carrier> {
    entry: Entry,
    carrier: C,
    cpu: CpuIndex,
}

impl<C: Carrier> Begun<C> {
    /// Runs it, and tells its caller.
    pub(super) fn run(self) {
        self.carrier.entered(self.entry.id);
        match &self.entry.job {
            AnyJob::Shared(job) => job.run(self.cpu),
            AnyJob::Lent { job, .. } => job.run(self.cpu),
        }
    }
}

impl<C: Carrier> Drop for Begun<C> {
    fn drop(&mut self) {
        self.carrier.left(self.entry.id);
        match &self.entry.job {
            AnyJob::Shared(job) => job.over(self.cpu),
            AnyJob::Lent { job, caller, queue } => {
                job.over(self.cpu);
                // Behind this the job may be gone.
                if queue.answer().over() {
                    // One that is not sent is as one that is lost: the halt ends at its deadline.
                    let _ = queue.interrupt(self.carrier, *caller);
                }
            }
        }
    }
}
