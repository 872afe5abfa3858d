//! Two steps for tests, by which every bring-up takes a tenth longer: a comparison of benchmarks must see it.
//!
//! Whoever comes online last of those that are on their way works for a tenth of the time since the first of
//! them was set out, less what others have worked before it. So all that are set out at once are late by one
//! last one, and of those that come one after the other each is late by its own share. The yardsticks, which
//! take no steps, stay as they are. No stamp is touched: it takes that long.
//!
//! **On their way are those who have passed the first step, and not the second.** Who goes down passes both of them
//! backwards, and is counted in before it is counted out; who turns back between them is counted out alone. Who comes
//! again from above the first step is no bring-up, and does not work.

use core::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use reveille_executor::{Clock, Instant};
use reveille_smp::step::{Run, Section, Site, Step, StepError};

use crate::{model::busy_until, percpu::PerCpu, time::TscClock};

/// One in so many parts of the time is added.
const PART: u32 = 10;

static COMPANY: Company = Company::new();

/// The AP is counted, on the BSP, right before its kick.
pub(super) struct SetOut;

/// The AP works, if it is the last one.
pub(super) struct Slower;

impl Step for SetOut {
    fn name(&self) -> &'static str {
        "set-out"
    }

    fn section(&self) -> Section {
        Section::Prepare
    }

    /// Behind all others, and with them no part of what is measured.
    fn rank(&self) -> u16 {
        40
    }

    fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        let Some(clock) = TscClock::get() else {
            return Err(StepError::Unsupported).into();
        };
        COMPANY.sets_out(clock.now());
        Ok(()).into()
    }

    fn down<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        COMPANY.is_back();
        Ok(()).into()
    }
}

impl Step for Slower {
    fn name(&self) -> &'static str {
        "slower"
    }

    /// Behind all others.
    fn rank(&self) -> u16 {
        40
    }

    fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        let Some(clock) = TscClock::get() else {
            return Err(StepError::Unsupported).into();
        };
        let clock = PerCpu::current().clock().on_this_cpu(clock);
        let now = clock.now();
        if let Some(span) = COMPANY.has_come(now) {
            busy_until(&clock, now + span);
            COMPANY.has_worked(span);
        }
        Ok(()).into()
    }

    fn down<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        COMPANY.goes_back();
        Ok(()).into()
    }
}

/// Those that are on their way.
///
/// # Memory ordering
///
/// Relaxed, all of them: counts and times for nothing but this, by which nothing else is read. That the count comes to
/// nothing for the last one is true in any order, as all change the same word. The BSP writes `begun_ns` before it kicks
/// the AP that reads it, and the AP's start orders the two. Two that are each the last of those they know of may work
/// at once, and then the second does not see what the first works: it works longer, by less than a tenth of that.
struct Company {
    /// How many there are.
    on_their_way: AtomicU32,
    /// When the first of them was set out, on the machine's clock; 0 before that.
    begun_ns: AtomicU64,
    /// How long has been worked since.
    worked_ns: AtomicU64,
}

impl Company {
    const fn new() -> Self {
        Self {
            on_their_way: AtomicU32::new(0),
            begun_ns: AtomicU64::new(0),
            worked_ns: AtomicU64::new(0),
        }
    }

    /// One more is set out, by the BSP.
    fn sets_out(&self, now: Instant) {
        self.on_their_way.fetch_add(1, Ordering::Relaxed);
        if self.begun_ns.load(Ordering::Relaxed) == 0 {
            self.begun_ns.store(now.as_nanos(), Ordering::Relaxed);
        }
    }

    /// One has come: how long it is to work, if it is the last.
    fn has_come(&self, now: Instant) -> Option<Duration> {
        let is_last = self.one_less() == Some(0);
        let begun = self.begun_ns.load(Ordering::Relaxed);
        if !is_last || begun == 0 {
            return None;
        }
        let took = now.saturating_duration_since(Instant::from_nanos(begun));
        let worked = Duration::from_nanos(self.worked_ns.load(Ordering::Relaxed));
        Some((took.saturating_sub(worked) / PART).saturating_sub(worked))
    }

    /// It has worked so long.
    fn has_worked(&self, span: Duration) {
        let nanos = span.as_nanos() as u64;
        self.worked_ns.fetch_add(nanos, Ordering::Relaxed);
    }

    /// One that had come goes down. Where nobody is on the way the next ones begin anew.
    fn goes_back(&self) {
        if self.on_their_way.fetch_add(1, Ordering::Relaxed) == 0 {
            self.forget();
        }
    }

    /// One is down, or was given up on its way up: it alone is counted out, whoever is on the way still.
    fn is_back(&self) {
        if self.one_less() == Some(0) {
            self.forget();
        }
    }

    /// Counts one out: how many are left, if any was counted. One that fails behind the second step goes down
    /// without it.
    fn one_less(&self) -> Option<u32> {
        let less = |count: u32| count.checked_sub(1);
        let before = self
            .on_their_way
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        before.ok().and_then(less)
    }

    fn forget(&self) {
        self.begun_ns.store(0, Ordering::Relaxed);
        self.worked_ns.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * 1_000)
    }

    fn us(micros: u64) -> Option<Duration> {
        Some(Duration::from_micros(micros))
    }

    #[test]
    fn the_last_one_works_for_a_tenth_of_what_all_took() {
        let company = Company::new();
        company.sets_out(at(1_000));
        company.sets_out(at(1_100));
        assert_eq!(company.has_come(at(1_500)), None);
        assert_eq!(company.has_come(at(2_000)), us(100));
    }

    #[test]
    fn who_comes_one_after_the_other_works_for_a_share_each() {
        let company = Company::new();
        company.sets_out(at(1_000));
        assert_eq!(company.has_come(at(2_000)), us(100));
        company.has_worked(Duration::from_micros(100));
        company.sets_out(at(2_100));
        assert_eq!(company.has_come(at(3_100)), us(100));
    }

    #[test]
    fn one_that_is_given_up_leaves_the_others_on_their_way() {
        let company = Company::new();
        (0..3).for_each(|_| company.sets_out(at(1_000)));
        company.is_back();
        assert_eq!(company.has_come(at(1_500)), None);
        assert_eq!(company.has_come(at(2_000)), us(100));
    }

    #[test]
    fn who_goes_down_begins_anew_and_nobody_is_counted_who_is_not_there() {
        let company = Company::new();
        company.sets_out(at(1_000));
        company.has_come(at(2_000));
        company.goes_back();
        company.is_back();
        company.sets_out(at(9_000));
        assert_eq!(company.has_come(at(9_500)), us(50));
        // It fails behind that, and is down all the same.
        company.is_back();
        company.sets_out(at(10_000));
        assert!(company.has_come(at(10_100)).is_some());
    }

    #[test]
    fn who_comes_again_from_halfway_down_does_not_work() {
        let company = Company::new();
        company.sets_out(at(1_000));
        company.has_come(at(2_000));
        company.goes_back();
        assert_eq!(company.has_come(at(1_000_000)), None);
        company.goes_back();
        company.is_back();
        company.sets_out(at(2_000_000));
        assert_eq!(company.has_come(at(2_000_100)), us(10));
    }
}
