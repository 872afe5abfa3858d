//! Every interleaving of the BSP that asks for readings of a clock with the CPU that gives them, by
//! loom.
//!
//! The clock is one word that each reading moves on, so readings can be told apart in their order. An
//! interrupt is a waker: it makes its CPU look, now or once more.

use alloc::sync::Arc;
use core::{
    future::poll_fn,
    task::{Context, Poll},
};

use loom::{future::block_on, thread};

use crate::{
    clock_line::ClockLine,
    slot::register,
    sync::{AtomicU64, AtomicWaker, Ordering},
};

struct Shared {
    line: ClockLine,
    time: AtomicU64,
    /// What interrupts the CPU.
    to_cpu: AtomicWaker,
    /// What interrupts the BSP.
    to_bsp: AtomicWaker,
}

impl Shared {
    fn now(&self) -> u64 {
        self.time.fetch_add(1, Ordering::Relaxed)
    }

    fn ask(&self) {
        self.line.ask(|| self.now());
        self.to_cpu.wake();
    }

    fn give(&self, context: &Context<'_>) -> bool {
        register(&self.to_cpu, context.waker());
        let is_given = self.line.give(|| self.now());
        if is_given {
            self.to_bsp.wake();
        }
        is_given
    }

    fn take(&self, context: &Context<'_>) -> bool {
        register(&self.to_bsp, context.waker());
        self.line.take(|| self.now())
    }
}

fn until(mut is_done: impl FnMut(&Context<'_>) -> bool) {
    block_on(poll_fn(|context| match is_done(context) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    }));
}

#[test]
fn a_reading_that_is_asked_for_comes_and_lies_between_the_two_of_the_bsp() {
    loom::model(|| {
        let shared = Arc::new(Shared {
            line: ClockLine::new(),
            time: AtomicU64::new(1),
            to_cpu: AtomicWaker::new(),
            to_bsp: AtomicWaker::new(),
        });
        // The one before, which must not be taken for the next.
        shared.line.ask(|| shared.now());
        assert!(shared.line.give(|| shared.now()));
        assert!(shared.line.take(|| shared.now()));
        let cpu = thread::spawn({
            let shared = Arc::clone(&shared);
            // One that is never given is a deadlock, which loom reports.
            move || until(|context| shared.give(context))
        });
        shared.ask();
        until(|context| shared.take(context));
        let exchange = shared.line.exchange().expect("it was taken");
        assert!(exchange.asked < exchange.count, "{exchange:?}");
        assert!(exchange.count < exchange.received, "{exchange:?}");
        cpu.join().unwrap();
    });
}
