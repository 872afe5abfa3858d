//! Calls that borrow from their caller's stack: the one place where a lifetime is forgotten.
//!
//! **Lending Invariant**: who lends jobs ([`Lent`]) does not let go of them before each queue that was
//! given one has run it to the end, or can never run it. A job is withdrawn by its ticket, which lets
//! nobody begin it any more, or its end is awaited in the word of `answer.rs`. That it is counted
//! there is the last that another CPU does with a job, and the count is in the caller's queue, which
//! stays, and not in the job.

#![allow(unsafe_code)]

use core::{hint::spin_loop, ptr::NonNull, task::Waker};

use super::{
    CallError, CallQueue, Carrier, Pending,
    entry::{AnyJob, Job},
    queue::Receipt,
    room::Seat,
    word::NoPlace,
};
use crate::cpu::CpuIndex;

/// A job on the stack of a caller that blocks.
///
/// A pointer and no reference: a copy of it may lie in a queue, withdrawn and never to be used, when
/// the job is gone.
#[derive(Clone, Copy)]
pub(super) struct LentJob(NonNull<dyn Job>);

// SAFETY: it stands for a shared reference to the job, and a job is `Sync`.
unsafe impl Send for LentJob {}
// SAFETY: as above.
unsafe impl Sync for LentJob {}

impl LentJob {
    /// Forgets for how long the job lives.
    ///
    /// # Safety
    ///
    /// The Lending Invariant: neither `run` nor `over` is called, or runs, when the job is gone.
    unsafe fn new<'a>(job: &'a (dyn Job + 'a)) -> Self {
        let job: NonNull<dyn Job + 'a> = NonNull::from(job);
        // SAFETY: the two types differ in a lifetime alone, which the caller vouches for.
        Self(unsafe { core::mem::transmute::<NonNull<dyn Job + 'a>, NonNull<dyn Job>>(job) })
    }

    /// Runs it. To be called by whoever has begun it.
    pub(super) fn run(&self, cpu: CpuIndex) {
        // SAFETY: whoever lent it keeps it until it is over.
        unsafe { self.0.as_ref() }.run(cpu);
    }

    /// Tells it that it is over. To be called by the same, before the caller's queue hears of it.
    pub(super) fn over(&self, cpu: CpuIndex) {
        // SAFETY: as above; to who lent it, it is not over before its queue has heard of it.
        unsafe { self.0.as_ref() }.over(cpu);
    }
}

/// A job that says whether it is over, before all that were lent with it are.
pub(super) trait Lendable: Job {
    /// Whether it is over, as a hint.
    fn is_over(&self) -> bool;
}

/// One CPU, and what it is to run.
pub(super) struct Errand<'a> {
    cpu: CpuIndex,
    job: &'a (dyn Lendable + 'a),
    stage: Stage,
    seat: Option<Seat>,
}

enum Stage {
    Unsent,
    Sent(Receipt),
    /// It has been run, or will not be, for this reason.
    Settled(Result<(), CallError>),
}

impl<'a> Errand<'a> {
    pub(super) fn new(cpu: CpuIndex, job: &'a (dyn Lendable + 'a)) -> Self {
        Self {
            cpu,
            job,
            stage: Stage::Unsent,
            seat: None,
        }
    }

    pub(super) fn cpu(&self) -> CpuIndex {
        self.cpu
    }

    /// Whether it has been run; for what reason not.
    pub(super) fn result(&self) -> Result<(), CallError> {
        match self.stage {
            Stage::Settled(result) => result,
            Stage::Unsent | Stage::Sent(_) => unreachable!("a blocking call has been settled"),
        }
    }

    fn is_unsent(&self) -> bool {
        matches!(self.stage, Stage::Unsent)
    }

    fn settle(&mut self, result: Result<(), CallError>) {
        self.stage = Stage::Settled(result);
        self.seat = None;
    }
}

/// The jobs that a caller has lent. Dropped, it takes back what has not begun and waits for the rest.
pub(super) struct Lent<'e, 'a, C: Carrier> {
    carrier: C,
    caller: CpuIndex,
    own: &'static CallQueue,
    errands: &'e mut [Errand<'a>],
}

impl<'e, 'a, C: Carrier> Lent<'e, 'a, C> {
    /// Nothing is lent yet. `own` is the queue of the CPU that calls, `caller`.
    pub(super) fn new(
        carrier: C,
        caller: CpuIndex,
        own: &'static CallQueue,
        errands: &'e mut [Errand<'a>],
    ) -> Self {
        Self {
            carrier,
            caller,
            own,
            errands,
        }
    }

    /// Sends those that were not sent, as far as there is room, and runs the caller's own.
    pub(super) fn send(&mut self) {
        let (carrier, caller, own) = (self.carrier, self.caller, self.own);
        for errand in self.errands.iter_mut().filter(|it| it.is_unsent()) {
            if errand.cpu == caller {
                continue;
            }
            let Some(queue) = carrier.queue(errand.cpu) else {
                errand.settle(Err(CallError::Offline));
                continue;
            };
            // SAFETY: who drops this keeps the Lending Invariant, and until then it has the errands.
            let job = unsafe { LentJob::new(errand.job) };
            let job = AnyJob::Lent {
                job,
                caller,
                queue: own,
            };
            own.answer().expect();
            match queue.send(carrier, errand.cpu, job) {
                Ok(receipt) => {
                    errand.stage = Stage::Sent(receipt);
                    errand.seat = None;
                }
                Err(refused) => {
                    own.answer().forgo();
                    if refused == NoPlace::Closed {
                        errand.settle(Err(CallError::Offline));
                    }
                }
            }
        }
        // Behind the others, which run meanwhile.
        let unsent = self.errands.iter_mut().filter(|it| it.is_unsent());
        for errand in unsent.filter(|errand| errand.cpu == caller) {
            let id = carrier.queued(caller);
            own.run_here(carrier, || {
                carrier.entered(id);
                errand.job.run(caller);
                carrier.left(id);
            });
            errand.settle(Ok(()));
        }
    }

    /// Whether all that was sent is over, and nothing is left to send.
    pub(super) fn is_over(&self) -> bool {
        self.own.answer().is_over() && !self.errands.iter().any(Errand::is_unsent)
    }

    /// Lets `waker` be woken when there may be room for what was not sent; `false` if there may be now.
    pub(super) fn wait_for_room(&mut self, waker: &Waker) -> bool {
        let carrier = self.carrier;
        let mut unsent = self.errands.iter_mut().filter(|it| it.is_unsent());
        unsent.all(|errand| match carrier.queue(errand.cpu) {
            Some(queue) => queue.wait_for_room(&mut errand.seat, waker),
            None => false,
        })
    }

    /// Whether anything is left to send.
    pub(super) fn has_unsent(&self) -> bool {
        self.errands.iter().any(Errand::is_unsent)
    }

    /// Whether all to whom something was sent looked by themselves when it came.
    pub(super) fn are_looking(&self) -> bool {
        self.errands.iter().all(|errand| match &errand.stage {
            Stage::Sent(receipt) => receipt.is_seen(),
            Stage::Unsent | Stage::Settled(_) => true,
        })
    }

    /// The time is over: takes back what has not begun, and sends no more.
    pub(super) fn expire(&mut self) {
        for errand in self.errands.iter_mut() {
            let is_back = match &errand.stage {
                Stage::Unsent => true,
                Stage::Sent(receipt) => {
                    let is_back = receipt.withdraw(self.carrier);
                    if is_back {
                        self.own.answer().forgo();
                    }
                    is_back
                }
                Stage::Settled(_) => false,
            };
            if is_back {
                errand.settle(Err(CallError::TimedOut));
            }
        }
    }

    /// What was sent, has not been taken back, and is not over.
    pub(super) fn pending(&self) -> impl Iterator<Item = Pending> {
        self.errands
            .iter()
            .filter_map(|errand| match &errand.stage {
                Stage::Sent(receipt) if !errand.job.is_over() => Some(receipt.pending()),
                _ => None,
            })
    }
}

impl<C: Carrier> Drop for Lent<'_, '_, C> {
    fn drop(&mut self) {
        if !self.is_over() {
            self.expire();
        }
        // Only where a call of another CPU that was run meanwhile has panicked. What has begun waits
        // for nobody, so it ends.
        while !self.own.answer().is_over() {
            spin_loop();
        }
        for errand in self.errands.iter_mut() {
            if let Stage::Sent(_) = errand.stage {
                errand.settle(Ok(()));
            }
        }
    }
}
