//! Whether a stop of the machine is one: while a closure runs that is to be alone, nobody's count goes on,
//! and no other closure is there; and one that all run, all run once.
//!
//! Counts are words that CPUs write as they run, each its own. Relaxed: what is looked for is a CPU that
//! runs, and two looks at one word some microseconds apart show one. They count for as long as a round has
//! stops to come ([`Busy`]): where nobody counts, a stop that stops nobody would look like one.

use alloc::{boxed::Box, format, string::String, sync::Arc, vec::Vec};
use core::{
    future::poll_fn,
    hint,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    task::Poll,
};

use reveille_smp::cpu::CpuIndex;

use crate::{
    cpus::stop_machine::{StopError, Stopped, Who, stop_machine},
    percpu::PerCpu,
};

/// How often a CPU counts in one burst, which takes some tens of microseconds.
const BURST: u32 = 2000;

/// How many bursts a CPU counts at the most, should the end of the round not be told: seconds.
const BURSTS: u32 = 1 << 16;

/// Turns of an empty loop between two looks: some microseconds.
const TURNS: u32 = 500;

/// How one stop ended that was not as it should be.
pub(super) struct Failed {
    /// In words.
    pub(super) reason: String,
    /// Who did not come.
    pub(super) missing: Vec<CpuIndex>,
}

impl From<StopError> for Failed {
    fn from(error: StopError) -> Self {
        Self {
            missing: error.missing().to_vec(),
            reason: format!("{error}"),
        }
    }
}

/// What CPUs write as they run and stop each other.
pub(super) struct Watch {
    /// By the number of the CPU.
    counts: Box<[AtomicU64]>,
    /// A closure that is to be alone runs.
    is_taken: AtomicBool,
}

/// One round, in which CPUs count until it has ended.
pub(super) struct Busy {
    watch: Arc<Watch>,
    /// How many have begun.
    begun: AtomicU32,
    has_ended: AtomicBool,
}

impl Busy {
    /// One in which nobody counts yet.
    pub(super) fn new(watch: Arc<Watch>) -> Self {
        Self {
            watch,
            begun: AtomicU32::new(0),
            has_ended: AtomicBool::new(false),
        }
    }

    /// Counts as the CPU of this number until the round has ended. Between two bursts its other tasks go on,
    /// of which one may stop the machine.
    pub(super) async fn count(&self, cpu: CpuIndex) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        for _ in 0..BURSTS {
            if self.has_ended.load(Ordering::Relaxed) {
                return;
            }
            self.watch.count(cpu);
            let_others_go_on().await;
        }
    }

    /// Waits until so many count.
    ///
    /// # Cancellation
    ///
    /// Changes nothing.
    pub(super) async fn have_begun(&self, cpus: usize) {
        while (self.begun.load(Ordering::Relaxed) as usize) < cpus {
            let_others_go_on().await;
        }
    }

    /// All stops have come.
    pub(super) fn end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }
}

/// Comes behind all tasks of this CPU that are ready.
async fn let_others_go_on() {
    let mut has_waited = false;
    poll_fn(|context| {
        if has_waited {
            return Poll::Ready(());
        }
        has_waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Watch {
    /// One for CPUs below this number.
    pub(super) fn new(cpus: usize) -> Self {
        Self {
            counts: (0..cpus).map(|_| AtomicU64::new(0)).collect(),
            is_taken: AtomicBool::new(false),
        }
    }

    /// Counts for a while, as the CPU of this number.
    fn count(&self, cpu: CpuIndex) {
        let Some(count) = self.counts.get(cpu.0 as usize) else {
            return;
        };
        for _ in 0..BURST {
            count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            hint::spin_loop();
        }
    }

    /// Stops the machine from the CPU that calls, and says whether it was one.
    pub(super) fn stop(&self, who: Who) -> Result<Stopped, Failed> {
        // The closure borrows them: they are on the stack of the CPU that calls.
        let (ran, intruders) = (AtomicU32::new(0), AtomicU32::new(0));
        let closure = |_: &'static PerCpu| {
            ran.fetch_add(1, Ordering::Relaxed);
            let is_right = match who {
                Who::One => self.is_alone(),
                Who::All => !self.is_taken.load(Ordering::Relaxed),
            };
            intruders.fetch_add(u32::from(!is_right), Ordering::Relaxed);
        };
        let stopped = stop_machine(who, closure)?;
        let expected = match who {
            Who::One => 1,
            Who::All => stopped.cpus + 1,
        };
        let ran = ran.into_inner() as usize;
        if ran != expected {
            return Err(Failed::because(format!(
                "{ran} CPUs ran what {expected} were to run"
            )));
        }
        match intruders.into_inner() {
            0 => Ok(stopped),
            cpus => Err(Failed::because(format!(
                "{cpus} CPUs saw another run that was to stand"
            ))),
        }
    }

    /// Whether nobody else runs for some microseconds.
    fn is_alone(&self) -> bool {
        let was_taken = self.is_taken.swap(true, Ordering::Relaxed);
        let before = self.sum();
        (0..TURNS).for_each(|_| hint::spin_loop());
        let has_moved = self.sum() != before;
        self.is_taken.store(false, Ordering::Relaxed);
        !was_taken && !has_moved
    }

    fn sum(&self) -> u64 {
        let counts = self.counts.iter();
        counts.fold(0, |sum, count| {
            sum.wrapping_add(count.load(Ordering::Relaxed))
        })
    }
}

impl Failed {
    fn because(reason: String) -> Self {
        Self {
            reason,
            missing: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn one_that_runs_meanwhile_is_seen() {
        let watch = Arc::new(Watch::new(2));
        assert!(watch.is_alone());
        let has_ended = Arc::new(AtomicBool::new(false));
        let other = {
            let (watch, has_ended) = (watch.clone(), has_ended.clone());
            thread::spawn(move || {
                while !has_ended.load(Ordering::Relaxed) {
                    watch.count(CpuIndex(1));
                }
            })
        };
        // Whatever the host gives it of its time.
        while watch.is_alone() {}
        has_ended.store(true, Ordering::Relaxed);
        other.join().unwrap();
        assert!(watch.is_alone());
        watch.is_taken.store(true, Ordering::Relaxed);
        assert!(!watch.is_alone());
    }
}
