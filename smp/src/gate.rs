//! What the CPU that drives does for one at a time: the serialised steps of the first section, requests
//! in a mailbox that has room for one, whole operations.
//!
//! For the tasks of one CPU: nothing here is shared between CPUs.

use core::{
    cell::{Cell, RefCell},
    future::poll_fn,
    task::{Poll, Waker},
};

use alloc::collections::BTreeMap;

/// Lets one in at a time, the lowest waiting one first. Those who come are named by a number, each by one
/// of its own.
#[derive(Debug, Default)]
pub struct Gate {
    is_taken: Cell<bool>,
    waiting: RefCell<BTreeMap<usize, Waker>>,
}

/// Who has this has the gate to itself, until it is dropped.
#[derive(Debug)]
#[must_use = "the gate is open again at once"]
pub struct Passage<'a>(&'a Gate);

impl Gate {
    /// Waits until the gate is free, and takes it.
    ///
    /// # Cancellation
    ///
    /// The gate is left to others.
    pub async fn enter(&self, number: usize) -> Passage<'_> {
        let _queue = Queue { gate: self, number };
        poll_fn(|context| {
            let mut waiting = self.waiting.borrow_mut();
            let is_next = waiting.keys().next().is_none_or(|&lowest| lowest >= number);
            if self.is_taken.get() || !is_next {
                waiting.insert(number, context.waker().clone());
                return Poll::Pending;
            }
            self.is_taken.set(true);
            Poll::Ready(Passage(self))
        })
        .await
    }

    /// Whether somebody has it to itself.
    pub fn is_taken(&self) -> bool {
        self.is_taken.get()
    }

    /// Whether somebody waits.
    pub fn is_wanted(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }

    fn wake_next(&self) {
        if !self.is_taken.get()
            && let Some(next) = self.waiting.borrow().values().next()
        {
            next.wake_by_ref();
        }
    }
}

/// A gate that lets in who came first.
#[derive(Debug, Default)]
pub struct FirstCome {
    gate: Gate,
    /// How many have come: the number of the next.
    comers: Cell<usize>,
}

impl FirstCome {
    /// As [`Gate::enter`], behind all who came before.
    ///
    /// # Cancellation
    ///
    /// The gate is left to others.
    pub async fn enter(&self) -> Passage<'_> {
        let number = self.comers.get();
        self.comers.set(number + 1);
        self.gate.enter(number).await
    }

    /// Whether somebody is in.
    pub fn is_taken(&self) -> bool {
        self.gate.is_taken()
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        self.0.is_taken.set(false);
        self.0.wake_next();
    }
}

/// A place among those who wait, given up when the future is dropped.
struct Queue<'a> {
    gate: &'a Gate,
    number: usize,
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        self.gate.waiting.borrow_mut().remove(&self.number);
        self.gate.wake_next();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::boxed::Box;
    use core::{
        pin::{Pin, pin},
        task::Context,
    };

    use super::*;

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    #[test]
    fn one_is_in_at_a_time_and_the_lowest_that_waits_is_next() {
        let gate = Gate::default();
        let first = poll(pin!(gate.enter(1))).unwrap();
        let (mut three, mut two) = (pin!(gate.enter(3)), pin!(gate.enter(2)));
        assert!(poll(three.as_mut()).is_none() && poll(two.as_mut()).is_none());
        drop(first);
        assert!(poll(three.as_mut()).is_none());
        let second = poll(two.as_mut()).unwrap();
        assert!(poll(three.as_mut()).is_none());
        drop(second);
        assert!(poll(three.as_mut()).is_some());
    }

    #[test]
    fn who_came_first_is_let_in_first_and_one_that_gives_up_holds_up_nobody() {
        let gate = FirstCome::default();
        let first = poll(pin!(gate.enter())).unwrap();
        let mut third = {
            let mut second = pin!(gate.enter());
            assert!(poll(second.as_mut()).is_none());
            let mut third = Box::pin(gate.enter());
            assert!(poll(third.as_mut()).is_none());
            third
        };
        let mut fourth = pin!(gate.enter());
        assert!(poll(fourth.as_mut()).is_none());
        assert!(gate.is_taken());
        drop(first);
        assert!(poll(fourth.as_mut()).is_none(), "the third came before");
        let third = poll(third.as_mut()).unwrap();
        assert!(poll(fourth.as_mut()).is_none());
        drop(third);
        assert!(poll(fourth.as_mut()).is_some());
    }

    #[test]
    fn one_that_gives_up_waiting_keeps_nobody_out() {
        let gate = Gate::default();
        let first = poll(pin!(gate.enter(1))).unwrap();
        let mut three = pin!(gate.enter(3));
        {
            let mut two = pin!(gate.enter(2));
            assert!(poll(two.as_mut()).is_none() && poll(three.as_mut()).is_none());
        }
        drop(first);
        assert!(poll(three.as_mut()).is_some());
    }
}
