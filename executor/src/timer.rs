//! Sleeping and time limits.

use core::fmt;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use crate::Instant;
use crate::storage::Local;
use crate::timer_heap::{Node, State};

/// Makes timers on the executor that it came from. Cheap to clone, usable from within tasks.
///
/// Belongs to the CPU of its executor: neither `Send` nor `Sync`, and so are its futures. They
/// fire only while that executor runs. Timers that are due at once fire in the order of their
/// deadlines, equal ones in the order in which they were set (that is: first polled); the tasks
/// that thereby become ready are polled lowest slot first.
#[derive(Clone)]
pub struct Timer {
    local: &'static Local,
}

/// The deadline came before the future was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl Timer {
    pub(crate) fn new(local: &'static Local) -> Self {
        Self { local }
    }

    /// The present moment.
    pub fn now(&self) -> Instant {
        self.local.shared.platform.now()
    }

    /// Waits for `span`, counted from this call. A span beyond [`Instant::MAX`] never ends.
    pub fn sleep(&self, span: Duration) -> Sleep {
        self.sleep_until(self.now() + span)
    }

    /// Waits until `deadline`. One in the past is ready at the first poll;
    /// [`Instant::MAX`] never comes.
    pub fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep {
            local: self.local,
            deadline,
            node: Node::new(),
            _pinned: PhantomPinned,
        }
    }

    /// Runs `future` for at most `span`, counted from this call.
    ///
    /// ```
    /// use std::future::{pending, ready};
    /// use std::time::Duration;
    /// use reveille_executor::{Elapsed, Executor, NoMetrics, Park};
    ///
    /// let platform = Box::leak(Box::new(Park::new()));
    /// let mut executor = Executor::with_capacity(0, platform, NoMetrics);
    /// let timer = executor.timer();
    /// let span = Duration::from_millis(1);
    /// executor.block_on(async {
    ///     assert_eq!(timer.timeout(span, ready(7)).await, Ok(7));
    ///     assert_eq!(timer.timeout(span, pending::<()>()).await, Err(Elapsed));
    /// });
    /// ```
    pub fn timeout<F: Future>(&self, span: Duration, future: F) -> Timeout<F> {
        self.timeout_at(self.now() + span, future)
    }

    /// Runs `future` until `deadline` at most. It is polled before the deadline is looked at: what
    /// is ready in time, or at the first poll, is never thrown away.
    pub fn timeout_at<F: Future>(&self, deadline: Instant, future: F) -> Timeout<F> {
        Timeout {
            future,
            sleep: self.sleep_until(deadline),
        }
    }
}

/// Ready once its deadline has come.
///
/// # Cancellation
///
/// Dropping it takes the timer back; nobody is woken.
#[must_use = "futures do nothing unless polled"]
pub struct Sleep {
    local: &'static Local,
    deadline: Instant,
    node: Node,
    _pinned: PhantomPinned,
}

impl Sleep {
    /// When it will be ready.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.as_ref().get_ref();
        match this.node.state() {
            State::Fired => return Poll::Ready(()),
            State::Set => {}
            State::Unset => {
                if this.deadline == Instant::MAX {
                    return Poll::Pending;
                }
                if this.deadline <= this.local.shared.platform.now() {
                    return Poll::Ready(());
                }
                // SAFETY: the node is pinned with its future, whose drop cancels it.
                unsafe { this.local.timers.set(&this.node, this.deadline) };
            }
        }
        this.node.set_waker(context.waker());
        // Again: the clone of a waker may run anything, and so may have let the timer fire.
        match this.node.state() {
            State::Fired => Poll::Ready(()),
            State::Set | State::Unset => Poll::Pending,
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.local.timers.cancel(&self.node);
    }
}

/// A future with a deadline.
///
/// # Cancellation
///
/// Dropping it drops the future within and takes the timer back. When the deadline comes first,
/// the future within is dropped together with the `Timeout`, not before.
#[must_use = "futures do nothing unless polled"]
pub struct Timeout<F> {
    future: F,
    sleep: Sleep,
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: both fields are pinned with the whole: neither is ever moved out, there is no
        // `Drop` that could, and `Sleep` makes the whole `!Unpin`.
        let (future, sleep) = unsafe {
            let this = self.get_unchecked_mut();
            (
                Pin::new_unchecked(&mut this.future),
                Pin::new_unchecked(&mut this.sleep),
            )
        };
        if let Poll::Ready(output) = future.poll(context) {
            return Poll::Ready(Ok(output));
        }
        sleep.poll(context).map(|()| Err(Elapsed))
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").finish_non_exhaustive()
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline came before the future was done")
    }
}

impl core::error::Error for Elapsed {}
