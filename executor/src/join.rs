//! Waiting for a task's output, or ending the task.

use core::cell::Cell;
use core::fmt;
use core::marker::{PhantomData, PhantomPinned};
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::slots::{SlotIndex, Slots};
use crate::task::{Fate, Join, Waiter};

/// The task was aborted, or panicked, or its executor was reset or dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted;

/// A future of a task's output.
///
/// Belongs to the CPU of its executor: neither `Send` nor `Sync`. Not `Unpin`: where the waker of
/// the one who waits is kept is the handle itself, so that a task needs no room for it.
///
/// # Cancellation
///
/// Dropping the handle detaches the task: it goes on, and its output is dropped. Use
/// [`abort`](Self::abort) to end it.
///
/// # Panics
///
/// If polled again after it was ready.
pub struct JoinHandle<T> {
    slots: &'static Slots,
    index: SlotIndex,
    join: Option<Join>,
    waiter: Waiter,
    _output: PhantomData<T>,
    _pinned: PhantomPinned,
}

impl<T> JoinHandle<T> {
    pub(crate) fn new(slots: &'static Slots, index: SlotIndex, join: Join) -> Self {
        Self {
            slots,
            index,
            join: Some(join),
            waiter: Cell::new(None),
            _output: PhantomData,
            _pinned: PhantomPinned,
        }
    }

    /// Ends the task: its future is dropped before this returns and never polled again, and the
    /// handle gives [`Aborted`]. A task that has completed already keeps its output. A task that
    /// aborts itself ends with its present poll, whatever that returns.
    pub fn abort(&self) {
        if let Some(join) = &self.join {
            self.slots.abort(self.index, join.task());
        }
    }

    /// Whether the task has ended, so that the handle is ready.
    pub fn is_finished(&self) -> bool {
        self.join
            .as_ref()
            .is_none_or(|join| join.fate() != Fate::Runs)
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, Aborted>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: nothing is moved out but `join`, which is not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        let fate = this
            .join
            .as_ref()
            .expect("a join handle is polled after it was ready")
            .fate();
        match (fate, this.join.take()) {
            (Fate::Completed, Some(join)) => {
                // SAFETY: the handle was made for the output type of its task; the output is taken
                // once, as `join` is given up here.
                Poll::Ready(Ok(unsafe { join.take_output() }))
            }
            (Fate::Runs, Some(join)) => {
                this.waiter.set(Some(context.waker().clone()));
                // SAFETY: the task runs; the handle is pinned, so its waiter stays in place until
                // its drop, which gives up `join` first.
                unsafe { join.wait(&this.waiter) };
                this.join = Some(join);
                Poll::Pending
            }
            (_, _) => Poll::Ready(Err(Aborted)),
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("finished", &self.is_finished())
            .finish()
    }
}

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was aborted before it completed")
    }
}

impl core::error::Error for Aborted {}
