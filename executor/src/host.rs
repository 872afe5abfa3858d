//! The platform of a thread on a host: monotonic clock, park and unpark.

use std::thread::{self, Thread};
use std::time;

use crate::{Clock, Doorbell, Idle, Instant, SleepGate};

/// Parks the thread that made it; the doorbell unparks that thread. So the executor must run on
/// that thread too: an idle one panics elsewhere.
///
/// The epoch of its clock is the moment at which it was made.
#[derive(Debug)]
pub struct Park {
    owner: Thread,
    epoch: time::Instant,
}

impl Park {
    /// For an executor on the calling thread.
    pub fn new() -> Self {
        Self {
            owner: thread::current(),
            epoch: time::Instant::now(),
        }
    }
}

impl Default for Park {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for Park {
    fn now(&self) -> Instant {
        Instant::ZERO + self.epoch.elapsed()
    }
}

impl Doorbell for Park {
    fn ring(&self) {
        self.owner.unpark();
    }
}

impl Idle for Park {
    fn idle(&self, gate: &SleepGate<'_>, until: Option<Instant>) {
        assert!(
            thread::current().id() == self.owner.id(),
            "a `Park` is for the thread that made it"
        );
        if !gate.enter() {
            return;
        }
        match until {
            Some(until) => thread::park_timeout(until - self.now()),
            None => thread::park(),
        }
    }
}
