//! By how much one set of boots lies above another, as ranks tell it.
//!
//! Values are logarithms, so a shift is a factor. No distribution is assumed but that the second set is the
//! first one, shifted; a boot that the host has spoilt is one pair more on the wrong side, however far off.

use statrs::distribution::{ContinuousCDF, Normal};

use super::{
    median::{middle, sorted},
    ranks::Ranks,
};

/// How far apart two sets are.
#[derive(Clone, Debug)]
pub(super) struct Shift {
    ranks: Ranks,
    /// Each new value less each old one, in their order.
    differences: Vec<f64>,
    estimate: f64,
}

/// The interval by which the standard error is estimated: away from the ends, which are the outliers'.
const ORDINARY: f64 = 0.10;

impl Shift {
    /// From the old values to the new ones; `None` when there are none on a side, or one is no number.
    pub(super) fn between(old: &[f64], new: &[f64]) -> Option<Self> {
        let differences = new
            .iter()
            .flat_map(|new| old.iter().map(move |old| new - old));
        let differences = sorted(&differences.collect::<Vec<f64>>())?;
        Some(Self {
            ranks: Ranks::new(old.len(), new.len()),
            estimate: middle(&differences)?,
            differences,
        })
    }

    /// The median of the differences (Hodges and Lehmann).
    pub(super) fn estimate(&self) -> f64 {
        self.estimate
    }

    /// Where the shift is, unless something has happened that is less likely than `chance`; `None` if these
    /// are too few boots to say.
    pub(super) fn interval(&self, chance: f64) -> Option<(f64, f64)> {
        let outside = self.ranks.critical(chance / 2.0)?;
        let last = self.differences.len() - 1;
        Some((self.differences[outside], self.differences[last - outside]))
    }

    /// How likely it is that as many pairs, or more, lie above `shift` if that is the shift. Pairs right on
    /// it count for nothing.
    pub(super) fn chance_above(&self, shift: f64) -> f64 {
        let above = self.differences.iter().filter(|&&it| it > shift).count();
        self.ranks.at_most(self.ranks.pairs() - above)
    }

    /// The same for below.
    pub(super) fn chance_below(&self, shift: f64) -> f64 {
        let below = self.differences.iter().filter(|&&it| it < shift).count();
        self.ranks.at_most(self.ranks.pairs() - below)
    }

    /// The standard deviation of the estimate; `None` where there is one pair only.
    pub(super) fn standard_error(&self) -> Option<f64> {
        let least = 2.0 * self.ranks.at_most(0);
        if least >= 1.0 {
            return None;
        }
        let (low, high) = self.interval(ORDINARY.max(least))?;
        // What the interval covers, as the sizes of the sets allow it.
        let outside = self.ranks.critical(ORDINARY.max(least) / 2.0)?;
        let chance = 2.0 * self.ranks.at_most(outside);
        Some((high - low) / 2.0 / quantile(1.0 - chance / 2.0))
    }
}

/// Below which the standard normal distribution has such a share.
pub(super) fn quantile(share: f64) -> f64 {
    Normal::standard().inverse_cdf(share)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    use rand_distr::{Distribution, Normal};

    use super::*;

    #[test]
    fn sets_that_lie_wholly_apart_are_as_unlikely_as_their_number_of_orders_says() {
        let shift = Shift::between(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 10.0]);
        let shift = shift.expect("both have boots");
        assert_eq!(shift.estimate(), 5.0);
        assert!((shift.chance_above(0.0) - 1.0 / 252.0).abs() < 1e-12);
        assert_eq!(shift.chance_below(0.0), 1.0);
        assert_eq!(shift.interval(0.01), Some((1.0, 9.0)));
        assert_eq!(shift.interval(0.005), None);
    }

    #[test]
    fn a_set_beside_itself_is_not_shifted() {
        let set = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let shift = Shift::between(&set, &set).expect("both have boots");
        assert_eq!(shift.estimate(), 0.0);
        assert!(shift.chance_above(0.0) > 0.4 && shift.chance_below(0.0) > 0.4);
    }

    #[test]
    fn the_interval_covers_the_shift_as_often_as_it_says_and_the_error_is_as_large() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let noise = Normal::new(0.0, 1.0).expect("it is a distribution");
        for boots in [5, 10, 16] {
            let tries = 2_000;
            let (mut covered, mut error, mut square) = (0, 0.0, 0.0);
            for _ in 0..tries {
                let old: Vec<f64> = noise.sample_iter(&mut rng).take(boots).collect();
                let new = noise
                    .sample_iter(&mut rng)
                    .take(boots)
                    .map(|it: f64| it + 3.0);
                let shift =
                    Shift::between(&old, &new.collect::<Vec<_>>()).expect("both have boots");
                let (low, high) = shift.interval(0.05).expect("five are enough for that");
                covered += u32::from(low <= 3.0 && 3.0 <= high);
                error += shift.standard_error().expect("there are many pairs");
                square += (shift.estimate() - 3.0).powi(2);
            }
            let share = f64::from(covered) / f64::from(tries);
            assert!((0.94..0.985).contains(&share), "{boots}: {share}");
            let (error, deviation) = (error / f64::from(tries), (square / f64::from(tries)).sqrt());
            assert!(
                (0.85..1.2).contains(&(error / deviation)),
                "{boots}: {error}, {deviation}"
            );
        }
    }

    fn set() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(-10.0..10.0, 1..12)
    }

    proptest! {
        #[test]
        fn back_again_is_the_same_way(old in set(), new in set()) {
            let (there, back) = (Shift::between(&old, &new).unwrap(), Shift::between(&new, &old).unwrap());
            prop_assert_eq!(there.estimate(), -back.estimate());
            prop_assert!((there.chance_above(0.0) - back.chance_below(0.0)).abs() < 1e-12);
            let turned = back.interval(0.05).map(|(low, high)| (-high, -low));
            prop_assert_eq!(there.interval(0.05), turned);
        }

        #[test]
        fn the_interval_leaves_out_what_the_test_rejects_and_nothing_else(
            old in set(), new in set(), at in -20.0..20.0
        ) {
            let shift = Shift::between(&old, &new).unwrap();
            let is_rejected = 2.0 * shift.chance_above(at).min(shift.chance_below(at)) <= 0.05;
            let is_outside = shift.interval(0.05).is_some_and(|(low, high)| at < low || at > high);
            prop_assert_eq!(is_rejected, is_outside);
        }

        #[test]
        fn the_order_of_boots_says_nothing(
            (old, shuffled) in set().prop_flat_map(|it| (Just(it.clone()), Just(it).prop_shuffle())), new in set()
        ) {
            let (one, other) = (Shift::between(&old, &new).unwrap(), Shift::between(&shuffled, &new).unwrap());
            prop_assert_eq!(one.differences, other.differences);
        }
    }
}
