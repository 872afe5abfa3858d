//! A pause of one round of the executor.

use core::{future::poll_fn, mem, task::Poll};

/// Lets every task that is ready be polled once; the caller is woken by its own waker.
///
/// # Cancellation
///
/// Changes nothing.
pub async fn next_round() {
    let mut is_first = true;
    poll_fn(|context| {
        if mem::take(&mut is_first) {
            context.waker().wake_by_ref();
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
}
