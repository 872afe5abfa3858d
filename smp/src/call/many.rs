//! A call to several CPUs at once, as a future that is ready when all have run it.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::{
    pin::Pin,
    task::{Context, Poll},
};

use super::{CallError, Carrier, NotAll, Pending, entry::Job, queue::Receipt, send::Sender};
use crate::{
    cpu::CpuIndex,
    slot::register,
    sync::{AtomicU32, AtomicWaker, Ordering},
};

/// What the caller and all queues share.
///
/// # Memory ordering
///
/// That a CPU has run the closure is written before its count is released, and read behind the count
/// that acquires all of them: each is a read-modify-write of one word.
struct Shared<F> {
    closure: F,
    /// Who is called, lowest first, and whether each has run it.
    cpus: Box<[(CpuIndex, AtomicU32)]>,
    /// How many of those to whom it was sent are not over.
    left: AtomicU32,
    caller: AtomicWaker,
}

impl<F> Shared<F> {
    fn has_run(&self, cpu: CpuIndex) -> Option<&AtomicU32> {
        let at = self.cpus.binary_search_by_key(&cpu, |(cpu, _)| *cpu);
        at.ok().map(|at| &self.cpus[at].1)
    }
}

impl<F: Fn() + Send + Sync> Job for Shared<F> {
    fn run(&self, cpu: CpuIndex) {
        (self.closure)();
        if let Some(has_run) = self.has_run(cpu) {
            has_run.store(1, Ordering::Relaxed);
        }
    }

    fn over(&self, _: CpuIndex) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.caller.wake();
        }
    }
}

/// A call to several CPUs at once. Ready when each of them has run the closure or is known never to run
/// it; those that never will are named.
///
/// It waits for room, and for the CPUs, as [`Call`](super::Call) does. If the CPU that asks is among
/// them, it runs the closure when it has sent it to the others.
///
/// # Cancellation
///
/// CPUs that have not begun to run it by then do not run it.
///
/// # Panics
///
/// If polled again after it was ready.
#[must_use = "futures do nothing unless polled"]
pub struct CallMany<C: Carrier, F> {
    carrier: C,
    shared: Arc<Shared<F>>,
    calls: Vec<Stage<C>>,
    has_ended: bool,
}

enum Stage<C> {
    Unsent(Sender<C>),
    Sent(Receipt),
    Here(CpuIndex),
    Offline(CpuIndex),
}

impl<C: Carrier, F> CallMany<C, F> {
    pub(super) fn new(carrier: C, cpus: impl IntoIterator<Item = CpuIndex>, closure: F) -> Self {
        let cpus = sorted(cpus);
        let calls = cpus.iter().map(|&cpu| Sender::new(carrier, cpu));
        Self {
            carrier,
            calls: calls.map(Stage::Unsent).collect(),
            shared: Arc::new(Shared {
                closure,
                cpus: cpus
                    .into_iter()
                    .map(|cpu| (cpu, AtomicU32::new(0)))
                    .collect(),
                left: AtomicU32::new(0),
                caller: AtomicWaker::new(),
            }),
            has_ended: false,
        }
    }

    /// What it waits for: the CPUs that have it in their queues, or run it, and those that have no room
    /// for it. Nothing if it was not polled.
    pub fn pending(&self) -> impl Iterator<Item = Pending> {
        self.calls.iter().filter_map(|call| match call {
            Stage::Unsent(sender) => sender.pending(),
            Stage::Sent(receipt) => {
                let pending = receipt.pending();
                let has_run = self.shared.has_run(pending.cpu)?;
                (has_run.load(Ordering::Relaxed) == 0).then_some(pending)
            }
            Stage::Here(_) | Stage::Offline(_) => None,
        })
    }
}

/// Each of them once, the lowest first.
pub(super) fn sorted(cpus: impl IntoIterator<Item = CpuIndex>) -> Vec<CpuIndex> {
    let mut cpus: Vec<_> = cpus.into_iter().collect();
    cpus.sort_unstable();
    cpus.dedup();
    cpus
}

impl<C, F> CallMany<C, F>
where
    C: Carrier,
    F: Fn() + Send + Sync + 'static,
{
    /// Sends it to whom it was not sent, as far as there is room. `true` if nobody is left.
    fn send(&mut self, context: &Context<'_>) -> bool {
        let shared = &self.shared;
        let mut is_all = true;
        let mut here = None;
        for call in &mut self.calls {
            let Stage::Unsent(sender) = call else {
                continue;
            };
            if sender.is_here() {
                here = Some(call);
                continue;
            }
            shared.left.fetch_add(1, Ordering::Relaxed);
            let cpu = sender.cpu;
            match sender.poll_send(shared, context.waker()) {
                Poll::Ready(Ok(receipt)) => {
                    *call = Stage::Sent(receipt);
                    continue;
                }
                Poll::Ready(Err(_)) => *call = Stage::Offline(cpu),
                Poll::Pending => is_all = false,
            }
            shared.left.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(here) = here
            && let Stage::Unsent(sender) = here
        {
            shared.left.fetch_add(1, Ordering::Relaxed);
            sender.run_here(shared);
            *here = Stage::Here(sender.cpu);
        }
        is_all
    }

    fn result(&self) -> Result<(), NotAll> {
        let missing = self.calls.iter().filter_map(|call| match call {
            Stage::Unsent(_) => None,
            Stage::Offline(cpu) => Some((*cpu, CallError::Offline)),
            Stage::Sent(_) | Stage::Here(_) => {
                let cpu = match call {
                    Stage::Sent(receipt) => receipt.pending().cpu,
                    Stage::Here(cpu) => *cpu,
                    _ => return None,
                };
                let has_run = self.shared.has_run(cpu)?;
                (has_run.load(Ordering::Relaxed) == 0).then_some((cpu, CallError::Panicked))
            }
        });
        NotAll::check(missing.collect())
    }
}

// The closure is never pinned.
impl<C: Carrier, F> Unpin for CallMany<C, F> {}

impl<C, F> Future for CallMany<C, F>
where
    C: Carrier,
    F: Fn() + Send + Sync + 'static,
{
    type Output = Result<(), NotAll>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        assert!(!this.has_ended, "a call is polled after it was ready");
        register(&this.shared.caller, context.waker());
        let is_all = this.send(context);
        if !is_all || this.shared.left.load(Ordering::Acquire) > 0 {
            return Poll::Pending;
        }
        this.has_ended = true;
        Poll::Ready(this.result())
    }
}

impl<C: Carrier, F> Drop for CallMany<C, F> {
    fn drop(&mut self) {
        for call in &self.calls {
            if let Stage::Sent(receipt) = call {
                // What has begun runs to its end.
                let _ = receipt.withdraw(self.carrier);
            }
        }
    }
}
