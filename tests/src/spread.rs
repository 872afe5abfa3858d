//! How a set of times spreads.

use std::time::Duration;

/// The usual order statistics, each one of the times (nearest rank; no interpolation).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// The shortest.
    pub min: Duration,
    /// The middle one; the lower of the two in an even number.
    pub median: Duration,
    /// 99 of 100 are not longer.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

impl Spread {
    /// The spread of `times`, in any order; `None` when there are none.
    pub fn of(times: &[Duration]) -> Option<Self> {
        let mut times = times.to_vec();
        times.sort_unstable();
        let rank = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1];
        Some(Self {
            min: *times.first()?,
            median: rank(50),
            p99: rank(99),
            max: *times.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(times: impl IntoIterator<Item = u64>) -> Option<[u64; 4]> {
        let times: Vec<Duration> = times.into_iter().map(Duration::from_nanos).collect();
        let Spread {
            min,
            median,
            p99,
            max,
        } = Spread::of(&times)?;
        Some([min, median, p99, max].map(|time| time.as_nanos().try_into().expect("it was u64")))
    }

    #[test]
    fn each_statistic_is_one_of_the_times() {
        assert_eq!(spread([7]), Some([7, 7, 7, 7]));
        assert_eq!(spread([4, 1, 3, 2]), Some([1, 2, 4, 4]));
        assert_eq!(spread((1..=200).rev()), Some([1, 100, 198, 200]));
    }

    #[test]
    fn no_times_have_no_spread() {
        assert_eq!(spread([]), None);
    }
}
