//! The table of a boot, shortened where there are more CPUs than a person reads: the first and the
//! last of them stay, and some of those that did not come online. Below it, whose times are not the
//! machine's.

use std::fmt;

use reveille_smp::{look::Look, outcome::Outcome, record::Cpu, table::Table};

/// CPUs at the table's beginning that are shown in any case.
const HEAD: usize = 12;
/// And at its end.
const TAIL: usize = 4;
/// Of those between them that did not come online, so many are shown.
const MOST_FAILURES: usize = 12;

/// The table as it is to look, with its explanations below it.
pub struct Shortened<'a>(pub &'a [Cpu], pub Look);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Table(self.0, self.1).to_string();
        let lines: Vec<_> = text.lines().collect();
        let (heads, rest) = lines.split_at(2);
        // A row begins with a number or what stands for it, what explains bars further to the right, and any other
        // explanation with a word.
        let is_row = |line: &&&str| {
            let starts_with_word = line.starts_with(|first: char| first.is_alphabetic());
            !starts_with_word && !line.starts_with("    ")
        };
        let rows = rest.iter().take_while(is_row).count();
        let (rows, explanations) = rest.split_at(rows);
        for line in heads {
            writeln!(f, "{line}")?;
        }
        let mut failures = 0;
        let mut hidden = 0;
        for (index, row) in rows.iter().enumerate() {
            let is_at_an_end = index < HEAD || index + TAIL >= rows.len();
            let is_failure = !is_at_an_end && !ends_well(row);
            failures += usize::from(is_failure);
            if is_at_an_end || is_failure && failures <= MOST_FAILURES {
                tell_hidden(f, &mut hidden)?;
                writeln!(f, "{row}")?;
            } else {
                hidden += 1;
            }
        }
        for line in explanations {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// A CPU whose clock is ahead of the machine's, or behind it, which is seen in its line.
pub struct Skewed {
    /// Its number.
    pub cpu: usize,
    /// By how many microseconds it is ahead.
    pub us: i64,
}

impl fmt::Display for Skewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.us.unsigned_abs();
        let (value, unit) = match us {
            0 => return Ok(()),
            us if us.is_multiple_of(1_000_000) => (us / 1_000_000, "s"),
            us if us.is_multiple_of(1_000) => (us / 1_000, "ms"),
            us => (us, "us"),
        };
        let direction = if self.us > 0 { "ahead" } else { "behind" };
        writeln!(
            f,
            "CPU {}'s clock is {value} {unit} {direction}, in the totals too",
            self.cpu
        )
    }
}

fn ends_well(row: &str) -> bool {
    // Behind it there may be a bar.
    let well = [Outcome::Bsp, Outcome::Online].map(<&str>::from);
    row.split(' ').any(|word| well.contains(&word))
}

fn tell_hidden(f: &mut fmt::Formatter<'_>, hidden: &mut usize) -> fmt::Result {
    match std::mem::take(hidden) {
        0 => Ok(()),
        count => writeln!(f, " ... ({count} more: --all-cpus)"),
    }
}

#[cfg(test)]
mod tests {
    use reveille_smp::{
        cpu::{ApicId, CpuIndex},
        look::{Bars, Colour, Columns},
    };

    use super::*;

    fn cpus(count: u32) -> Vec<Cpu> {
        let cpu = |number| Cpu {
            alive_ns: Some(5),
            online_ns: Some(7),
            sipis: 1,
            ..Cpu::unwoken(Some(CpuIndex(number)), ApicId(number), Outcome::Online)
        };
        (0..count).map(cpu).collect()
    }

    fn shortened(cpus: &[Cpu]) -> String {
        Shortened(cpus, Look::default()).to_string()
    }

    #[test]
    fn a_clock_that_is_not_the_machines_is_told() {
        let told = |us| Skewed { cpu: 3, us }.to_string();
        assert_eq!(
            told(10_000_000),
            "CPU 3's clock is 10 s ahead, in the totals too\n"
        );
        assert!(told(-1_500_000).contains("1500 ms behind"));
        assert!(told(7).contains("7 us ahead"));
        assert_eq!(told(0), "");
    }

    #[test]
    fn a_table_of_few_cpus_stays_as_it_is() {
        let cpus = cpus(16);
        assert_eq!(shortened(&cpus), Table(&cpus, Look::default()).to_string());
    }

    #[test]
    fn of_many_cpus_the_ends_stay_and_the_number_of_the_others() {
        let text = shortened(&cpus(1_920));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2 + 12 + 1 + 4, "{text}");
        assert!(lines[13].starts_with("  11 "), "{text}");
        assert_eq!(lines[14], " ... (1904 more: --all-cpus)");
        assert!(lines[15].starts_with("1916 "), "{text}");
    }

    #[test]
    fn bars_are_shortened_with_their_cpus_and_explained_below() {
        let look = Look {
            columns: Some(Columns::nearest(120)),
            bars: Bars::Blocks,
            colour: Colour::On,
        };
        let mut cpus = cpus(1_000);
        cpus[500].outcome = Outcome::Late;
        let text = Shortened(&cpus, look).to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2 + 12 + 1 + 1 + 1 + 4 + 3, "{text}");
        assert!(lines[20].starts_with(" 999 "), "{text}");
        assert!(lines[21].ends_with(" ms") && lines[22].contains("to online"));
    }

    #[test]
    fn who_failed_stays_and_all_explanations_do_even_where_too_many_failed() {
        let mut cpus = cpus(1_000);
        cpus[500].outcome = Outcome::Late;
        let text = shortened(&cpus);
        let row = text.lines().find(|line| line.starts_with(" 500 "));
        assert!(row.is_some_and(|row| row.ends_with("late")), "{text}");
        assert!(
            text.contains("(488 more") && text.contains("(495 more"),
            "{text}"
        );
        assert!(text.contains("\nCPU 500 (APIC 500): late;"), "{text}");
        cpus.iter_mut().for_each(|cpu| cpu.outcome = Outcome::Late);
        let text = shortened(&cpus);
        assert!(text.lines().count() < 40, "{text}");
        assert!(text.contains("\nCPUs 0-999 (APIC 0-999): late;"), "{text}");
    }
}
