//! Counts the polls of a task, and those among them that found nothing new.

use core::{
    cell::Cell,
    future::{Future, poll_fn},
    mem,
    pin::pin,
};

/// The polls of one task.
#[derive(Default)]
pub(super) struct Polls {
    total: Cell<u32>,
    spurious: Cell<u32>,
    has_progressed: Cell<bool>,
}

impl Polls {
    /// Runs the future and counts its polls. One that ends pending and in which
    /// [`progress`](Self::progress) was not called is spurious, but for the first.
    pub(super) async fn count<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut is_first = true;
        poll_fn(|context| {
            self.total.set(self.total.get() + 1);
            self.has_progressed.set(mem::take(&mut is_first));
            let poll = future.as_mut().poll(context);
            if poll.is_pending() && !self.has_progressed.get() {
                self.spurious.set(self.spurious.get() + 1);
            }
            poll
        })
        .await
    }

    /// Something that the future waited for has come.
    pub(super) fn progress(&self) {
        self.has_progressed.set(true);
    }

    pub(super) fn total(&self) -> u32 {
        self.total.get()
    }

    pub(super) fn spurious(&self) -> u32 {
        self.spurious.get()
    }
}
