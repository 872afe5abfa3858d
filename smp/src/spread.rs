//! How many times spread: order statistics, each one of the times themselves (nearest rank; nothing
//! is interpolated, so nothing is told that was not measured).

/// The usual order statistics of times in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Spread {
    /// The shortest.
    pub min: u64,
    /// The middle one; the lower of the two in an even number.
    pub p50: u64,
    /// 99 of 100 are not longer.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

impl Spread {
    /// The spread of these times, which are sorted for that; `None` when there are none.
    pub fn of(nanos: &mut [u64]) -> Option<Self> {
        nanos.sort_unstable();
        let rank = |percent: usize| nanos[(nanos.len() * percent).div_ceil(100).max(1) - 1];
        Some(Self {
            min: *nanos.first()?,
            p50: rank(50),
            p99: rank(99),
            max: *nanos.last()?,
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn each_statistic_is_one_of_the_times() {
        let spread = |nanos: &[u64]| {
            let Spread { min, p50, p99, max } = Spread::of(&mut Vec::from(nanos)).unwrap();
            [min, p50, p99, max]
        };
        assert_eq!(spread(&[7]), [7; 4]);
        assert_eq!(spread(&[4, 1, 3, 2]), [1, 2, 4, 4]);
        let backwards: Vec<u64> = (1..=200).rev().collect();
        assert_eq!(spread(&backwards), [1, 100, 198, 200]);
        assert_eq!(Spread::of(&mut []), None);
    }
}
