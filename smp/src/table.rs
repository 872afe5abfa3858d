//! What a person sees of a bring-up: one line a CPU, one line for the whole, and the comparison of
//! the strategies. Made from the records, so that whoever has records can print it, and as it suits who
//! looks on: a [`Look`] says what that is.

mod axis;
mod bar;
mod layout;
mod rows;

use core::fmt;

use alloc::{format, string::String, vec::Vec};

pub use self::rows::Table;
use crate::{
    lines::{Parts, Sentence},
    look::{Hue, Look},
    record::Bringup,
};

/// A time for people: milliseconds with three significant digits, and never more than two
/// decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Millis {
    /// The time in nanoseconds.
    pub nanos: u64,
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NANOS: u64 = 1_000_000;
        // Rounded to hundredths first, so that the choice of decimals sees what will be shown.
        let hundredths = self.nanos.saturating_add(NANOS / 200) / (NANOS / 100);
        let text = match hundredths {
            0..1_000 => format!("{}.{:02}", hundredths / 100, hundredths % 100),
            1_000..10_000 => {
                let tenths = self.nanos.saturating_add(NANOS / 20) / (NANOS / 10);
                format!("{}.{}", tenths / 10, tenths % 10)
            }
            _ => format!("{}", self.nanos.saturating_add(NANOS / 2) / NANOS),
        };
        f.pad(&text)
    }
}

/// A time for people: microseconds with as many digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Micros {
    /// The time in nanoseconds.
    pub nanos: u64,
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As many nanoseconds as a microsecond has picoseconds.
        let nanos = self.nanos.saturating_mul(1_000);
        Millis { nanos }.fmt(f)
    }
}

/// `part / whole`, with as many digits as a time.
pub(crate) struct Ratio {
    pub(crate) part: u64,
    pub(crate) whole: u64,
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ONE: u128 = 1_000_000;
        let ratio = u128::from(self.part) * ONE / u128::from(self.whole.max(1));
        // A millisecond has as many nanoseconds as one has millionths.
        let nanos = u64::try_from(ratio).unwrap_or(u64::MAX);
        Millis { nanos }.fmt(f)
    }
}

/// The line for the whole round, without an end of line. A question mark stands behind a time that is
/// taken from clocks which could not be compared.
pub struct Headline<'a>(pub &'a Bringup, pub Look);

impl fmt::Display for Headline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bringup {
            strategy,
            aps,
            online,
            total_ns,
            online_ns,
            uncertainty_ns,
            ..
        } = self.0;
        let look = self.1;
        let mut told = |text: String| {
            let (text, indent) = (text.as_str(), "bring-up: ".len());
            Sentence { text, indent, look }.fmt(f)
        };
        if *aps == 0 {
            return told(format!("bring-up: no APs to wake ({strategy})"));
        }
        // Where no AP came online there is no headline figure; then the whole attempt's time stands.
        let (word, nanos) = match *online_ns {
            Some(nanos) => ("in", nanos),
            None => ("after", *total_ns),
        };
        let doubt = match online_ns.is_some() && uncertainty_ns.is_none() {
            true => "?",
            false => "",
        };
        let online = match online < aps {
            true => look.paint(Hue::Bad, online),
            false => look.paint(Hue::Good, online),
        };
        let time = look.paint(Hue::Strong, Millis { nanos });
        told(format!(
            "bring-up: {online} of {aps} APs online {word} {time} ms{doubt} ({strategy})"
        ))
    }
}

/// Medians of several rounds side by side, without an end of line. Shown are the strategies' own
/// times, how many times slower than the first each other strategy is, and how many times slower
/// the first is than each yardstick.
pub struct Comparison {
    rounds: u32,
    strategies: Vec<(String, u64)>,
    yardsticks: Vec<(String, u64)>,
    look: Look,
}

impl Comparison {
    /// A comparison over so many rounds.
    pub fn new(rounds: u32) -> Self {
        Self {
            rounds,
            strategies: Vec::new(),
            yardsticks: Vec::new(),
            look: Look::default(),
        }
    }

    /// The same for a terminal.
    pub fn within(self, look: Look) -> Self {
        Self { look, ..self }
    }

    /// Adds a strategy; the first one added is what the others are compared with.
    pub fn strategy(&mut self, name: &str, online_ns: &mut [u64]) {
        if let Some(median) = median(online_ns) {
            self.strategies.push((String::from(name), median));
        }
    }

    /// Adds something that the first strategy is measured against.
    pub fn yardstick(&mut self, name: &str, nanos: &mut [u64]) {
        if let Some(median) = median(nanos) {
            self.yardsticks.push((String::from(name), median));
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.rounds == 1 { "round" } else { "rounds" };
        let head = format!("{:10}{} {word}: ", "", self.rounds);
        let Some(((name, ours), others)) = self.strategies.split_first() else {
            if self.yardsticks.is_empty() {
                return write!(f, "{head}nothing came online");
            }
            let yardsticks = self.yardsticks.iter();
            let parts =
                yardsticks.map(|(name, nanos)| format!("{name} {} ms", Millis { nanos: *nanos }));
            return Parts::with_bars(&head, parts).within(self.look).fmt(f);
        };
        let strategies = others.iter().map(|(name, nanos)| {
            let (part, whole) = (*nanos, *ours);
            let ratio = Ratio { part, whole };
            format!("{name} {} ms, {ratio}x", Millis { nanos: *nanos })
        });
        let yardsticks = self.yardsticks.iter().map(|(name, nanos)| {
            let (part, whole) = (*ours, *nanos);
            let ratio = Ratio { part, whole };
            format!("{name} {} ms, x{ratio}", Millis { nanos: *nanos })
        });
        let own = format!("{name} {} ms", Millis { nanos: *ours });
        let parts = core::iter::once(own).chain(strategies).chain(yardsticks);
        Parts::with_bars(&head, parts).within(self.look).fmt(f)
    }
}

/// The middle value; of an even number the lower of the two in the middle, so that it is one that
/// was measured.
pub fn median(values: &mut [u64]) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn millis(nanos: u64) -> String {
        Millis { nanos }.to_string()
    }

    #[test]
    fn milliseconds_keep_three_digits_and_at_most_two_decimals() {
        assert_eq!(millis(0), "0.00");
        assert_eq!(millis(4_999), "0.00");
        assert_eq!(millis(5_000), "0.01");
        assert_eq!(millis(1_424_000), "1.42");
        assert_eq!(millis(9_994_999), "9.99");
        assert_eq!(millis(9_995_000), "10.0");
        assert_eq!(millis(99_949_999), "99.9");
        assert_eq!(millis(99_996_000), "100");
        assert_eq!(millis(1_234_567_890), "1235");
    }

    #[test]
    fn the_headline_has_the_last_online_time_or_how_long_it_was_tried_or_nobody_to_wake() {
        let told = |aps, online, online_ns, uncertainty_ns| {
            let bringup = Bringup {
                strategy: "parallel".into(),
                round: 0,
                aps,
                online,
                failed: aps - online,
                kick_ns: None,
                alive_ns: None,
                online_ns,
                total_ns: 2_015_000_000,
                polls: 0,
                spurious_polls: 0,
                doorbells: 0,
                uncertainty_ns,
                attempt: 0,
            };
            Headline(&bringup, Look::default()).to_string()
        };
        let headline = |aps, online, online_ns| told(aps, online, online_ns, Some(0));
        assert_eq!(
            headline(7, 6, Some(1_240_000)),
            "bring-up: 6 of 7 APs online in 1.24 ms (parallel)"
        );
        assert_eq!(
            headline(7, 0, None),
            "bring-up: 0 of 7 APs online after 2015 ms (parallel)"
        );
        assert_eq!(headline(0, 0, None), "bring-up: no APs to wake (parallel)");
        assert_eq!(
            told(7, 7, Some(1_240_000), None),
            "bring-up: 7 of 7 APs online in 1.24 ms? (parallel)"
        );
    }

    #[test]
    fn one_round_is_in_the_singular() {
        let mut comparison = Comparison::new(1);
        comparison.strategy("parallel", &mut [1_310_000]);
        assert_eq!(
            comparison.to_string(),
            "          1 round: parallel 1.31 ms"
        );
    }

    #[test]
    fn yardsticks_without_a_strategy_stand_by_themselves() {
        let mut comparison = Comparison::new(2);
        assert!(
            comparison
                .to_string()
                .ends_with("2 rounds: nothing came online")
        );
        comparison.yardstick("bare", &mut [1_150_000]);
        comparison.yardstick("floor", &mut [840_000, 850_000]);
        let text = comparison.to_string();
        assert!(
            text.ends_with("2 rounds: bare 1.15 ms | floor 0.84 ms"),
            "{text}"
        );
    }

    #[test]
    fn the_comparison_reads_like_the_readme_says() {
        let mut comparison = Comparison::new(9);
        comparison.strategy("parallel", &mut [1_310_000, 1_300_000, 9_000_000]);
        comparison.strategy("serial", &mut [9_800_000]);
        comparison.yardstick("bare", &mut [1_150_000]);
        comparison.yardstick("floor", &mut [840_000]);
        assert_eq!(
            comparison.to_string(),
            "          9 rounds: parallel 1.31 ms | serial 9.80 ms, 7.48x\n\
             \x20                   bare 1.15 ms, x1.14 | floor 0.84 ms, x1.56"
        );
        comparison.strategy("legacy", &mut [724_000_000]);
        assert_eq!(
            comparison.to_string(),
            "          9 rounds: parallel 1.31 ms | serial 9.80 ms, 7.48x\n\
             \x20                   legacy 724 ms, 553x | bare 1.15 ms, x1.14\n\
             \x20                   floor 0.84 ms, x1.56"
        );
    }

    #[test]
    fn a_median_is_a_value_that_was_measured() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3]), Some(3));
        assert_eq!(median(&mut [4, 1, 3, 2]), Some(2));
        assert_eq!(median(&mut [9, 1, 5]), Some(5));
    }
}
