//! The step `idle`: how long each CPU has been online, and how much of that it slept.
//!
//! The account is open while the CPU is online; the BSP opens its own as its executor begins, and never
//! closes it. What the CPU's executor counts is the source: the account is a stopwatch on it, and one on
//! the clock.

use core::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use linkme::distributed_slice;
use reveille_executor::{Clock, Instant, Snapshot, Stopwatch};
use reveille_smp::step::{Run, Site, Step, StepError};

use crate::{ladder::STEPS, percpu::PerCpu, time::TscClock};

#[distributed_slice(STEPS)]
static IDLE: &dyn Step = &IdleAccounting;

/// The CPU's time is accounted for.
struct IdleAccounting;

impl IdleAccounting {
    fn with_account(change: impl FnOnce(&Account, Instant, Snapshot)) -> Result<(), StepError> {
        let clock = TscClock::get().ok_or(StepError::Unsupported)?;
        let area = PerCpu::current();
        let now = area.clock().on_this_cpu(clock).now();
        change(area.idle(), now, area.counters().snapshot());
        Ok(())
    }
}

/// Opens the account of the CPU that calls, which climbs no ladder: the BSP, as its executor begins.
pub fn open_for_bsp() {
    // Without a clock there is no account, and the clock was published long before.
    let _ = IdleAccounting::with_account(Account::open);
}

impl Step for IdleAccounting {
    fn name(&self) -> &'static str {
        "idle"
    }

    fn rank(&self) -> u16 {
        20
    }

    fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        Self::with_account(Account::open).into()
    }

    fn down<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        Self::with_account(Account::close).into()
    }
}

/// The account of one CPU.
///
/// Relaxed: the CPU itself writes, and each figure that others read is one word.
#[derive(Debug)]
pub struct Account {
    /// How long the CPU has been online.
    online: Stopwatch,
    /// How long it slept of that: its clock is the CPU's total of sleep, which goes on only then.
    asleep: Stopwatch,
    /// When the account was opened or closed last, in nanoseconds; [`NEVER`] before.
    changed: AtomicU64,
}

const NEVER: u64 = u64::MAX;

/// How long a CPU has been online in all, and how much of that it slept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdleTime {
    /// Online.
    pub online: Duration,
    /// Online and asleep.
    pub asleep: Duration,
}

/// As a share: `97 %`.
impl fmt::Display for IdleTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let online = self.online.as_nanos().max(1);
        write!(f, "{} %", self.asleep.as_nanos() * 100 / online)
    }
}

impl Account {
    /// Of a CPU that was never online.
    pub(crate) const fn new() -> Self {
        Self {
            online: Stopwatch::new(),
            asleep: Stopwatch::new(),
            changed: AtomicU64::new(NEVER),
        }
    }

    fn open(&self, now: Instant, counts: Snapshot) {
        self.asleep.start(total_of_sleep(now, counts));
        self.online.start(now);
        self.changed.store(now.as_nanos(), Ordering::Relaxed);
    }

    fn close(&self, now: Instant, counts: Snapshot) {
        self.asleep.stop(total_of_sleep(now, counts));
        self.online.stop(now);
        self.changed.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// What it comes to now, with what the CPU's executor counts now.
    pub(crate) fn read(&self, now: Instant, counts: Snapshot) -> IdleTime {
        let online = self.online.read().until(now);
        let asleep = self.asleep.read().until(total_of_sleep(now, counts));
        IdleTime {
            online,
            asleep: asleep.min(online),
        }
    }

    /// When it was opened or closed last.
    pub(crate) fn changed(&self) -> Option<Instant> {
        match self.changed.load(Ordering::Relaxed) {
            NEVER => None,
            nanos => Some(Instant::from_nanos(nanos)),
        }
    }
}

/// What the clock shows that goes on while the CPU sleeps.
fn total_of_sleep(now: Instant, counts: Snapshot) -> Instant {
    Instant::ZERO + counts.asleep.until(now)
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use reveille_executor::{Counters, Metrics};

    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    fn counts(asleep: u64, since: Option<u64>) -> Snapshot {
        let counters = Counters::new();
        counters.falls_asleep(at(0));
        counters.slept(Duration::from_nanos(asleep));
        if let Some(since) = since {
            counters.falls_asleep(at(since));
        }
        counters.snapshot()
    }

    fn time(online: u64, asleep: u64) -> IdleTime {
        IdleTime {
            online: Duration::from_nanos(online),
            asleep: Duration::from_nanos(asleep),
        }
    }

    #[test]
    fn only_the_time_online_counts_and_stays_add_up() {
        let account = Account::new();
        assert_eq!(account.read(at(50), counts(20, None)), time(0, 0));
        assert_eq!(account.changed(), None);
        account.open(at(100), counts(30, None));
        assert_eq!(account.read(at(150), counts(70, None)), time(50, 40));
        account.close(at(200), counts(110, None));
        assert_eq!(account.read(at(900), counts(800, None)), time(100, 80));
        assert_eq!(account.changed(), Some(at(200)));
        account.open(at(1000), counts(850, None));
        let now = account.read(at(1100), counts(870, None));
        assert_eq!(now, time(200, 100));
        assert_eq!(now.to_string(), "50 %");
    }

    #[test]
    fn the_sleep_that_a_cpu_is_in_counts_but_no_more_than_its_time_online() {
        let account = Account::new();
        account.open(at(100), counts(0, None));
        let asleep = counts(10, Some(120));
        assert_eq!(account.read(at(200), asleep), time(100, 90));
        let before = counts(10, Some(40));
        assert_eq!(account.read(at(200), before), time(100, 100));
        assert_eq!(IdleTime::default().to_string(), "0 %");
    }
}
