//! How something grows with the number of APs: which law explains it, by which exponent, and how surely.
//!
//! A value a number of APs, the median of its boots, is explained by a constant and something that grows
//! (`least_squares.rs`). Two questions are asked:
//!
//! - **The exponent p** of `a + b n^p`. For each p the best a and b are found, and p is the one with the least
//!   error. Its interval has all p of which the error is not larger than chance explains: by the F statistic
//!   for one parameter more, at 95 %, with as many degrees of freedom as there are numbers of APs beyond three. So
//!   what no such law explains, steps and bends, widens the interval as noise does.
//! - **Which of the usual laws** errs least: constant and linear, n log n, or both linear and square. Their errors
//!   are told; the one with a parameter more has to earn it, by Akaike's criterion with its correction for few
//!   values.
//!
//! The verdict is the interval's, and none is given by default. It is *linear* where all of the interval lies
//! within 0.1 of 1, so that with 512 times the APs each costs less than twice as much or as little, and where
//! the slope is more than chance explains. It is *faster* or *slower* where all of it differs from 1 by more
//! than 0.05, which outranks the first. Anything else is *open*: a wide interval that has 1 in it says no more
//! than that it is wide. Then more boots or more CPUs must tell.

use statrs::distribution::{ContinuousCDF, FisherSnedecor};

use super::least_squares::{Problem, Solution};

/// Numbers of APs that are needed, and how many times the smallest the largest must be.
const FEWEST: usize = 5;
const SPAN: f64 = 16.0;

/// Exponents that are tried.
const STEP: f64 = 0.01;
const LOWEST: f64 = 0.05;
const HIGHEST: f64 = 4.0;

const CONFIDENCE: f64 = 0.95;

/// An exponent that differs from 1 by no more is as good as 1: 512 to this power is 1.9.
const AS_GOOD_AS_LINEAR: f64 = 0.1;

/// An exponent that differs from 1 by more is another, if it is all of the interval that does.
const IS_ANOTHER: f64 = 0.05;

/// Sums of squared relative errors that are smaller are those of arithmetic.
const EXACT: f64 = 1e-18;

/// How many APs there were, and what that took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// APs.
    pub aps: f64,
    /// What grows, in any unit.
    pub value: f64,
}

/// How something grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// What the exponent's interval says.
    pub verdict: Verdict,
    /// The exponent.
    pub exponent: f64,
    /// Where it lies with a confidence of 95 %.
    pub interval: (f64, f64),
    /// What a straight line takes whatever the number of APs, and for each.
    pub line: Line,
    /// The law that errs least, for the parameters that it has.
    pub best: Law,
    /// The mean relative errors of all three laws (the root of the mean square), in the order of [`Law::ALL`].
    pub errors: [f64; 3],
}

/// A constant, and so much for each AP.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// The constant.
    pub constant: f64,
    /// For each AP.
    pub slope: f64,
}

/// Whether it grows as the number of APs does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// More slowly.
    Slower,
    /// So it does: every exponent that the values allow is as good as 1.
    Linear,
    /// Faster.
    Faster,
    /// That cannot be told.
    Open,
}

/// A law of growth, beside a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// In proportion.
    Linear,
    /// In proportion, times the logarithm.
    NLogN,
    /// In proportion, and a part with the square.
    Quadratic,
}

impl Law {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Linear, Self::NLogN, Self::Quadratic];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::NLogN => "n log n",
            Self::Quadratic => "quadratic",
        }
    }

    const fn parameters(self) -> usize {
        match self {
            Self::Linear | Self::NLogN => 2,
            Self::Quadratic => 3,
        }
    }
}

/// Why nothing can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooFew {
    /// There are so many numbers of APs, and five are needed.
    Points(usize),
    /// They lie too near to each other: the largest must be 16 times the smallest.
    Span,
}

impl std::fmt::Display for TooFew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Points(1) => {
                write!(
                    f,
                    "too few to tell: 1 size has a figure, and {FEWEST} need one"
                )
            }
            Self::Points(points) => write!(
                f,
                "too few to tell: {points} sizes have a figure, and {FEWEST} need one"
            ),
            Self::Span => write!(
                f,
                "too near to tell: the most APs must be {SPAN} times the fewest"
            ),
        }
    }
}

impl std::error::Error for TooFew {}

/// How these grow: a value a number of APs, both above 0.
///
/// # Errors
///
/// [`TooFew`], where that cannot be asked.
pub fn grows(points: &[Point]) -> Result<Growth, TooFew> {
    let points: Vec<Point> = points
        .iter()
        .copied()
        .filter(|point| point.aps > 0.0 && point.value > 0.0)
        .collect();
    if points.len() < FEWEST {
        return Err(TooFew::Points(points.len()));
    }
    let aps = || points.iter().map(|point| point.aps);
    let (fewest, most) = (aps().fold(f64::MAX, f64::min), aps().fold(0.0, f64::max));
    if most < SPAN * fewest {
        return Err(TooFew::Span);
    }
    let error = |solution: Option<f64>| solution.unwrap_or(f64::INFINITY);
    let line = solve(&points, |n| [1.0, n]);
    let errors = Law::ALL.map(|law| {
        error(match law {
            Law::Linear => line.map(|it| it.error),
            Law::NLogN => solve(&points, |n| [1.0, n * (n + 1.0).log2()]).map(|it| it.error),
            Law::Quadratic => solve(&points, |n| [1.0, n, n * n]).map(|it| it.error),
        })
    });
    let (exponent, interval) = exponent(&points);
    let [constant, slope] = line.map_or([0.0; 2], |line| line.coefficients);
    let count = points.len() as f64;
    Ok(Growth {
        verdict: verdict(interval, is_sloped(&points, error(line.map(|it| it.error)))),
        exponent,
        interval,
        line: Line { constant, slope },
        best: best(errors, points.len()),
        errors: errors.map(|error| (error / count).sqrt()),
    })
}

fn solve<const N: usize>(points: &[Point], row: impl Fn(f64) -> [f64; N]) -> Option<Solution<N>> {
    let rows: Vec<_> = points.iter().map(|point| row(point.aps)).collect();
    let values: Vec<_> = points.iter().map(|point| point.value).collect();
    Problem {
        rows: &rows,
        values: &values,
    }
    .solve()
}

/// The exponent with the least error, and the interval around it.
fn exponent(points: &[Point]) -> (f64, (f64, f64)) {
    let steps = ((HIGHEST - LOWEST) / STEP).round() as usize;
    let errors: Vec<(f64, f64)> = (0..=steps)
        .map(|step| {
            let p = LOWEST + STEP * step as f64;
            let solution = solve(points, |n| [1.0, n.powf(p)]);
            (p, solution.map_or(f64::INFINITY, |it| it.error))
        })
        .collect();
    let least = (0..errors.len())
        .min_by(|&a, &b| errors[a].1.total_cmp(&errors[b].1))
        .unwrap_or_default();
    let freedom = (points.len() - 3) as f64;
    let most = errors[least].1.max(EXACT) * (1.0 + chance(freedom) / freedom);
    // As far as it goes on from the best one: a single stretch, whatever lies beyond.
    let reaches = |mut at: usize, next: fn(usize) -> Option<usize>| {
        while let Some(to) = next(at)
            && errors.get(to).is_some_and(|(_, error)| *error <= most)
        {
            at = to;
        }
        errors[at].0
    };
    let low = reaches(least, |at| at.checked_sub(1));
    let high = reaches(least, |at| at.checked_add(1));
    (errors[least].0, (low, high))
}

/// By how much one parameter more lessens errors that have so many degrees of freedom left, by chance.
fn chance(freedom: f64) -> f64 {
    FisherSnedecor::new(1.0, freedom).map_or(f64::INFINITY, |it| it.inverse_cdf(CONFIDENCE))
}

/// Whether a line, which errs by so much, explains more than a constant does, and more than chance would.
fn is_sloped(points: &[Point], line: f64) -> bool {
    let constant = solve(points, |_| [1.0]).map_or(f64::INFINITY, |it| it.error);
    let freedom = (points.len() - 2) as f64;
    constant - line > line.max(EXACT) * chance(freedom) / freedom
}

fn verdict((low, high): (f64, f64), is_sloped: bool) -> Verdict {
    let is_within = low >= 1.0 - AS_GOOD_AS_LINEAR && high <= 1.0 + AS_GOOD_AS_LINEAR;
    if low > 1.0 + IS_ANOTHER {
        Verdict::Faster
    } else if high < 1.0 - IS_ANOTHER {
        Verdict::Slower
    } else if is_sloped && is_within {
        Verdict::Linear
    } else {
        Verdict::Open
    }
}

/// The law with the least of Akaike's criterion, corrected for few values (AICc; Hurvich and Tsai, 1989).
fn best(errors: [f64; 3], points: usize) -> Law {
    let criterion = |law: Law, error: f64| {
        let (count, parameters) = (points as f64, law.parameters() as f64 + 1.0);
        let correction =
            2.0 * parameters * (parameters + 1.0) / (count - parameters - 1.0).max(0.1);
        count * (error / count).max(EXACT).ln() + 2.0 * parameters + correction
    };
    let laws = Law::ALL.into_iter().zip(errors);
    let least = laws.min_by(|a, b| criterion(a.0, a.1).total_cmp(&criterion(b.0, b.1)));
    least.map_or(Law::Linear, |(law, _)| law)
}

#[cfg(test)]
mod tests {
    use rand_chacha::{
        ChaCha8Rng,
        rand_core::{Rng, SeedableRng},
    };

    use super::*;

    /// APs of 2, 4, 8 and so on up to 512 CPUs.
    const SIZES: [f64; 9] = [1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 127.0, 255.0, 511.0];

    /// Points on a law that err by a share of themselves, drawn from a seed: the sum of four uniform draws has
    /// nearly the shape of a normal one, and this standard deviation.
    fn noisy(law: impl Fn(f64) -> f64, deviation: f64, seed: u64) -> Vec<Point> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = || {
            let uniform = |_| random.next_u32() as f64 / u32::MAX as f64 - 0.5;
            (0..4).map(uniform).sum::<f64>() * 3.0_f64.sqrt()
        };
        let point = |aps| Point {
            aps,
            value: law(aps) * (deviation * draw()).exp(),
        };
        SIZES.into_iter().map(point).collect()
    }

    /// How many of 100 such series get each verdict: slower, linear, faster, open.
    fn verdicts(law: impl Fn(f64) -> f64 + Copy, deviation: f64) -> [u32; 4] {
        let mut counts = [0; 4];
        for seed in 0..100 {
            let growth = grows(&noisy(law, deviation, seed)).expect("there are enough");
            counts[growth.verdict as usize] += 1;
        }
        counts
    }

    #[test]
    fn a_line_is_found_linear_however_large_its_constant() {
        for constant in [0.0, 50.0, 2_000.0] {
            let growth = grows(&noisy(|n| constant + 52.0 * n, 0.0, 0)).expect("enough");
            assert_eq!(growth.verdict, Verdict::Linear, "{growth:?}");
            assert!((growth.exponent - 1.0).abs() < 0.01, "{growth:?}");
            assert!((growth.line.slope - 52.0).abs() < 0.1, "{growth:?}");
            assert!((growth.line.constant - constant).abs() < 1.0, "{growth:?}");
            assert_eq!(growth.best, Law::Linear);
        }
    }

    #[test]
    fn lines_with_noise_are_linear_or_open_and_hardly_ever_anything_else() {
        for (deviation, fewest) in [(0.01, 95), (0.03, 80), (0.1, 0)] {
            let [slower, linear, faster, open] = verdicts(|n| 300.0 + 52.0 * n, deviation);
            assert!(slower + faster <= 6, "{slower} slower, {faster} faster");
            assert!(linear >= fewest, "{linear} linear, {open} open");
        }
    }

    #[test]
    fn linear_is_what_is_shown_to_be_and_not_what_might_be() {
        for (interval, expected) in [
            ((0.98, 1.03), Verdict::Linear),
            ((0.90, 1.10), Verdict::Linear),
            ((1.04, 1.50), Verdict::Open),
            ((0.60, 1.01), Verdict::Open),
            ((0.95, 1.11), Verdict::Open),
            ((0.05, 4.00), Verdict::Open),
            ((1.06, 1.50), Verdict::Faster),
            ((1.06, 1.09), Verdict::Faster),
            ((0.50, 0.89), Verdict::Slower),
        ] {
            assert_eq!(verdict(interval, true), expected, "{interval:?}");
        }
        assert_eq!(verdict((0.98, 1.03), false), Verdict::Open);
        // Powers that are near to 1 but not as good are never said to be linear.
        for power in [0.85, 1.15] {
            let counts = verdicts(|n: f64| 20.0 + 52.0 * n.powf(power), 0.05);
            assert!(counts[Verdict::Linear as usize] <= 2, "{counts:?}");
        }
    }

    #[test]
    fn squares_are_faster_though_they_are_but_a_part_of_it() {
        let pure = verdicts(|n| 10.0 + n * n, 0.1);
        assert_eq!(pure[Verdict::Faster as usize], 100, "{pure:?}");
        // At 511 APs the square has made up for the half of it.
        let part = verdicts(|n| 300.0 + 52.0 * n + 0.1 * n * n, 0.03);
        assert!(part[Verdict::Faster as usize] >= 95, "{part:?}");
        let growth = grows(&noisy(|n| 10.0 + n * n, 0.03, 1)).expect("enough");
        assert!((growth.exponent - 2.0).abs() < 0.1, "{growth:?}");
        assert_eq!(growth.best, Law::Quadratic);
    }

    #[test]
    fn n_log_n_is_faster_than_linear_and_told_from_it() {
        let law = |n: f64| 30.0 + 20.0 * n * (n + 1.0).log2();
        let counts = verdicts(law, 0.03);
        assert!(counts[Verdict::Faster as usize] >= 95, "{counts:?}");
        let growth = grows(&noisy(law, 0.01, 1)).expect("enough");
        assert_eq!(growth.best, Law::NLogN, "{growth:?}");
    }

    #[test]
    fn roots_are_slower() {
        let counts = verdicts(|n: f64| 5.0 + 40.0 * n.sqrt(), 0.05);
        assert!(counts[Verdict::Slower as usize] >= 95, "{counts:?}");
    }

    #[test]
    fn what_does_not_grow_or_is_all_noise_is_not_linear() {
        // Nothing grows: the constant explains it, whatever the exponent.
        for deviation in [0.0, 0.01, 0.1] {
            let [_, linear, faster, _] = verdicts(|_| 100.0, deviation);
            assert!(faster <= 10, "{faster} faster");
            assert_eq!(linear, 0, "{deviation}");
        }
        // So much noise that a line could be anything.
        let counts = verdicts(|n| 300.0 + 52.0 * n, 1.0);
        assert!(counts[Verdict::Open as usize] >= 30, "{counts:?}");
        assert!(counts[Verdict::Faster as usize] <= 6, "{counts:?}");
    }

    #[test]
    fn the_interval_has_the_true_exponent_19_times_in_20() {
        let mut there = 0;
        for seed in 0..200 {
            let points = noisy(|n: f64| 200.0 + 30.0 * n.powf(1.3), 0.05, seed);
            let (low, high) = grows(&points).expect("enough").interval;
            there += u32::from((low..=high).contains(&1.3));
        }
        assert!((178..=200).contains(&there), "{there} of 200");
    }

    #[test]
    fn too_few_points_and_too_near_ones_are_said_to_be_so() {
        let points = noisy(|n| n, 0.0, 0);
        assert_eq!(grows(&points[..4]), Err(TooFew::Points(4)));
        assert_eq!(grows(&[]), Err(TooFew::Points(0)));
        let near: Vec<_> = (0..6)
            .map(|n| Point {
                aps: 10.0 + f64::from(n),
                value: 1.0,
            })
            .collect();
        assert_eq!(grows(&near), Err(TooFew::Span));
        // What cannot be the cost of anything is no point.
        let mut wrong = points.clone();
        wrong[..5].iter_mut().for_each(|point| point.value = -1.0);
        assert_eq!(grows(&wrong), Err(TooFew::Points(4)));
        for (points, told) in [
            (1, "1 size has a figure, and 5 need one"),
            (4, "4 sizes have a figure, and 5 need one"),
        ] {
            let text = TooFew::Points(points).to_string();
            assert_eq!(text, format!("too few to tell: {told}"));
        }
    }
}
