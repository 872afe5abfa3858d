//! Which columns a table has, and how wide they are.
//!
//! For a file it has all of them, whatever they take. For a terminal, the least telling ones are left out until the
//! rest fits, and the bar is long enough to be read where there are bars.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use super::{Millis, axis::Axis, bar::Ink};
use crate::{look::Look, record::Cpu};

/// A column in front of the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Cpu,
    Apic,
    Place,
    Sipi,
    Real,
    Long,
    Alive,
    Online,
    Sipis,
    Polls,
}

impl Column {
    const ALL: [Self; 10] = [
        Self::Cpu,
        Self::Apic,
        Self::Place,
        Self::Sipi,
        Self::Real,
        Self::Long,
        Self::Alive,
        Self::Online,
        Self::Sipis,
        Self::Polls,
    ];

    /// Those that may be left out, the least telling first. Of the times the first three go together: the last one is
    /// the whole, the one before it says whether the CPU or its steps took long, and what these three add a bar shows
    /// where there is one.
    const EXPENDABLE: [&[Self]; 7] = [
        &[Self::Sipi, Self::Real, Self::Long],
        &[Self::Polls],
        &[Self::Sipis],
        &[Self::Apic],
        &[Self::Alive],
        &[Self::Place],
        &[Self::Online],
    ];

    pub(super) const fn head(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Apic => "apic",
            Self::Place => "place",
            Self::Sipi => "sipi",
            Self::Real => "real",
            Self::Long => "long",
            Self::Alive => "alive",
            Self::Online => "online",
            Self::Sipis => "sipis",
            Self::Polls => "polls",
        }
    }

    /// What it says of a CPU: a dash where there is nothing to say.
    pub(super) fn text(self, cpu: &Cpu) -> String {
        let millis = |nanos: Option<u64>| nanos.map(|nanos| Millis { nanos }.to_string());
        let is_ap = cpu.sipis > 0;
        let text = match self {
            Self::Cpu => cpu.cpu.map(|it| it.to_string()),
            Self::Apic => Some(cpu.apic_id.to_string()),
            Self::Place => cpu.place().map(|it| it.to_string()),
            Self::Sipi => millis(cpu.sipi_ns),
            Self::Real => millis(cpu.real_ns),
            Self::Long => millis(cpu.long_ns),
            Self::Alive => millis(cpu.alive_ns),
            Self::Online => millis(cpu.online_ns),
            Self::Sipis => is_ap.then(|| cpu.sipis.to_string()),
            Self::Polls => is_ap.then(|| cpu.polls.to_string()),
        };
        text.unwrap_or_else(|| String::from("-"))
    }

    /// Whether it is a time from the first INIT on. These stand together.
    pub(super) const fn is_time(self) -> bool {
        matches!(
            self,
            Self::Sipi | Self::Real | Self::Long | Self::Alive | Self::Online
        )
    }

    /// How wide it is at least, where nothing strange stands in it.
    const fn usual_width(self) -> usize {
        match self {
            Self::Cpu => 4,
            Self::Sipis | Self::Polls => 5,
            Self::Apic | Self::Sipi | Self::Real | Self::Long | Self::Alive => 6,
            Self::Online => 7,
            Self::Place => 8,
        }
    }

    fn width(self, cpus: &[Cpu]) -> usize {
        let texts = cpus.iter().map(|cpu| self.text(cpu).len());
        // Times have no gap in front of them.
        let gap = usize::from(self.is_time());
        (texts.max().unwrap_or_default() + gap).max(self.usual_width())
    }
}

/// A column where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) column: Column,
    /// Spaces in front of it.
    pub(super) gap: usize,
    pub(super) width: usize,
}

/// Bars that are shorter are no help, and there are none.
const SHORTEST_BAR: usize = 8;
/// For a bar of so many cells columns are left out.
const GOOD_BAR: usize = 22;
/// Longer ones say no more.
const LONGEST_BAR: usize = 100;

/// How a table is laid out.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) columns: Vec<Placed>,
    /// The widest outcome, or its head.
    pub(super) outcome: usize,
    pub(super) axis: Option<Axis>,
}

impl Layout {
    pub(super) fn of(cpus: &[Cpu], look: Look) -> Self {
        let outcomes = cpus.iter().map(|cpu| <&str>::from(cpu.outcome).len());
        let outcome = outcomes.max().unwrap_or_default().max("outcome".len());
        let bars = Ink::of(look.bars).and_then(|ink| Some((ink, Axis::end_of(cpus)?)));
        let mut layout = Self {
            columns: placed(Column::ALL.map(|it| (it, it.width(cpus)))),
            outcome,
            axis: None,
        };
        if look.columns.is_none() && bars.is_none() {
            return layout;
        }
        let bar = if bars.is_some() { 1 + GOOD_BAR } else { 0 };
        let needs_a_second = |cpu: &Cpu| cpu.sipis > 1;
        let says_nothing: &[Column] = match cpus.iter().any(needs_a_second) {
            true => &[],
            false => &[Column::Sipis],
        };
        for left_out in [says_nothing].into_iter().chain(Column::EXPENDABLE) {
            // The headline of a CPU is worth more than a long bar.
            let bar = match left_out {
                [Column::Online] => 0,
                _ => bar,
            };
            if layout.width() + bar <= look.width() {
                break;
            }
            let columns = layout.columns.iter().map(|it| (it.column, it.width));
            layout.columns = placed(columns.filter(|(column, _)| !left_out.contains(column)));
        }
        let cells = look.width().saturating_sub(layout.before_bars());
        layout.axis = bars
            .map(|(ink, end_ns)| Axis {
                end_ns,
                cells: cells.min(LONGEST_BAR),
                ink,
            })
            .filter(|axis| axis.cells >= SHORTEST_BAR);
        layout
    }

    /// What stands in front of the outcome.
    pub(super) fn before_outcome(&self) -> usize {
        self.columns.iter().map(|it| it.gap + it.width).sum()
    }

    /// What stands in front of the first time, or the outcome where there is none.
    pub(super) fn before_times(&self) -> usize {
        let before = self.columns.iter().take_while(|it| !it.column.is_time());
        before.map(|it| it.gap + it.width).sum::<usize>() + 1
    }

    /// What stands in front of the bars.
    pub(super) fn before_bars(&self) -> usize {
        self.width() + 1
    }

    fn width(&self) -> usize {
        self.before_outcome() + 1 + self.outcome
    }
}

/// The gaps that columns have beside each other.
fn placed(columns: impl IntoIterator<Item = (Column, usize)>) -> Vec<Placed> {
    let mut placed: Vec<Placed> = Vec::new();
    for (column, width) in columns {
        let goes_on = |before: &Placed| before.column.is_time() && column.is_time();
        let gap = match placed.last() {
            None => 0,
            Some(before) => usize::from(!goes_on(before)),
        };
        placed.push(Placed { column, gap, width });
    }
    placed
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{
        cpu::{ApicId, CpuIndex},
        look::{Bars, Columns},
        outcome::Outcome,
    };

    fn cpus(outcome: Outcome, sipis: u32) -> [Cpu; 2] {
        let woken = Cpu {
            sipis,
            init_ns: Some(0),
            sipi_ns: Some(10_000),
            alive_ns: Some(1_000_000),
            online_ns: Some(1_420_000),
            ..Cpu::unwoken(Some(CpuIndex(1)), ApicId(1), outcome)
        };
        let bsp = Cpu::unwoken(Some(CpuIndex::BSP), ApicId(0), Outcome::Bsp);
        [bsp, woken]
    }

    fn layout(columns: u16, bars: Bars, cpus: &[Cpu]) -> (String, Option<usize>) {
        let look = Look {
            columns: Some(Columns::nearest(columns)),
            bars,
            ..Look::default()
        };
        let layout = Layout::of(cpus, look);
        let heads: Vec<_> = layout.columns.iter().map(|it| it.column.head()).collect();
        (heads.join(" "), layout.axis.map(|axis| axis.cells))
    }

    #[test]
    fn the_least_telling_columns_make_room_for_the_bar() {
        let well = cpus(Outcome::Online, 1);
        let of = |columns| layout(columns, Bars::Blocks, &well);
        let all = "cpu apic place sipi real long alive online sipis polls";
        assert_eq!(of(40), ("cpu online".into(), Some(19)));
        assert_eq!(of(60), ("cpu place alive online".into(), Some(24)));
        assert_eq!(
            of(80),
            ("cpu apic place alive online polls".into(), Some(31))
        );
        assert_eq!(of(120), (all.into(), Some(47)));
        assert_eq!(of(500), (all.into(), Some(LONGEST_BAR)));
    }

    #[test]
    fn a_second_sipi_and_a_long_outcome_have_their_room() {
        let stuck = cpus(Outcome::StuckLongMode, 2);
        let of = |columns| layout(columns, Bars::Blocks, &stuck);
        assert_eq!(of(40), ("cpu online".into(), Some(11)));
        assert_eq!(
            of(80),
            ("cpu apic place alive online sipis".into(), Some(23))
        );
    }

    #[test]
    fn without_bars_all_is_there_that_fits() {
        let well = cpus(Outcome::Online, 1);
        let all = "cpu apic place sipi real long alive online sipis polls";
        assert_eq!(layout(80, Bars::Off, &well), (all.into(), None));
        let (columns, _) = layout(60, Bars::Off, &well);
        assert_eq!(columns, "cpu apic place alive online polls");
    }
}
