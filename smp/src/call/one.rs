//! A call to one CPU, as a future.

use alloc::sync::Arc;
use core::{
    pin::Pin,
    task::{Context, Poll},
};

use super::{CallError, Carrier, Pending, entry::Job, queue::Receipt, send::Sender};
use crate::{
    cpu::CpuIndex,
    slot::register,
    sync::{AtomicU32, AtomicWaker, Mutex, Ordering},
};

/// What caller and queue share of a call: the closure, what it gave, and whether it is over.
///
/// # Memory ordering
///
/// The closure belongs to the caller until it is sent, then to whom the ticket gives it. What it gave
/// is written before `over` releases, and read behind the load that acquires.
pub(super) struct Shared<F, T> {
    closure: Mutex<Option<F>>,
    answer: Mutex<Option<T>>,
    is_over: AtomicU32,
    caller: AtomicWaker,
}

impl<F, T> Shared<F, T> {
    pub(super) fn new(closure: F) -> Self {
        Self {
            closure: Mutex::new(Some(closure)),
            answer: Mutex::new(None),
            is_over: AtomicU32::new(0),
            caller: AtomicWaker::new(),
        }
    }

    /// The closure, if it has not been run. For a caller whose call is not in a queue, or was taken
    /// back.
    pub(super) fn take_closure(&self) -> Option<F> {
        self.closure.try_lock().and_then(|mut it| it.take())
    }

    /// What the closure gave, once it is over.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<Result<T, CallError>> {
        if !self.is_over() {
            // Again behind it: what comes behind that look finds the waker.
            register(&self.caller, context.waker());
            if !self.is_over() {
                return Poll::Pending;
            }
        }
        let answer = self.answer.try_lock().and_then(|mut it| it.take());
        Poll::Ready(answer.ok_or(CallError::Panicked))
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire) != 0
    }
}

impl<F: FnOnce() -> T + Send, T: Send> Job for Shared<F, T> {
    fn run(&self, _: CpuIndex) {
        if let Some(closure) = self.take_closure() {
            let given = closure();
            if let Some(mut answer) = self.answer.try_lock() {
                *answer = Some(given);
            }
        }
    }

    fn over(&self, _: CpuIndex) {
        self.is_over.store(1, Ordering::Release);
        self.caller.wake();
    }
}

/// A call to one CPU. Ready when that CPU has run the closure.
///
/// It waits for room where the CPU's queue is full, and then for as long as the CPU takes: to wait no
/// longer than so, await it in a timeout, on whichever executor; by
/// [`pending`](Self::pending) one then sees how far it has come.
///
/// # Cancellation
///
/// Dropped before the CPU has begun to run it, the call is taken back and not run. Dropped later, it
/// runs to its end, and what it gave is dropped on one of the two CPUs.
///
/// # Panics
///
/// If polled again after it was ready.
#[must_use = "futures do nothing unless polled"]
pub struct Call<C: Carrier, F, T> {
    carrier: C,
    shared: Arc<Shared<F, T>>,
    stage: Stage<C>,
}

enum Stage<C> {
    Unsent(Sender<C>),
    Sent(Receipt),
    Here,
    Ended,
}

impl<C: Carrier, F, T> Call<C, F, T> {
    pub(super) fn new(carrier: C, cpu: CpuIndex, closure: F) -> Self {
        Self {
            carrier,
            shared: Arc::new(Shared::new(closure)),
            stage: Stage::Unsent(Sender::new(carrier, cpu)),
        }
    }

    /// What it waits for, room among it; `None` if it is over, or was not polled.
    pub fn pending(&self) -> Option<Pending> {
        match &self.stage {
            Stage::Unsent(sender) => sender.pending(),
            Stage::Sent(receipt) if !self.shared.is_over() => Some(receipt.pending()),
            _ => None,
        }
    }
}

// The closure is never pinned.
impl<C: Carrier, F, T> Unpin for Call<C, F, T> {}

impl<C, F, T> Future for Call<C, F, T>
where
    C: Carrier,
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = Result<T, CallError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Stage::Unsent(sender) = &mut this.stage {
            if sender.is_here() {
                sender.run_here(&this.shared);
                this.stage = Stage::Here;
            } else {
                match sender.poll_send(&this.shared, context.waker()) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(receipt)) => this.stage = Stage::Sent(receipt),
                    Poll::Ready(Err(error)) => {
                        this.stage = Stage::Ended;
                        return Poll::Ready(Err(error));
                    }
                }
            }
        }
        assert!(
            !matches!(this.stage, Stage::Ended),
            "a call is polled after it was ready"
        );
        let answer = this.shared.poll(context);
        if answer.is_ready() {
            this.stage = Stage::Ended;
        }
        answer
    }
}

impl<C: Carrier, F, T> Drop for Call<C, F, T> {
    fn drop(&mut self) {
        if let Stage::Sent(receipt) = &self.stage
            && receipt.withdraw(self.carrier)
        {
            // Here and now: the shell stays in the queue until its CPU looks.
            drop(self.shared.take_closure());
        }
    }
}
