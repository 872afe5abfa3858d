//! A CPU's way up as a bar: a cell a slice of time, a shade a stage. All bars of a table have one axis, so
//! that who was faster is seen without reading.
//!
//! A cell shows the stage of the slice's middle. Stages only go on, whatever the clocks say: the furthest that
//! has begun by then is shown. A CPU that did not come online is drawn up to the end of the axis and marked
//! there.

use core::fmt;

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    lines::Parts,
    look::{Bars, Hue, Look},
    record::Cpu,
    table::Millis,
};

/// A stage of the way up, by the time that it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Sipi,
    Real,
    Long,
    Alive,
    Online,
}

impl Stage {
    const ALL: [Self; 5] = [
        Self::Sipi,
        Self::Real,
        Self::Long,
        Self::Alive,
        Self::Online,
    ];

    /// When it began for a CPU.
    fn began_ns(self, cpu: &Cpu) -> Option<u64> {
        match self {
            Self::Sipi => cpu.init_ns,
            Self::Real => cpu.sipi_ns,
            Self::Long => cpu.real_ns,
            Self::Alive => cpu.long_ns,
            Self::Online => cpu.alive_ns,
        }
    }

    const fn hue(self) -> Hue {
        match self {
            Self::Sipi => Hue::Init,
            Self::Real => Hue::Start,
            Self::Long => Hue::RealMode,
            Self::Alive => Hue::LongMode,
            Self::Online => Hue::Alive,
        }
    }

    /// The word of the column that has the time.
    const fn leads_to(self) -> &'static str {
        match self {
            Self::Sipi => "to sipi",
            Self::Real => "to real",
            Self::Long => "to long",
            Self::Alive => "to alive",
            Self::Online => "to online",
        }
    }
}

/// What a cell shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// Nothing has begun.
    Before,
    Stage(Stage),
    /// It did not come online.
    Missing,
}

impl Cell {
    const fn glyph(self, bars: Bars) -> char {
        use Stage::{Alive, Long, Online, Real, Sipi};
        match (bars, self) {
            (Bars::Off, _) | (_, Self::Before) => ' ',
            (Bars::Blocks, Self::Stage(Sipi)) => '·',
            (Bars::Blocks, Self::Stage(Real)) => '░',
            (Bars::Blocks, Self::Stage(Long)) => '▒',
            (Bars::Blocks, Self::Stage(Alive)) => '▓',
            (Bars::Blocks, Self::Stage(Online)) => '█',
            (Bars::Blocks, Self::Missing) => '×',
            (Bars::Ascii, Self::Stage(Sipi)) => '.',
            (Bars::Ascii, Self::Stage(Real)) => '-',
            (Bars::Ascii, Self::Stage(Long)) => '+',
            (Bars::Ascii, Self::Stage(Alive)) => '=',
            (Bars::Ascii, Self::Stage(Online)) => '#',
            (Bars::Ascii, Self::Missing) => 'x',
        }
    }

    const fn hue(self) -> Hue {
        match self {
            Self::Before => Hue::Faint,
            Self::Stage(stage) => stage.hue(),
            Self::Missing => Hue::Bad,
        }
    }
}

/// What all bars of a table share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    /// Its end: the last that befell anybody. It begins at 0.
    pub(super) end_ns: u64,
    pub(super) cells: usize,
}

impl Axis {
    /// The end of an axis on which there is something to see of these CPUs.
    pub(super) fn end_of(cpus: &[Cpu]) -> Option<u64> {
        let last = |cpu: &Cpu| {
            let begun = Stage::ALL.map(|stage| stage.began_ns(cpu));
            begun.into_iter().chain([cpu.online_ns]).flatten().max()
        };
        let end_ns = cpus.iter().filter_map(last).max();
        end_ns.filter(|&nanos| nanos > 0)
    }

    /// The cells of a CPU, as far as it has any.
    pub(super) fn cells_of(self, cpu: &Cpu) -> Vec<Cell> {
        let is_there = Stage::ALL.iter().any(|it| it.began_ns(cpu).is_some());
        if !is_there {
            return Vec::new();
        }
        let is_missing = cpu.outcome.is_failure();
        let until_ns = match (is_missing, cpu.online_ns) {
            (false, Some(online_ns)) => online_ns,
            _ => self.end_ns,
        };
        let mut cells: Vec<_> = (0..self.cells)
            .map(|cell| self.middle_ns(cell))
            .take_while(|&nanos| nanos < until_ns)
            .map(|nanos| stage_at(cpu, nanos).map_or(Cell::Before, Cell::Stage))
            .collect();
        if is_missing {
            if let Some(last) = cells.last_mut() {
                *last = Cell::Missing;
            }
        } else if cells.iter().all(|cell| *cell == Cell::Before) {
            // Its way is shorter than a cell, and has one all the same.
            cells.resize(self.cell_of(until_ns), Cell::Before);
            cells.extend(stage_at(cpu, until_ns).map(Cell::Stage));
        }
        cells
    }

    /// The cell whose slice a time is in.
    fn cell_of(self, nanos: u64) -> usize {
        let cell = u128::from(nanos) * self.cells as u128 / u128::from(self.end_ns.max(1));
        let last = self.cells.saturating_sub(1);
        usize::try_from(cell).unwrap_or(last).min(last)
    }

    /// The middle of a cell's slice.
    fn middle_ns(self, cell: usize) -> u64 {
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
        let dash = match look.bars {
            Bars::Blocks => "─",
            Bars::Ascii | Bars::Off => "-",
        };
        format!("0 {} {end}", look.paint(Hue::Faint, dash.repeat(line)))
    }

    /// What the shades say, of those that are among the bars.
    pub(super) fn legend(self, cpus: &[Cpu], look: Look) -> String {
        let shown: Vec<_> = cpus.iter().flat_map(|cpu| self.cells_of(cpu)).collect();
        let part = |cell: Cell, text: &str| {
            let glyph = look.paint(cell.hue(), cell.glyph(look.bars));
            shown.contains(&cell).then(|| format!("{glyph} {text}"))
        };
        let stages = Stage::ALL.map(|stage| part(Cell::Stage(stage), stage.leads_to()));
        let missing = part(Cell::Missing, "not online");
        let parts = stages.into_iter().chain([missing]).flatten();
        Parts::with_gaps("     ", parts).within(look).to_string()
    }
}

/// The furthest stage that a CPU has begun by then.
fn stage_at(cpu: &Cpu, nanos: u64) -> Option<Stage> {
    let has_begun = |stage: &Stage| stage.began_ns(cpu).is_some_and(|began| began <= nanos);
    Stage::ALL.into_iter().rfind(has_begun)
}

/// Cells as they are shown.
pub(super) struct Bar<'a> {
    pub(super) cells: &'a [Cell],
    pub(super) look: Look,
}

impl fmt::Display for Bar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for alike in self.cells.chunk_by(|a, b| a == b) {
            let glyphs = alike.iter().map(|cell| cell.glyph(self.look.bars));
            let glyphs: String = glyphs.collect();
            match alike[0] {
                Cell::Before => f.write_str(&glyphs)?,
                cell => write!(f, "{}", self.look.paint(cell.hue(), glyphs))?,
            }
        }
        Ok(())
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

    fn woken() -> Cpu {
        Cpu {
            sipis: 1,
            init_ns: Some(100),
            sipi_ns: Some(200),
            real_ns: Some(400),
            long_ns: Some(600),
            alive_ns: Some(700),
            online_ns: Some(900),
            ..Cpu::unwoken(Some(CpuIndex(1)), ApicId(1), Outcome::Online)
        }
    }

    fn bar(cpu: &Cpu, bars: Bars) -> String {
        let axis = Axis {
            end_ns: 1_000,
            cells: 10,
        };
        let look = Look {
            bars,
            ..Look::default()
        };
        let cells = axis.cells_of(cpu);
        let cells = &cells;
        Bar { cells, look }.to_string()
    }

    #[test]
    fn a_cell_shows_the_stage_that_its_slice_of_time_belongs_to() {
        assert_eq!(bar(&woken(), Bars::Blocks), " ·░░▒▒▓██");
        assert_eq!(bar(&woken(), Bars::Ascii), " .--++=##");
    }

    #[test]
    fn who_did_not_come_online_is_drawn_to_the_end_and_marked_there() {
        let mut stuck = woken();
        stuck.outcome = Outcome::StuckRealMode;
        (stuck.long_ns, stuck.alive_ns, stuck.online_ns) = (None, None, None);
        assert_eq!(bar(&stuck, Bars::Blocks), " ·░░▒▒▒▒▒×");
    }

    #[test]
    fn a_way_that_is_shorter_than_a_cell_has_one() {
        let mut quick = woken();
        for time in [
            &mut quick.init_ns,
            &mut quick.sipi_ns,
            &mut quick.real_ns,
            &mut quick.long_ns,
        ] {
            *time = Some(460);
        }
        (quick.alive_ns, quick.online_ns) = (Some(470), Some(490));
        assert_eq!(bar(&quick, Bars::Blocks), "    █");
        let moved = |time: &mut Option<u64>| *time = time.map(|nanos| nanos + 500);
        moved(&mut quick.alive_ns);
        moved(&mut quick.online_ns);
        quick.init_ns = quick.alive_ns;
        (quick.sipi_ns, quick.real_ns, quick.long_ns) = (None, None, None);
        assert_eq!(bar(&quick, Bars::Blocks), "         █");
    }

    #[test]
    fn who_was_not_woken_has_no_bar() {
        let bsp = Cpu::unwoken(Some(CpuIndex::BSP), ApicId(0), Outcome::Bsp);
        assert_eq!(bar(&bsp, Bars::Blocks), "");
        assert_eq!(Axis::end_of(&[bsp]), None);
    }

    #[test]
    fn clocks_that_contradict_each_other_do_not_lead_back() {
        let mut odd = woken();
        (odd.real_ns, odd.long_ns) = (Some(650), Some(300));
        assert_eq!(bar(&odd, Bars::Blocks), " ·░▓▓▓▓██");
    }

    #[test]
    fn the_scale_is_as_long_as_the_bars_and_the_legend_names_what_is_there() {
        let axis = Axis {
            end_ns: 1_420_000,
            cells: 20,
        };
        let mut look = Look {
            bars: Bars::Blocks,
            ..Look::default()
        };
        assert_eq!(axis.scale(look), "0 ────────── 1.42 ms");
        let mut mailbox = woken();
        mailbox.init_ns = None;
        let axis = Axis {
            end_ns: 900,
            ..axis
        };
        assert_eq!(
            axis.legend(&[mailbox], look),
            "     ░ to real  ▒ to long  ▓ to alive  █ to online"
        );
        look.colour = Colour::On;
        let painted = axis.scale(look);
        assert_eq!(columns(&painted), axis.cells, "{painted}");
    }
}
