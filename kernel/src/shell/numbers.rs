//! Numbers in few columns, for tables and the live view: counts, shares, spans and sizes.

#![forbid(unsafe_code)]

use alloc::format;
use core::{fmt, time::Duration};

/// A count in at most so many columns (4 at least): in full where that fits, else in thousands, millions
/// and so on, rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The count.
    pub value: u64,
    /// The columns.
    pub columns: usize,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("{}", self.value);
        let mut value = self.value;
        for unit in ['k', 'M', 'G', 'T', 'P', 'E'] {
            if text.len() <= self.columns {
                break;
            }
            value /= 1_000;
            text = format!("{value}{unit}");
        }
        f.pad(&text)
    }
}

/// A share in thousandths, as a percentage with a decimal: `97.3`. Never more than five columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent {
    /// The share.
    pub thousandths: u32,
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thousandths = self.thousandths.min(1_000);
        f.pad(&format!("{}.{}", thousandths / 10, thousandths % 10))
    }
}

/// A span in at most six columns, with two units at the most: `3.2 s`, `2m05s`, `1h05m`, `3d04h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
        f.pad(&match seconds {
            0..60 => format!("{seconds}.{} s", self.0.subsec_millis() / 100),
            60..3_600 => format!("{minutes}m{:02}s", seconds % 60),
            3_600..86_400 => format!("{hours}h{:02}m", minutes % 60),
            _ if days < 100 => format!("{days}d{:02}h", hours % 24),
            _ => format!("{}d", days.min(99_999)),
        })
    }
}

/// A size in bytes, in KiB below 10 MiB and in MiB above, rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = self.0 >> 10;
        f.pad(&match kib {
            0..10_240 => format!("{kib} KiB"),
            _ => format!("{} MiB", kib >> 10),
        })
    }
}

/// A value, or a dash where there is none, in as many columns.
pub struct Known<T>(pub Option<T>);

impl<T: fmt::Display> fmt::Display for Known<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.pad("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(value: u64, columns: usize) -> String {
        Count { value, columns }.to_string()
    }

    #[test]
    fn a_count_is_told_in_full_where_it_fits() {
        assert_eq!(count(0, 5), "0");
        assert_eq!(count(99_999, 5), "99999");
        assert_eq!(count(100_000, 5), "100k");
        assert_eq!(count(9_999_999, 5), "9999k");
        assert_eq!(count(10_000_000, 5), "10M");
        assert_eq!(count(u64::MAX, 5), "18E");
        assert_eq!(
            format!(
                "{:>6}",
                Count {
                    value: 7,
                    columns: 6
                }
            ),
            "     7"
        );
    }

    #[test]
    fn shares_spans_and_sizes_have_the_units_that_people_use() {
        let percent = |thousandths| Percent { thousandths }.to_string();
        assert_eq!(percent(973), "97.3");
        assert_eq!(
            (percent(1_000), percent(1_001)),
            ("100.0".into(), "100.0".into())
        );
        let span = |seconds| Span(Duration::from_secs(seconds)).to_string();
        assert_eq!(Span(Duration::from_millis(3_290)).to_string(), "3.2 s");
        assert_eq!((span(59), span(60)), ("59.0 s".into(), "1m00s".into()));
        assert_eq!(
            (span(3_599), span(3_600)),
            ("59m59s".into(), "1h00m".into())
        );
        assert_eq!(
            (span(86_399), span(86_400)),
            ("23h59m".into(), "1d00h".into())
        );
        assert_eq!(span(100 * 86_400), "100d");
        assert_eq!(Size(10_485_759).to_string(), "10239 KiB");
        assert_eq!(Size(10_485_760).to_string(), "10 MiB");
        assert_eq!(Known(None::<u32>).to_string(), "-");
    }

    proptest! {
        #[test]
        fn no_number_leaves_its_columns(value: u64, columns in 4_usize..20) {
            prop_assert!(count(value, columns).len() <= columns);
            prop_assert!(Span(Duration::from_nanos(value)).to_string().len() <= 6);
            prop_assert!(Span(Duration::from_secs(value)).to_string().len() <= 6);
            let percent = Percent { thousandths: value as u32 };
            prop_assert!(percent.to_string().len() <= 5);
        }

        #[test]
        fn a_count_that_is_shortened_is_not_above_what_was_counted(value: u64) {
            let text = count(value, 5);
            let digits = text.trim_end_matches(char::is_alphabetic);
            let unit = text.chars().last().and_then(|it| "kMGTPE".find(it)).map_or(0, |at| at + 1);
            let shown = digits.parse::<u64>().unwrap() * 1_000_u64.pow(unit as u32);
            prop_assert!(shown <= value);
            prop_assert!(unit == 0 || value - shown < 1_000_u64.pow(unit as u32));
        }
    }
}
