//! Calls between simulated CPUs: the queues of `smp`, over interrupts that are simulated.
//!
//! An interrupt comes in front of a place of whatever its CPU runs, unless that has interrupts off, and
//! its handler runs on the same stack, as on a real one. So a queue is served in the middle of anything,
//! and whoever serves it can be stopped, or die, in front of every word that it touches.

mod callers;
mod carrier;
mod queues;

use std::fmt;

use reveille_smp::call::Carrier;

use self::carrier::Interrupts;
use super::world::World;

pub(super) use self::{callers::call_all, queues::Queues};

/// A call of a CPU, or several that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who calls.
    pub from: usize,
    /// When: so many microseconds behind the beginning of `operation`, or when the CPU takes calls itself
    /// if that is later.
    pub at_us: u32,
    /// The place of that operation among all, from 0. If there is none, nobody calls.
    pub operation: usize,
    /// Who is called: CPU n if bit n is set, of the lowest 64; by a call to one CPU the lowest of them.
    pub to: u64,
    /// How.
    pub kind: CallKind,
}

/// How CPUs are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// One CPU; a task awaits the answer.
    Awaited,
    /// Several; a task awaits all answers.
    Many,
    /// Any one of several; a task awaits its answer.
    Any,
    /// One CPU, so often without a pause; nobody waits for an answer.
    Posted(u32),
    /// One CPU, without a task.
    Blocking,
    /// Several, without a task.
    BlockingMany,
    /// Nobody: the caller looks for calls to itself for so many microseconds.
    Looks(u32),
}

impl Call {
    /// Who is called, of so many CPUs.
    pub(super) fn called(&self, cpus: usize) -> Vec<usize> {
        let is_called = |cpu: &usize| self.to >> cpu & 1 == 1;
        let called: Vec<_> = (0..cpus.min(64)).filter(is_called).collect();
        match self.kind {
            CallKind::Awaited | CallKind::Posted(_) | CallKind::Blocking => {
                called.into_iter().take(1).collect()
            }
            CallKind::Looks(_) => Vec::new(),
            _ => called,
        }
    }
}

/// The CPU with this number, which runs, takes calls from now on.
pub(super) fn open(world: &World, cpu: usize) {
    if let Some(queue) = world.queues.get(cpu) {
        queue.open();
        let waiting = world.wait_for_queue[cpu].take();
        waiting.into_iter().for_each(|waker| waker.wake());
    }
}

/// It takes none any more.
pub(super) fn close(world: &World, cpu: usize) {
    if let Some(queue) = world.queues.get(cpu) {
        queue.close(Interrupts);
    }
}

/// In the handler of the CPU that runs: it is called. Interrupts are off meanwhile.
pub(super) fn serve() {
    let cpu = Interrupts.this_cpu();
    if let Some(queue) = Interrupts.queue(cpu) {
        Interrupts.masked(|| queue.serve(Interrupts));
    }
}

/// As an expression in Rust.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            from,
            at_us,
            operation,
            to,
            kind,
        } = self;
        write!(
            f,
            "Call {{ from: {from}, at_us: {at_us}, operation: {operation}, to: {to}, \
             kind: CallKind::{kind:?} }}"
        )
    }
}
