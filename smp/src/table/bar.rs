//! A CPU's way up as a bar: a cell a slice of time, a shade a stage. All bars of a table have one [`Axis`], so
//! that who was faster is seen without reading.
//!
//! A cell shows the stage of the slice's middle. A CPU that did not come online is drawn up to the end of the axis
//! and marked there, also one that was never kicked. One whose clock was not compared with the others' is drawn up to
//! its kick: behind that nobody knows where its stages lie on the axis.

use core::fmt;

use alloc::{string::String, vec::Vec};

use super::axis::Axis;
use crate::{
    look::{Bars, Hue, Look},
    record::Cpu,
    stage::{Passage, Stage, Times},
};

/// What a cell shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// Nothing has begun.
    Before,
    Stage(Stage),
    /// What came then is by a clock that was not compared.
    Unknown,
    /// It did not come online.
    Missing,
}

impl Cell {
    pub(super) const fn glyph(self, bars: Bars) -> char {
        use Stage::{Alive, Init, LongMode, RealMode, Start};
        match (bars, self) {
            (Bars::Off, _) | (_, Self::Before) => ' ',
            (_, Self::Unknown) => '?',
            (Bars::Blocks, Self::Stage(Init)) => '·',
            (Bars::Blocks, Self::Stage(Start)) => '░',
            (Bars::Blocks, Self::Stage(RealMode)) => '▒',
            (Bars::Blocks, Self::Stage(LongMode)) => '▓',
            (Bars::Blocks, Self::Stage(Alive)) => '█',
            (Bars::Blocks, Self::Missing) => '×',
            (Bars::Ascii, Self::Stage(Init)) => '.',
            (Bars::Ascii, Self::Stage(Start)) => '-',
            (Bars::Ascii, Self::Stage(RealMode)) => '+',
            (Bars::Ascii, Self::Stage(LongMode)) => '=',
            (Bars::Ascii, Self::Stage(Alive)) => '#',
            (Bars::Ascii, Self::Missing) => 'x',
        }
    }

    pub(super) const fn hue(self) -> Hue {
        match self {
            Self::Before | Self::Unknown => Hue::Faint,
            Self::Stage(stage) => Hue::Stage(stage),
            Self::Missing => Hue::Bad,
        }
    }
}

/// The cells of a CPU, as far as it has any.
pub(super) fn cells_of(cpu: &Cpu, axis: Axis) -> Vec<Cell> {
    let times = Times::of(cpu);
    let known = times.on_one_clock(cpu.uncertainty_ns);
    let is_unsure = known != times;
    let is_missing = cpu.outcome.is_failure();
    let passages = known.passages();
    let until_ns = match passages.last() {
        None if !is_missing => return Vec::new(),
        Some(last) if !is_missing && is_unsure => last.began_ns,
        Some(Passage {
            ended_ns: Some(ended_ns),
            ..
        }) if !is_missing => *ended_ns,
        _ => axis.end_ns,
    };
    let stage_at = |nanos: u64| match passages.iter().rfind(|it| it.began_ns <= nanos) {
        None => Cell::Before,
        Some(last) if is_unsure && last.ended_ns.is_none() => Cell::Unknown,
        Some(passage) => Cell::Stage(passage.stage),
    };
    let middles = (0..axis.cells).map(|cell| axis.middle_ns(cell));
    let mut cells: Vec<_> = middles
        .take_while(|&nanos| nanos < until_ns)
        .map(stage_at)
        .collect();
    if is_missing {
        if let Some(last) = cells.last_mut() {
            *last = Cell::Missing;
        }
    } else if is_unsure || cells.iter().all(|cell| *cell == Cell::Before) {
        // What is shorter than a cell has one all the same: a whole way, or the place from which on nothing is known.
        cells.resize(axis.cell_of(until_ns), Cell::Before);
        cells.push(stage_at(until_ns));
    }
    cells
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
    use alloc::string::ToString;

    use super::*;
    use crate::{
        cpu::{ApicId, CpuIndex},
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
        let cells = &cells_of(cpu, axis);
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
    fn who_was_not_to_be_woken_has_no_bar_and_who_was_to_and_was_not_is_marked() {
        let unwoken = |outcome| Cpu::unwoken(Some(CpuIndex(2)), ApicId(2), outcome);
        for outcome in [Outcome::Bsp, Outcome::Skipped, Outcome::Disabled] {
            assert_eq!(bar(&unwoken(outcome), Bars::Blocks), "");
            assert_eq!(Axis::end_of(&[unwoken(outcome)]), None);
        }
        for outcome in [Outcome::Failed, Outcome::UnknownId] {
            assert_eq!(bar(&unwoken(outcome), Bars::Blocks), "         ×");
        }
    }

    #[test]
    fn what_a_clock_showed_that_was_not_compared_is_not_drawn() {
        let mut odd = woken();
        odd.uncertainty_ns = None;
        assert_eq!(bar(&odd, Bars::Blocks), " ·?");
        for time in [
            &mut odd.real_ns,
            &mut odd.long_ns,
            &mut odd.alive_ns,
            &mut odd.online_ns,
        ] {
            *time = Some(0);
        }
        assert_eq!(bar(&odd, Bars::Ascii), " .?");
        odd.sipi_ns = Some(999);
        assert_eq!(bar(&odd, Bars::Blocks), " ········?");
        (odd.init_ns, odd.sipi_ns) = (None, Some(0));
        assert_eq!(bar(&odd, Bars::Blocks), "?");
        (odd.sipi_ns, odd.outcome) = (Some(500), Outcome::Late);
        assert_eq!(bar(&odd, Bars::Blocks), "     ????×");
    }

    #[test]
    fn clocks_that_contradict_each_other_do_not_lead_back() {
        let mut odd = woken();
        (odd.real_ns, odd.long_ns) = (Some(650), Some(300));
        assert_eq!(bar(&odd, Bars::Blocks), " ·░░░░▓██");
    }
}
