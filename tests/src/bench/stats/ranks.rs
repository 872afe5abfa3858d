//! How likely it is by chance alone that one set of boots lies above another: the distribution of the
//! Mann-Whitney statistic.
//!
//! It assumes that boots are independent and that, where nothing has changed, all of them come from one
//! distribution, whatever that is. (The exact test of statrs 0.19 gives 1.0 for sets of one size that are
//! wholly apart, so that one is ours.)

use statrs::distribution::{ContinuousCDF, Normal};

/// From more boots on a side on, the normal distribution is as good.
const MOST_EXACT: usize = 50;

/// The distribution for two sets of these sizes.
#[derive(Clone, Debug)]
pub(super) struct Ranks {
    old: usize,
    new: usize,
    /// The share of all orders in which at most so many pairs have the one that is new above; empty where
    /// the normal distribution stands for it.
    at_most: Vec<f64>,
}

impl Ranks {
    pub(super) fn new(old: usize, new: usize) -> Self {
        let at_most = if old.max(new) <= MOST_EXACT {
            exact(old, new)
        } else {
            Vec::new()
        };
        Self { old, new, at_most }
    }

    /// The number of pairs of an old and a new boot.
    pub(super) fn pairs(&self) -> usize {
        self.old * self.new
    }

    /// How likely it is that at most so many pairs have the new one above; the same, that they have it
    /// below.
    pub(super) fn at_most(&self, pairs: usize) -> f64 {
        if pairs >= self.pairs() {
            return 1.0;
        }
        if let Some(&share) = self.at_most.get(pairs) {
            return share;
        }
        let all = self.pairs() as f64;
        let deviation = (all * (self.old + self.new + 1) as f64 / 12.0).sqrt();
        let normal = Normal::new(all / 2.0, deviation).expect("both sets have boots");
        normal.cdf(pairs as f64 + 0.5)
    }

    /// Up to how many pairs on the wrong side are less likely than `chance`; `None` if not even a complete
    /// separation is.
    pub(super) fn critical(&self, chance: f64) -> Option<usize> {
        let is_unlikely = |pairs: &usize| self.at_most(*pairs) <= chance;
        if self.at_most.is_empty() {
            // The middle is as likely as not.
            let middle = self.pairs() / 2;
            let (mut low, mut high) = (0, middle);
            while low < high {
                let pairs = low + (high - low) / 2;
                if is_unlikely(&pairs) {
                    low = pairs + 1;
                } else {
                    high = pairs;
                }
            }
            return low.checked_sub(1);
        }
        (0..self.pairs()).take_while(is_unlikely).last()
    }
}

/// Counts the orders of all boots: those in which the new ones have these ranks, by the sum of their ranks.
/// Nothing is subtracted, so no digit is lost.
fn exact(old: usize, new: usize) -> Vec<f64> {
    let pairs = old * new;
    // By how many of the ranks so far are new, and in how many pairs the new one is above.
    let mut orders = vec![vec![0.0; pairs + 1]; new + 1];
    orders[0][0] = 1.0;
    for rank in 0..old + new {
        for chosen in (0..new.min(rank + 1)).rev() {
            // Below this rank are `rank` boots, `chosen` of them new.
            let above = rank - chosen;
            let (fewer, more) = orders.split_at_mut(chosen + 1);
            for (sum, count) in fewer[chosen].iter().enumerate() {
                if let Some(place) = more[0].get_mut(sum + above) {
                    *place += count;
                }
            }
        }
    }
    let all: f64 = orders[new].iter().sum();
    let mut so_far = 0.0;
    let add = |count: &f64| {
        so_far += count / all;
        so_far
    };
    orders[new].iter().map(add).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_critical_values_are_those_of_published_tables() {
        // Two-sided 5 % and 1 %, from the tables of Mann and Whitney.
        for (boots, five_percent, one_percent) in [
            (5, Some(2), Some(0)),
            (6, Some(5), Some(2)),
            (8, Some(13), Some(7)),
            (10, Some(23), Some(16)),
            (20, Some(127), Some(105)),
        ] {
            let ranks = Ranks::new(boots, boots);
            assert_eq!(ranks.critical(0.025), five_percent, "{boots}");
            assert_eq!(ranks.critical(0.005), one_percent, "{boots}");
        }
        assert_eq!(Ranks::new(4, 4).critical(0.005), None);
        assert_eq!(Ranks::new(8, 5).critical(0.025), Some(6));
        assert_eq!(Ranks::new(5, 8).critical(0.025), Some(6));
    }

    #[test]
    fn each_order_of_few_boots_is_counted_once() {
        let (old, new) = (4, 5);
        let mut orders = vec![0_u32; old * new + 1];
        for chosen in 0_u32..1 << (old + new) {
            if chosen.count_ones() as usize != new {
                continue;
            }
            let is_new = |rank: usize| chosen >> rank & 1 == 1;
            let below = |rank| (0..rank).filter(|&lower| !is_new(lower)).count();
            let pairs: usize = (0..old + new).filter(|&it| is_new(it)).map(below).sum();
            orders[pairs] += 1;
        }
        let ranks = Ranks::new(old, new);
        let mut so_far = 0;
        for (pairs, count) in orders.iter().enumerate() {
            so_far += count;
            let share = f64::from(so_far) / 126.0;
            assert!((ranks.at_most(pairs) - share).abs() < 1e-12, "{pairs}");
        }
    }

    #[test]
    fn the_normal_distribution_takes_over_without_a_step() {
        let exact = Ranks::new(MOST_EXACT, MOST_EXACT);
        let normal = Ranks {
            at_most: Vec::new(),
            ..exact
        };
        let exact = Ranks::new(MOST_EXACT, MOST_EXACT);
        for chance in [0.025, 0.005, 0.000_5] {
            let critical = |ranks: &Ranks| ranks.critical(chance).expect("they are many");
            let (exact, normal) = (critical(&exact), critical(&normal));
            assert!(exact.abs_diff(normal) <= 12, "{chance}: {exact}, {normal}");
        }
    }
}
