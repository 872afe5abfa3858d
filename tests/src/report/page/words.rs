//! Figures and counts as people read them, the same as on the terminal.

use reveille_smp::table::{Micros, Millis};

use crate::bench::stats::median::percent;

/// What stands where there is no figure.
pub(super) const NONE: &str = "none";

/// What stands where there may be one, and nobody has told it.
pub(super) const UNKNOWN: &str = "unknown";

/// A time in milliseconds, without its unit.
pub(super) fn millis(nanos: u64) -> String {
    Millis { nanos }.to_string()
}

/// A time in microseconds, without its unit.
pub(super) fn micros(nanos: u64) -> String {
    Micros { nanos }.to_string()
}

/// A value with as many digits as a time has: three, and at most two decimals.
pub(super) fn digits(value: f64) -> String {
    let text = millis((value.abs() * 1e6).round() as u64);
    let is_seen = text.contains(|it: char| ('1'..='9').contains(&it));
    match value < 0.0 && is_seen {
        true => format!("−{text}"),
        false => text,
    }
}

/// Such as `4.80–6.82`; `none` without an end.
pub(super) fn interval(ends: Option<(u64, u64)>) -> String {
    match ends {
        Some((low, high)) => format!("{}–{}", millis(low), millis(high)),
        None => NONE.to_owned(),
    }
}

/// The same of values.
pub(super) fn between((low, high): (f64, f64)) -> String {
    format!("{}–{}", digits(low), digits(high))
}

/// What the worst of several intervals is worth, such as `93 %`; `None` where there is no interval.
pub(super) fn worth(levels: impl Iterator<Item = f64>) -> Option<String> {
    let worst = levels.min_by(f64::total_cmp)?;
    Some(format!("{} %", percent(worst)))
}

/// Such as `1 boot` and `5 boots`.
pub(super) fn count(number: usize, word: &str) -> String {
    match number {
        1 => format!("1 {word}"),
        _ => format!("{number} {word}s"),
    }
}

/// The day of a time such as `2026-11-29T03:36:43Z`.
pub(super) fn day(time: &str) -> &str {
    time.split('T').next().unwrap_or(time)
}

/// Bytes in MiB.
pub(super) fn mebibytes(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_counts_their_number() {
        assert_eq!(digits(1.7654), "1.77");
        assert_eq!(
            (digits(-195.4), digits(-0.004)),
            ("−195".into(), "0.00".into())
        );
        assert_eq!(interval(Some((4_800_000, 26_820_000))), "4.80–26.8");
        assert_eq!(interval(None), "none");
        assert_eq!(worth([0.96875, 0.9375].into_iter()), Some("93 %".into()));
        assert_eq!(worth([].into_iter()), None);
        assert_eq!(
            (count(1, "boot"), count(0, "boot")),
            ("1 boot".into(), "0 boots".into())
        );
        assert_eq!(day("2026-11-29T03:36:43Z"), "2026-11-29");
        assert_eq!(digits(mebibytes(3.0 * 1024.0 * 1024.0)), "3.00");
    }
}
