//! Times of a system over its boots.
//!
//! Boots on a busy host are left out wherever there are others; where there are none, they stand and are
//! said to be busy.

use crate::bench::results::{Run, Samples};

/// Times of one kind over several boots, in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// The shortest.
    pub min: u64,
    /// The middle one; the lower of the two in an even number.
    pub median: u64,
    /// The longest.
    pub max: u64,
    /// So many boots gave them.
    pub boots: usize,
    /// So many more did on a busy host, and are left out.
    pub left_out: usize,
    /// The host was busy in all of them.
    pub busy: bool,
}

impl Figures {
    /// What `time` finds in these boots; `None` where it finds nothing.
    pub fn of<'a>(
        runs: impl IntoIterator<Item = &'a Run>,
        time: impl Fn(&Run) -> Option<u64>,
    ) -> Option<Self> {
        let (mut quiet, mut busy) = (Vec::new(), Vec::new());
        for run in runs.into_iter().filter(|run| run.is_ok()) {
            let times = if run.load.busy { &mut busy } else { &mut quiet };
            times.extend(time(run));
        }
        let only_busy = quiet.is_empty();
        let left_out = if only_busy { 0 } else { busy.len() };
        let mut times = if only_busy { busy } else { quiet };
        times.sort_unstable();
        Some(Self {
            min: *times.first()?,
            median: middle(&times)?,
            max: *times.last()?,
            boots: times.len(),
            left_out,
            busy: only_busy,
        })
    }

    /// How many boots, and what the host was like, for people.
    pub fn boots(&self) -> String {
        let Self {
            boots,
            left_out,
            busy,
            ..
        } = self;
        match (busy, left_out) {
            (true, _) => format!("{boots}, busy"),
            (false, 0) => boots.to_string(),
            (false, _) => format!("{boots} (+{left_out} busy)"),
        }
    }
}

/// Of times in order.
fn middle(times: &[u64]) -> Option<u64> {
    times.get(times.len().saturating_sub(1) / 2).copied()
}

/// A time among a boot's samples: the only one of its list, or the median of rounds.
fn of(run: &Run, name: &str, list: fn(&Samples) -> &[u64]) -> Option<u64> {
    let mut times = list(run.samples.get(name)?).to_vec();
    times.sort_unstable();
    middle(&times)
}

/// From the first INIT to the last CPU online, or from Linux's one line to the other.
pub(in crate::bench) fn online(name: &'static str) -> impl Fn(&Run) -> Option<u64> {
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
        super::{report::tests::linux, samples},
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
        assert_eq!((mixed.median, mixed.max), (300 * MS, 300 * MS));
        assert_eq!(mixed.boots(), "1 (+2 busy)");
        let all_busy = Figures::of(&busy, online()).expect("two");
        assert_eq!((all_busy.min, all_busy.median), (700 * MS, 700 * MS));
        assert_eq!(all_busy.boots(), "2, busy");
        assert_eq!(Figures::of(&[], online()), None);
        let failed = Run {
            outcome: Outcome::Failed("it did not".to_owned()),
            ..linux("x", false, 1)
        };
        assert_eq!(Figures::of([&failed], online()), None);
    }
}
