//! How far the times of a table can be trusted: nothing where one clock would have shown the same, and
//! else a sentence for all CPUs together.

use core::fmt;

use crate::{
    lines::{BELOW_TABLE, Words},
    look::Look,
    ranges::Ranges,
    record::Cpu,
    table::Millis,
};

/// A line for the CPUs whose clocks could not be compared with the BSP's, and one where the others'
/// times are less certain than what the table shows of them.
pub(crate) struct Trust<'a>(pub(crate) &'a [Cpu], pub(crate) Look);

/// The table shows hundredths of a millisecond.
const SHOWN_NS: u64 = 10_000;

impl fmt::Display for Trust<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |f: &mut fmt::Formatter<'_>, text: &str| {
            let indent = BELOW_TABLE;
            writeln!(f, "{}", Words { text, indent }.within(self.1))
        };
        let with_own_times = || self.0.iter().filter(|cpu| cpu.has_own_times());
        let is_alone = |cpu: &&Cpu| cpu.uncertainty_ns.is_none();
        let alone: Ranges = with_own_times()
            .filter(is_alone)
            .filter_map(|cpu| Some(cpu.cpu?.0))
            .collect();
        if !alone.is_empty() {
            let (word, whose) = match alone.is_single() {
                true => ("CPU", "its own clock"),
                false => ("CPUs", "their own clocks"),
            };
            let text = alloc::format!(
                "{word} {alone}: times from real mode on are by {whose}, not compared with the BSP's"
            );
            told(f, &text)?;
        }
        let worst = with_own_times().filter_map(|cpu| cpu.uncertainty_ns).max();
        match worst {
            Some(nanos) if nanos > SHOWN_NS => {
                let text = alloc::format!(
                    "times from real mode on are certain to {} ms, as the clocks were compared",
                    Millis { nanos }
                );
                told(f, &text)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;
    use crate::{
        cpu::{ApicId, CpuIndex},
        outcome::Outcome,
    };

    fn cpu(number: u32, real_ns: Option<u64>, uncertainty_ns: Option<u64>) -> Cpu {
        Cpu {
            real_ns,
            uncertainty_ns,
            ..Cpu::unwoken(Some(CpuIndex(number)), ApicId(number), Outcome::Online)
        }
    }

    fn told(cpus: &[Cpu]) -> String {
        Trust(cpus, Look::default()).to_string()
    }

    #[test]
    fn nothing_is_said_where_the_table_shows_no_more_than_is_certain() {
        let good = cpu(1, Some(1), Some(10_000));
        // A CPU without times of its own has nothing that could be wrong.
        let untouched = cpu(2, None, None);
        assert_eq!(told(&[good, untouched]), "");
    }

    #[test]
    fn clocks_that_were_not_compared_share_a_sentence() {
        let alone = |number| cpu(number, Some(1), None);
        let compared = cpu(9, Some(1), Some(5));
        let cpus = [alone(1), alone(2), alone(3), compared];
        assert_eq!(
            told(&cpus),
            "CPUs 1-3: times from real mode on are by their own clocks, not compared with the\n       \
             BSP's\n"
        );
        assert_eq!(
            told(&cpus[2..]),
            "CPU 3: times from real mode on are by its own clock, not compared with the BSP's\n"
        );
    }

    #[test]
    fn an_uncertainty_that_shows_is_told_once_and_it_is_the_worst() {
        let cpus = [
            cpu(1, Some(1), Some(52_000)),
            cpu(2, Some(1), Some(140_000)),
        ];
        assert_eq!(
            told(&cpus),
            "times from real mode on are certain to 0.14 ms, as the clocks were compared\n"
        );
    }
}
