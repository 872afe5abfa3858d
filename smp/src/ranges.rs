//! Numbers as people write them: `1-3,5`.
//!
//! Kept as ranges, never one by one: a list that names four billion numbers takes no more room
//! than one that names a single number.

use alloc::vec::Vec;
use core::{fmt, ops::RangeInclusive};

/// Numbers in the order in which they came; neighbours that follow one another are one range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<RangeInclusive<u32>>);

impl Ranges {
    /// Adds a number at the end.
    pub fn push(&mut self, number: u32) {
        match self.0.last_mut() {
            Some(last) if last.end().checked_add(1) == Some(number) => {
                *last = *last.start()..=number;
            }
            _ => self.0.push(number..=number),
        }
    }

    /// Whether there is no number.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is exactly one number.
    pub fn is_single(&self) -> bool {
        matches!(self.0.as_slice(), [only] if only.start() == only.end())
    }

    /// The ranges, for the parser of a list.
    pub(crate) fn from_vec(ranges: Vec<RangeInclusive<u32>>) -> Self {
        Self(ranges)
    }

    pub(crate) fn as_slice(&self) -> &[RangeInclusive<u32>] {
        &self.0
    }
}

impl FromIterator<u32> for Ranges {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut ranges = Self::default();
        numbers.into_iter().for_each(|number| ranges.push(number));
        ranges
    }
}

/// Ranges that are written out; of more than that, the rest is only counted. A line stays a line.
const MOST_SHOWN: usize = 12;

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, rest) = self.0.split_at(self.0.len().min(MOST_SHOWN));
        for (index, range) in shown.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}", range.start())?;
            if range.start() != range.end() {
                write!(f, "-{}", range.end())?;
            }
        }
        if rest.is_empty() {
            return Ok(());
        }
        let count: u64 = rest
            .iter()
            .map(|range| u64::from(range.end() - range.start()) + 1)
            .sum();
        write!(f, " and {count} more")
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn numbers_that_follow_one_another_are_one_range() {
        let text = |numbers: &[u32]| numbers.iter().copied().collect::<Ranges>().to_string();
        assert_eq!(text(&[]), "");
        assert_eq!(text(&[7]), "7");
        assert_eq!(text(&[1, 2, 3, 5, 9, 10]), "1-3,5,9-10");
        assert_eq!(text(&[3, 2, u32::MAX, 0]), "3,2,4294967295,0");
    }

    #[test]
    fn a_list_with_many_holes_is_cut_short() {
        let even: Ranges = (0..100).map(|number| 2 * number).collect();
        assert_eq!(
            even.to_string(),
            "0,2,4,6,8,10,12,14,16,18,20,22 and 88 more"
        );
    }
}
