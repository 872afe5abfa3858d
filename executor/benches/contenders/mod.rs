//! The executors that are compared, behind one trait, and what they run.
//!
//! Every task is the same: it keeps the first waker that it is polled with, counts its polls, and
//! is never done. All wakes and polls happen on one thread; nobody sleeps, so no doorbell rings.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crossbeam_queue::ArrayQueue;
use futures_util::stream::{FuturesUnordered, Stream};
use reveille_executor::{Executor, NoMetrics, Park};

/// An executor with a number of tasks, all polled once.
pub(crate) trait Contender {
    const NAME: &'static str;

    fn new(tasks: usize) -> Self;

    /// One waker a task.
    fn wakers(&self) -> &[Waker];

    /// Polls what is ready.
    fn run(&mut self);
}

thread_local! {
    static POLLS: Cell<u64> = const { Cell::new(0) };
}

/// All polls so far, of all contenders.
pub(crate) fn polls() -> u64 {
    POLLS.get()
}

type Wakers = Rc<RefCell<Vec<Waker>>>;

fn task(wakers: &Wakers) -> impl Future<Output = ()> + use<> {
    let wakers = wakers.clone();
    let mut first = true;
    poll_fn(move |context| {
        if std::mem::take(&mut first) {
            wakers.borrow_mut().push(context.waker().clone());
        }
        POLLS.set(POLLS.get() + 1);
        Poll::Pending
    })
}

/// Makes the tasks by `spawn`, polls each once by `run`, and returns their wakers.
fn start(tasks: usize, mut spawn: impl FnMut(&Wakers), run: impl FnOnce()) -> Vec<Waker> {
    let wakers = Wakers::default();
    (0..tasks).for_each(|_| spawn(&wakers));
    run();
    let wakers = wakers.take();
    assert_eq!(wakers.len(), tasks);
    wakers
}

pub(crate) struct Reveille {
    executor: Executor<NoMetrics>,
    wakers: Vec<Waker>,
}

impl Contender for Reveille {
    const NAME: &'static str = "reveille";

    fn new(tasks: usize) -> Self {
        let platform = Box::leak(Box::new(Park::new()));
        let mut executor = Executor::with_capacity(tasks, platform, NoMetrics);
        let spawner = executor.spawner();
        let spawn = |wakers: &Wakers| drop(spawner.spawn(task(wakers)).unwrap());
        let wakers = start(tasks, spawn, || assert_eq!(executor.poll_ready(), tasks));
        Self { executor, wakers }
    }

    fn wakers(&self) -> &[Waker] {
        &self.wakers
    }

    fn run(&mut self) {
        self.executor.poll_ready();
    }
}

/// `embassy_executor::raw`, whose doorbell is told to do nothing.
pub(crate) struct Embassy {
    executor: &'static embassy_executor::raw::Executor,
    wakers: Vec<Waker>,
}

#[unsafe(export_name = "__pender")]
fn pender(_: *mut ()) {}

impl Contender for Embassy {
    const NAME: &'static str = "embassy-executor raw";

    fn new(tasks: usize) -> Self {
        fn store<F: Future + 'static>(
            spawner: embassy_executor::Spawner,
            make: impl FnOnce() -> F,
        ) {
            let storage = Box::leak(Box::new(embassy_executor::raw::TaskStorage::<F>::new()));
            spawner.spawn(storage.spawn(make).unwrap());
        }
        let executor = embassy_executor::raw::Executor::new(core::ptr::null_mut());
        let executor: &'static embassy_executor::raw::Executor = Box::leak(Box::new(executor));
        let spawner = executor.spawner();
        let wakers = start(
            tasks,
            |wakers| store(spawner, || task(wakers)),
            // SAFETY: called on this thread only, and not from within a task.
            || unsafe { executor.poll() },
        );
        Self { executor, wakers }
    }

    fn wakers(&self) -> &[Waker] {
        &self.wakers
    }

    fn run(&mut self) {
        // SAFETY: called on this thread only, and not from within a task.
        unsafe { self.executor.poll() };
    }
}

type BoxedTask = Pin<Box<dyn Future<Output = ()>>>;

pub(crate) struct Unordered {
    tasks: FuturesUnordered<BoxedTask>,
    wakers: Vec<Waker>,
}

impl Unordered {
    fn run(tasks: &mut FuturesUnordered<BoxedTask>) {
        let mut context = Context::from_waker(Waker::noop());
        // It yields by itself after as many polls as it holds tasks.
        while Pin::new(&mut *tasks).poll_next(&mut context).is_ready() {}
    }
}

impl Contender for Unordered {
    const NAME: &'static str = "FuturesUnordered";

    fn new(tasks: usize) -> Self {
        let unordered = RefCell::new(FuturesUnordered::<BoxedTask>::new());
        let wakers = start(
            tasks,
            |wakers| unordered.borrow().push(Box::pin(task(wakers))),
            || Self::run(&mut unordered.borrow_mut()),
        );
        Self {
            tasks: unordered.into_inner(),
            wakers,
        }
    }

    fn wakers(&self) -> &[Waker] {
        &self.wakers
    }

    fn run(&mut self) {
        Self::run(&mut self.tasks);
    }
}

/// `async-task` with a bounded queue of `crossbeam-queue`.
pub(crate) struct AsyncTask {
    ready: Arc<ArrayQueue<async_task::Runnable>>,
    _tasks: Vec<async_task::Task<()>>,
    wakers: Vec<Waker>,
}

impl AsyncTask {
    fn run(ready: &ArrayQueue<async_task::Runnable>) {
        while let Some(runnable) = ready.pop() {
            runnable.run();
        }
    }
}

impl Contender for AsyncTask {
    const NAME: &'static str = "async-task + ArrayQueue";

    fn new(tasks: usize) -> Self {
        let ready = Arc::new(ArrayQueue::new(tasks));
        let mut handles = Vec::new();
        let spawn = |wakers: &Wakers| {
            let queue = ready.clone();
            let schedule = move |runnable| drop(queue.push(runnable));
            let (runnable, handle) = async_task::spawn_local(task(wakers), schedule);
            runnable.schedule();
            handles.push(handle);
        };
        let wakers = start(tasks, spawn, || Self::run(&ready));
        Self {
            ready,
            _tasks: handles,
            wakers,
        }
    }

    fn wakers(&self) -> &[Waker] {
        &self.wakers
    }

    fn run(&mut self) {
        Self::run(&self.ready);
    }
}
