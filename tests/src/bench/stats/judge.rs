//! What is said of two sets of boots: slower, faster, no difference, or that nobody can tell.
//!
//! ```text
//!   shift of the new set, and where it may really be          said
//!   ────────────────────────────────────────────────          ─────────────
//!        -10 %         0        +10 %
//!    ──────|───────────|──[──*──]─|──────                      slower (where it counts)
//!    ──────|────────[──*──]───────|──────                      no difference
//!    ──────|────[──────*──────────|──]───                      cannot tell
//! ```
//!
//! **`no difference` is a finding, not the absence of one**: it is said only where a difference of
//! [`MARGIN`] is ruled out as surely as `slower` must be certain. So a set of too few boots, or of boots on
//! too noisy a host, is told apart from one in which nothing has changed.
//!
//! Sureness is that of the whole comparison: with more cells each of them must be surer (Bonferroni), so that
//! in [`LEVEL`] of all comparisons every cell is judged right.

use super::shift::{Shift, quantile};

/// How sure all verdicts of a comparison together must be. Well above the 19 in 20 that a gate is asked for:
/// at 0.95 one that is tried 20 times would show two false ones or more in every fourth series.
pub const LEVEL: f64 = 0.99;

/// The difference that must not be missed, as a factor.
pub const MARGIN: f64 = 1.10;

/// A difference below that is none, as a factor, however sure it is: to what day it is, and to where the
/// linker puts things, a ratio owes as much.
pub const LEAST: f64 = 1.03;

/// How often a difference of [`MARGIN`] is to be seen with as many boots as are asked for.
const POWER: f64 = 0.95;

/// What is said of one cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// It takes longer than it did.
    Slower(Confidence),
    /// It takes less than it did.
    Faster(Confidence),
    /// It does not differ by [`MARGIN`], and nothing says that it differs at all.
    NoDifference(Confidence),
    /// It may differ by [`MARGIN`], or not at all.
    CannotTell {
        /// Boots of each set with which one could, going by how these scatter; `None` where they are too
        /// few for that, too.
        boots: Option<usize>,
    },
}

/// How sure a verdict is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Confidence {
    /// What is compared repeats exactly.
    Exact,
    /// How often such a verdict is not given by chance, over all cells that are compared.
    Level(f64),
}

/// A verdict, and what it rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// What is said.
    pub verdict: Verdict,
    /// By how much the new set takes longer, as a factor.
    pub change: f64,
    /// Where that really is, at [`LEVEL`] for all cells together; `None` for too few boots.
    pub interval: Option<(f64, f64)>,
    /// The smallest factor that would have been seen: found as it is, its interval would leave out 1, or [`LEAST`]
    /// on a busy host. `None` for too few boots.
    pub smallest_seen: Option<f64>,
}

/// What the host did while the boots were measured that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// It had nothing else to do: boots are independent of each other.
    Quiet,
    /// It had, and what it had may have lasted for a whole set: sets of one build then differ by more than their
    /// boots do. So a difference must be surely greater than [`LEAST`], and not than nothing.
    Busy,
}

/// Judges one of `cells` that are compared, by a value for each boot. `None` where a set has no boot.
pub fn judge(old: &[f64], new: &[f64], cells: usize, host: Host) -> Option<Judgement> {
    let logarithms = |values: &[f64]| -> Vec<f64> { values.iter().map(|it| it.ln()).collect() };
    let shift = Shift::between(&logarithms(old), &logarithms(new))?;
    // Of a verdict in either direction, in one of so many cells.
    let tries = 2.0 * cells.max(1) as f64;
    let chance = (1.0 - LEVEL) / tries;
    let interval = shift.interval(2.0 * chance);
    let reach = |(low, high): (f64, f64)| (shift.estimate() - low).max(high - shift.estimate());
    let reach = interval.map(reach);
    let confidence = |chance: f64| Confidence::Level((1.0 - tries * chance).max(0.0));
    let (margin, least) = (MARGIN.ln(), LEAST.ln());
    let slack = match host {
        Host::Quiet => 0.0,
        Host::Busy => least,
    };
    let (longer, shorter) = (shift.chance_above(slack), shift.chance_below(-slack));
    let outside = shift.chance_below(margin).max(shift.chance_above(-margin));
    let verdict = if longer <= chance && shift.estimate() >= least {
        Verdict::Slower(confidence(longer))
    } else if shorter <= chance && shift.estimate() <= -least {
        Verdict::Faster(confidence(shorter))
    } else if outside <= chance {
        Verdict::NoDifference(confidence(outside))
    } else {
        let boots = old.len().max(new.len());
        Verdict::CannotTell {
            boots: boots_needed(
                boots,
                reach.map(|it| it + slack),
                shift.standard_error(),
                chance,
            ),
        }
    };
    Some(Judgement {
        verdict,
        change: shift.estimate().exp(),
        interval: interval.map(|(low, high)| (low.exp(), high.exp())),
        smallest_seen: reach.map(|it| (it + slack).max(least).exp()),
    })
}

/// Judges what repeats exactly: any difference is one. `None` where a set has no boot, or one that does not
/// repeat.
pub fn judge_exact(old: &[f64], new: &[f64]) -> Option<Judgement> {
    let repeated = |values: &[f64]| {
        let (first, others) = values.split_first()?;
        others.iter().all(|it| it == first).then_some(*first)
    };
    let (old, new) = (repeated(old)?, repeated(new)?);
    let verdict = match new.total_cmp(&old) {
        std::cmp::Ordering::Greater => Verdict::Slower,
        std::cmp::Ordering::Less => Verdict::Faster,
        std::cmp::Ordering::Equal => Verdict::NoDifference,
    };
    let change = if old == new { 1.0 } else { new / old };
    Some(Judgement {
        verdict: verdict(Confidence::Exact),
        change,
        interval: Some((change, change)),
        smallest_seen: None,
    })
}

/// Boots of each set that are enough for a verdict at all, if none scatters.
pub fn fewest_boots(cells: usize) -> usize {
    let chance = (1.0 - LEVEL) / (2.0 * cells.max(1) as f64);
    (2..)
        .find(|&boots| separation(boots) <= chance)
        .expect("some number is large enough")
}

/// Boots of a new set that are enough for a verdict at all beside so many old ones, if none scatters. No number is
/// beside none.
pub fn fewest_boots_beside(old: usize, cells: usize) -> Option<usize> {
    let chance = (1.0 - LEVEL) / (2.0 * cells.max(1) as f64);
    // One of all choices of the old ones out of all.
    let apart = |new: usize| -> f64 { (1..=old).map(|it| it as f64 / (new + it) as f64).product() };
    (old > 0).then(|| {
        (1..)
            .find(|&new| apart(new) <= chance)
            .expect("some number is large enough")
    })
}

/// How likely it is that two sets of so many boots lie wholly apart by chance, one way round.
fn separation(boots: usize) -> f64 {
    // One of all choices of as many out of twice as many.
    (1..=boots)
        .map(|it| it as f64 / (boots + it) as f64)
        .product()
}

/// With so many boots one sees a difference of [`MARGIN`], or rules it out, [`POWER`] of the time: what is seen
/// goes with the root of their number.
fn boots_needed(
    boots: usize,
    reach: Option<f64>,
    error: Option<f64>,
    chance: f64,
) -> Option<usize> {
    let fewest = (2..).find(|&boots| separation(boots) <= chance)?;
    let error = error?;
    let seen = reach.unwrap_or_else(|| quantile(1.0 - chance) * error) + quantile(POWER) * error;
    let needed = boots as f64 * (seen / MARGIN.ln()).powi(2);
    // With as many as there are it could not be told.
    Some((needed.ceil() as usize).max(fewest).max(boots + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STEADY: [f64; 8] = [1.50, 1.51, 1.49, 1.52, 1.48, 1.50, 1.51, 1.49];

    fn times(factor: f64) -> Vec<f64> {
        STEADY.iter().map(|it| it * factor).collect()
    }

    fn verdict(new: &[f64]) -> Verdict {
        judge(&STEADY, new, 5, Host::Quiet)
            .expect("both have boots")
            .verdict
    }

    #[test]
    fn steady_boots_are_judged_by_their_shift() {
        assert!(matches!(verdict(&times(1.10)), Verdict::Slower(_)));
        assert!(matches!(verdict(&times(0.91)), Verdict::Faster(_)));
        assert!(matches!(verdict(&times(1.005)), Verdict::NoDifference(_)));
        let Verdict::Slower(Confidence::Level(level)) = verdict(&times(1.2)) else {
            panic!("it is a fifth slower");
        };
        // 5 cells, 2 directions, one order of 12,870.
        assert!((level - (1.0 - 10.0 / 12_870.0)).abs() < 1e-9, "{level}");
    }

    #[test]
    fn a_difference_that_is_sure_and_too_small_to_count_is_none() {
        let judged = judge(&STEADY, &times(1.025), 1, Host::Quiet).expect("both have boots");
        assert!(judged.interval.expect("eight are enough").0 < 1.025);
        assert!(
            matches!(judged.verdict, Verdict::NoDifference(_)),
            "{judged:?}"
        );
    }

    #[test]
    fn what_may_be_the_busy_hosts_doing_is_not_called_a_difference() {
        // Surely more than nothing, and not surely more than 3 %.
        let new = times(1.045);
        let on = |host| {
            judge(&STEADY, &new, 5, host)
                .expect("both have boots")
                .verdict
        };
        assert!(matches!(on(Host::Quiet), Verdict::Slower(_)));
        assert!(matches!(on(Host::Busy), Verdict::NoDifference(_)));
        let tenth = judge(&STEADY, &times(1.1), 5, Host::Busy).expect("both have boots");
        assert!(matches!(tenth.verdict, Verdict::Slower(_)), "{tenth:?}");
    }

    #[test]
    fn too_few_boots_soothe_nobody_and_alarm_nobody() {
        for factor in [1.0, 1.5] {
            let new: Vec<_> = times(factor)[..3].into();
            let judged = judge(&STEADY[..3], &new, 1, Host::Quiet).expect("both have boots");
            let Verdict::CannotTell { boots } = judged.verdict else {
                panic!("{judged:?}");
            };
            assert!(boots >= Some(5), "{boots:?}");
            assert_eq!((judged.interval, judged.smallest_seen), (None, None));
        }
        let one = judge(&[1.5], &[1.5], 1, Host::Quiet).expect("both have a boot");
        assert_eq!(one.verdict, Verdict::CannotTell { boots: None });
        assert_eq!(judge(&[], &STEADY, 1, Host::Quiet), None);
    }

    #[test]
    fn boots_that_scatter_leave_it_open_and_ask_for_more() {
        let noisy = [1.1, 1.9, 1.4, 1.6, 1.2, 1.8, 1.5, 1.3];
        let judged = judge(&noisy, &noisy, 5, Host::Quiet).expect("both have boots");
        let Verdict::CannotTell { boots: Some(boots) } = judged.verdict else {
            panic!("{judged:?}");
        };
        assert!((50..500).contains(&boots), "{boots}");
        assert!(judged.smallest_seen > Some(MARGIN));
    }

    #[test]
    fn the_more_cells_the_more_boots() {
        assert_eq!(fewest_boots(1), 5);
        assert_eq!(fewest_boots(5), 7);
        assert_eq!(fewest_boots(20), 8);
        assert_eq!(fewest_boots(0), 5);
    }

    #[test]
    fn the_more_old_boots_the_fewer_new_ones_and_never_one_too_few() {
        assert_eq!(fewest_boots_beside(0, 5), None);
        // One order of 1,716, of which one in 1,000 is allowed; beside six old ones it takes seven.
        assert_eq!(fewest_boots_beside(7, 5), Some(6));
        assert_eq!(fewest_boots_beside(6, 5), Some(7));
        assert_eq!(fewest_boots_beside(1, 1), Some(199));
        for old in 2..15 {
            let fewest = fewest_boots_beside(old, 5).expect("there are old ones");
            let verdict = |boots: usize| {
                let steady = |count: usize, time: f64| -> Vec<f64> {
                    (0..count).map(|it| time + it as f64 * 1e-6).collect()
                };
                judge(&steady(old, 1.0), &steady(boots, 2.0), 5, Host::Quiet)
                    .expect("both have boots")
                    .verdict
            };
            assert!(matches!(verdict(fewest), Verdict::Slower(_)), "{old}");
            if fewest > 1 {
                let is_open = matches!(verdict(fewest - 1), Verdict::CannotTell { .. });
                assert!(is_open, "{old}");
            }
        }
    }

    #[test]
    fn what_repeats_exactly_is_compared_exactly() {
        let exact = |old: &[f64], new: &[f64]| judge_exact(old, new).map(|it| it.verdict);
        assert_eq!(
            exact(&[5.0, 5.0], &[5.0]),
            Some(Verdict::NoDifference(Confidence::Exact))
        );
        assert_eq!(
            exact(&[5.0], &[6.0, 6.0]),
            Some(Verdict::Slower(Confidence::Exact))
        );
        assert_eq!(
            exact(&[5.0], &[4.0]),
            Some(Verdict::Faster(Confidence::Exact))
        );
        assert_eq!(exact(&[5.0, 5.1], &[5.0]), None);
        assert_eq!(exact(&[], &[5.0]), None);
    }

    fn set() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(0.5..3.0, 1..14)
    }

    proptest! {
        #[test]
        fn what_is_slower_one_way_is_faster_the_other(old in set(), new in set(), cells in 1..30_usize) {
            let there = judge(&old, &new, cells, Host::Quiet).unwrap();
            let back = judge(&new, &old, cells, Host::Quiet).unwrap();
            match (there.verdict, back.verdict) {
                (Verdict::Slower(_), Verdict::Faster(_))
                | (Verdict::Faster(_), Verdict::Slower(_))
                | (Verdict::NoDifference(_), Verdict::NoDifference(_))
                | (Verdict::CannotTell { .. }, Verdict::CannotTell { .. }) => {}
                other => prop_assert!(false, "{:?}", other),
            }
            prop_assert!((there.change * back.change - 1.0).abs() < 1e-9);
        }

        #[test]
        fn another_unit_changes_no_verdict(old in set(), new in set(), scale in 0.001..1000.0) {
            let scaled = |set: &[f64]| -> Vec<f64> { set.iter().map(|it| it * scale).collect() };
            let (one, other) = (judge(&old, &new, 3, Host::Quiet).unwrap(), judge(&scaled(&old), &scaled(&new), 3, Host::Quiet).unwrap());
            prop_assert!((one.change / other.change - 1.0).abs() < 1e-9);
            prop_assert_eq!(
                std::mem::discriminant(&one.verdict), std::mem::discriminant(&other.verdict)
            );
        }

        #[test]
        fn nothing_is_said_of_fewer_boots_than_the_fewest(
            old in set(), new in set(), factor in 1.0..50.0, cells in 1..30_usize
        ) {
            let new: Vec<f64> = new.iter().map(|it| it * factor).collect();
            let judged = judge(&old, &new, cells, Host::Quiet).unwrap();
            if old.len().max(new.len()) < fewest_boots(cells) {
                let is_open = matches!(judged.verdict, Verdict::CannotTell { .. });
                prop_assert!(is_open, "{:?}", judged);
            }
        }

        #[test]
        fn who_says_no_difference_would_have_seen_the_margin(old in set(), new in set()) {
            let judged = judge(&old, &new, 1, Host::Quiet).unwrap();
            if let Verdict::NoDifference(_) = judged.verdict {
                let (low, high) = judged.interval.unwrap();
                prop_assert!(1.0 / MARGIN < low && high < MARGIN, "{:?}", judged);
            }
        }
    }
}
