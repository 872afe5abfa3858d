//! Sending a call from a task, which waits for room where there is none.

use alloc::sync::Arc;
use core::task::{Poll, Waker};

use reveille_executor::Instant;

use super::{
    CallError, Carrier, Pending, Progress,
    entry::{AnyJob, Entry, Job},
    queue::Receipt,
    room::Seat,
    word::NoPlace,
};
use crate::cpu::CpuIndex;

/// On the way into the queue of one CPU.
pub(super) struct Sender<C> {
    carrier: C,
    pub(super) cpu: CpuIndex,
    seat: Option<Seat>,
    /// Since when it waits for room.
    waits_since: Option<Instant>,
}

impl<C: Carrier> Sender<C> {
    pub(super) fn new(carrier: C, cpu: CpuIndex) -> Self {
        Self {
            carrier,
            cpu,
            seat: None,
            waits_since: None,
        }
    }

    /// Whether the CPU is the one that asks.
    pub(super) fn is_here(&self) -> bool {
        self.cpu == self.carrier.this_cpu()
    }

    /// Whether the CPU would see a call without an interrupt.
    pub(super) fn is_looking(&self) -> bool {
        let queue = self.carrier.queue(self.cpu);
        queue.is_some_and(|queue| queue.backlog().is_looking)
    }

    /// What is known of a call that waits for room; `None` if nobody has tried to send it.
    pub(super) fn pending(&self) -> Option<Pending> {
        Some(Pending {
            cpu: self.cpu,
            since: self.waits_since?,
            progress: Progress::NoRoom,
        })
    }

    /// Sends the job. `waker` is woken when there may be room.
    pub(super) fn poll_send<J: Job + 'static>(
        &mut self,
        job: &Arc<J>,
        waker: &Waker,
    ) -> Poll<Result<Receipt, CallError>> {
        loop {
            match self.try_send(job) {
                Ok(receipt) => return Poll::Ready(Ok(receipt)),
                Err(NoPlace::Closed) => return Poll::Ready(Err(CallError::Offline)),
                Err(NoPlace::AllTaken) => {}
            }
            self.waits_since.get_or_insert_with(|| self.carrier.now());
            // A queue that has refused a call is there.
            let queue = self.carrier.queue(self.cpu);
            if queue.is_some_and(|queue| queue.wait_for_room(&mut self.seat, waker)) {
                return Poll::Pending;
            }
        }
    }

    /// Sends the job, if there is room.
    pub(super) fn try_send<J: Job + 'static>(&mut self, job: &Arc<J>) -> Result<Receipt, NoPlace> {
        let queue = self.carrier.queue(self.cpu).ok_or(NoPlace::Closed)?;
        let job = AnyJob::Shared(Arc::<J>::clone(job));
        let receipt = queue.send(self.carrier, self.cpu, job)?;
        self.seat = None;
        Ok(receipt)
    }

    /// Runs the job here and now, on its own CPU.
    pub(super) fn run_here<J: Job + 'static>(&self, job: &Arc<J>) {
        let (carrier, cpu) = (self.carrier, self.cpu);
        let job = AnyJob::Shared(Arc::<J>::clone(job));
        let entry = Entry {
            job,
            id: carrier.queued(cpu),
        };
        let run = || entry.begin(carrier, cpu).run();
        carrier.masked(|| match carrier.queue(cpu) {
            Some(own) => own.run_here(carrier, run),
            None => run(),
        });
    }
}
