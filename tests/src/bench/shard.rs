//! A part of a plan, so that several hosts share the work.
//!
//! All boots of a machine belong to one part: what is compared comes from one host. Every host makes the
//! same choice from the same plan, by what the machines are reckoned to cost, and needs to ask nobody.

use std::{fmt, str::FromStr, time::Duration};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// Part `index` of `count`, from 1. As text `1/4`, in JSON too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    /// Which part, from 1 to `count`.
    pub index: u32,
    /// How many parts there are.
    pub count: u32,
}

impl Shard {
    /// The machines of this part, by their numbers in the plan, which rise. The dearest go first, each
    /// to the part that has least so far, and of those to the first one: no part gets more than the
    /// fair share and one machine.
    pub fn choose(self, costs: &[Duration]) -> Vec<usize> {
        let mut dearest: Vec<usize> = (0..costs.len()).collect();
        // Stable: of equal ones the first in the plan goes first.
        dearest.sort_by_key(|&machine| std::cmp::Reverse(costs[machine]));
        let mut parts = vec![(Duration::ZERO, Vec::new()); self.count as usize];
        for machine in dearest {
            let least = parts.iter_mut().min_by_key(|(cost, _)| *cost);
            if let Some((cost, part)) = least {
                *cost += costs[machine];
                part.push(machine);
            }
        }
        let (_, mut part) = parts.swap_remove(self.index as usize - 1);
        part.sort_unstable();
        part
    }
}

impl FromStr for Shard {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        /// More than any job array has, and few enough to reckon with.
        const MOST: u32 = 1 << 16;
        let (index, count) = text.split_once('/').context("it is I/N, such as 1/4")?;
        let number = |text: &str| {
            let number = text.parse::<u32>();
            number.with_context(|| format!("`{text}` is not a number"))
        };
        let (index, count) = (number(index)?, number(count)?);
        ensure!((1..=MOST).contains(&count), "there are 1 to {MOST} parts");
        ensure!(
            (1..=count).contains(&index),
            "the parts are numbered from 1/{count} to {count}/{count}"
        );
        Ok(Self { index, count })
    }
}

impl TryFrom<String> for Shard {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_part_is_written_as_one_of_several() {
        let shard: Shard = "2/4".parse().expect("it is one");
        assert_eq!((shard.index, shard.count), (2, 4));
        assert_eq!(shard.to_string(), "2/4");
        for wrong in ["", "2", "0/4", "5/4", "1/0", "-1/4", "1/4/5", "1/100000"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_dearest_machine_is_alone_where_it_outweighs_all_others() {
        let costs = [1, 2, 100, 3].map(Duration::from_secs);
        let part = |text: &str| text.parse::<Shard>().expect("it is one").choose(&costs);
        assert_eq!(part("1/2"), [2]);
        assert_eq!(part("2/2"), [0, 1, 3]);
        assert_eq!(part("5/5"), [0; 0]);
    }

    proptest! {
        #[test]
        fn each_machine_is_in_one_part_and_no_part_has_more_than_its_share_and_a_machine(
            costs in prop::collection::vec(0_u64..1000, 0..40),
            count in 1_u32..9,
        ) {
            let costs: Vec<_> = costs.into_iter().map(Duration::from_millis).collect();
            let parts = (1..=count).map(|index| Shard { index, count }.choose(&costs));
            let parts: Vec<_> = parts.collect();
            let mut all: Vec<_> = parts.iter().flatten().copied().collect();
            all.sort_unstable();
            prop_assert!(all.into_iter().eq(0..costs.len()));
            let most = costs.iter().sum::<Duration>() / count
                + costs.iter().max().copied().unwrap_or_default();
            for part in parts {
                let cost: Duration = part.iter().map(|&machine| costs[machine]).sum();
                prop_assert!(cost <= most + Duration::from_nanos(1));
            }
        }
    }
}
