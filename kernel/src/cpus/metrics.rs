//! What the executor of a CPU tells: counted for the reports, and noted as events if these are traced.

#![forbid(unsafe_code)]

use core::time::Duration;

use reveille_executor::{Counters, Instant, Metrics};
use reveille_smp::trace::event::Event;

use crate::{
    percpu::PerCpu,
    trace::{self, CpuTrace},
};

/// The metrics of one CPU's executor.
#[derive(Clone, Copy, Debug)]
pub struct CpuMetrics {
    counters: &'static Counters,
    trace: &'static CpuTrace,
}

impl CpuMetrics {
    /// Those of the CPU with this area.
    pub fn of(area: &'static PerCpu) -> Self {
        Self::new(area.counters(), area.trace())
    }

    /// In these places.
    pub const fn new(counters: &'static Counters, trace: &'static CpuTrace) -> Self {
        Self { counters, trace }
    }
}

impl Metrics for CpuMetrics {
    fn polled(&self, task: Option<usize>) {
        self.counters.polled(task);
        self.trace.note(Event::PollStart {
            task: task.map(|task| task as u32),
        });
    }

    fn poll_ended(&self) {
        self.trace.note(Event::PollEnd);
    }

    fn spurious_poll(&self) {
        self.counters.spurious_poll();
    }

    fn woken(&self, duplicate: bool) {
        self.counters.woken(duplicate);
    }

    /// On the CPU that wakes: its event, not this one's.
    fn doorbell(&self, sent: bool) {
        self.counters.doorbell(sent);
        if let Some(track) = self.trace.noting() {
            let to = track.target();
            trace::note(Event::Doorbell { to, sent });
        }
    }

    fn falls_asleep(&self, at: Instant) {
        self.counters.falls_asleep(at);
        self.trace.note(Event::IdleStart);
    }

    fn slept(&self, time: Duration) {
        self.counters.slept(time);
        self.trace.note(Event::IdleEnd);
    }
}
