//! Calls: a closure that one CPU lets another run at once, in its interrupt handler, and the step
//! `calls`.
//!
//! The protocol is `smp/src/call/`; here is what carries it, and the one machine's calls as functions. All
//! closures run with interrupts off, must be short, and may not wait. They may allocate, for the heap
//! takes its lock with interrupts off.
//!
//! A call is not for an NMI. It is for whoever has entered its area and whose clock runs: with the APIC
//! on, for the answer.

mod carrier;
pub mod kept;
mod step;
pub mod stuck;

use core::time::Duration;

use reveille_smp::{
    call::{self, CallError, Calls, NotAll, Refused},
    cpu::CpuIndex,
};

pub use self::carrier::ByInterrupt;
use crate::percpu::PerCpu;

/// A call to one CPU, as a future: see [`reveille_smp::call::Call`].
pub type Call<F, T> = call::Call<ByInterrupt, F, T>;
/// A call to several CPUs at once: see [`reveille_smp::call::CallMany`].
pub type CallMany<F> = call::CallMany<ByInterrupt, F>;
/// A call to any one of several CPUs: see [`reveille_smp::call::CallAny`].
pub type CallAny<F, T> = call::CallAny<ByInterrupt, F, T>;
/// A closure on its way into a CPU's queue: see [`reveille_smp::call::Post`].
pub type Post<F> = call::Post<ByInterrupt, F>;

static CALLS: Calls<ByInterrupt> = Calls::new(ByInterrupt);

/// Lets a CPU run the closure, and gives what that gives: see [`Calls::call`].
pub fn call<F, T>(cpu: CpuIndex, closure: F) -> Call<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    CALLS.call(cpu, closure)
}

/// Lets several CPUs run the closure, all at once: see [`Calls::call_many`].
pub fn call_many<F>(cpus: impl IntoIterator<Item = CpuIndex>, closure: F) -> CallMany<F>
where
    F: Fn() + Send + Sync + 'static,
{
    CALLS.call_many(cpus, closure)
}

/// Lets any one of these CPUs run the closure: see [`Calls::call_any`].
pub fn call_any<F, T>(cpus: impl IntoIterator<Item = CpuIndex>, closure: F) -> CallAny<F, T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    CALLS.call_any(cpus, closure)
}

/// Puts the closure into a CPU's queue, where it runs by itself; waits for room alone: see
/// [`Calls::post`].
pub fn post<F>(cpu: CpuIndex, closure: F) -> Post<F>
where
    F: FnOnce() + Send + 'static,
{
    CALLS.post(cpu, closure)
}

/// The same without waiting, from any context but an NMI: see [`Calls::try_post`].
///
/// # Errors
///
/// [`Refused`] gives the closure back.
pub fn try_post<F>(cpu: CpuIndex, closure: F) -> Result<(), Refused<F>>
where
    F: FnOnce() + Send + 'static,
{
    CALLS.try_post(cpu, closure)
}

/// Lets a CPU run the closure, which may borrow, and halts until it has: see [`Calls::call_blocking`].
///
/// `within` bounds the beginning only. A closure that has begun is awaited, whatever the time, for it may
/// borrow from this stack; if it does not end, that is told of ([`stuck`]).
///
/// # Errors
///
/// [`CallError`].
pub fn call_blocking<F, T>(cpu: CpuIndex, within: Duration, closure: F) -> Result<T, CallError>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    CALLS.call_blocking(cpu, within, closure)
}

/// Lets several CPUs run the closure, which may borrow, and halts until all have: see
/// [`Calls::call_many_blocking`]. `within` bounds the beginning only, as for [`call_blocking`].
///
/// # Errors
///
/// [`NotAll`].
pub fn call_many_blocking<F>(
    cpus: impl IntoIterator<Item = CpuIndex>,
    within: Duration,
    closure: F,
) -> Result<(), NotAll>
where
    F: Fn() + Sync,
{
    CALLS.call_many_blocking(cpus, within, closure)
}

/// Polls for calls until the condition holds, so that nobody needs to interrupt this CPU: see
/// [`Calls::look_until`].
pub fn look_until(condition: impl FnMut() -> bool) {
    CALLS.look_until(condition);
}

/// Sends the interrupt for calls to a CPU once more, in case one was lost.
pub fn remind(cpu: CpuIndex) {
    if let Some(area) = PerCpu::of(cpu) {
        area.calls().remind(ByInterrupt, cpu);
    }
}

/// What the interrupt does: runs what lies in this CPU's queue.
pub(crate) fn serve() {
    PerCpu::current().calls().serve(ByInterrupt);
}
