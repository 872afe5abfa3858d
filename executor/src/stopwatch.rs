//! A time that goes on or stands still, in one word: its owner starts and stops it, and any CPU reads
//! it whole.
//!
//! While it stands the word is the total. While it runs the word is the total less the moment at which
//! it was started, so that the total is the word and the present moment together. A reader that is held
//! up between two words would take a span twice or not at all; here there is no second word.
//!
//! # Memory ordering
//!
//! Relaxed: one CPU writes, and a reader takes one word and nothing behind it.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use core::time::Duration;

use crate::Instant;

/// It runs. The rest of the word is in nanoseconds, modulo 2^63: 292 years.
const RUNS: u64 = 1 << 63;
/// In the remainder: the total would be below zero.
const NEGATIVE: u64 = 1 << 62;

/// Adds up spans of time. One CPU starts and stops it, any may read.
#[derive(Debug, Default)]
pub struct Stopwatch(AtomicU64);

/// What a [`Stopwatch`] showed, to be told the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading(u64);

impl Stopwatch {
    /// One that stands at zero.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Lets it run from this moment on, unless it runs.
    pub fn start(&self, at: Instant) {
        let total = self.0.load(Relaxed);
        if total & RUNS == 0 {
            self.0
                .store(total.wrapping_sub(at.as_nanos()) | RUNS, Relaxed);
        }
    }

    /// Lets it stand from this moment on. A moment before the start takes nothing off the total that
    /// was there.
    pub fn stop(&self, at: Instant) {
        let shown = self.read();
        if shown.runs() {
            let total = shown.at(at);
            self.0.store(total, Relaxed);
        }
    }

    /// What it shows.
    pub fn read(&self) -> Reading {
        Reading(self.0.load(Relaxed))
    }
}

impl Reading {
    /// What a watch shows that stands at this total.
    pub const fn standing(total: Duration) -> Self {
        let nanos = total.as_nanos();
        let most = (NEGATIVE - 1) as u128;
        Self(if nanos < most { nanos } else { most } as u64)
    }

    /// Whether it ran.
    pub const fn runs(self) -> bool {
        self.0 & RUNS != 0
    }

    /// The total at this moment; that at which it stood, if it did.
    pub const fn until(self, now: Instant) -> Duration {
        Duration::from_nanos(self.at(now))
    }

    const fn at(self, now: Instant) -> u64 {
        if !self.runs() {
            return self.0;
        }
        let total = self.0.wrapping_add(now.as_nanos()) & !RUNS;
        match total & NEGATIVE {
            0 => total,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    fn total(watch: &Stopwatch, now: u64) -> u64 {
        watch.read().until(at(now)).as_nanos() as u64
    }

    #[test]
    fn spans_add_up_and_the_one_that_goes_on_counts() {
        let watch = Stopwatch::new();
        assert_eq!(total(&watch, 500), 0);
        watch.start(at(1_000));
        assert!(watch.read().runs());
        assert_eq!(total(&watch, 1_000), 0);
        assert_eq!(total(&watch, 1_300), 300);
        watch.stop(at(1_400));
        assert!(!watch.read().runs());
        assert_eq!(total(&watch, 9_000), 400);
        watch.start(at(10_000));
        assert_eq!(total(&watch, 10_001), 401);
        watch.stop(at(10_100));
        assert_eq!(total(&watch, 0), 500);
    }

    #[test]
    fn a_watch_that_runs_is_not_started_and_one_that_stands_is_not_stopped() {
        let watch = Stopwatch::new();
        watch.stop(at(5));
        assert_eq!(total(&watch, 9), 0);
        watch.start(at(10));
        watch.start(at(20));
        watch.stop(at(30));
        watch.stop(at(40));
        assert_eq!(total(&watch, 50), 20);
    }

    #[test]
    fn a_moment_before_the_start_is_no_time_and_not_all_of_it() {
        let watch = Stopwatch::new();
        watch.start(at(1_000));
        assert_eq!(total(&watch, 400), 0);
        watch.stop(at(400));
        assert_eq!(total(&watch, 2_000), 0);
        let late = Instant::from_nanos((1 << 62) - 1);
        watch.start(at(0));
        assert_eq!(watch.read().until(late), late - Instant::ZERO);
    }

    #[test]
    fn a_reading_of_a_watch_that_stands_can_be_made() {
        let reading = Reading::standing(Duration::from_nanos(7));
        assert_eq!(reading.until(at(900)), Duration::from_nanos(7));
        assert!(!Reading::standing(Duration::MAX).runs());
        assert_eq!(Reading::default(), Stopwatch::new().read());
    }
}
