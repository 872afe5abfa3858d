//! A CPU's way up as a bar: a cell a slice of time, a shade a stage. All bars of a table have one [`Axis`], so
//! that who was faster is seen without reading.
//!
//! A cell shows the stage of the slice's middle. A CPU that did not come online is drawn up to the end of the axis
//! and marked there, also one that was never kicked. One whose clock was not compared with the others' is drawn up to
//! its kick: behind that nobody knows where its stages lie on the axis.

use core::{fmt, iter};

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use super::axis::Axis;
use crate::{
    look::{Bars, Hue, Look},
    record::Cpu,
    stage::{Milestones, Passage, Stage},
};

/// What bars are drawn with, where there are any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Blocks,
    Ascii,
}

impl Ink {
    pub(super) const fn of(bars: Bars) -> Option<Self> {
        match bars {
            Bars::Off => None,
            Bars::Blocks => Some(Self::Blocks),
            Bars::Ascii => Some(Self::Ascii),
        }
    }
}

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
    const fn glyph(self, ink: Ink) -> char {
        use Stage::{Alive, Init, LongMode, RealMode, Start};
        match (ink, self) {
            (_, Self::Before) => ' ',
            (_, Self::Unknown) => '?',
            (Ink::Blocks, Self::Stage(Init)) => '·',
            (Ink::Blocks, Self::Stage(Start)) => '░',
            (Ink::Blocks, Self::Stage(RealMode)) => '▒',
            (Ink::Blocks, Self::Stage(LongMode)) => '▓',
            (Ink::Blocks, Self::Stage(Alive)) => '█',
            (Ink::Blocks, Self::Missing) => '×',
            (Ink::Ascii, Self::Stage(Init)) => '.',
            (Ink::Ascii, Self::Stage(Start)) => '-',
            (Ink::Ascii, Self::Stage(RealMode)) => '+',
            (Ink::Ascii, Self::Stage(LongMode)) => '=',
            (Ink::Ascii, Self::Stage(Alive)) => '#',
            (Ink::Ascii, Self::Missing) => 'x',
        }
    }

    /// Where there is nothing to see there is no colour.
    const fn hue(self) -> Option<Hue> {
        match self {
            Self::Before => None,
            Self::Stage(stage) => Some(Hue::Stage(stage)),
            Self::Unknown => Some(Hue::Faint),
            Self::Missing => Some(Hue::Bad),
        }
    }

    /// So many of them side by side.
    pub(super) fn times(self, count: usize, ink: Ink, look: Look) -> String {
        let glyphs: String = iter::repeat_n(self.glyph(ink), count).collect();
        match self.hue() {
            None => glyphs,
            Some(hue) => look.paint(hue, glyphs).to_string(),
        }
    }
}

/// The cells of a CPU, as far as it has any.
pub(super) fn cells_of(cpu: &Cpu, axis: Axis) -> Vec<Cell> {
    let times = Milestones::of(cpu);
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
    pub(super) ink: Ink,
    pub(super) look: Look,
}

impl fmt::Display for Bar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cells, ink, look } = *self;
        let mut runs = cells.chunk_by(|a, b| a == b);
        runs.try_for_each(|alike| f.write_str(&alike[0].times(alike.len(), ink, look)))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
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

    fn bar(cpu: &Cpu, ink: Ink) -> String {
        let axis = Axis {
            end_ns: 1_000,
            cells: 10,
            ink,
        };
        let (cells, look) = (&cells_of(cpu, axis), Look::default());
        Bar { cells, ink, look }.to_string()
    }

    #[test]
    fn a_cell_shows_the_stage_that_its_slice_of_time_belongs_to() {
        assert_eq!(bar(&woken(), Ink::Blocks), " ·░░▒▒▓██");
        assert_eq!(bar(&woken(), Ink::Ascii), " .--++=##");
    }

    #[test]
    fn who_did_not_come_online_is_drawn_to_the_end_and_marked_there() {
        let mut stuck = woken();
        stuck.outcome = Outcome::StuckRealMode;
        (stuck.long_ns, stuck.alive_ns, stuck.online_ns) = (None, None, None);
        assert_eq!(bar(&stuck, Ink::Blocks), " ·░░▒▒▒▒▒×");
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
        assert_eq!(bar(&quick, Ink::Blocks), "    █");
        let moved = |time: &mut Option<u64>| *time = time.map(|nanos| nanos + 500);
        moved(&mut quick.alive_ns);
        moved(&mut quick.online_ns);
        quick.init_ns = quick.alive_ns;
        (quick.sipi_ns, quick.real_ns, quick.long_ns) = (None, None, None);
        assert_eq!(bar(&quick, Ink::Blocks), "         █");
    }

    #[test]
    fn who_was_not_to_be_woken_has_no_bar_and_who_was_to_and_was_not_is_marked() {
        let unwoken = |outcome| Cpu::unwoken(Some(CpuIndex(2)), ApicId(2), outcome);
        for outcome in [Outcome::Bsp, Outcome::Skipped, Outcome::Disabled] {
            assert_eq!(bar(&unwoken(outcome), Ink::Blocks), "");
            assert_eq!(Axis::end_of(&[unwoken(outcome)]), None);
        }
        for outcome in [Outcome::Failed, Outcome::UnknownId] {
            assert_eq!(bar(&unwoken(outcome), Ink::Blocks), "         ×");
        }
    }

    #[test]
    fn what_a_clock_showed_that_was_not_compared_is_not_drawn() {
        let mut odd = woken();
        odd.uncertainty_ns = None;
        assert_eq!(bar(&odd, Ink::Blocks), " ·?");
        for time in [
            &mut odd.real_ns,
            &mut odd.long_ns,
            &mut odd.alive_ns,
            &mut odd.online_ns,
        ] {
            *time = Some(0);
        }
        assert_eq!(bar(&odd, Ink::Ascii), " .?");
        odd.sipi_ns = Some(999);
        assert_eq!(bar(&odd, Ink::Blocks), " ········?");
        (odd.init_ns, odd.sipi_ns) = (None, Some(0));
        assert_eq!(bar(&odd, Ink::Blocks), "?");
        (odd.sipi_ns, odd.outcome) = (Some(500), Outcome::Late);
        assert_eq!(bar(&odd, Ink::Blocks), "     ????×");
    }

    #[test]
    fn clocks_that_contradict_each_other_do_not_lead_back() {
        let mut odd = woken();
        (odd.real_ns, odd.long_ns) = (Some(650), Some(300));
        assert_eq!(bar(&odd, Ink::Blocks), " ·░░░░▓██");
    }
}
