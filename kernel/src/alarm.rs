//! When this CPU's timer rings next, so that it is set only when it has to be.
//!
//! To set the timer for each sleep would cost an exit each under a hypervisor. So an alarm that is
//! set already and rings early enough stays: at worst it ends one sleep for nothing. What must
//! never happen is that a CPU sleeps on a timer that is silent. Therefore an alarm counts as set
//! until its interrupt has come ([`Alarm::rang`]), not until some instant: a timer may ring before
//! the instant it was set for, because it does not reach so far, or because it runs a little fast.
//!
//! Each CPU touches its own alarm only, with interrupts off. The timer's interrupt may be pending
//! by then; it is counted when it is let in, and it ends the `hlt` that it is let in by.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};

use reveille_executor::Instant;

/// A timer that rings once each time it is set, by an interrupt.
pub trait Timer {
    /// Makes the timer usable after its CPU was reset.
    fn prepare(&self);

    /// Sets the timer to `at`, or to as far as it reaches, whatever it was set to before. Returns
    /// the instant it is set to. One in the past rings at once.
    fn arm(&self, at: Instant) -> Instant;

    /// Makes sure that the timer raises no interrupt before it is prepared again.
    fn stop(&self);
}

/// What is known of one CPU's timer.
#[derive(Debug)]
pub struct Alarm {
    /// The instant that the timer is set to, in nanoseconds; or [`SILENT`] or [`UNPREPARED`].
    ///
    /// Relaxed: one CPU alone touches it, with interrupts off.
    set_to: AtomicU64,
}

/// The timer is not set: it has rung since, or never was.
const SILENT: u64 = u64::MAX - 1;

/// The timer has not been prepared since the CPU was reset, or since it was stopped.
const UNPREPARED: u64 = u64::MAX;

impl Alarm {
    /// The alarm of a CPU that has just been reset.
    pub const fn new() -> Self {
        Self {
            set_to: AtomicU64::new(UNPREPARED),
        }
    }

    /// Says that the CPU was reset: its timer has forgotten everything.
    pub fn was_reset(&self) {
        self.set_to.store(UNPREPARED, Ordering::Relaxed);
    }

    /// Prepares the timer, unless that has been done since the CPU was reset.
    pub fn prepare(&self, timer: &impl Timer) {
        if self.set_to.load(Ordering::Relaxed) == UNPREPARED {
            timer.prepare();
            self.set_to.store(SILENT, Ordering::Relaxed);
        }
    }

    /// Stops the timer. One interrupt may be pending.
    pub fn stop(&self, timer: &impl Timer) {
        timer.stop();
        self.set_to.store(UNPREPARED, Ordering::Relaxed);
    }

    /// Makes sure that the timer rings at `until` or earlier. One that was not prepared is.
    pub fn set(&self, until: Instant, timer: &impl Timer) {
        self.prepare(timer);
        match self.set_to.load(Ordering::Relaxed) {
            SILENT => {}
            set_to if set_to <= until.as_nanos() => return,
            _ => {}
        }
        let set_to = timer.arm(until);
        self.set_to.store(set_to.as_nanos(), Ordering::Relaxed);
    }

    /// Says that the timer's interrupt has come.
    ///
    /// It may be that of an earlier setting, which was pending when the timer was set anew. Then
    /// the timer is set once more than needed.
    pub fn rang(&self) {
        // A timer that has not been prepared stays so.
        self.set_to.fetch_max(SILENT, Ordering::Relaxed);
    }
}

impl Default for Alarm {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use core::cell::{Cell, RefCell};
    use core::time::Duration;

    use super::*;

    /// A CPU whose timer reaches only so far, and perhaps rings a little before it should.
    struct Cpu {
        alarm: Alarm,
        now: Cell<Instant>,
        rings_at: Cell<Option<Instant>>,
        reach: Duration,
        early: Duration,
        prepared: Cell<u32>,
        armed: RefCell<Vec<u64>>,
    }

    impl Timer for Cpu {
        fn prepare(&self) {
            self.prepared.set(self.prepared.get() + 1);
        }

        fn arm(&self, at: Instant) -> Instant {
            assert!(self.prepared.get() > 0, "armed before it was prepared");
            let set_to = at.min(self.now.get() + self.reach);
            let early = Instant::from_nanos(set_to.as_nanos() - self.early.as_nanos() as u64);
            let is_ahead = early > self.now.get();
            self.rings_at
                .set(Some(if is_ahead { early } else { set_to }));
            self.armed.borrow_mut().push(set_to.as_nanos());
            set_to
        }

        fn stop(&self) {
            self.rings_at.set(None);
        }
    }

    impl Cpu {
        fn new(reach: u64, early: u64) -> Self {
            Self {
                alarm: Alarm::new(),
                now: Cell::new(at(1_000)),
                rings_at: Cell::new(None),
                reach: Duration::from_nanos(reach),
                early: Duration::from_nanos(early),
                prepared: Cell::new(0),
                armed: RefCell::default(),
            }
        }

        /// Halts until the timer rings.
        fn halt(&self) {
            let rings_at = self.rings_at.take().expect("halted on a silent timer");
            self.now.set(rings_at.max(self.now.get()));
            self.alarm.rang();
        }

        /// What an idle loop does with nothing else to wait for.
        fn sleep_until(&self, until: Instant) {
            while self.now.get() < until {
                self.alarm.set(until, self);
                self.halt();
            }
        }

        fn armed(&self) -> Vec<u64> {
            self.armed.borrow().clone()
        }
    }

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn a_sleep_beyond_the_timers_reach_comes_to_its_end() {
        let cpu = Cpu::new(4_000, 0);
        cpu.sleep_until(at(10_000));
        assert_eq!(cpu.now.get(), at(10_000));
        assert_eq!(cpu.armed(), [5_000, 9_000, 10_000]);
    }

    #[test]
    fn a_timer_that_rings_before_it_should_is_set_again() {
        let cpu = Cpu::new(u64::MAX / 2, 3);
        cpu.sleep_until(at(2_000));
        assert_eq!(cpu.now.get(), at(2_000));
        assert!(cpu.armed().len() > 1);
    }

    #[test]
    fn an_alarm_that_rings_early_enough_stays() {
        let cpu = Cpu::new(u64::MAX / 2, 0);
        cpu.alarm.set(at(5_000), &cpu);
        cpu.alarm.set(at(5_000), &cpu);
        cpu.alarm.set(at(9_000), &cpu);
        assert_eq!(cpu.armed(), [5_000]);
        cpu.sleep_until(at(9_000));
        assert_eq!(cpu.now.get(), at(9_000));
        assert_eq!(cpu.armed(), [5_000, 9_000]);
    }

    #[test]
    fn an_alarm_cut_to_the_timers_reach_serves_whoever_waits_for_longer() {
        let cpu = Cpu::new(4_000, 0);
        cpu.alarm.set(at(9_000), &cpu);
        cpu.alarm.set(at(6_000), &cpu);
        assert_eq!(cpu.armed(), [5_000]);
    }

    #[test]
    fn an_alarm_that_rings_too_late_is_set_anew() {
        let cpu = Cpu::new(u64::MAX / 2, 0);
        cpu.alarm.set(at(5_000), &cpu);
        cpu.alarm.set(at(4_999), &cpu);
        assert_eq!(cpu.armed(), [5_000, 4_999]);
    }

    #[test]
    fn a_ring_that_is_pending_still_counts_as_to_come() {
        let cpu = Cpu::new(u64::MAX / 2, 0);
        cpu.alarm.set(at(5_000), &cpu);
        // Its instant passes with interrupts off, and then somebody wants to sleep.
        cpu.now.set(at(5_500));
        cpu.alarm.set(at(7_000), &cpu);
        assert_eq!(cpu.armed(), [5_000]);
        cpu.halt();
        assert_eq!(cpu.now.get(), at(5_500));
        cpu.sleep_until(at(7_000));
        assert_eq!(cpu.now.get(), at(7_000));
    }

    #[test]
    fn the_timer_is_prepared_once_after_each_reset_and_only_when_needed() {
        let cpu = Cpu::new(u64::MAX / 2, 0);
        assert_eq!(cpu.prepared.get(), 0);
        cpu.sleep_until(at(2_000));
        cpu.sleep_until(at(3_000));
        assert_eq!(cpu.prepared.get(), 1);
        cpu.alarm.was_reset();
        // What an interrupt says that is not the timer's.
        cpu.alarm.rang();
        cpu.sleep_until(at(4_000));
        assert_eq!(cpu.prepared.get(), 2);
    }

    #[test]
    fn a_timer_that_was_stopped_is_silent_until_it_is_prepared_and_set_again() {
        let cpu = Cpu::new(u64::MAX / 2, 0);
        cpu.alarm.prepare(&cpu);
        cpu.alarm.prepare(&cpu);
        assert_eq!(cpu.prepared.get(), 1);
        cpu.alarm.set(at(5_000), &cpu);
        cpu.alarm.stop(&cpu);
        assert_eq!(cpu.rings_at.get(), None);
        // The interrupt of the time before, which was pending.
        cpu.alarm.rang();
        cpu.sleep_until(at(6_000));
        assert_eq!(cpu.prepared.get(), 2);
        assert_eq!(cpu.armed(), [5_000, 6_000]);
    }

    #[test]
    fn the_last_instant_there_is_can_be_waited_for() {
        let cpu = Cpu::new(4_000, 0);
        cpu.alarm.set(at(u64::MAX), &cpu);
        cpu.halt();
        cpu.alarm.set(at(u64::MAX), &cpu);
        assert_eq!(cpu.armed(), [5_000, 9_000]);
    }
}
