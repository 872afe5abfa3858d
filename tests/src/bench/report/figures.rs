//! Figures as people read them: three digits, with their interval.

use reveille_smp::table::Millis;

use crate::bench::stats::{
    median::{Median, percent},
    summary::{Group, Row, Summary},
};

/// A value with as many digits as a time has: three, and at most two decimals.
pub(super) fn digits(value: f64) -> String {
    // What a time of so many milliseconds looks like.
    Millis {
        nanos: (value * 1e6).round() as u64,
    }
    .to_string()
}

/// Such as `1.19 (1.05-1.22)`; without the interval where there is a single boot.
pub(super) fn with_interval(median: &Median, scale: f64) -> String {
    let value = digits(median.median * scale);
    match median.interval {
        Some(interval) => {
            let (low, high) = (digits(interval.low * scale), digits(interval.high * scale));
            format!("{value} ({low}-{high})")
        }
        None => value,
    }
}

/// Nanoseconds in a millisecond, the other way round.
pub(super) const MILLIS: f64 = 1e-6;

/// The boots of a machine in words: how many, and what is to be known of them.
pub(super) fn boots(group: &Group) -> String {
    let count = |number: usize, word: &str| match number {
        1 => format!("1 {word}"),
        _ => format!("{number} {word}s"),
    };
    let mut text = count(group.boots, "boot");
    if let Some(rounds) = group.rounds {
        text += &format!(" of {}", count(rounds, "round"));
    }
    if !group.failed.is_empty() {
        text += &format!(", {} failed", group.failed.len());
    }
    if group.busy > 0 {
        text += &format!(", host busy in {}", group.busy);
    }
    text
}

/// What the intervals are worth, in a sentence; `None` without any.
pub(super) fn about_intervals(summary: &Summary) -> Option<String> {
    let rows = summary.groups.iter().flat_map(|group| &group.rows);
    let levels = rows.filter_map(|row: &Row| Some(row.online_ns.interval?.level));
    let worst = levels.min_by(f64::total_cmp)?;
    Some(format!(
        "medians of boots, each the median of its rounds, and their {} % intervals (order statistics)",
        percent(worst)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_their_interval() {
        let of = |values: &[f64]| Median::of(values).expect("there are some");
        assert_eq!(
            with_interval(&of(&[1.0, 1.191, 1.4]), 1.0),
            "1.19 (1.00-1.40)"
        );
        assert_eq!(with_interval(&of(&[6.26e6]), MILLIS), "6.26");
        assert_eq!(
            with_interval(&of(&[6.7e8, 6.73e8, 6.75e8]), MILLIS),
            "673 (670-675)"
        );
        assert_eq!(digits(22.94), "22.9");
    }
}
