//! Tasks that CPUs send to a CPU: places for what is on its way, and the one who takes it there.
//!
//! ```text
//!   any CPU                                   the inbox's own CPU
//!   spawn: reserve a place, put the job,
//!          fill the place, wake ────────────▶ serve: takes the job, spawns it on the executor
//! ```
//!
//! The word of the places is the truth and the wake only a hint. A job lies in a place or is with
//! one CPU, never both; when it is dropped, wherever that is, its handle hears of it (`remote.rs`).
//! So a job is run or reported, whoever closes the inbox at whatever moment.
//!
//! Sending allocates and so does taking: both happen in tasks. Waking does not.

use alloc::boxed::Box;
use core::{
    convert::Infallible,
    fmt,
    future::poll_fn,
    ops::DerefMut,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_util::stream::{FuturesUnordered, StreamExt};
use reveille_executor::{JoinHandle, Spawner, TASKS_PER_BLOCK};

use crate::{
    places::{PLACES, Places, Refused},
    remote::{Job, RemoteHandle, pack},
    slot::{register, wait},
    sync::{AtomicWaker, Mutex},
};

/// The most tasks of others that run on a CPU at once: one block of its executor's slots. An
/// executor that has so many to spare leaves its own tasks theirs.
pub const MAX_TASKS: usize = TASKS_PER_BLOCK;

/// The inbox of one CPU, closed at first.
pub struct Inbox {
    places: Places,
    /// By the Cell Invariant of `places.rs` each is free whenever somebody comes, so nobody waits:
    /// these stand for cells that may be shared.
    jobs: [Mutex<Option<Box<dyn Job>>>; PLACES],
    /// Who serves the inbox.
    server: AtomicWaker,
    /// Who waits until it is closed.
    closer: AtomicWaker,
}

/// A future that was not sent, and comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotSent<F> {
    /// The CPU takes no tasks: it is not online.
    Closed(F),
    /// As many tasks are on their way to the CPU as there are places. They are taken when it gets
    /// to it; send again then.
    Full(F),
}

impl Inbox {
    /// An empty inbox, closed.
    pub fn new() -> Self {
        Self {
            places: Places::new(),
            jobs: core::array::from_fn(|_| Mutex::new(None)),
            server: AtomicWaker::new(),
            closer: AtomicWaker::new(),
        }
    }

    /// Sends a task to the inbox's CPU. From task context on any CPU, that one included. Waits for
    /// nobody. Tasks that are sent one after the other may start in any order.
    ///
    /// # Errors
    ///
    /// [`NotSent`] gives the future back. Whatever happens to the task later is for the handle to
    /// say, also when the CPU goes down just now.
    ///
    /// # Cancellation
    ///
    /// The task runs by itself: dropping the handle detaches it.
    pub fn spawn<F>(&self, future: F) -> Result<RemoteHandle<F::Output>, NotSent<F>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let place = match self.places.reserve() {
            Ok(place) => place,
            Err(Refused::Closed) => return Err(NotSent::Closed(future)),
            Err(Refused::Full) => return Err(NotSent::Full(future)),
        };
        let (parcel, handle) = pack(future);
        *self.cell(place) = Some(Box::new(parcel));
        if self.places.fill(place) {
            self.server.wake();
        } else {
            // Nobody else knows of the job; its end tells the handle.
            drop(self.take(place));
        }
        Ok(handle)
    }

    /// Takes tasks from now on; they run when the inbox is [served](Self::serve). To be called by
    /// the inbox's own CPU, while it does not close it.
    pub fn open(&self) {
        self.places.open();
    }

    /// Takes no more tasks, and ends all that were taken, whether they have run or not: when this
    /// is done their futures have been dropped, and their handles give
    /// [`RemoteError::WentDown`](crate::remote::RemoteError::WentDown). To be called on the inbox's
    /// own CPU, in another future than the one that serves it, as long as it is served.
    ///
    /// # Cancellation
    ///
    /// Dropped before the tasks have been ended, it has not happened: they go on, and the inbox is
    /// open again.
    pub async fn close(&self) {
        self.places.begin_to_close();
        let _taken_back = TakenBack(self);
        self.server.wake();
        wait(&self.closer, || !self.places.is_closing()).await;
    }

    /// Spawns what is sent, on the inbox's own CPU: `spawner` is that of its executor. One future at
    /// a time serves an inbox.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the inbox, and ends all tasks that were taken.
    pub fn serve(&self, spawner: &Spawner) -> impl Future<Output = Infallible> {
        // Here, so that it is there to be dropped also if the future is never polled.
        let mut server = Server {
            inbox: self,
            tasks: None,
        };
        poll_fn(move |context| {
            server.run(spawner, context);
            Poll::Pending
        })
    }

    /// Own CPU: takes the jobs that lie there. Those that come later wake `waker`.
    pub(crate) fn arrivals(&self, waker: &Waker) -> impl Iterator<Item = Box<dyn Job>> {
        // First register, then look: what comes behind the look finds the waker.
        register(&self.server, waker);
        self.places.full().filter_map(|place| self.take(place))
    }

    /// Own CPU: takes no more jobs, and drops those that lie there.
    pub(crate) fn shut(&self) {
        self.places.begin_to_close();
        for place in self.places.full() {
            drop(self.take(place));
        }
    }

    /// Takes the job out of a place that belongs to the caller, and frees the place.
    fn take(&self, place: usize) -> Option<Box<dyn Job>> {
        let job = self.cell(place).take();
        self.places.free(place);
        job
    }

    /// What lies in a place that belongs to the caller.
    fn cell(&self, place: usize) -> impl DerefMut<Target = Option<Box<dyn Job>>> {
        let cell = self.jobs[place].try_lock();
        cell.expect("a place belongs to one CPU at a time")
    }
}

/// Opens an inbox again if it has not been closed by then.
struct TakenBack<'a>(&'a Inbox);

impl Drop for TakenBack<'_> {
    fn drop(&mut self) {
        if self.0.places.is_closing() {
            self.0.places.open();
        }
    }
}

/// The server of an inbox, and the tasks that it has spawned.
struct Server<'a> {
    inbox: &'a Inbox,
    /// Only while there are some: the set takes memory of the heap, which is shared, and no CPU is to wait for
    /// that on its way up.
    tasks: Option<FuturesUnordered<JoinHandle<()>>>,
}

impl Server<'_> {
    fn run(&mut self, spawner: &Spawner, context: &mut Context<'_>) {
        let inbox = self.inbox;
        let arrivals = inbox.arrivals(context.waker());
        if inbox.places.is_closing() {
            return self.end();
        }
        self.forget_ended(context);
        for job in arrivals {
            let running = self.tasks.as_ref().map_or(0, FuturesUnordered::len);
            if running < MAX_TASKS && spawner.room().is_ok() {
                let tasks = self.tasks.get_or_insert_default();
                tasks.extend(job.start(spawner));
            } else {
                job.turn_away();
            }
        }
        // The new ones tell of their end only once they have been asked.
        self.forget_ended(context);
    }

    fn forget_ended(&mut self, context: &mut Context<'_>) {
        let Some(tasks) = &mut self.tasks else {
            return;
        };
        while let Poll::Ready(Some(_)) = tasks.poll_next_unpin(context) {}
        if tasks.is_empty() {
            self.tasks = None;
        }
    }

    /// Ends all that was taken. The inbox is closed behind it.
    fn end(&mut self) {
        self.inbox.shut();
        if let Some(tasks) = self.tasks.take() {
            for task in Pin::new(&tasks).iter_pin_ref() {
                task.abort();
            }
        }
        self.inbox.places.conclude();
        self.inbox.closer.wake();
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<F> NotSent<F> {
    /// The future, for another try.
    pub fn into_future(self) -> F {
        match self {
            Self::Closed(future) | Self::Full(future) => future,
        }
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Inbox");
        debug.field("places", &self.places).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for NotSent<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed(_) => "Closed(..)",
            Self::Full(_) => "Full(..)",
        })
    }
}

impl<F> fmt::Display for NotSent<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed(_) => "the CPU takes no tasks",
            Self::Full(_) => "too many tasks are on their way to the CPU",
        })
    }
}

impl<F> core::error::Error for NotSent<F> {}
