//! Times of a system over its boots.
//!
//! Boots on a busy host are left out wherever there are others; where there are none, they stand and are
//! said to be busy. A boot that was late took longer than any that was not, and has its place in the median; where
//! that is it, there is no median. What failed in another way, or was not tried, is counted and told.

use super::late::Fate;
use crate::bench::{
    results::{Run, Samples},
    stats::median::lower_middle,
};

/// Times of one kind over several boots, in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// The shortest.
    pub min: u64,
    /// The middle one; the lower of the two in an even number.
    pub median: u64,
    /// The longest; `None` if it was late.
    pub max: Option<u64>,
    /// What became of all boots.
    pub tally: Tally,
}

/// What became of boots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// So many gave times that stand.
    pub boots: usize,
    /// So many more did on a busy host, or were late there, and are left out.
    pub left_out: usize,
    /// The host was busy in all that stand.
    pub busy: bool,
    /// So many more were not up in time, and stand.
    pub late: usize,
    /// So many broke.
    pub failed: usize,
    /// So many were not made, as others were late.
    pub not_tried: usize,
}

impl Figures {
    /// What `time` finds in these boots; `None` where it finds nothing, or where the middle one was late.
    pub fn of<'a>(
        runs: impl IntoIterator<Item = &'a Run>,
        time: impl Fn(&Run) -> Option<u64>,
    ) -> Option<Self> {
        let (times, tally) = gathered(runs, time);
        Some(Self {
            min: (*times.first()?)?,
            median: lower_middle(&times)??,
            max: *times.last()?,
            tally,
        })
    }
}

impl Tally {
    /// Of what `time` finds in these boots.
    pub fn of<'a>(
        runs: impl IntoIterator<Item = &'a Run>,
        time: impl Fn(&Run) -> Option<u64>,
    ) -> Self {
        gathered(runs, time).1
    }

    /// How many boots, and what the host was like, for people.
    pub fn words(&self) -> String {
        let Self {
            boots,
            left_out,
            busy,
            late,
            failed,
            not_tried,
        } = self;
        let mut words = boots.to_string();
        if *busy {
            words += ", busy";
        }
        let others = [
            (left_out, "+", " busy"),
            (late, "", " late"),
            (failed, "", " failed"),
            (not_tried, "", " not tried"),
        ];
        let others = others.iter().filter(|(count, ..)| **count > 0);
        let others = others.map(|(count, before, behind)| format!("{before}{count}{behind}"));
        let others = others.collect::<Vec<_>>().join(", ");
        if !others.is_empty() {
            words += &format!(" ({others})");
        }
        words
    }
}

/// The times that stand in their order, of which `None` is that of a late boot, and what became of all.
fn gathered<'a>(
    runs: impl IntoIterator<Item = &'a Run>,
    time: impl Fn(&Run) -> Option<u64>,
) -> (Vec<Option<u64>>, Tally) {
    let (mut quiet, mut busy) = (Vec::new(), Vec::new());
    let mut tally = Tally::default();
    for run in runs {
        let times = if run.load.busy { &mut busy } else { &mut quiet };
        match Fate::of(run) {
            Fate::Ok => times.extend(time(run).map(Some)),
            Fate::Late => times.push(None),
            Fate::Failed => tally.failed += 1,
            Fate::NotTried => tally.not_tried += 1,
        }
    }
    tally.busy = quiet.is_empty() && !busy.is_empty();
    tally.left_out = if tally.busy { 0 } else { busy.len() };
    let mut times = if tally.busy { busy } else { quiet };
    times.sort_unstable_by_key(|time| time.unwrap_or(u64::MAX));
    tally.late = times.iter().filter(|time| time.is_none()).count();
    tally.boots = times.len() - tally.late;
    (times, tally)
}

/// A time among a boot's samples: the only one of its list, or the median of rounds.
fn of(run: &Run, name: &str, list: fn(&Samples) -> &[u64]) -> Option<u64> {
    let mut times = list(run.samples.get(name)?).to_vec();
    times.sort_unstable();
    lower_middle(&times)
}

/// From the first INIT to the last CPU online, or from Linux's one line to the other.
pub fn online(name: &'static str) -> impl Fn(&Run) -> Option<u64> {
    move |run| of(run, name, |it| &it.online_ns)
}

/// To the last AP alive, or to the last APIC enabled.
pub(super) fn alive(name: &'static str) -> impl Fn(&Run) -> Option<u64> {
    move |run| of(run, name, |it| &it.alive_ns)
}

/// To the last AP's first SIPI.
pub(super) fn kick(name: &'static str) -> impl Fn(&Run) -> Option<u64> {
    move |run| of(run, name, |it| &it.kick_ns)
}

/// Of all that is measured.
pub(super) fn total(name: &'static str) -> impl Fn(&Run) -> Option<u64> {
    move |run| of(run, name, |it| &it.total_ns)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            report::tests::{late, linux},
            samples,
        },
        *,
    };
    use crate::bench::results::Outcome;

    const MS: u64 = 1_000_000;

    #[test]
    fn boots_on_a_busy_host_are_left_out_while_there_are_others() {
        let quiet = linux("x", false, 300);
        let busy = [linux("x", true, 900), linux("x", true, 700)];
        let online = || online(samples::BRING_UP);
        let mixed = Figures::of([&quiet, &busy[0], &busy[1]], online()).expect("one");
        assert_eq!((mixed.median, mixed.max), (300 * MS, Some(300 * MS)));
        assert_eq!(mixed.tally.words(), "1 (+2 busy)");
        let all_busy = Figures::of(&busy, online()).expect("two");
        assert_eq!((all_busy.min, all_busy.median), (700 * MS, 700 * MS));
        assert_eq!(all_busy.tally.words(), "2, busy");
        assert_eq!(Figures::of(&[], online()), None);
        let failed = Run {
            outcome: Outcome::Failed("it did not".to_owned()),
            ..linux("x", false, 1)
        };
        assert_eq!(Figures::of([&failed], online()), None);
    }

    #[test]
    fn a_late_boot_is_longer_than_any_other_and_none_is_hidden() {
        let up = [linux("x", false, 300), linux("x", false, 400)];
        let [one, two, three] = [1, 2, 3].map(|run| late("x", run));
        let failed = Run {
            outcome: Outcome::Failed("it did not".to_owned()),
            ..linux("x", false, 1)
        };
        let online = || online(samples::BRING_UP);
        let few = Figures::of([&one, &up[1], &up[0], &failed], online()).expect("most are up");
        assert_eq!((few.min, few.median, few.max), (300 * MS, 400 * MS, None));
        assert_eq!(few.tally.words(), "2 (1 late, 1 failed)");
        let most = [&up[0], &one, &two, &three, &failed];
        assert_eq!(Figures::of(most, online()), None);
        let words = Tally::of(most, online()).words();
        assert_eq!(words, "1 (3 late, 1 failed)");
        let not_tried = Run {
            elapsed_ns: 0,
            ..late("x", 4)
        };
        let half = Figures::of([&up[0], &one, &not_tried], online()).expect("the lower of two");
        assert_eq!(half.tally.words(), "1 (1 late, 1 not tried)");
    }
}
