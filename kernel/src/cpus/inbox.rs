//! Work that other CPUs send to a CPU: a bounded queue, drained by a task on the CPU's own
//! executor.

use alloc::boxed::Box;
use core::{
    convert::Infallible,
    future::poll_fn,
    sync::atomic::{AtomicBool, Ordering},
    task::Poll,
};

use crossbeam_queue::ArrayQueue;
use futures_util::task::AtomicWaker;

/// What a CPU is asked to run, once, in task context with interrupts on.
pub type Job = Box<dyn FnOnce() + Send>;

/// Jobs that fit in before the sender is told to wait.
const CAPACITY: usize = 16;

/// The inbox of one CPU. Open while the CPU is online.
///
/// # Memory ordering
///
/// Opening is a release store and sending begins with an acquire load, so a sender sees what the
/// CPU did before it opened. A sender that saw the inbox open may push after it was closed and
/// emptied; that job is dropped when the inbox opens again, and never run by a later life.
pub struct Inbox {
    jobs: ArrayQueue<Job>,
    waker: AtomicWaker,
    is_open: AtomicBool,
}

/// A job that was not taken.
pub enum NotSent {
    /// The CPU is not online.
    Closed,
    /// The queue is full; the job comes back for another try.
    Full(Job),
}

impl Inbox {
    /// An empty inbox, closed.
    pub fn new() -> Self {
        Self {
            jobs: ArrayQueue::new(CAPACITY),
            waker: AtomicWaker::new(),
            is_open: AtomicBool::new(false),
        }
    }

    /// Sends a job and wakes the CPU, if it sleeps. From task context on any CPU.
    pub fn send(&self, job: Job) -> Result<(), NotSent> {
        if !self.is_open.load(Ordering::Acquire) {
            return Err(NotSent::Closed);
        }
        self.jobs.push(job).map_err(NotSent::Full)?;
        self.waker.wake();
        Ok(())
    }

    /// Takes jobs from now on.
    pub(super) fn open(&self) {
        self.empty();
        self.is_open.store(true, Ordering::Release);
    }

    /// Takes no more jobs, and drops those that have not been run.
    pub(super) fn close(&self) {
        self.is_open.store(false, Ordering::Release);
        self.empty();
    }

    fn empty(&self) {
        while self.jobs.pop().is_some() {}
    }

    /// Runs jobs as they come, on the inbox's own CPU.
    pub(super) async fn serve(&self) -> Infallible {
        poll_fn(|context| {
            // First register, then look: a job that is pushed behind the look finds the waker.
            self.waker.register(context.waker());
            while let Some(job) = self.jobs.pop() {
                job();
            }
            Poll::Pending
        })
        .await
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use core::{
        future::Future,
        pin::pin,
        sync::atomic::AtomicU32,
        task::{Context, Waker},
    };
    use std::sync::Arc;

    use super::*;

    fn counting(counter: &Arc<AtomicU32>) -> Job {
        let counter = Arc::clone(counter);
        Box::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        })
    }

    #[test]
    fn jobs_run_when_the_inbox_is_served_and_a_full_one_gives_the_job_back() {
        let (inbox, count) = (Inbox::new(), Arc::new(AtomicU32::new(0)));
        inbox.open();
        for _ in 0..CAPACITY {
            assert!(inbox.send(counting(&count)).is_ok());
        }
        assert!(matches!(
            inbox.send(counting(&count)),
            Err(NotSent::Full(_))
        ));
        let mut serve = pin!(inbox.serve());
        assert!(
            serve
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        assert_eq!(count.load(Ordering::Relaxed), CAPACITY as u32);
        assert!(inbox.send(counting(&count)).is_ok());
    }

    #[test]
    fn a_closed_inbox_takes_nothing_and_drops_what_it_had() {
        let (inbox, count) = (Inbox::new(), Arc::new(AtomicU32::new(0)));
        assert!(matches!(inbox.send(counting(&count)), Err(NotSent::Closed)));
        inbox.open();
        assert!(inbox.send(counting(&count)).is_ok());
        inbox.close();
        assert!(matches!(inbox.send(counting(&count)), Err(NotSent::Closed)));
        assert_eq!(
            (Arc::strong_count(&count), count.load(Ordering::Relaxed)),
            (1, 0)
        );
    }
}
