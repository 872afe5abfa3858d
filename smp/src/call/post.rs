//! A call that nobody waits for.

use alloc::sync::Arc;
use core::{
    pin::Pin,
    task::{Context, Poll},
};

use super::{Carrier, Refused, one::Shared, send::Sender, word::NoPlace};
use crate::cpu::CpuIndex;

/// Puts a closure into a CPU's queue, if there is room. It runs at once if the CPU is the one that asks.
pub(super) fn try_post<C, F>(carrier: C, cpu: CpuIndex, closure: F) -> Result<(), Refused<F>>
where
    C: Carrier,
    F: FnOnce() + Send + 'static,
{
    let mut sender = Sender::new(carrier, cpu);
    let job = Arc::new(Shared::new(closure));
    if sender.is_here() {
        sender.run_here(&job);
        return Ok(());
    }
    match sender.try_send(&job) {
        Ok(_) => Ok(()),
        Err(no_place) => Err(refused(&job, no_place)),
    }
}

/// A closure on its way into a CPU's queue. Ready when it lies there; it runs by itself, and what comes
/// of it is nobody's to hear.
///
/// # Cancellation
///
/// Dropped before it was ready, the closure is not run.
///
/// # Panics
///
/// If polled again after it was ready.
#[must_use = "futures do nothing unless polled"]
pub struct Post<C: Carrier, F> {
    sender: Sender<C>,
    job: Option<Arc<Shared<F, ()>>>,
}

impl<C: Carrier, F> Post<C, F> {
    pub(super) fn new(carrier: C, cpu: CpuIndex, closure: F) -> Self {
        Self {
            sender: Sender::new(carrier, cpu),
            job: Some(Arc::new(Shared::new(closure))),
        }
    }
}

// The closure is never pinned.
impl<C: Carrier, F> Unpin for Post<C, F> {}

impl<C, F> Future for Post<C, F>
where
    C: Carrier,
    F: FnOnce() + Send + 'static,
{
    type Output = Result<(), Refused<F>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let job = this.job.as_ref();
        let job = job.expect("a post is polled after it was ready");
        let result = if this.sender.is_here() {
            this.sender.run_here(job);
            Ok(())
        } else {
            match this.sender.poll_send(job, context.waker()) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(_)) => Ok(()),
                Poll::Ready(Err(_)) => Err(refused(job, NoPlace::Closed)),
            }
        };
        this.job = None;
        Poll::Ready(result)
    }
}

/// The closure of a job that no queue has.
fn refused<F>(job: &Shared<F, ()>, no_place: NoPlace) -> Refused<F> {
    let closure = job.take_closure();
    let closure = closure.expect("what was not sent has not been run");
    match no_place {
        NoPlace::Closed => Refused::Offline(closure),
        NoPlace::AllTaken => Refused::Full(closure),
    }
}
