//! A call to any one of several CPUs, as a future.

use alloc::{sync::Arc, vec::Vec};
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use super::{CallError, Carrier, Pending, one::Shared, queue::Receipt, send::Sender};
use crate::cpu::CpuIndex;

/// A call to any one of several CPUs: to the one that asks, if it is among them; to one that looks at
/// its queue by itself, and so need not be interrupted; or to the first that has room. Ready when that
/// one has run the closure, with its number and what the closure gave.
///
/// Where none has room it waits for all of them.
///
/// # Cancellation
///
/// As for [`Call`](super::Call).
///
/// # Panics
///
/// If polled again after it was ready.
#[must_use = "futures do nothing unless polled"]
pub struct CallAny<C: Carrier, F, T> {
    carrier: C,
    shared: Arc<Shared<F, T>>,
    stage: Stage<C>,
}

enum Stage<C> {
    Unsent(Vec<Sender<C>>),
    Sent(CpuIndex, Option<Receipt>),
    Ended,
}

/// Why a call to any of several CPUs has no answer.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoAnswer<F> {
    /// None of them takes calls. The closure comes back.
    Offline(F),
    /// The closure panicked, on a machine where that does not end everything.
    Panicked,
}

impl<C: Carrier, F, T> CallAny<C, F, T> {
    pub(super) fn new(carrier: C, cpus: impl IntoIterator<Item = CpuIndex>, closure: F) -> Self {
        let senders = cpus.into_iter().map(|cpu| Sender::new(carrier, cpu));
        Self {
            carrier,
            shared: Arc::new(Shared::new(closure)),
            stage: Stage::Unsent(senders.collect()),
        }
    }

    /// What it waits for: the CPU that has it, or, while none has room, all of them. Nothing if it is
    /// over, or was not polled.
    pub fn pending(&self) -> impl Iterator<Item = Pending> {
        let (unsent, sent) = match &self.stage {
            Stage::Unsent(senders) => (&senders[..], None),
            Stage::Sent(_, Some(receipt)) if !self.shared.is_over() => {
                (&[][..], Some(receipt.pending()))
            }
            _ => (&[][..], None),
        };
        unsent.iter().filter_map(Sender::pending).chain(sent)
    }
}

impl<C, F, T> CallAny<C, F, T>
where
    C: Carrier,
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    /// Sends it to one that has room. Those that take no calls are left out from then on.
    fn send(
        shared: &Arc<Shared<F, T>>,
        senders: &mut Vec<Sender<C>>,
        context: &Context<'_>,
    ) -> Poll<Option<(CpuIndex, Option<Receipt>)>> {
        if let Some(here) = senders.iter().find(|sender| sender.is_here()) {
            here.run_here(shared);
            return Poll::Ready(Some((here.cpu, None)));
        }
        // Once for each: they come and go meanwhile.
        senders.sort_by_cached_key(|sender| !sender.is_looking());
        let mut sent = None;
        senders.retain_mut(|sender| {
            if sent.is_some() {
                return true;
            }
            match sender.poll_send(shared, context.waker()) {
                Poll::Pending => true,
                Poll::Ready(Err(_)) => false,
                Poll::Ready(Ok(receipt)) => {
                    sent = Some((sender.cpu, Some(receipt)));
                    true
                }
            }
        });
        match (sent, senders.is_empty()) {
            (None, false) => Poll::Pending,
            (sent, _) => Poll::Ready(sent),
        }
    }
}

// The closure is never pinned.
impl<C: Carrier, F, T> Unpin for CallAny<C, F, T> {}

impl<C, F, T> Future for CallAny<C, F, T>
where
    C: Carrier,
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    type Output = Result<(CpuIndex, T), NoAnswer<F>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Stage::Unsent(senders) = &mut this.stage {
            match Self::send(&this.shared, senders, context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some((cpu, receipt))) => this.stage = Stage::Sent(cpu, receipt),
                Poll::Ready(None) => {
                    this.stage = Stage::Ended;
                    let closure = this.shared.take_closure();
                    let closure = closure.expect("what was not sent has not been run");
                    return Poll::Ready(Err(NoAnswer::Offline(closure)));
                }
            }
        }
        let Stage::Sent(cpu, _) = this.stage else {
            panic!("a call is polled after it was ready");
        };
        let answer = this.shared.poll(context);
        if answer.is_ready() {
            this.stage = Stage::Ended;
        }
        answer.map(|answer| match answer {
            Ok(answer) => Ok((cpu, answer)),
            Err(_) => Err(NoAnswer::Panicked),
        })
    }
}

impl<C: Carrier, F, T> Drop for CallAny<C, F, T> {
    fn drop(&mut self) {
        if let Stage::Sent(_, Some(receipt)) = &self.stage
            && receipt.withdraw(self.carrier)
        {
            drop(self.shared.take_closure());
        }
    }
}

impl<F> fmt::Debug for NoAnswer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offline(_) => "Offline",
            Self::Panicked => "Panicked",
        })
    }
}

impl<F> fmt::Display for NoAnswer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offline(_) => f.write_str("none of the CPUs takes calls"),
            Self::Panicked => CallError::Panicked.fmt(f),
        }
    }
}

impl<F> core::error::Error for NoAnswer<F> {}
