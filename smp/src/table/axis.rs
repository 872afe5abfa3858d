//! The axis of time that all bars of a table have, with its scale and what the shades stand for.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    Millis,
    bar::{Cell, Ink, cells_of},
    layout::Column,
};
use crate::{
    lines::Parts,
    look::{Hue, Look},
    record::Cpu,
    stage::{Milestones, Stage},
};

/// What all bars of a table share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    /// Its end: the last that befell anybody, as far as one clock tells it. It begins at 0.
    pub(super) end_ns: u64,
    pub(super) cells: usize,
    pub(super) ink: Ink,
}

impl Axis {
    /// The end of an axis on which there is something to see of these CPUs.
    pub(super) fn end_of(cpus: &[Cpu]) -> Option<u64> {
        let known = |cpu: &Cpu| Milestones::of(cpu).on_one_clock(cpu.uncertainty_ns);
        let end_ns = cpus.iter().filter_map(|cpu| known(cpu).last_ns()).max();
        end_ns.filter(|&nanos| nanos > 0)
    }

    /// The cell whose slice a time is in.
    pub(super) fn cell_of(self, nanos: u64) -> usize {
        let cell = u128::from(nanos) * self.cells as u128 / u128::from(self.end_ns.max(1));
        let last = self.cells.saturating_sub(1);
        usize::try_from(cell).unwrap_or(last).min(last)
    }

    /// The middle of a cell's slice.
    pub(super) fn middle_ns(self, cell: usize) -> u64 {
        let halves = 2 * cell as u128 + 1;
        let nanos = u128::from(self.end_ns) * halves / (2 * self.cells.max(1) as u128);
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    /// The scale, which stands below the bars.
    pub(super) fn scale(self, look: Look) -> String {
        let end = format!("{} ms", Millis { nanos: self.end_ns });
        // The zero, and a space on both sides of the line.
        let Some(line) = self.cells.checked_sub(end.len() + 3) else {
            return end;
        };
        let dash = match self.ink {
            Ink::Blocks => "─",
            Ink::Ascii => "-",
        };
        format!("0 {} {end}", look.paint(Hue::Faint, dash.repeat(line)))
    }

    /// What the shades say, of those that are among the bars.
    pub(super) fn legend(self, cpus: &[Cpu], look: Look) -> String {
        let shown: Vec<_> = cpus.iter().flat_map(|cpu| cells_of(cpu, self)).collect();
        let part = |cell: Cell, text: &str| {
            let glyph = cell.times(1, self.ink, look);
            shown.contains(&cell).then(|| format!("{glyph} {text}"))
        };
        let leads_to = |stage| format!("to {}", end_of(stage).head());
        let stages = Stage::ALL.map(|stage| part(Cell::Stage(stage), &leads_to(stage)));
        let others = [
            part(Cell::Unknown, "clock not compared"),
            part(Cell::Missing, "not online"),
        ];
        let parts = stages.into_iter().chain(others).flatten();
        Parts::with_gaps("     ", parts).within(look).to_string()
    }
}

/// The column that has the time at which a stage ends.
const fn end_of(stage: Stage) -> Column {
    match stage {
        Stage::Init => Column::Sipi,
        Stage::Start => Column::Real,
        Stage::RealMode => Column::Long,
        Stage::LongMode => Column::Alive,
        Stage::Alive => Column::Online,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{
        cpu::{ApicId, CpuIndex},
        lines::columns,
        look::Colour,
        outcome::Outcome,
    };

    #[test]
    fn the_scale_is_as_long_as_the_bars_and_the_legend_names_what_is_there() {
        let axis = Axis {
            end_ns: 1_420_000,
            cells: 20,
            ink: Ink::Blocks,
        };
        let mut look = Look::default();
        assert_eq!(axis.scale(look), "0 ────────── 1.42 ms");
        let by_mailbox = Cpu {
            sipi_ns: Some(200),
            real_ns: Some(400),
            long_ns: Some(600),
            alive_ns: Some(700),
            online_ns: Some(900),
            ..Cpu::unwoken(Some(CpuIndex(1)), ApicId(1), Outcome::Online)
        };
        let axis = Axis {
            end_ns: 900,
            ..axis
        };
        assert_eq!(
            axis.legend(&[by_mailbox], look),
            "     ░ to real  ▒ to long  ▓ to alive  █ to online"
        );
        look.colour = Colour::On;
        let painted = axis.scale(look);
        assert_eq!(columns(&painted), axis.cells, "{painted}");
    }
}
