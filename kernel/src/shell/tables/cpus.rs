//! All CPUs: who each is, where it sits, where it is on the ladder or why it is not there.

use alloc::{
    format,
    string::{String, ToString},
};
use core::fmt;

use reveille_smp::lines::Words;

use crate::shell::{
    figures::{CpuFigures, Moment},
    numbers::{Known, Span},
};

/// The table, with the end of the last line left out: a line a CPU, and below them how many there are. Of
/// many neighbours that are not online and say the same, only the first and the last have a line.
pub struct CpusTable<'a>(pub &'a Moment);

/// The longest run of neighbours that say the same which is shown line by line.
const LONGEST_SHOWN: usize = 8;

impl fmt::Display for CpusTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layout = Layout::of(&self.0.cpus);
        let Layout { apic, place, .. } = layout;
        writeln!(
            f,
            " cpu {:>apic$} {:<place$} {:>6} state",
            "apic", "place", "for"
        )?;
        let are_alike = |a: &CpuFigures, b: &CpuFigures| !a.state.is_online() && a.state == b.state;
        for alike in self.0.cpus.chunk_by(are_alike) {
            match alike {
                [first, hidden @ .., last] if alike.len() > LONGEST_SHOWN => {
                    layout.row(f, first, self.0)?;
                    let count = hidden.len();
                    writeln!(f, " ... {:>apic$} ({count} more like these)", "...")?;
                    layout.row(f, last, self.0)?;
                }
                _ => alike.iter().try_for_each(|it| layout.row(f, it, self.0))?,
            }
        }
        let online = self.0.cpus.iter().filter(|it| it.state.is_online());
        write!(
            f,
            "{} of {} CPUs are online",
            online.count(),
            self.0.cpus.len()
        )
    }
}

/// The widths of the columns that a strange id would break.
struct Layout {
    apic: usize,
    place: usize,
    /// Of all columns before the state.
    before: usize,
}

impl Layout {
    fn of(cpus: &[CpuFigures]) -> Self {
        let longest = |text: fn(&CpuFigures) -> String, least: usize| {
            let lengths = cpus.iter().map(|it| text(it).len());
            lengths.max().unwrap_or_default().max(least)
        };
        let apic = longest(|it| it.apic_id.to_string(), 6);
        let place = longest(|it| it.place.to_string(), 8);
        Self {
            apic,
            place,
            before: 4 + 1 + apic + 1 + place + 1 + 6 + 1,
        }
    }

    fn row(&self, f: &mut fmt::Formatter<'_>, it: &CpuFigures, moment: &Moment) -> fmt::Result {
        let Self {
            apic,
            place,
            before,
        } = *self;
        // How long it has been online, or away.
        let span = it.since.map(|since| Span(moment.at - since));
        let text = format!(
            "{:>4} {:>apic$} {:<place$} {:>6} {}",
            Known(it.cpu),
            it.apic_id,
            it.place,
            Known(span),
            it.state
        );
        let (text, indent) = (text.as_str(), before);
        writeln!(f, "{}", Words { text, indent })
    }
}

#[cfg(test)]
mod tests {
    use reveille_smp::{
        cpu::{ApicId, CpuIndex},
        plan::Skip,
        state::Stage,
        step::StepError,
    };

    use super::*;
    use crate::shell::figures::{CpuState, for_tests::*};

    fn away(cpu: u32, state: CpuState) -> CpuFigures {
        CpuFigures {
            state,
            since: None,
            ..online(cpu)
        }
    }

    #[test]
    fn every_cpu_is_told_with_where_it_is_or_why_not() {
        let mut all = moment([0, 1]);
        let failed = CpuState::Slot {
            stage: Stage::Parked,
            rung: "stack",
            failure: Some(("join", StepError::Injected)),
        };
        all.cpus.push(away(2, failed));
        all.cpus.push(away(3, CpuState::Skipped(Skip::BeyondXapic)));
        all.cpus.push(CpuFigures {
            cpu: None,
            ..away(4, CpuState::Disabled)
        });
        let table = CpusTable(&all).to_string();
        let expected = [
            " cpu   apic place       for state",
            "   0      0 0/0/0    10.0 s online (boot processor)",
            "   1      2 0/1/0    10.0 s online",
            "   2      4 0/2/0         - stack; failed at step join: it was told to fail",
            "   3      6 0/3/0         - skipped: an APIC in xAPIC mode cannot address an id",
            "                            above 254: give the machine x2APIC",
            "   -      8 0/4/0         - disabled by the firmware, and possible= leaves no",
            "                            slot for it",
            "2 of 5 CPUs are online",
        ];
        assert!(table.lines().eq(expected), "{table}");
    }

    #[test]
    fn many_neighbours_that_are_away_are_folded_and_those_online_are_not() {
        let mut all = moment(0..20);
        let not_there = CpuState::Slot {
            stage: Stage::NotPresent,
            rung: "offline",
            failure: None,
        };
        all.cpus.extend((20..512).map(|cpu| away(cpu, not_there)));
        let table = CpusTable(&all).to_string();
        assert_eq!(table.lines().count(), 1 + 20 + 3 + 1, "{table}");
        assert!(
            table.contains("\n ...    ... (490 more like these)\n"),
            "{table}"
        );
        assert!(table.ends_with("20 of 512 CPUs are online"), "{table}");
    }

    #[test]
    fn strange_ids_widen_their_columns_and_all_lines_fit_80() {
        let mut all = moment([0]);
        let mut strange = away(4_095, CpuState::Skipped(Skip::NoMemory));
        strange.apic_id = ApicId(u32::MAX - 1);
        strange.place.package = 1_073_741_823;
        strange.cpu = Some(CpuIndex(4_095));
        all.cpus.push(strange);
        let table = CpusTable(&all).to_string();
        assert!(table.lines().all(|line| line.len() <= 80), "{table}");
    }
}
