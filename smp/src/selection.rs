//! Which of the CPUs that the firmware lists a person wants: how many, which ones, how many threads
//! of a core, and room for how many.

use alloc::{string::String, vec::Vec};
use core::{fmt, num::NonZeroU32, ops::RangeInclusive, str::FromStr};

use strum::{EnumString, VariantNames};

use crate::{cpu::CpuIndex, ranges::Ranges};

/// What a person wants. The default is all that are enabled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// At most so many CPUs run, the BSP among them.
    pub max_cpus: Option<NonZeroU32>,
    /// Only these run, and the BSP.
    pub cpus: Option<CpuSet>,
    /// Slots for so many CPUs, the BSP among them, and no more. Beyond the CPUs that are enabled,
    /// the listed ones that are not get a slot each: they may be added later.
    pub possible: Option<NonZeroU32>,
    /// How many threads of a core run.
    pub smt: Smt,
}

impl Selection {
    /// The same with slots for all CPUs that are listed, so many, if it does not say for how many: for a
    /// machine to which they may be added.
    pub fn with_room_for_all(self, listed: usize) -> Self {
        let all = || NonZeroU32::new(u32::try_from(listed).unwrap_or(u32::MAX));
        Self {
            possible: self.possible.or_else(all),
            ..self
        }
    }
}

/// Whether simultaneous multithreading is used: how many threads of a core run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Smt {
    /// All of them.
    #[default]
    On,
    /// One: the BSP where it is one of them, else the first.
    Off,
}

/// A set of CPU numbers, written `1-3,5`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuSet {
    /// Ascending, disjoint, not adjacent, at least one.
    ranges: Ranges,
}

impl CpuSet {
    /// Whether a CPU is in the set.
    pub fn contains(&self, cpu: CpuIndex) -> bool {
        let ranges = self.ranges.as_slice();
        let at = ranges.partition_point(|range| *range.end() < cpu.0);
        ranges.get(at).is_some_and(|range| range.contains(&cpu.0))
    }

    /// The numbers of the set from `first` on.
    pub fn from(&self, first: u32) -> Ranges {
        let beyond = self
            .ranges
            .as_slice()
            .iter()
            .filter(|range| *range.end() >= first);
        Ranges::from_vec(
            beyond
                .map(|range| first.max(*range.start())..=*range.end())
                .collect(),
        )
    }
}

/// A text that is no list of CPU numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotACpuSet {
    /// The part between two commas that is wrong.
    pub part: String,
}

impl FromStr for CpuSet {
    type Err = NotACpuSet;

    fn from_str(text: &str) -> Result<Self, NotACpuSet> {
        let mut ranges = Vec::new();
        for part in text.split(',') {
            ranges.push(range(part).ok_or_else(|| NotACpuSet {
                part: String::from(part),
            })?);
        }
        ranges.sort_unstable_by_key(|range| *range.start());
        let mut merged: Vec<RangeInclusive<u32>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if *range.start() <= last.end().saturating_add(1) => {
                    *last = *last.start()..=*last.end().max(range.end());
                }
                _ => merged.push(range),
            }
        }
        Ok(Self {
            ranges: Ranges::from_vec(merged),
        })
    }
}

/// `5` or `1-3`.
fn range(part: &str) -> Option<RangeInclusive<u32>> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some(first..=last)
}

/// Digits only: `u32`'s own parser takes a plus sign too.
fn number(text: &str) -> Option<u32> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ranges.fmt(f)
    }
}

impl fmt::Display for NotACpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is neither a number nor a range of CPUs", self.part)
    }
}

impl core::error::Error for NotACpuSet {}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::{collections::BTreeSet, string::ToString};

    use proptest::prelude::*;

    use super::*;

    fn set(text: &str) -> CpuSet {
        text.parse().unwrap()
    }

    #[test]
    fn a_list_is_sorted_and_what_touches_is_one_range() {
        assert_eq!(set("5,1-3").to_string(), "1-3,5");
        assert_eq!(set("4,1-3,2-2,9,7-8").to_string(), "1-4,7-9");
        assert_eq!(set("0").to_string(), "0");
    }

    #[test]
    fn the_largest_list_takes_one_range() {
        let all = set("0-4294967295,4294967295,7-4294967294");
        assert_eq!(all.ranges.as_slice(), [0..=u32::MAX]);
        assert!(all.contains(CpuIndex(u32::MAX)));
        assert_eq!(all.from(8).to_string(), "8-4294967295");
    }

    #[test]
    fn what_is_no_list_is_refused_and_the_wrong_part_is_named() {
        for (text, part) in [
            ("", ""),
            ("1,", ""),
            ("1,,2", ""),
            ("3-1", "3-1"),
            ("1,2-", "2-"),
            ("-1", "-1"),
            ("1-2-3", "1-2-3"),
            ("+1", "+1"),
            ("all", "all"),
            ("4294967296", "4294967296"),
        ] {
            let error = text.parse::<CpuSet>().unwrap_err();
            assert_eq!(error.part, part, "`{text}`");
        }
    }

    proptest! {
        #[test]
        fn a_set_contains_what_its_list_names_and_survives_its_own_text(
            ranges in proptest::collection::vec((0u32..60, 0u32..9), 1..8)
        ) {
            let mut text = String::new();
            let mut named = BTreeSet::new();
            for (first, more) in ranges {
                if !text.is_empty() {
                    text.push(',');
                }
                text += &alloc::format!("{first}-{}", first + more);
                named.extend(first..=first + more);
            }
            let set = set(&text);
            for cpu in 0..80 {
                prop_assert_eq!(set.contains(CpuIndex(cpu)), named.contains(&cpu));
                let beyond: Ranges = named.range(cpu..).copied().collect();
                prop_assert_eq!(set.from(cpu), beyond);
            }
            prop_assert_eq!(set.to_string().parse::<CpuSet>().unwrap(), set);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[0-9,+ -]{0,24}") {
            let _ = text.parse::<CpuSet>();
        }
    }
}
