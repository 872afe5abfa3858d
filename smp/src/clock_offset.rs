//! How far another CPU's clock is ahead of this one's: worked out from exchanges, without hardware.
//!
//! ```text
//!   this CPU     asked ───────────────── received        its own counts
//!                   └──▶             ──▶┘
//!   the other             count                          a count of the other's clock
//! ```
//!
//! What was asked for was not read before it was asked for, and not after it had been received: so
//! `count - received <= offset <= count - asked`, whatever the two ways took and however unequal they
//! were. **The truth lies within the bounds of every exchange**, and so within what they have in
//! common. Where they have nothing in common the two clocks do not run as one.

use core::fmt;

/// One reading of another CPU's clock, between two of this one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// This CPU's count before it asked.
    pub asked: u64,
    /// The other CPU's count, read when it saw that it was asked.
    pub count: u64,
    /// This CPU's count behind the sight of the answer.
    pub received: u64,
}

/// How far a clock is ahead of this one, in counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    /// By how many counts the other clock is ahead; negative where it is behind. 0 where the two may
    /// agree.
    pub counts: i64,
    /// The truth is at most so many counts away.
    pub uncertainty: u64,
}

/// Why a clock cannot be compared with this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incomparable {
    /// No exchange came to its end.
    NoAnswer,
    /// No offset suits all exchanges: the bounds of two of them are this many counts apart.
    Apart {
        /// The counts.
        counts: u64,
    },
}

impl fmt::Display for Incomparable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("it did not say in time what its clock shows"),
            Self::Apart { counts } => write!(
                f,
                "its clock does not run as the boot CPU's does: no offset suits what it showed, by {counts} counts"
            ),
        }
    }
}

impl core::error::Error for Incomparable {}

/// What the exchanges with one CPU have told so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// The offset is not less than this.
    lower: i64,
    /// And not more than this.
    upper: i64,
    exchanges: u32,
}

impl Estimate {
    /// Nothing.
    pub const fn new() -> Self {
        Self {
            lower: i64::MIN,
            upper: i64::MAX,
            exchanges: 0,
        }
    }

    /// Adds an exchange. Counters may wrap between its two ends, and need not have started together.
    pub fn add(&mut self, exchange: Exchange) {
        let Exchange {
            asked,
            count,
            received,
        } = exchange;
        let upper = count.wrapping_sub(asked).cast_signed();
        // From the upper bound, so that the two wrap together.
        let lower = upper.saturating_sub_unsigned(received.wrapping_sub(asked));
        self.lower = self.lower.max(lower);
        self.upper = self.upper.min(upper);
        self.exchanges += 1;
    }

    /// How many exchanges there were.
    pub const fn exchanges(&self) -> u32 {
        self.exchanges
    }

    /// The offset that suits all exchanges.
    ///
    /// Two clocks that may agree are taken to do so: counters that start with one reset and run from
    /// one crystal are the rule, and the middle between the bounds would then tell of the ways, not
    /// of the clocks. Otherwise it is the middle. Where bounds miss each other by `tolerance` counts
    /// or less, for the clocks of a machine are not read without any jitter, it lies between them.
    ///
    /// # Errors
    ///
    /// [`Incomparable`] without any exchange, and where the bounds of two lie further apart.
    pub fn offset(&self, tolerance: u64) -> Result<Offset, Incomparable> {
        if self.exchanges == 0 {
            return Err(Incomparable::NoAnswer);
        }
        let (first, last) = (self.lower.min(self.upper), self.lower.max(self.upper));
        let width = last.abs_diff(first);
        if self.lower > self.upper && width > tolerance {
            return Err(Incomparable::Apart { counts: width });
        }
        if first <= 0 && 0 <= last {
            return Ok(Offset {
                counts: 0,
                uncertainty: first.unsigned_abs().max(last.unsigned_abs()),
            });
        }
        let half = width / 2;
        Ok(Offset {
            counts: first.saturating_add_unsigned(half),
            // Rounded up.
            uncertainty: width - half,
        })
    }
}

impl Default for Estimate {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn estimate(exchanges: impl IntoIterator<Item = Exchange>) -> Estimate {
        let mut estimate = Estimate::new();
        exchanges.into_iter().for_each(|it| estimate.add(it));
        estimate
    }

    /// An exchange with a clock that is ahead by `offset`: asked at `at`, with this long a way there
    /// and back.
    fn exchange(at: u64, there: u64, back: u64, offset: i64) -> Exchange {
        Exchange {
            asked: at,
            count: at.wrapping_add(there).wrapping_add_signed(offset),
            received: at.wrapping_add(there).wrapping_add(back),
        }
    }

    /// Times between two exchanges, and how long the ways of each took.
    fn ways() -> impl Strategy<Value = Vec<(u64, u64, u64)>> {
        let way = prop_oneof![0..100_u64, 0..50_000_u64, 0..50_000_000_u64];
        let pause = 0..10_000_000_u64;
        prop::collection::vec((pause, way.clone(), way), 1..20)
    }

    fn run(mut now: u64, ways: &[(u64, u64, u64)], offset: i64) -> Vec<Exchange> {
        let mut exchanges = Vec::new();
        for &(pause, there, back) in ways {
            now = now.wrapping_add(pause);
            exchanges.push(exchange(now, there, back, offset));
            now = now.wrapping_add(there + back);
        }
        exchanges
    }

    proptest! {
        #[test]
        fn the_truth_is_never_further_away_than_the_uncertainty(
            start: u64,
            ways in ways(),
            offset in prop_oneof![-100..100_i64, -10_000_000..10_000_000_i64, i64::MIN / 2..i64::MAX / 2],
        ) {
            let found = estimate(run(start, &ways, offset)).offset(0).unwrap();
            prop_assert!(found.counts.abs_diff(offset) <= found.uncertainty, "{found:?}");
            // Whatever the ways: no exchange makes it worse than the best of them alone.
            let best = ways.iter().map(|(_, there, back)| there + back).min().unwrap();
            prop_assert!(found.uncertainty <= best);
        }

        #[test]
        fn a_clock_that_may_agree_is_not_corrected(start: u64, ways in ways()) {
            prop_assert_eq!(estimate(run(start, &ways, 0)).offset(0).unwrap().counts, 0);
        }

        #[test]
        fn a_clock_that_runs_faster_or_slower_is_found_once_that_exceeds_the_ways(
            start: u64,
            way in 0..1_000_u64,
            tolerance in 0..100_u64,
            is_faster: bool,
        ) {
            let drift = (2 * way + tolerance + 1).cast_signed();
            let drift = if is_faster { drift } else { -drift };
            let pair = [
                exchange(start, way, way, 7),
                exchange(start.wrapping_add(1_000_000), way, way, 7 + drift),
            ];
            let found = estimate(pair).offset(tolerance);
            let counts = tolerance + 1;
            prop_assert_eq!(found, Err(Incomparable::Apart { counts }));
        }
    }

    #[test]
    fn bounds_that_miss_each_other_by_no_more_than_the_tolerance_leave_what_is_between_them() {
        // The one says 100 to 110, the other 114 to 120.
        let pair = [exchange(0, 0, 10, 110), exchange(1_000, 0, 6, 120)];
        let offset = Offset {
            counts: 112,
            uncertainty: 2,
        };
        assert_eq!(estimate(pair).offset(4), Ok(offset));
        assert_eq!(
            estimate(pair).offset(3),
            Err(Incomparable::Apart { counts: 4 })
        );
    }

    #[test]
    fn without_an_exchange_nothing_is_known() {
        assert_eq!(Estimate::new().offset(1_000), Err(Incomparable::NoAnswer));
    }

    #[test]
    fn a_narrow_exchange_among_wide_ones_says_how_far_it_is_certain() {
        let offset = 10_000;
        let all = [
            exchange(0, 9_000, 100, offset),
            exchange(100_000, 300, 200, offset),
            exchange(200_000, 50, 7_000, offset),
        ];
        // 10,000 + 50 above, by the last; 10,000 - 100 below, by the first.
        let found = estimate(all).offset(0).unwrap();
        assert_eq!((found.counts, found.uncertainty), (9_975, 75));
    }
}
