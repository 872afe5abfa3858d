//! What `ipi=` asks for: calls between all pairs of CPUs, and how many of each.

#![forbid(unsafe_code)]

use core::{num::NonZero, str::FromStr};

use reveille_smp::cpu::CpuIndex;

use crate::command_line::number;

/// How `ipi=` is written.
pub const SYNTAX: &str = "matrix|matrix:N";

/// All pairs are measured, or one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    /// Calls of each; where nobody says how many, it depends on the number of pairs.
    pub samples: Option<NonZero<u32>>,
    /// Who calls, and whom, where it is one pair.
    pub only: Option<(CpuIndex, CpuIndex)>,
}

/// Calls of all pairs together, where nobody says how many: on two busy cores of a host 8 CPUs take
/// about a second.
const CALLS: u32 = 16_000;

/// Calls of each pair at the least, and at the most.
const FEWEST: u32 = 8;
const MOST: u32 = 1_000;

impl Pairs {
    /// How many calls of each pair, where there are so many.
    pub fn samples_of(self, pairs: usize) -> u32 {
        let pairs = u32::try_from(pairs).unwrap_or(u32::MAX).max(1);
        match self.samples {
            Some(samples) => samples.get(),
            None => (CALLS / pairs).clamp(FEWEST, MOST),
        }
    }
}

/// It is neither `matrix` nor that with a positive number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPairs;

impl FromStr for Pairs {
    type Err = NoPairs;

    fn from_str(text: &str) -> Result<Self, NoPairs> {
        let samples = match text.strip_prefix("matrix").ok_or(NoPairs)? {
            "" => None,
            more => {
                let samples = more.strip_prefix(':').and_then(number);
                Some(samples.and_then(NonZero::new).ok_or(NoPairs)?)
            }
        };
        Ok(Self {
            samples,
            only: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_pairs_are_called_less_often_unless_somebody_says_how_often() {
        let pairs: Pairs = "matrix".parse().unwrap();
        assert_eq!(
            [2, 56, 4_032, 64_770].map(|it| pairs.samples_of(it)),
            [1_000, 285, 8, 8]
        );
        let pairs: Pairs = "matrix:3".parse().unwrap();
        assert_eq!([0, 2, 4_032].map(|it| pairs.samples_of(it)), [3, 3, 3]);
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "matrix:", "matrix:0", "matrix:+1", "matrixes", "all"] {
            assert_eq!(text.parse::<Pairs>(), Err(NoPairs), "{text}");
        }
    }
}
