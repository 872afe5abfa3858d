//! What happened between two moments, a second.

use core::time::Duration;

use super::{CpuFigures, Moment};

/// What one CPU did between two moments: events a second, rounded to the next whole one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Polls of futures on its executor.
    pub polls: u64,
    /// Polls for nothing: the waker outlived its task.
    pub spurious: u64,
    /// Wakes of its tasks.
    pub wakes: u64,
    /// Calls that it ran.
    pub calls: u64,
    /// Interrupts that were sent to it, by wakes and for calls.
    pub ipis: u64,
    /// Interrupts that wakes did without.
    pub saved: u64,
    /// How much of its time online it slept, in thousandths; `None` where it was not online.
    pub idle: Option<u32>,
}

impl Rates {
    /// Of the same CPU at two moments, the earlier one first; `None` where no time lies between them.
    ///
    /// What counts less at the later moment did not happen: no figure is negative, and no share is
    /// above the whole.
    pub fn between(before: &CpuFigures, after: &CpuFigures, elapsed: Duration) -> Option<Self> {
        let rate = |count: fn(&CpuFigures) -> u64| {
            let events = count(after).saturating_sub(count(before));
            per_second(events, elapsed)
        };
        let online = after.time.online.saturating_sub(before.time.online);
        let asleep = after.time.asleep.saturating_sub(before.time.asleep);
        Some(Self {
            polls: rate(|it| it.counts.executor.polls)?,
            spurious: rate(|it| it.counts.executor.spurious_polls)?,
            wakes: rate(|it| it.counts.executor.wakes)?,
            calls: rate(|it| it.counts.calls.run)?,
            ipis: rate(|it| it.counts.ipis())?,
            saved: rate(|it| it.counts.saved())?,
            idle: share(asleep, online),
        })
    }
}

/// What all CPUs did together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RatesOfAll {
    /// The sum; of the shares it is the mean of those that were online.
    pub sum: Rates,
    /// How many were online meanwhile.
    pub cpus: u32,
}

impl RatesOfAll {
    /// Of these CPUs.
    pub fn of(rates: impl IntoIterator<Item = Rates>) -> Self {
        let mut all = Self::default();
        let mut shares = 0_u64;
        for it in rates {
            let sum = &mut all.sum;
            let mut add = |to: fn(&mut Rates) -> &mut u64, events: u64| {
                let to = to(sum);
                *to = to.saturating_add(events);
            };
            add(|sum| &mut sum.polls, it.polls);
            add(|sum| &mut sum.spurious, it.spurious);
            add(|sum| &mut sum.wakes, it.wakes);
            add(|sum| &mut sum.calls, it.calls);
            add(|sum| &mut sum.ipis, it.ipis);
            add(|sum| &mut sum.saved, it.saved);
            if let Some(idle) = it.idle {
                shares += u64::from(idle);
                all.cpus += 1;
            }
        }
        let cpus = u64::from(all.cpus);
        all.sum.idle = (shares + cpus / 2).checked_div(cpus).map(|it| it as u32);
        all
    }
}

impl Moment {
    /// What a CPU did from an earlier moment to this one; `None` where it was not there yet.
    pub fn rates_since(&self, before: &Self, after: &CpuFigures) -> Option<Rates> {
        Rates::between(before.of(after.cpu?)?, after, self.at - before.at)
    }
}

/// Events a second, rounded.
fn per_second(events: u64, elapsed: Duration) -> Option<u64> {
    let nanos = elapsed.as_nanos();
    let events = u128::from(events) * Duration::from_secs(1).as_nanos();
    let rounded = (events + nanos / 2).checked_div(nanos)?;
    Some(u64::try_from(rounded).unwrap_or(u64::MAX))
}

/// A part of a whole in thousandths, rounded; `None` of nothing.
pub(in crate::shell) fn share(part: Duration, whole: Duration) -> Option<u32> {
    let (part, whole) = (part.as_nanos(), whole.as_nanos());
    let thousandths = (part * 1_000 + whole / 2).checked_div(whole)?;
    Some(thousandths.min(1_000) as u32)
}

#[cfg(test)]
mod tests {
    use super::{super::for_tests::*, *};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn events_are_told_a_second_whatever_lies_between_the_moments() {
        let before = online(1);
        let mut after = before.clone();
        after.counts.executor.polls += 30;
        after.counts.executor.wakes += 25;
        after.counts.executor.doorbells_sent += 4;
        after.counts.calls.run += 7;
        after.counts.calls.interrupts += 6;
        after.time.online += SECOND / 2;
        after.time.asleep += SECOND / 4;
        let rates = Rates::between(&before, &after, SECOND / 2).unwrap();
        assert_eq!((rates.polls, rates.wakes), (60, 50));
        assert_eq!((rates.calls, rates.ipis), (14, 20));
        assert_eq!(rates.idle, Some(500));
        assert_eq!(Rates::between(&before, &after, Duration::ZERO), None);
    }

    #[test]
    fn what_counts_less_than_before_did_not_happen_and_no_share_is_above_the_whole() {
        let before = online(1);
        let mut after = before.clone();
        after.counts.executor.polls = 0;
        after.time.online += SECOND;
        after.time.asleep += 2 * SECOND;
        let rates = Rates::between(&before, &after, SECOND).unwrap();
        assert_eq!((rates.polls, rates.idle), (0, Some(1_000)));
    }

    #[test]
    fn a_cpu_that_was_not_online_has_no_idle_share_and_does_not_count_in_the_mean() {
        let offline = Rates::between(&online(1), &online(1), SECOND).unwrap();
        assert_eq!(offline.idle, None);
        let idle = |idle| Rates {
            idle,
            polls: 3,
            ..Rates::default()
        };
        let all = RatesOfAll::of([idle(Some(1_000)), idle(Some(501)), idle(None)]);
        assert_eq!((all.cpus, all.sum.polls), (2, 9));
        assert_eq!(all.sum.idle, Some(751));
        assert_eq!(RatesOfAll::of([]).sum.idle, None);
    }

    #[test]
    fn a_cpu_is_compared_with_itself_and_not_with_its_place_in_the_list() {
        let mut before = moment([0, 3]);
        let mut after = moment([0, 2, 3]);
        after.at = before.at + SECOND;
        before.cpus[1].counts.executor.polls = 100;
        after.cpus[2].counts.executor.polls = 150;
        let rates = |at: usize| after.rates_since(&before, &after.cpus[at]);
        assert_eq!(rates(2).map(|it| it.polls), Some(50));
        assert_eq!(rates(1), None);
    }
}
