//! The CPU that serves its queue: it runs what lies there, or waits for calls of its own.
//!
//! **Serving Invariant**: one at a time serves a queue. Whoever comes while it is served, by an
//! interrupt or in a call, goes away: the one who serves looks again before it stops.

use core::sync::atomic::Ordering::Relaxed;

use super::{CallQueue, Carrier, word::Places};
use crate::{cpu::CpuIndex, sync::Ordering};

impl CallQueue {
    /// Runs what lies there, until nothing does; under a flood of calls it breaks off, and interrupts
    /// its CPU to come back. To be called by its CPU with interrupts off, when it was interrupted; it
    /// may be called at any other time too.
    pub fn serve<C: Carrier>(&self, carrier: C) {
        if let Some(looking) = self.look(carrier) {
            looking.end();
        }
    }

    /// Polls: runs calls as they come, so that whoever sends one need not interrupt the CPU, until the
    /// condition holds. To be called by its CPU. Between two looks interrupts are as they were before.
    ///
    /// Does not poll at all where the queue is served already, as in a call.
    pub fn look_until<C: Carrier>(&self, carrier: C, mut condition: impl FnMut() -> bool) {
        let Some(looking) = self.look(carrier) else {
            return;
        };
        loop {
            if !self.word.full().is_empty() {
                carrier.masked(|| looking.pass());
            }
            if condition() {
                break;
            }
            core::hint::spin_loop();
        }
        carrier.masked(|| looking.end());
    }

    /// From now on its CPU needs no interrupt. `None` if it is served already.
    pub(super) fn look<C: Carrier>(&self, carrier: C) -> Option<Looking<'_, C>> {
        // One CPU and its handlers come here, so this orders nothing.
        if self.is_served.swap(1, Ordering::Relaxed) != 0 {
            return None;
        }
        self.word.look();
        Some(Looking {
            queue: self,
            carrier,
            cpu: carrier.this_cpu(),
            has_stopped: false,
        })
    }

    /// Its CPU is about to wait for calls of its own. `None` if it may not: it runs a call, or waits.
    pub(super) fn ask(&self) -> Option<Asking<'_>> {
        let is_free = self.is_served.load(Ordering::Relaxed) == 0
            && self.is_asking.swap(1, Ordering::Relaxed) == 0;
        is_free.then_some(Asking(self))
    }

    /// Does on the queue's own CPU what is a call too, with interrupts off: meanwhile the CPU may not
    /// wait for another, and nobody needs to interrupt it.
    pub(super) fn run_here<C: Carrier>(&self, carrier: C, run: impl FnOnce()) {
        let looking = self.look(carrier);
        run();
        if let Some(looking) = looking {
            looking.end();
        }
    }
}

/// So many times a CPU runs what lies in its queue before it lets other interrupts in: with all places
/// full that is 64 calls.
const PASSES: usize = 4;

/// A CPU that looks at its queue. Nobody interrupts it until this is dropped.
pub(super) struct Looking<'a, C: Carrier> {
    queue: &'a CallQueue,
    carrier: C,
    cpu: CpuIndex,
    has_stopped: bool,
}

impl<C: Carrier> Looking<'_, C> {
    /// Runs what lies there now. Interrupts are off.
    pub(super) fn pass(&self) {
        self.run_all(self.queue.word.full());
    }

    /// Runs what lies there until nothing does, and stops. Interrupts are off, so where calls come
    /// faster than they are run it breaks off, and interrupts its CPU: whatever else has come has its
    /// turn before it comes back.
    pub(super) fn end(mut self) {
        self.pass();
        for _ in 1..PASSES {
            match self.queue.word.stop() {
                Ok(()) => {
                    self.has_stopped = true;
                    return;
                }
                Err(full) => self.run_all(full),
            }
        }
    }

    /// As they stand there: what comes meanwhile has its turn behind them.
    fn run_all(&self, full: Places) {
        for place in full {
            let queue = self.queue;
            let has_begun = queue.places[place].ticket.begin();
            let entry = queue.cell(place).take();
            queue.word.free(place);
            if let Some(entry) = entry.filter(|_| has_begun) {
                queue.run.fetch_add(1, Relaxed);
                entry.begin(self.carrier, self.cpu).run();
            }
        }
        self.queue.wake_wanting();
    }
}

impl<C: Carrier> Drop for Looking<'_, C> {
    fn drop(&mut self) {
        let queue = self.queue;
        queue.is_served.store(0, Ordering::Relaxed);
        if self.has_stopped {
            return;
        }
        // A call panicked, or there were too many: those that lie there are not to wait for the next.
        queue.wake_wanting();
        if queue.word.break_off() {
            let _ = queue.interrupt(self.carrier, self.cpu);
        }
    }
}

/// A CPU that waits for calls of its own.
pub(super) struct Asking<'a>(&'a CallQueue);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.is_asking.store(0, Ordering::Relaxed);
    }
}
