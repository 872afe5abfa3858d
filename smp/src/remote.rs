//! A task for another CPU, and the handle by which its output comes back.
//!
//! ```text
//!   sender                                    the CPU that runs it
//!   pack ─┬─▶ Parcel ─────── inbox ─────────▶ start: a task of its executor
//!         │     future                          future
//!         │     report                          report
//!         └─▶ RemoteHandle ◀───────────────── what it came to
//! ```
//!
//! **Report Invariant**: whoever has the future has its report, and drops both together. A report
//! that is dropped before anything was said tells the handle [`RemoteError::WentDown`]. So a task
//! cannot be lost without its handle hearing of it, wherever it is dropped: on its way, in the
//! inbox, or by the executor.
//!
//! The hand-over is the one-shot channel of `futures-channel`; to abort is `futures-util`'s. Both
//! sides of each only ever try their locks, and so wait for nobody. Whoever awaits the handle should
//! do that by the waker of an executor of this project: other wakers may free memory when they fire.

use alloc::boxed::Box;
use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_channel::oneshot;
use futures_util::future::{AbortHandle, Abortable, Aborted, abortable};
use reveille_executor::{JoinHandle, Spawner};

/// A future of what a task on another CPU comes to. May be awaited on any CPU.
///
/// # Cancellation
///
/// Dropping the handle detaches the task: it goes on, and its output is dropped on its CPU. Use
/// [`abort`](Self::abort) to end it.
///
/// # Deadlines
///
/// A CPU that goes down ends its tasks, and the handles hear of it. A CPU that hangs does not: where
/// that may be, wait for the handle by [`Timer::timeout`](reveille_executor::Timer::timeout).
///
/// # Panics
///
/// If polled again after it was ready.
#[derive(Debug)]
pub struct RemoteHandle<T> {
    report: Option<oneshot::Receiver<Result<T, RemoteError>>>,
    abort: AbortHandle,
}

/// Why a task on another CPU has no output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteError {
    /// The CPU went down before the task was done. Its future has been dropped, if it was polled at
    /// all then by that CPU.
    WentDown,
    /// The CPU had no room for another task. The future has been dropped there, and not been polled.
    NoRoom,
    /// [`RemoteHandle::abort`] was called before the task was done. Its future has been dropped.
    Aborted,
}

impl<T> RemoteHandle<T> {
    /// Asks the task to end: its CPU drops the future in place of polling it again, and the handle
    /// gives [`RemoteError::Aborted`]. A poll that is under way comes to its end, and a task that is
    /// done keeps its output.
    pub fn abort(&self) {
        self.abort.abort();
    }
}

impl<T> Future for RemoteHandle<T> {
    type Output = Result<T, RemoteError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let report = self.report.as_mut();
        let report = report.expect("a remote handle is polled after it was ready");
        let said = Pin::new(report).poll(context);
        if said.is_ready() {
            self.report = None;
        }
        said.map(|said| said.unwrap_or(Err(RemoteError::WentDown)))
    }
}

/// A task on its way, of whatever type.
pub(crate) trait Job: Send {
    /// Spawns the task on the CPU that calls. `None` if it was dropped instead.
    fn start(self: Box<Self>, spawner: &Spawner) -> Option<JoinHandle<()>>;

    /// Drops the task, for want of room.
    fn turn_away(self: Box<Self>);
}

/// A task on its way.
pub(crate) struct Parcel<F: Future> {
    future: Abortable<F>,
    report: oneshot::Sender<Result<F::Output, RemoteError>>,
}

/// Makes a parcel of a future, and the handle that goes with it.
pub(crate) fn pack<F: Future>(future: F) -> (Parcel<F>, RemoteHandle<F::Output>) {
    let (future, abort) = abortable(future);
    let (report, receiver) = oneshot::channel();
    let handle = RemoteHandle {
        report: Some(receiver),
        abort,
    };
    (Parcel { future, report }, handle)
}

impl<F> Job for Parcel<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn start(self: Box<Self>, spawner: &Spawner) -> Option<JoinHandle<()>> {
        let Self { future, report } = *self;
        let task = spawner.spawn(async move {
            // The future is gone before anybody hears of its end.
            let output = future.await.map_err(|Aborted| RemoteError::Aborted);
            // Without a handle there is nobody to tell.
            let _ = report.send(output);
        });
        task.ok()
    }

    fn turn_away(self: Box<Self>) {
        let Self { future, report } = *self;
        drop(future);
        let _ = report.send(Err(RemoteError::NoRoom));
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WentDown => "the CPU went down before the task was done",
            Self::NoRoom => "the CPU had no room for another task",
            Self::Aborted => "the task was aborted before it was done",
        })
    }
}

impl core::error::Error for RemoteError {}
