//! The step `idle`: how long each CPU has been online, and how much of that it slept.
//!
//! The account is open while the CPU is online. What the CPU's executor counts is the source; the
//! account keeps what the counts were when it was opened, and adds the difference to the CPU's total
//! when it is closed.

use core::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use linkme::distributed_slice;
use reveille_executor::{Clock, Instant, Snapshot};
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
        change(area.idle(), clock.now(), area.counters().snapshot());
        Ok(())
    }
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

/// The account of one CPU, in nanoseconds.
///
/// Relaxed: the CPU itself writes, and others read figures that may be a moment apart.
#[derive(Debug)]
pub struct Account {
    /// Since when the CPU is online; [`CLOSED`] while it is not.
    opened: AtomicU64,
    /// How long it had slept by then.
    asleep_then: AtomicU64,
    /// How long it was online before that, and slept of it.
    online: AtomicU64,
    asleep: AtomicU64,
}

const CLOSED: u64 = u64::MAX;

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
            opened: AtomicU64::new(CLOSED),
            asleep_then: AtomicU64::new(0),
            online: AtomicU64::new(0),
            asleep: AtomicU64::new(0),
        }
    }

    fn open(&self, now: Instant, counts: Snapshot) {
        self.asleep_then
            .store(nanos(counts.asleep), Ordering::Relaxed);
        self.opened.store(now.as_nanos(), Ordering::Relaxed);
    }

    fn close(&self, now: Instant, counts: Snapshot) {
        let total = self.read(now, counts);
        self.opened.store(CLOSED, Ordering::Relaxed);
        self.online.store(nanos(total.online), Ordering::Relaxed);
        self.asleep.store(nanos(total.asleep), Ordering::Relaxed);
    }

    /// What it comes to now, with what the CPU's executor counts now.
    pub(crate) fn read(&self, now: Instant, counts: Snapshot) -> IdleTime {
        let read = |word: &AtomicU64| word.load(Ordering::Relaxed);
        let before = IdleTime {
            online: Duration::from_nanos(read(&self.online)),
            asleep: Duration::from_nanos(read(&self.asleep)),
        };
        let opened = match read(&self.opened) {
            CLOSED => return before,
            opened => Instant::from_nanos(opened),
        };
        let present = counts
            .asleep_since
            .map_or(Duration::ZERO, |since| now - since);
        let asleep_then = Duration::from_nanos(read(&self.asleep_then));
        let asleep = (counts.asleep + present).saturating_sub(asleep_then);
        let online = now - opened;
        IdleTime {
            online: before.online + online,
            asleep: before.asleep + asleep.min(online),
        }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    fn counts(asleep: u64, since: Option<u64>) -> Snapshot {
        Snapshot {
            asleep: Duration::from_nanos(asleep),
            asleep_since: since.map(at),
            ..Snapshot::default()
        }
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
        account.open(at(100), counts(30, None));
        assert_eq!(account.read(at(150), counts(70, None)), time(50, 40));
        account.close(at(200), counts(110, None));
        assert_eq!(account.read(at(900), counts(800, None)), time(100, 80));
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
