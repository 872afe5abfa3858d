//! The median of a few values, and how far it can be trusted.
//!
//! The interval is made of order statistics: whatever the distribution is, so many of all samples have
//! its median between their k-th value from below and their k-th from above. It assumes that the values
//! are independent of each other, and nothing else; so a value here is a boot's, never a round's.

use statrs::distribution::{Binomial, DiscreteCDF};

/// How sure an interval is to be, if there are enough values for that.
pub const LEVEL: f64 = 0.95;

/// What is known of a median.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Median {
    /// Of how many values.
    pub values: usize,
    /// The middle one; of an even number the mean of the two in the middle.
    pub median: f64,
    /// Where the median of all that could have been measured lies; `None` for a single value.
    pub interval: Option<Interval>,
}

/// Two ends, and how sure it is that what is looked for is between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end, itself inside.
    pub low: f64,
    /// The upper end, itself inside.
    pub high: f64,
    /// The share of all samples whose interval has it inside. At least [`LEVEL`] from six values on; below,
    /// the interval is the whole range of the values, and this says what that is worth.
    pub level: f64,
}

impl Median {
    /// The median of `values`, in any order; `None` when there are none, or one of them is no number.
    pub fn of(values: &[f64]) -> Option<Self> {
        let sorted = sorted(values)?;
        Some(Self {
            values: sorted.len(),
            median: middle(&sorted)?,
            interval: interval(&sorted),
        })
    }
}

impl Interval {
    /// Whether a value lies inside.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// What an interval is worth in whole per cent, and never more than it is: 93 for 93.75.
pub fn percent(level: f64) -> u32 {
    // A sum of probabilities errs in its last digits, and a half is no 49 %.
    const ERROR: f64 = 1e-9;
    (level * 100.0 + ERROR).floor() as u32
}

/// The values in their order; `None` if one of them is no number.
pub(super) fn sorted(values: &[f64]) -> Option<Vec<f64>> {
    if values.iter().any(|value| value.is_nan()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Some(sorted)
}

/// The middle of values that are in order.
pub(super) fn middle(sorted: &[f64]) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let (low, high) = (sorted[last / 2], sorted[last.div_ceil(2)]);
    Some(if low == high { low } else { (low + high) / 2.0 })
}

/// One of the values that are in order: the middle one, and of an even number the lower of the two. That is what
/// stands for rounds, calls and single boots, of which each is one that was measured; a [`Median`] is of boots.
pub fn lower_middle<T: Copy>(sorted: &[T]) -> Option<T> {
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

fn interval(sorted: &[f64]) -> Option<Interval> {
    let count = sorted.len();
    if count < 2 {
        return None;
    }
    // How many of the values lie below the median.
    let below = Binomial::new(0.5, count as u64).expect("a half is a probability");
    // With `outside` values cut off at either end.
    let level = |outside: usize| 1.0 - 2.0 * below.cdf(outside as u64);
    let outside = (0..count / 2)
        .take_while(|&outside| level(outside) >= LEVEL)
        .last()
        .unwrap_or(0);
    Some(Interval {
        low: sorted[outside],
        high: sorted[count - 1 - outside],
        level: level(outside),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    use rand_distr::{Distribution, LogNormal};

    use super::*;

    fn of(values: impl IntoIterator<Item = u32>) -> Median {
        let values: Vec<_> = values.into_iter().map(f64::from).collect();
        Median::of(&values).expect("there are some")
    }

    #[test]
    fn the_interval_is_that_of_published_tables() {
        // Ranks of the 95 % interval for the median by the sign test, as tables have them.
        for (values, low, high) in [
            (6, 1, 6),
            (9, 2, 8),
            (10, 2, 9),
            (15, 4, 12),
            (20, 6, 15),
            (30, 10, 21),
        ] {
            let interval = of(1..=values).interval.expect("there are enough");
            assert_eq!(
                (interval.low, interval.high),
                (f64::from(low), f64::from(high)),
                "{values}"
            );
            assert!(interval.level >= LEVEL, "{values}: {interval:?}");
        }
    }

    #[test]
    fn few_values_give_their_range_and_what_that_is_worth() {
        let five = of([3, 1, 5, 4, 2]);
        assert_eq!(five.median, 3.0);
        let interval = five.interval.expect("five are some");
        assert_eq!((interval.low, interval.high), (1.0, 5.0));
        assert!((interval.level - 0.9375).abs() < 1e-12, "{interval:?}");
        assert_eq!(percent(interval.level), 93);
        let two = of([1, 2]).interval.expect("two are some");
        assert_eq!(percent(two.level), 50);
        assert_eq!(of([7]).interval, None);
        assert_eq!(of([1, 2, 3, 4]).median, 2.5);
        assert_eq!(lower_middle(&[1, 2, 3, 4]), Some(2));
        assert_eq!(lower_middle::<u64>(&[]), None);
        assert_eq!(Median::of(&[]), None);
        assert_eq!(Median::of(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn the_interval_has_the_median_inside_as_often_as_it_says() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        // Skewed, as times are; its median is 1.
        let times = LogNormal::new(0.0, 1.5).expect("it is a distribution");
        for count in [2, 5, 9, 10, 20] {
            let mut level = 0.0;
            let tries = 4_000;
            let inside = (0..tries)
                .filter(|_| {
                    let values: Vec<f64> = times.sample_iter(&mut rng).take(count).collect();
                    let interval = Median::of(&values).and_then(|median| median.interval);
                    let interval = interval.expect("there are two at least");
                    level = interval.level;
                    interval.contains(1.0)
                })
                .count();
            let share = inside as f64 / f64::from(tries);
            // Four standard deviations of that share at the most.
            assert!(
                (share - level).abs() < 0.032,
                "{count}: {share} for {level}"
            );
        }
    }

    proptest! {
        #[test]
        fn the_order_of_the_values_says_nothing(
            (values, shuffled) in prop::collection::vec(0.1..1e9, 1..40)
                .prop_flat_map(|it: Vec<f64>| (Just(it.clone()), Just(it).prop_shuffle()))
        ) {
            prop_assert_eq!(Median::of(&values), Median::of(&shuffled));
        }

        #[test]
        fn another_unit_changes_nothing_but_the_unit(
            values in prop::collection::vec(0.1..1e9, 1..40), power in -20..20
        ) {
            // A power of two, by which floating point loses nothing.
            let scale = f64::from(power).exp2();
            let scaled: Vec<f64> = values.iter().map(|value| value * scale).collect();
            let (once, other) = (Median::of(&values).unwrap(), Median::of(&scaled).unwrap());
            prop_assert_eq!(once.median * scale, other.median);
            let ends = |it: Median| it.interval.map(|it| (it.low, it.high));
            prop_assert_eq!(ends(once).map(|(low, high)| (low * scale, high * scale)), ends(other));
        }

        #[test]
        fn the_median_is_inside_its_interval(values in prop::collection::vec(0.1..1e9, 2..40)) {
            let median = Median::of(&values).unwrap();
            prop_assert!(median.interval.unwrap().contains(median.median));
        }
    }
}
