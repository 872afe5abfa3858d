//! Calls: a closure that one CPU lets another run, at once, and what it gives.
//!
//! ```text
//!   any CPU                                       the CPU that is called
//!   call(cpu, f).await ─────────┐
//!   call_many, call_any, post ──┤  queue.rs         its interrupt handler, or wherever it looks:
//!   call_blocking(cpu, .., f) ──┴───────────────▶   runs f with interrupts off
//!        ▲                         word.rs            │
//!        └────────────────────────────────────────────┘ wakes the task, or interrupts who halts
//! ```
//!
//! A task for another CPU ([`inbox`](crate::inbox)) waits until that CPU's executor gets to it, and may
//! wait itself. A call comes between whatever the CPU does, and waits for nobody: the closure must be
//! short.
//!
//! What always holds:
//!
//! - **Once, or reported.** A call that a queue has taken in is run, unless its caller takes it back
//!   first (`ticket.rs`), also when the CPU goes down meanwhile: it runs what lies there before it
//!   closes. A queue that takes none says so at once.
//! - **Bounded.** A queue has a fixed number of places. Who finds none waits for one, or gets its
//!   closure back; nothing is dropped, and nothing is kept in between.
//! - **No interrupt that is not needed.** A CPU that looks at its queue is not interrupted, and one
//!   that has been is not interrupted again until it has looked (`word.rs`). A caller that blocks is
//!   interrupted only if it halts (`answer.rs`).
//! - **Who waits halts**, but for a moment in which it looks at its own queue too; so CPUs that call
//!   each other wait for neither.
//! - **A closure may borrow** from a caller that blocks, which does not go on before the closure has
//!   ended or can never begin (`lent.rs`).
//!
//! Calls to a CPU may begin in any order. One that is sent when another is over begins behind it.
//!
//! The crate knows no interrupts: a [`Carrier`] does.

mod answer;
mod any;
mod block;
mod carrier;
mod entry;
mod habit;
mod lent;
mod many;
mod one;
mod pending;
mod post;
mod queue;
mod room;
mod send;
mod serve;
mod ticket;
mod word;

use alloc::vec::Vec;
use core::time::Duration;

pub use self::{
    any::{CallAny, NoAnswer},
    carrier::{CallId, Carrier},
    many::CallMany,
    one::Call,
    pending::{CallError, NotAll, Pending, Progress, Refused},
    post::Post,
    queue::{Backlog, CallQueue, Traffic},
};
use self::{
    block::{Borrowed, block},
    lent::Errand,
};
use crate::cpu::CpuIndex;

/// The calls of a machine.
///
/// All closures run with interrupts off, on the CPU that is called. They must be short, and may not
/// wait: a blocking call in one is refused. They may [`post`](Self::try_post). A call to
/// one CPU is one allocation, by its caller, which whichever of the two is last to let go of it frees; a
/// blocking call to one that has room is none.
///
/// A CPU that calls itself runs the closure at once, whether its queue is open or not.
#[derive(Clone, Copy, Debug)]
pub struct Calls<C>(C);

impl<C: Carrier> Calls<C> {
    /// The calls of the machine behind this carrier.
    pub const fn new(carrier: C) -> Self {
        Self(carrier)
    }

    /// Lets a CPU run the closure, and gives what that gives. To be awaited on any CPU's executor.
    ///
    /// # Errors
    ///
    /// [`CallError::Offline`], at once, if the CPU takes no calls.
    ///
    /// # Cancellation
    ///
    /// See [`Call`].
    pub fn call<F, T>(&self, cpu: CpuIndex, closure: F) -> Call<C, F, T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Call::new(self.0, cpu, closure)
    }

    /// Lets several CPUs run the closure, all at once; CPUs that are named twice run it once.
    ///
    /// # Errors
    ///
    /// [`NotAll`] names those that have not run it and never will.
    ///
    /// # Cancellation
    ///
    /// See [`CallMany`].
    pub fn call_many<F>(
        &self,
        cpus: impl IntoIterator<Item = CpuIndex>,
        closure: F,
    ) -> CallMany<C, F>
    where
        F: Fn() + Send + Sync + 'static,
    {
        CallMany::new(self.0, cpus, closure)
    }

    /// Lets any one of these CPUs run the closure: see [`CallAny`] for which.
    ///
    /// # Errors
    ///
    /// [`NoAnswer::Offline`] gives the closure back, if none of them takes calls.
    ///
    /// # Cancellation
    ///
    /// As for [`Call`].
    pub fn call_any<F, T>(
        &self,
        cpus: impl IntoIterator<Item = CpuIndex>,
        closure: F,
    ) -> CallAny<C, F, T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        CallAny::new(self.0, cpus, closure)
    }

    /// Puts the closure into a CPU's queue, where it runs by itself: fire and forget. Waits for room
    /// alone.
    ///
    /// # Errors
    ///
    /// [`Refused::Offline`] gives the closure back.
    ///
    /// # Cancellation
    ///
    /// See [`Post`].
    pub fn post<F>(&self, cpu: CpuIndex, closure: F) -> Post<C, F>
    where
        F: FnOnce() + Send + 'static,
    {
        Post::new(self.0, cpu, closure)
    }

    /// The same without waiting, from any context but an NMI.
    ///
    /// # Errors
    ///
    /// [`Refused`] gives the closure back: the CPU takes no calls, or there is no room.
    pub fn try_post<F>(&self, cpu: CpuIndex, closure: F) -> Result<(), Refused<F>>
    where
        F: FnOnce() + Send + 'static,
    {
        post::try_post(self.0, cpu, closure)
    }

    /// Lets a CPU run the closure, which may borrow, and waits for it without an executor: for early
    /// and late stages, and for what cannot await. The CPU that waits runs what others call it for.
    ///
    /// # Errors
    ///
    /// [`CallError::Offline`] at once; [`CallError::TimedOut`] if the CPU has not begun within this
    /// time, or had no room; [`CallError::InCall`] in a closure that is called, and in a condition of
    /// [`look_until`](Self::look_until). In all of these the closure has not been run and will not be.
    ///
    /// A closure that has begun is awaited, whatever the time: it borrows. [`Carrier::overdue`] is told.
    pub fn call_blocking<F, T>(
        &self,
        cpu: CpuIndex,
        within: Duration,
        closure: F,
    ) -> Result<T, CallError>
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        let job = Borrowed::new(closure);
        let mut errand = [Errand::new(cpu, &job)];
        block(self.0, &mut errand, within)?;
        let [errand] = errand;
        errand.result()?;
        job.answer().ok_or(CallError::Panicked)
    }

    /// Lets several CPUs run the closure, which may borrow, all at once, and waits for them without an
    /// executor; CPUs that are named twice run it once.
    ///
    /// # Errors
    ///
    /// [`NotAll`] names those that have not run it and never will, each for a reason as of
    /// [`call_blocking`](Self::call_blocking).
    pub fn call_many_blocking<F>(
        &self,
        cpus: impl IntoIterator<Item = CpuIndex>,
        within: Duration,
        closure: F,
    ) -> Result<(), NotAll>
    where
        F: Fn() + Sync,
    {
        let cpus = many::sorted(cpus);
        let closure = &closure;
        let jobs: Vec<_> = cpus.iter().map(|_| Borrowed::new(closure)).collect();
        let errands = cpus.iter().zip(&jobs);
        let mut errands: Vec<_> = errands.map(|(&cpu, job)| Errand::new(cpu, job)).collect();
        let blocked = block(self.0, &mut errands, within);
        let results = errands.iter().zip(&jobs).filter_map(|(errand, job)| {
            let ran = || job.answer().ok_or(CallError::Panicked);
            let result = blocked.and_then(|()| errand.result()).and_then(|()| ran());
            result.err().map(|error| (errand.cpu(), error))
        });
        NotAll::check(results.collect())
    }

    /// Polls: this CPU runs calls as they come, and nobody needs to interrupt it, until the condition
    /// holds. For a CPU that has nothing better to do, and for measuring what that saves. It burns the
    /// CPU, so the condition should come true soon, and for itself.
    pub fn look_until(&self, condition: impl FnMut() -> bool) {
        if let Some(queue) = self.0.queue(self.0.this_cpu()) {
            queue.look_until(self.0, condition);
        }
    }
}
