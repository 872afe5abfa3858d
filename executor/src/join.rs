//! Waiting for a task's output, and ending a task.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::slots::{Slot, Slots};
use crate::task::{Join, Waiter};

/// A future of a task's output.
///
/// Belongs to the CPU of its executor: neither `Send` nor `Sync`. Not `Unpin`: the waker of
/// whoever waits is kept in the handle itself, so that a task needs no room for it.
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
    /// Dropped before `waiter`, to which the task may point.
    join: Cell<Option<Join<T>>>,
    waiter: Waiter,
    slots: &'static Slots,
    slot: Slot,
    _pinned: PhantomPinned,
}

/// The task was aborted, or panicked, or its executor was reset or dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted;

impl<T> JoinHandle<T> {
    pub(crate) fn new(slots: &'static Slots, slot: Slot, join: Join<T>) -> Self {
        Self {
            join: Cell::new(Some(join)),
            waiter: Cell::new(None),
            slots,
            slot,
            _pinned: PhantomPinned,
        }
    }

    /// Ends the task: its future is dropped before this returns and is never polled again, and the
    /// handle gives [`Aborted`]. A task that has completed already keeps its output. A task that
    /// aborts itself ends with its present poll, whatever that returns.
    ///
    /// ```
    /// use reveille_executor::{Aborted, Executor, NoMetrics, Park};
    ///
    /// let platform = Box::leak(Box::new(Park::new()));
    /// let mut executor = Executor::with_capacity(1, platform, NoMetrics);
    /// let endless = executor.spawner().spawn(std::future::pending::<()>())?;
    /// executor.poll_ready();
    /// endless.abort();
    /// assert!(endless.is_finished());
    /// assert_eq!(executor.block_on(endless), Err(Aborted));
    /// # Ok::<(), reveille_executor::SpawnError>(())
    /// ```
    pub fn abort(&self) {
        if let Some(task) = self.look(|join| join.task()) {
            self.slots.abort(self.slot, task);
        }
    }

    /// Whether the task has ended, so that the handle is ready.
    pub fn is_finished(&self) -> bool {
        self.look(Join::has_ended).unwrap_or(true)
    }

    fn look<U>(&self, look: impl FnOnce(&Join<T>) -> U) -> Option<U> {
        let join = self.join.take()?;
        let seen = look(&join);
        self.join.set(Some(join));
        Some(seen)
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, Aborted>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.as_ref().get_ref();
        // First, as the clone of a waker may panic, or end the task.
        let waker = context.waker().clone();
        let join = this
            .join
            .take()
            .expect("a join handle is polled after it was ready");
        if join.has_ended() {
            return Poll::Ready(join.into_output());
        }
        let old = this.waiter.replace(Some(waker));
        // SAFETY: the task runs. The handle is pinned, so that `waiter` stays in place until the
        // handle is dropped, which drops `join` first.
        unsafe { join.wait(&this.waiter) };
        this.join.set(Some(join));
        // Last, for the same reason.
        drop(old);
        Poll::Pending
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("JoinHandle");
        debug.field("finished", &self.is_finished()).finish()
    }
}

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was aborted before it completed")
    }
}

impl core::error::Error for Aborted {}
