//! How long something takes: a distribution, from which each time is drawn.
//!
//! A draw is a time in whole nanoseconds, and never longer than [`LONGEST`]. What needs logarithms
//! takes them from `libm`, which gives the same bits on every host.

use std::time::Duration;

use anyhow::{Result, ensure};
use rand_distr::{Distribution, Exp1, StandardNormal, StandardUniform};
use serde::{Deserialize, Deserializer, de::Error};

use super::Stream;

/// The longest time that a model can have: longer ones are in the wrong unit.
const LONGEST: Duration = Duration::from_secs(3600);

/// A distribution of times.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Delay {
    /// Always the same.
    Constant(#[serde(deserialize_with = "microseconds")] Duration),
    /// Each time in a range is as likely as another.
    Uniform {
        /// The shortest.
        #[serde(deserialize_with = "microseconds")]
        from: Duration,
        /// The longest.
        #[serde(deserialize_with = "microseconds")]
        to: Duration,
    },
    /// Each order of magnitude in a range is as likely as another: what is known of a wait of which
    /// only the two ends were told.
    LogUniform {
        /// The shortest, more than zero.
        #[serde(deserialize_with = "microseconds")]
        from: Duration,
        /// The longest.
        #[serde(deserialize_with = "microseconds")]
        to: Duration,
    },
    /// At least so long, and behind that without memory.
    Exponential {
        /// The mean of the whole, `least` included.
        #[serde(deserialize_with = "microseconds")]
        mean: Duration,
        /// The shortest.
        #[serde(default, deserialize_with = "microseconds")]
        least: Duration,
    },
    /// Normal, where what would be shorter than the shortest is the shortest.
    Normal {
        /// The mean before that.
        #[serde(deserialize_with = "microseconds")]
        mean: Duration,
        /// The standard deviation before that.
        #[serde(deserialize_with = "microseconds")]
        deviation: Duration,
        /// The shortest.
        #[serde(default, deserialize_with = "microseconds")]
        least: Duration,
    },
    /// With a long tail: its logarithm is normal.
    LogNormal {
        /// One half is shorter. More than zero.
        #[serde(deserialize_with = "microseconds")]
        median: Duration,
        /// 99 of 100 are shorter.
        #[serde(deserialize_with = "microseconds")]
        p99: Duration,
    },
    /// One of a few, each with its weight.
    Choice(#[serde(deserialize_with = "weighted")] Vec<(f64, Duration)>),
}

impl Delay {
    /// The next time.
    pub fn draw(&self, stream: &mut Stream) -> Duration {
        match *self {
            Self::Constant(time) => time,
            Self::Uniform { from, to } => {
                let share: f64 = StandardUniform.sample(stream);
                time(nanos(from) + share * (nanos(to) - nanos(from)))
            }
            Self::LogUniform { from, to } => {
                let share: f64 = StandardUniform.sample(stream);
                time(nanos(from) * libm::pow(nanos(to) / nanos(from), share))
            }
            Self::Exponential { mean, least } => {
                let above: f64 = Exp1.sample(stream);
                time(nanos(least) + above * (nanos(mean) - nanos(least)))
            }
            Self::Normal {
                mean,
                deviation,
                least,
            } => {
                let away: f64 = StandardNormal.sample(stream);
                time(nanos(mean) + away * nanos(deviation)).max(least)
            }
            Self::LogNormal { median, p99 } => {
                let away: f64 = StandardNormal.sample(stream);
                time(nanos(median) * libm::exp(away * sigma(median, p99)))
            }
            Self::Choice(ref choices) => {
                let share: f64 = StandardUniform.sample(stream);
                let mut left = share * total_weight(choices);
                for &(weight, time) in choices {
                    left -= weight;
                    if left < 0.0 {
                        return time;
                    }
                }
                // Rounding has let all of them pass.
                choices.last().map_or(Duration::ZERO, |&(_, time)| time)
            }
        }
    }

    /// The mean of all draws.
    pub fn mean(&self) -> Duration {
        match *self {
            Self::Constant(time) => time,
            Self::Uniform { from, to } => (from + to) / 2,
            Self::LogUniform { from, to } if from == to => from,
            Self::LogUniform { from, to } => {
                let ratio = nanos(to) / nanos(from);
                time((nanos(to) - nanos(from)) / libm::log(ratio))
            }
            Self::Exponential { mean, .. } => mean,
            Self::Normal {
                mean,
                deviation,
                least,
            } => mean_of_clamped_normal(nanos(mean), nanos(deviation), nanos(least)),
            Self::LogNormal { median, p99 } => {
                let sigma = sigma(median, p99);
                time(nanos(median) * libm::exp(sigma * sigma / 2.0))
            }
            Self::Choice(ref choices) => {
                let weighted = choices.iter().map(|&(weight, time)| weight * nanos(time));
                time(weighted.sum::<f64>() / total_weight(choices))
            }
        }
    }

    /// Refuses what no distribution can be.
    pub(super) fn check(&self) -> Result<()> {
        match *self {
            Self::Constant(_) => {}
            Self::Uniform { from, to } => {
                ensure!(from <= to, "uniform: `from` must not be longer than `to`");
            }
            Self::LogUniform { from, to } => {
                ensure!(!from.is_zero(), "log-uniform: `from` must be more than 0");
                ensure!(
                    from <= to,
                    "log-uniform: `from` must not be longer than `to`"
                );
            }
            Self::Exponential { mean, least } => ensure!(
                least <= mean,
                "exponential: `least` must not be longer than `mean`, which is that of the whole"
            ),
            Self::Normal { .. } => {}
            Self::LogNormal { median, p99 } => {
                ensure!(
                    !median.is_zero(),
                    "log-normal: `median` must be more than 0"
                );
                ensure!(
                    median <= p99,
                    "log-normal: `median` must not be longer than `p99`"
                );
            }
            Self::Choice(ref choices) => {
                ensure!(
                    !choices.is_empty(),
                    "choice: there must be one [weight, time] at least"
                );
                let is_weight = |weight: f64| weight.is_finite() && weight > 0.0;
                ensure!(
                    choices.iter().all(|&(weight, _)| is_weight(weight)),
                    "choice: each [weight, time] must have a weight of more than 0"
                );
            }
        }
        Ok(())
    }
}

/// The standard normal distribution's 99th percentile.
const Z99: f64 = 2.326_347_874_040_841;

/// The standard deviation of a log-normal time's logarithm.
fn sigma(median: Duration, p99: Duration) -> f64 {
    libm::log(nanos(p99) / nanos(median)) / Z99
}

/// What is below `least` counts as `least`.
fn mean_of_clamped_normal(mean: f64, deviation: f64, least: f64) -> Duration {
    if deviation == 0.0 {
        return time(mean.max(least));
    }
    let above = (mean - least) / deviation;
    let density = libm::exp(-above * above / 2.0) / libm::sqrt(2.0 * std::f64::consts::PI);
    let share_above = libm::erfc(-above / std::f64::consts::SQRT_2) / 2.0;
    time(least + (mean - least) * share_above + deviation * density)
}

fn total_weight(choices: &[(f64, Duration)]) -> f64 {
    choices.iter().map(|&(weight, _)| weight).sum()
}

/// Exact: [`LONGEST`] has fewer digits in nanoseconds than a float.
fn nanos(time: Duration) -> f64 {
    time.as_nanos() as f64
}

/// The nearest time that a model can have.
fn time(nanos: f64) -> Duration {
    Duration::from_nanos(nanos.round() as u64).min(LONGEST)
}

/// A time as a model has it.
pub(super) fn microseconds<'de, D: Deserializer<'de>>(source: D) -> Result<Duration, D::Error> {
    from_micros(f64::deserialize(source)?).map_err(Error::custom)
}

/// A time as a model has it, that may be left out.
pub(super) fn some_microseconds<'de, D: Deserializer<'de>>(
    source: D,
) -> Result<Option<Duration>, D::Error> {
    microseconds(source).map(Some)
}

fn weighted<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<(f64, Duration)>, D::Error> {
    Vec::<(f64, f64)>::deserialize(source)?
        .into_iter()
        .map(|(weight, micros)| Ok((weight, from_micros(micros).map_err(Error::custom)?)))
        .collect()
}

fn from_micros(micros: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(micros / 1e6)
        .ok()
        .filter(|time| *time <= LONGEST)
        .ok_or_else(|| {
            format!(
                "{micros} is no time here: times are in microseconds, from 0 to {} (an hour)",
                LONGEST.as_micros()
            )
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The mean of so many draws, and its standard error.
    fn measured(delay: &Delay, draws: u32) -> (f64, f64) {
        let mut stream = Stream::new(1, 1, "mean");
        let drawn: Vec<_> = (0..draws).map(|_| nanos(delay.draw(&mut stream))).collect();
        let count = f64::from(draws);
        let mean = drawn.iter().sum::<f64>() / count;
        let squares = drawn.iter().map(|time| (time - mean).powi(2));
        (mean, (squares.sum::<f64>() / count / count).sqrt())
    }

    fn any_time(micros: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
        micros.prop_map(Duration::from_micros)
    }

    /// None of them so rarely long that a few thousand draws would not tell the mean.
    fn any_delay() -> impl Strategy<Value = Delay> {
        let from_to = || (any_time(1..1_000), any_time(0..100_000));
        prop_oneof![
            any_time(0..100_000).prop_map(Delay::Constant),
            from_to().prop_map(|(from, more)| Delay::Uniform {
                from,
                to: from + more
            }),
            from_to().prop_map(|(from, more)| Delay::LogUniform {
                from,
                to: from + more
            }),
            from_to().prop_map(|(least, more)| Delay::Exponential {
                mean: least + more,
                least
            }),
            (any_time(0..1_000), any_time(1..1_000), any_time(0..1_000)).prop_map(
                |(mean, deviation, least)| Delay::Normal {
                    mean,
                    deviation,
                    least: least.min(mean + deviation)
                }
            ),
            (any_time(1..1_000), 1..8_u32).prop_map(|(median, times)| Delay::LogNormal {
                median,
                p99: median * times
            }),
            proptest::collection::vec((1.0..9.0, any_time(1..1_000)), 1..6).prop_map(Delay::Choice),
        ]
    }

    /// The shortest and the longest that can be drawn.
    fn bounds(delay: &Delay) -> (Duration, Duration) {
        match delay {
            Delay::Constant(time) => (*time, *time),
            Delay::Uniform { from, to } | Delay::LogUniform { from, to } => (*from, *to),
            Delay::Exponential { least, .. } | Delay::Normal { least, .. } => (*least, LONGEST),
            Delay::LogNormal { .. } => (Duration::ZERO, LONGEST),
            Delay::Choice(choices) => {
                let times = || choices.iter().map(|&(_, time)| time);
                (times().min().unwrap(), times().max().unwrap())
            }
        }
    }

    proptest! {
        #[test]
        fn no_draw_is_out_of_bounds(delay in any_delay(), seed: u64) {
            prop_assert!(delay.check().is_ok());
            let mut stream = Stream::new(seed, 0, "bounds");
            let (least, most) = bounds(&delay);
            for _ in 0..100 {
                let drawn = delay.draw(&mut stream);
                prop_assert!((least..=most).contains(&drawn), "{drawn:?} of {delay:?}");
            }
        }

        #[test]
        fn the_mean_is_what_the_draws_come_to(delay in any_delay()) {
            let (measured, error) = measured(&delay, 10_000);
            let mean = nanos(delay.mean());
            prop_assert!((measured - mean).abs() <= 5.0 * error + 1.0, "{measured} of {mean}: {delay:?}");
        }
    }

    /// The share of draws that are shorter.
    fn share_below(delay: &Delay, bound: Duration) -> f64 {
        let mut stream = Stream::new(7, 0, "share");
        let below = (0..100_000).filter(|_| delay.draw(&mut stream) < bound);
        below.count() as f64 / 1e5
    }

    #[test]
    fn the_percentiles_of_a_log_normal_time_are_where_the_model_says() {
        let (median, p99) = (Duration::from_micros(40), Duration::from_micros(900));
        let delay = Delay::LogNormal { median, p99 };
        assert!((share_below(&delay, median) - 0.5).abs() < 0.005);
        assert!((share_below(&delay, p99) - 0.99).abs() < 0.001);
    }

    #[test]
    fn a_log_uniform_time_is_as_often_in_one_decade_as_in_the_next() {
        let [from, middle, to] = [350, 3500, 35_000].map(Duration::from_micros);
        let delay = Delay::LogUniform { from, to };
        assert!((share_below(&delay, middle) - 0.5).abs() < 0.005);
    }

    #[test]
    fn a_choice_is_made_by_weight() {
        let [rare, usual] = [1, 2].map(Duration::from_micros);
        let delay = Delay::Choice(vec![(1.0, rare), (3.0, usual)]);
        assert!((share_below(&delay, usual) - 0.25).abs() < 0.005);
    }

    #[test]
    fn a_cpus_times_are_the_same_however_many_cpus_there_are() {
        let delay = Delay::Exponential {
            mean: Duration::from_micros(900),
            least: Duration::from_micros(350),
        };
        let times = |cpus: usize| -> Vec<[Duration; 3]> {
            let mut streams: Vec<_> = (0..cpus).map(|cpu| Stream::new(3, cpu, "start")).collect();
            let mut turn = || -> Vec<Duration> {
                streams
                    .iter_mut()
                    .map(|stream| delay.draw(stream))
                    .collect()
            };
            let (first, second, third) = (turn(), turn(), turn());
            (0..cpus)
                .map(|cpu| [first[cpu], second[cpu], third[cpu]])
                .collect()
        };
        assert_eq!(times(8)[..], times(500)[..8]);
    }

    #[test]
    fn what_no_distribution_can_be_is_refused_with_what_would_be_right() {
        let time = Duration::from_micros;
        let (short, long, zero) = (time(1), time(2), Duration::ZERO);
        let refused = [
            (
                Delay::Uniform {
                    from: long,
                    to: short,
                },
                "`from` must not be longer",
            ),
            (
                Delay::LogUniform {
                    from: long,
                    to: short,
                },
                "`from` must not be longer",
            ),
            (
                Delay::LogUniform {
                    from: zero,
                    to: long,
                },
                "`from` must be more than 0",
            ),
            (
                Delay::Exponential {
                    mean: short,
                    least: long,
                },
                "`least` must not be longer",
            ),
            (
                Delay::LogNormal {
                    median: zero,
                    p99: long,
                },
                "`median` must be more than 0",
            ),
            (
                Delay::LogNormal {
                    median: long,
                    p99: short,
                },
                "`median` must not be longer",
            ),
            (Delay::Choice(vec![]), "at least"),
            (
                Delay::Choice(vec![(1.0, short), (0.0, long)]),
                "more than 0",
            ),
            (Delay::Choice(vec![(f64::NAN, short)]), "more than 0"),
        ];
        for (delay, expected) in refused {
            let error = delay.check().expect_err("it was taken").to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
