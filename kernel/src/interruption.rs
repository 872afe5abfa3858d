//! The wish that something long should end: said by a person at the console, looked at by whoever works.
//!
//! **Nothing is broken off.** CPUs that were sent somewhere go there all the same, so a future that moves
//! them is never dropped half-way, while the turn to operate on them would be free for others. Whoever
//! works looks for the wish where CPUs can be left as they are, between two of its units of work, and ends
//! there by itself. Only a wait that has changed nothing yet is dropped ([`Interruption::unless`]).

#![forbid(unsafe_code)]

use alloc::sync::Arc;
use core::{
    future::{pending, poll_fn},
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    task::Poll,
};

use futures_util::{
    future::{Either, select},
    task::AtomicWaker,
};

/// Whether somebody wishes that this ends. Clones mean the same wish.
#[derive(Clone, Debug)]
pub struct Interruption(Option<Arc<Wish>>);

#[derive(Debug, Default)]
struct Wish {
    /// Relaxed: nothing else is told by it. A CPU that sees it late does one unit of work more.
    is_asked: AtomicBool,
    waiting: AtomicWaker,
}

impl Interruption {
    /// One that nobody asks for. It takes no memory.
    pub const fn never() -> Self {
        Self(None)
    }

    /// One that has not been asked for yet.
    pub fn new() -> Self {
        Self(Some(Arc::default()))
    }

    /// Asks for it, in a task. It cannot be taken back.
    pub fn ask(&self) {
        if let Some(wish) = &self.0 {
            wish.is_asked.store(true, Ordering::Relaxed);
            wish.waiting.wake();
        }
    }

    /// Whether it has been asked for; on any CPU.
    pub fn is_asked(&self) -> bool {
        let wish = self.0.as_ref();
        wish.is_some_and(|wish| wish.is_asked.load(Ordering::Relaxed))
    }

    /// Waits until it is asked for. One task waits at a time: of two, the last one is woken.
    ///
    /// # Cancellation
    ///
    /// Changes nothing.
    pub async fn asked(&self) {
        let Some(wish) = &self.0 else {
            return pending().await;
        };
        poll_fn(|context| {
            // In this order: whoever asks in between finds the waker.
            wish.waiting.register(context.waker());
            match self.is_asked() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// What a wait gives, or `None` if the interruption is asked for before that; then the wait is dropped,
    /// which must change nothing.
    ///
    /// # Cancellation
    ///
    /// The wait is dropped.
    pub async fn unless<T>(&self, wait: impl Future<Output = T>) -> Option<T> {
        match select(pin!(wait), pin!(self.asked())).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(_) => None,
        }
    }
}

impl Default for Interruption {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use core::{
        future::ready,
        task::{Context, Waker},
    };
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn whoever_waits_for_it_is_woken_when_it_is_asked_for() {
        let (interruption, count) = (Interruption::new(), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        let mut asked = pin!(interruption.asked());
        assert!(asked.as_mut().poll(&mut context).is_pending());
        assert!(!interruption.is_asked());
        interruption.clone().ask();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(interruption.is_asked());
        assert!(asked.poll(&mut context).is_ready());
    }

    #[test]
    fn a_wait_is_dropped_for_it_unless_it_has_come_to_its_end() {
        let mut context = Context::from_waker(Waker::noop());
        let interruption = Interruption::new();
        interruption.ask();
        let mut endless = pin!(interruption.unless(pending::<()>()));
        assert_eq!(endless.as_mut().poll(&mut context), Poll::Ready(None));
        let mut done = pin!(interruption.unless(ready(7)));
        assert_eq!(done.as_mut().poll(&mut context), Poll::Ready(Some(7)));
    }

    #[test]
    fn one_that_nobody_can_ask_for_never_comes() {
        let mut context = Context::from_waker(Waker::noop());
        let interruption = Interruption::never();
        interruption.ask();
        assert!(!interruption.is_asked());
        assert!(pin!(interruption.asked()).poll(&mut context).is_pending());
    }
}
