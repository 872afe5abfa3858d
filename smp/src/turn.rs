//! Whose turn it is: serialised steps run for one CPU at a time, the lowest waiting one first.
//!
//! A CPU queues here once it is alive, so a silent CPU holds up nobody: it is passed over, and
//! takes its place when it comes. The queue is a chain of batons in the APs' slots (`baton.rs`),
//! along which the APs pass the turn on by themselves; here the BSP keeps its view of that chain,
//! puts CPUs into it, and learns afterwards how far the turn has gone.

use core::{
    cell::RefCell,
    future::poll_fn,
    task::{Poll, Waker},
};

use alloc::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use crate::bringup::Ap;

/// The BSP's view of the queue. CPUs are named by their index in the list of APs.
pub(crate) struct Turns {
    aps: Arc<[Ap]>,
    queue: RefCell<Queue>,
}

#[derive(Default)]
struct Queue {
    /// First who has the turn, as far as is known: it may have gone on along the chain. Then those
    /// who wait, lowest first.
    chain: VecDeque<usize>,
    /// Who wants to know when it has been granted the turn.
    watchers: BTreeMap<usize, Waker>,
}

impl Turns {
    pub(crate) fn new(aps: Arc<[Ap]>) -> Self {
        Self {
            aps,
            queue: RefCell::default(),
        }
    }

    /// Puts a CPU into the queue, for a permission that is held until its turn; it is granted at
    /// once if nobody has the turn. The CPU passes the turn on by itself; if it does not,
    /// [`take_back`](Self::take_back) does.
    pub(crate) fn queue(&self, index: usize) {
        let queue = &mut *self.queue.borrow_mut();
        queue.follow(&self.aps);
        let mut before = queue.waiting().partition_point(|&other| other < index);
        let baton = self.aps[index].slot.baton();
        // The turn may go on at any moment: whoever has passed it on takes no successor any more.
        while let Some(&predecessor) = queue.chain.get(before) {
            let next = queue.chain.get(before + 1).copied();
            baton.open(next);
            if self.aps[predecessor].slot.baton().link(next, index) {
                queue.chain.insert(before + 1, index);
                return;
            }
            before += 1;
        }
        baton.open(None);
        queue.chain.push_back(index);
        self.grant(index);
    }

    /// Waits until a CPU that queues has been granted the turn.
    ///
    /// # Cancellation
    ///
    /// The CPU stays in the queue.
    pub(crate) async fn granted(&self, index: usize) {
        let _watch = Watch { turns: self, index };
        poll_fn(|context| {
            let queue = &mut *self.queue.borrow_mut();
            queue.follow(&self.aps);
            if self.aps[index].slot.permission().is_held() {
                queue.watchers.insert(index, context.waker().clone());
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }

    /// Passes the turn on in the place of a CPU that has been abandoned. If it did so by itself, it
    /// may have died before it granted the next one: whoever is first now has the turn by right.
    pub(crate) fn take_back(&self, index: usize) {
        self.aps[index].slot.baton().pass_on(|_| ());
        self.follow();
        let first = self.queue.borrow().chain.front().copied();
        if let Some(first) = first {
            self.grant(first);
            self.follow();
        }
    }

    /// Looks how far the turn has gone, and wakes those that it has come to.
    pub(crate) fn follow(&self) {
        self.queue.borrow_mut().follow(&self.aps);
    }

    fn grant(&self, index: usize) {
        let slot = &self.aps[index].slot;
        slot.grant(slot.permission().awaited());
    }
}

impl Queue {
    fn follow(&mut self, aps: &[Ap]) {
        while let Some(&first) = self.chain.front() {
            // It may have come to this one without our notice. Who passes it on and has not granted
            // it yet does so before its own task is done and looks here again.
            if !aps[first].slot.permission().is_held()
                && let Some(watcher) = self.watchers.remove(&first)
            {
                watcher.wake();
            }
            if !aps[first].slot.baton().has_passed() {
                break;
            }
            self.chain.pop_front();
        }
    }

    /// Those behind the first, lowest first.
    fn waiting(&mut self) -> &[usize] {
        self.chain.make_contiguous().get(1..).unwrap_or_default()
    }
}

/// A watcher, gone when the future that watches is.
struct Watch<'a> {
    turns: &'a Turns,
    index: usize,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.turns.queue.borrow_mut().watchers.remove(&self.index);
    }
}
