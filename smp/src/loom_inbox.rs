//! Every interleaving of those who send to an inbox with the CPU that it belongs to, by loom.
//!
//! What a CPU does with a job is left to a stand-in: it takes the job out of its place and drops it,
//! which tells the handle. So a handle that hears nothing is a job that nobody found.

use alloc::sync::Arc;
use core::{
    future::{poll_fn, ready},
    task::{Poll, Waker},
};

use loom::{cell::UnsafeCell, future::block_on, thread};

use crate::{
    inbox::{Inbox, NotSent},
    places::PLACES,
    remote::RemoteError,
};

/// An inbox, and what its CPU does before it opens it: loom reports a sender who does not see that.
struct Cpu {
    inbox: Inbox,
    set_up: UnsafeCell<u32>,
}

// SAFETY: loom checks who touches the cell.
unsafe impl Send for Cpu {}
// SAFETY: as above.
unsafe impl Sync for Cpu {}

impl Cpu {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            inbox: Inbox::new(),
            set_up: UnsafeCell::new(0),
        })
    }

    fn open() -> Arc<Self> {
        let cpu = Self::new();
        cpu.inbox.open();
        cpu
    }

    /// Takes jobs as they come, until it has had so many.
    fn serve(&self, jobs: usize) {
        let mut taken = 0;
        block_on(poll_fn(|context| {
            taken += self.inbox.arrivals(context.waker()).count();
            if taken >= jobs {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
    }

    /// Takes and counts the jobs that lie there.
    fn arrivals(&self) -> usize {
        self.inbox.arrivals(Waker::noop()).count()
    }

    /// Sends a task and waits for its end. `false` if the inbox was closed.
    fn send_and_wait(&self) -> bool {
        match self.inbox.spawn(ready(())) {
            Ok(handle) => {
                // A job that nobody finds is a deadlock, which loom reports.
                assert_eq!(block_on(handle), Err(RemoteError::WentDown));
                true
            }
            Err(NotSent::Closed(_)) => false,
            Err(NotSent::Full(_)) => panic!("there is room for all"),
        }
    }
}

/// Lets a sender run beside the inbox's own CPU.
fn beside<T: Send + 'static>(
    cpu: &Arc<Cpu>,
    side: impl FnOnce(&Cpu) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let cpu = Arc::clone(cpu);
    thread::spawn(move || side(&cpu))
}

#[test]
fn a_job_that_is_sent_is_found_or_wakes_the_server() {
    loom::model(|| {
        let cpu = Cpu::open();
        let sender = beside(&cpu, |cpu| assert!(cpu.send_and_wait()));
        cpu.serve(1);
        sender.join().unwrap();
    });
}

#[test]
fn a_place_is_used_again_only_when_it_is_empty() {
    loom::model(|| {
        let cpu = Cpu::open();
        let sender = beside(&cpu, |cpu| {
            for _ in 0..2 {
                assert!(cpu.inbox.spawn(ready(())).is_ok());
            }
        });
        let taken = cpu.arrivals();
        sender.join().unwrap();
        assert_eq!(taken + cpu.arrivals(), 2);
    });
}

#[test]
fn of_two_senders_each_has_a_place_of_its_own() {
    loom::model(|| {
        let cpu = Cpu::open();
        let other = beside(&cpu, |cpu| drop(cpu.inbox.spawn(ready(())).unwrap()));
        drop(cpu.inbox.spawn(ready(())).unwrap());
        other.join().unwrap();
        assert_eq!(cpu.arrivals(), 2);
    });
}

#[test]
fn a_job_that_is_sent_as_the_inbox_closes_ends_and_its_handle_hears_of_it() {
    loom::model(|| {
        let cpu = Cpu::open();
        let sender = beside(&cpu, |cpu| cpu.send_and_wait());
        cpu.inbox.shut();
        sender.join().unwrap();
        assert_eq!(cpu.arrivals(), 0, "a job was left behind");
    });
}

#[test]
fn a_sender_that_meets_two_lives_of_the_inbox_leaves_its_job_in_the_next_or_ends_it() {
    loom::model(|| {
        let cpu = Cpu::open();
        let sender = beside(&cpu, |cpu| cpu.inbox.spawn(ready(())).ok());
        cpu.inbox.shut();
        cpu.inbox.open();
        let handle = sender.join().unwrap();
        cpu.inbox.shut();
        if let Some(handle) = handle {
            assert_eq!(block_on(handle), Err(RemoteError::WentDown));
        }
        // All places are free again.
        cpu.inbox.open();
        for _ in 0..PLACES {
            assert!(cpu.inbox.spawn(ready(())).is_ok());
        }
    });
}

#[test]
fn who_may_send_sees_what_the_cpu_did_before_it_opened() {
    loom::model(|| {
        let cpu = Cpu::new();
        let sender = beside(&cpu, |cpu| {
            if cpu.inbox.spawn(ready(())).is_ok() {
                // SAFETY: loom checks that no other thread is here at the same time.
                cpu.set_up.with(|set_up| unsafe { assert_eq!(*set_up, 1) });
            }
        });
        // SAFETY: as above.
        cpu.set_up.with_mut(|set_up| unsafe { *set_up = 1 });
        cpu.inbox.open();
        sender.join().unwrap();
    });
}
