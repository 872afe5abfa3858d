//! Whose turn it is: serialised steps run for one CPU at a time, the lowest waiting one first.
//!
//! A CPU waits here only once it is alive, so a silent CPU holds up nobody: it is passed over and
//! taken when it comes.

use core::{
    cell::RefCell,
    future::poll_fn,
    task::{Poll, Waker},
};

use alloc::{collections::BTreeMap, rc::Rc};

use crate::cpu::CpuIndex;

/// Hands out turns. A handle: clones mean the same turnstile. All its waiters run on one executor.
#[derive(Clone, Debug, Default)]
pub struct Turnstile(Rc<RefCell<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    holder: Option<CpuIndex>,
    waiting: BTreeMap<CpuIndex, Waker>,
}

/// The right to run a serialised section. Dropping it passes the turn on.
#[derive(Debug)]
pub struct Turn<'a> {
    turnstile: &'a Turnstile,
}

impl Turnstile {
    /// Waits until no CPU has the turn and no lower one waits for it.
    ///
    /// # Cancellation
    ///
    /// Dropped while it waits, the CPU leaves the queue; if the turn had just been passed to it,
    /// the turn goes on to the next.
    pub async fn turn(&self, cpu: CpuIndex) -> Turn<'_> {
        let queued = Queued {
            turnstile: self,
            cpu,
        };
        poll_fn(|context| {
            let mut inner = self.0.borrow_mut();
            if inner.holder.is_none() {
                inner.holder = Some(cpu);
            }
            if inner.holder == Some(cpu) {
                Poll::Ready(())
            } else {
                inner.waiting.insert(cpu, context.waker().clone());
                Poll::Pending
            }
        })
        .await;
        core::mem::forget(queued);
        Turn { turnstile: self }
    }

    fn pass_on(&self) {
        let next = {
            let mut inner = self.0.borrow_mut();
            let next = inner.waiting.pop_first();
            inner.holder = next.as_ref().map(|&(cpu, _)| cpu);
            next
        };
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turnstile.pass_on();
    }
}

/// A place in the queue, left when the waiting future is dropped.
struct Queued<'a> {
    turnstile: &'a Turnstile,
    cpu: CpuIndex,
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let was_chosen = {
            let mut inner = self.turnstile.0.borrow_mut();
            inner.waiting.remove(&self.cpu);
            inner.holder == Some(self.cpu)
        };
        if was_chosen {
            self.turnstile.pass_on();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use core::{
        future::Future,
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    fn poll<F: Future>(future: core::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_lowest_waiting_cpu_is_next_whatever_the_order_of_arrival() {
        let turnstile = Turnstile::default();
        let mut five = pin!(turnstile.turn(CpuIndex(5)));
        let Poll::Ready(first) = poll(five.as_mut()) else {
            panic!("nobody has the turn")
        };
        let mut three = pin!(turnstile.turn(CpuIndex(3)));
        let mut one = pin!(turnstile.turn(CpuIndex(1)));
        assert!(poll(three.as_mut()).is_pending());
        assert!(poll(one.as_mut()).is_pending());
        drop(first);
        assert!(poll(three.as_mut()).is_pending());
        let Poll::Ready(second) = poll(one.as_mut()) else {
            panic!("one is the lowest")
        };
        assert!(poll(three.as_mut()).is_pending());
        drop(second);
        assert!(poll(three.as_mut()).is_ready());
    }

    #[test]
    fn a_chosen_cpu_that_is_dropped_before_it_knows_passes_the_turn_on() {
        let turnstile = Turnstile::default();
        let mut zero = pin!(turnstile.turn(CpuIndex(0)));
        let Poll::Ready(first) = poll(zero.as_mut()) else {
            panic!("nobody has the turn")
        };
        let mut two = pin!(turnstile.turn(CpuIndex(2)));
        {
            let mut one = pin!(turnstile.turn(CpuIndex(1)));
            assert!(poll(one.as_mut()).is_pending());
            assert!(poll(two.as_mut()).is_pending());
            drop(first);
        }
        assert!(poll(two.as_mut()).is_ready());
    }

    #[test]
    fn a_waiting_cpu_that_is_dropped_is_forgotten() {
        let turnstile = Turnstile::default();
        let mut zero = pin!(turnstile.turn(CpuIndex(0)));
        let Poll::Ready(first) = poll(zero.as_mut()) else {
            panic!("nobody has the turn")
        };
        {
            let mut one = pin!(turnstile.turn(CpuIndex(1)));
            assert!(poll(one.as_mut()).is_pending());
        }
        drop(first);
        let mut two = pin!(turnstile.turn(CpuIndex(2)));
        assert!(poll(two.as_mut()).is_ready());
    }
}
