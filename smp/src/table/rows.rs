//! The table of a round, line by line.

use core::fmt;

use alloc::{
    format,
    string::{String, ToString},
};

use super::{
    axis::Axis,
    bar::{Bar, cells_of},
    layout::{Column, Layout},
};
use crate::{
    explain::Explanations,
    lines::columns,
    look::{Hue, Look},
    outcome::Outcome,
    record::Cpu,
    trust::Trust,
};

/// The table of a round: one line a CPU, then a line for those that failed or were left out. Of
/// many neighbours that left no trace, only the first and the last have a line. For a terminal there are as many
/// columns as fit, and a bar of each CPU's way up where it is to have bars.
pub struct Table<'a>(pub &'a [Cpu], pub Look);

/// The longest run of neighbours without a trace that is shown line by line.
const LONGEST_SHOWN: usize = 8;

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(cpus, look) = *self;
        let rows = Rows {
            layout: Layout::of(cpus, look),
            look,
        };
        rows.heads(f, cpus)?;
        for alike in cpus.chunk_by(are_alike) {
            match alike {
                [first, hidden @ .., last] if alike.len() > LONGEST_SHOWN => {
                    rows.cpu(f, first)?;
                    rows.hidden(f, hidden.len(), first.outcome)?;
                    rows.cpu(f, last)?;
                }
                _ => alike.iter().try_for_each(|cpu| rows.cpu(f, cpu))?,
            }
        }
        if let Some(axis) = rows.layout.axis {
            let scale = axis.scale(look);
            let end = rows.layout.before_bars() + axis.cells;
            let before = end.saturating_sub(columns(&scale));
            writeln!(f, "{:before$}{scale}", "")?;
            writeln!(f, "{}", axis.legend(cpus, look))?;
        }
        Explanations(cpus, look).fmt(f)?;
        Trust(cpus, look).fmt(f)
    }
}

/// Whether two CPUs left no trace and ended the same way, so that one line says as much as two.
fn are_alike(a: &Cpu, b: &Cpu) -> bool {
    let left_no_trace = |cpu: &Cpu| {
        let times = [cpu.real_ns, cpu.long_ns, cpu.alive_ns, cpu.online_ns];
        times.iter().all(Option::is_none)
    };
    a.outcome == b.outcome && left_no_trace(a) && left_no_trace(b)
}

/// What the lines of a table share.
struct Rows {
    layout: Layout,
    look: Look,
}

impl Rows {
    fn heads(&self, f: &mut fmt::Formatter<'_>, cpus: &[Cpu]) -> fmt::Result {
        let is_by_mailbox = |cpu: &Cpu| cpu.sipi_ns.is_some() && cpu.init_ns.is_none();
        let first = match cpus.iter().any(is_by_mailbox) {
            true => "request",
            false => "INIT",
        };
        let above = format!("ms from the first {first} to");
        let before = match self.look.columns {
            Some(_) => self.look.width().saturating_sub(above.len()),
            None => usize::MAX,
        };
        let before = self.layout.before_times().min(before);
        writeln!(f, "{:before$}{above}", "")?;
        self.columns(f, |column| column.head().into())?;
        writeln!(f, " outcome")
    }

    /// The columns in front of the outcome.
    fn columns(&self, f: &mut fmt::Formatter<'_>, text: impl Fn(Column) -> String) -> fmt::Result {
        self.layout.columns.iter().try_for_each(|placed| {
            let (gap, width, text) = (placed.gap, placed.width, text(placed.column));
            match placed.column {
                Column::Place => write!(f, "{:gap$}{text:<width$}", ""),
                _ => write!(f, "{:gap$}{text:>width$}", ""),
            }
        })
    }

    fn cpu(&self, f: &mut fmt::Formatter<'_>, cpu: &Cpu) -> fmt::Result {
        self.columns(f, |column| column.text(cpu))?;
        let outcome = self.outcome(cpu.outcome);
        let drawn = |axis: Axis| (cells_of(cpu, axis), axis.ink);
        match self.layout.axis.map(drawn) {
            Some((cells, ink)) if !cells.is_empty() => {
                let (cells, look) = (&cells, self.look);
                let gap = self.layout.outcome + 1 - <&str>::from(cpu.outcome).len();
                writeln!(f, " {outcome}{:gap$}{}", "", Bar { cells, ink, look })
            }
            _ => writeln!(f, " {outcome}"),
        }
    }

    /// The line in place of so many CPUs that ended alike.
    fn hidden(&self, f: &mut fmt::Formatter<'_>, count: usize, outcome: Outcome) -> fmt::Result {
        let columns = self.layout.columns.iter();
        let shown = columns.take_while(|it| matches!(it.column, Column::Cpu | Column::Apic));
        let mut used = 0;
        for placed in shown {
            let (gap, width) = (placed.gap, placed.width);
            write!(f, "{:gap$}{:>width$}", "", "...")?;
            used += gap + width;
        }
        let room = self.layout.before_outcome().saturating_sub(used + 1);
        let mut text = format!("({count} more like these)");
        if text.len() > room {
            text = format!("+{count}");
        }
        writeln!(f, " {text:<room$} {}", self.outcome(outcome))
    }

    fn outcome(&self, outcome: Outcome) -> String {
        match outcome.is_failure() {
            true => self.look.paint(Hue::Bad, outcome).to_string(),
            false => outcome.to_string(),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::cpu::{ApicId, CpuIndex};

    fn cpu(number: Option<u32>, outcome: Outcome) -> Cpu {
        Cpu {
            cpu: number.map(CpuIndex),
            apic_id: ApicId(7),
            package: Some(0),
            core: Some(3),
            thread: Some(1),
            outcome,
            step: None,
            reason: None,
            sipis: 2,
            init_ns: Some(0),
            sipi_ns: Some(10_000),
            real_ns: Some(1_500_000),
            long_ns: None,
            alive_ns: None,
            online_ns: None,
            polls: 3,
            uncertainty_ns: Some(0),
            attempt: 0,
        }
    }

    #[test]
    fn the_table_says_what_its_times_are_counted_from() {
        let mut woken = cpu(Some(1), Outcome::Online);
        let counted = |cpu: &Cpu| {
            let table = Table(core::slice::from_ref(cpu), Look::default()).to_string();
            String::from(table.lines().next().unwrap_or_default().trim())
        };
        assert_eq!(counted(&woken), "ms from the first INIT to");
        woken.init_ns = None;
        assert_eq!(counted(&woken), "ms from the first request to");
    }

    #[test]
    fn every_line_of_the_table_fits_80_columns_and_its_columns_stand_below_their_heads() {
        let mut wide = cpu(Some(4095), Outcome::Online);
        wide.apic_id = ApicId(131_071);
        wide.package = Some(15);
        wide.core = Some(127);
        wide.online_ns = Some(2_345_678_900);
        let table = Table(
            &[cpu(Some(1), Outcome::StuckLongMode), wide],
            Look::default(),
        )
        .to_string();
        let lines: Vec<_> = table.lines().collect();
        assert!(lines[..4].iter().all(|line| line.len() <= 80), "{table}");
        let end = |line: &str, word: &str| line.find(word).unwrap() + word.len();
        assert_eq!(end(lines[1], "real"), end(lines[2], "1.50"));
        assert_eq!(end(lines[1], "online"), end(lines[3], "2346"));
        assert_eq!(
            end(lines[1], "polls"),
            end(lines[2], "    3 stuck") - " stuck".len()
        );
    }

    #[test]
    fn strange_ids_widen_their_columns_and_nothing_leaves_its_own() {
        let mut strange = cpu(Some(4), Outcome::NeverStarted);
        strange.apic_id = ApicId(u32::MAX - 1);
        strange.package = Some(1_073_741_823);
        let table = Table(&[cpu(Some(1), Outcome::Online), strange], Look::default()).to_string();
        let lines: Vec<_> = table.lines().collect();
        let end = |line: &str, word: &str| line.find(word).unwrap() + word.len();
        for (head, first, second) in [("apic", "     7", "4294967294"), ("real", "1.50", "1.50")] {
            assert_eq!(end(lines[1], head), end(lines[2], first), "{table}");
            assert_eq!(end(lines[1], head), end(lines[3], second), "{table}");
        }
    }

    #[test]
    fn the_explanations_follow_the_table() {
        let mut stuck = cpu(Some(2), Outcome::Failed);
        stuck.reason = Some("it did not finish the step in time".into());
        let table = Table(&[cpu(Some(1), Outcome::Online), stuck], Look::default()).to_string();
        let sentences: Vec<_> = table.lines().skip(4).collect();
        assert_eq!(sentences.len(), 1);
        assert!(
            sentences[0].starts_with("CPU 2 (APIC 7): failed; it did not finish the step in time"),
            "{table}"
        );
    }

    #[test]
    fn many_neighbours_without_a_trace_are_folded_and_whoever_left_one_is_shown() {
        let silent = |number| {
            let mut silent = cpu(Some(number), Outcome::NeverStarted);
            silent.real_ns = None;
            silent
        };
        let rows = |cpus: &[Cpu]| {
            let table = Table(cpus, Look::default()).to_string();
            let rows = table.lines().skip(2);
            let rows = rows.take_while(|line| !line.starts_with("CPU"));
            rows.map(String::from).collect::<Vec<_>>()
        };
        let shown = u32::try_from(LONGEST_SHOWN).unwrap();
        let few: Vec<_> = (1..=shown).map(silent).collect();
        assert_eq!(rows(&few).len(), LONGEST_SHOWN);
        let many: Vec<_> = (1..=9_000).map(silent).collect();
        let folded = rows(&many);
        assert_eq!(folded.len(), 3, "{folded:?}");
        assert!(folded[1].contains("(8998 more like these)"), "{folded:?}");
        assert_eq!(
            folded[1].find("never-started"),
            folded[0].find("never-started"),
            "{folded:?}"
        );
        let mut parted = many;
        parted[4_000].real_ns = Some(1);
        assert_eq!(rows(&parted).len(), 7);
        parted[4_000] = silent(4_001);
        parted[4_000].outcome = Outcome::Late;
        assert_eq!(rows(&parted).len(), 7);
    }
}
