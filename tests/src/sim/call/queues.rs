//! The queues of a simulated machine. They live as long as it does, and are seen as if they lived for
//! ever, as a kernel's do.

use std::{ops::Deref, ptr};

use reveille_smp::call::CallQueue;

/// One for each CPU that is listed.
pub(in crate::sim) struct Queues(Vec<&'static CallQueue>);

impl Queues {
    pub(in crate::sim) fn new(cpus: usize) -> Self {
        let queue = |_| &*Box::leak(Box::new(CallQueue::new()));
        Self((0..cpus).map(queue).collect())
    }
}

impl Deref for Queues {
    type Target = [&'static CallQueue];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

#[expect(
    unsafe_code,
    reason = "there are millions of simulations, and their queues must not stay for good"
)]
impl Drop for Queues {
    fn drop(&mut self) {
        for &queue in &self.0 {
            // SAFETY: it was leaked in `new`. The world drops its queues last, when the fibers of all
            // CPUs are gone: only what runs in these holds a reference, and calls that lie in a queue
            // do not.
            drop(unsafe { Box::from_raw(ptr::from_ref(queue).cast_mut()) });
        }
    }
}
