//! The columns of the live view, and which of them a terminal has room for.
//!
//! Columns are left out whole, the least telling first, and never squeezed; each is as wide from one
//! second to the next, so that figures stay where they are.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::shell::{
    figures::{CpuFigures, Rates},
    numbers::{Count, Known, Percent, Span},
};

/// A line of the view: a CPU and what it did meanwhile, if it was there before.
pub(super) struct Row<'a> {
    pub(super) cpu: &'a CpuFigures,
    pub(super) rates: Option<Rates>,
    /// How long it has been online, or away.
    pub(super) span: Option<Span>,
}

/// A column, in the order in which they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Cpu,
    Apic,
    Place,
    State,
    Span,
    Idle,
    Polls,
    Wakes,
    Calls,
    Ipis,
    Saved,
    Spurious,
    /// How much of its time the CPU worked, as a bar that takes what columns are left.
    Bar,
}

/// The columns of a count.
const COUNT: usize = 7;
/// The longest name of a rung is `interrupts`.
const STATE: usize = 10;
/// With its brackets. A shorter one tells less than the figure beside it, a longer one no more.
const BAR: core::ops::RangeInclusive<usize> = 8..=52;

impl Column {
    const ALL: [Self; 13] = [
        Self::Cpu,
        Self::Apic,
        Self::Place,
        Self::State,
        Self::Span,
        Self::Idle,
        Self::Polls,
        Self::Wakes,
        Self::Calls,
        Self::Ipis,
        Self::Saved,
        Self::Spurious,
        Self::Bar,
    ];

    /// The most telling first.
    const BY_WORTH: [Self; 13] = [
        Self::Cpu,
        Self::State,
        Self::Idle,
        Self::Polls,
        Self::Wakes,
        Self::Calls,
        Self::Ipis,
        Self::Apic,
        Self::Bar,
        Self::Span,
        Self::Place,
        Self::Saved,
        Self::Spurious,
    ];

    fn head(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Apic => "apic",
            Self::Place => "place",
            Self::State => "state",
            Self::Span => "for",
            Self::Idle => "idle%",
            Self::Polls => "polls/s",
            Self::Wakes => "wakes/s",
            Self::Calls => "calls/s",
            Self::Ipis => "IPIs/s",
            Self::Saved => "saved/s",
            Self::Spurious => "empty/s",
            Self::Bar => "",
        }
    }

    fn is_text(self) -> bool {
        matches!(self, Self::Place | Self::State | Self::Bar)
    }

    /// Its columns, for these CPUs; of the bar its least.
    fn width(self, cpus: &[&CpuFigures]) -> usize {
        let longest = |text: fn(&CpuFigures) -> String, least: usize| {
            let lengths = cpus.iter().map(|it| text(it).len());
            lengths.max().unwrap_or_default().max(least)
        };
        match self {
            Self::Cpu => longest(|it| Known(it.cpu).to_string(), 4),
            Self::Apic => longest(|it| it.apic_id.to_string(), 5),
            Self::Place => longest(|it| it.place.to_string(), 6),
            Self::State => STATE,
            Self::Span => 6,
            Self::Idle => 5,
            Self::Polls | Self::Wakes | Self::Calls | Self::Ipis | Self::Saved | Self::Spurious => {
                COUNT
            }
            Self::Bar => *BAR.start(),
        }
    }

    fn cell(self, row: &Row<'_>, width: usize) -> String {
        let count = |of: fn(&Rates) -> u64| {
            let count = |it| Count {
                value: of(it),
                columns: COUNT,
            };
            Known(row.rates.as_ref().map(count)).to_string()
        };
        let idle = row.rates.and_then(|rates| rates.idle);
        match self {
            Self::Cpu => Known(row.cpu.cpu).to_string(),
            Self::Apic => row.cpu.apic_id.to_string(),
            Self::Place => row.cpu.place.to_string(),
            Self::State => row.cpu.state.word().to_string(),
            Self::Span => Known(row.span).to_string(),
            Self::Idle => Known(idle.map(|thousandths| Percent { thousandths })).to_string(),
            Self::Polls => count(|it| it.polls),
            Self::Wakes => count(|it| it.wakes),
            Self::Calls => count(|it| it.calls),
            Self::Ipis => count(|it| it.ipis),
            Self::Saved => count(|it| it.saved),
            Self::Spurious => count(|it| it.spurious),
            Self::Bar => idle.map_or_else(String::new, |idle| bar(1_000 - idle, width)),
        }
    }
}

/// A bar of so many columns with its brackets, full to this share in thousandths. Whoever worked at all
/// has a mark.
fn bar(share: u32, width: usize) -> String {
    let room = width.saturating_sub(2);
    let marks = (share.min(1_000) as usize * room).div_ceil(1_000);
    format!("[{:<room$}]", "|".repeat(marks))
}

/// The columns that fit, with their widths.
pub(super) struct Columns(Vec<(Column, usize)>);

impl Columns {
    /// Those that fit into so many columns of the terminal, for these CPUs. The first always does.
    pub(super) fn that_fit(cpus: &[&CpuFigures], room: usize) -> Self {
        let mut left = room;
        let mut chosen = Vec::new();
        for column in Column::BY_WORTH {
            let width = column.width(cpus);
            let gap = usize::from(!chosen.is_empty());
            if chosen.is_empty() || gap + width <= left {
                left = left.saturating_sub(gap + width);
                chosen.push((column, width));
            } else {
                // What tells less is not shown in the place of what tells more.
                break;
            }
        }
        let mut columns: Vec<_> = Column::ALL
            .iter()
            .filter_map(|column| chosen.iter().find(|(it, _)| it == column).copied())
            .collect();
        if let Some((Column::Bar, width)) = columns.last_mut() {
            *width = (*width + left).min(*BAR.end());
        }
        Self(columns)
    }

    /// The line of their heads.
    pub(super) fn heads(&self) -> String {
        self.line(|column, _| column.head().into())
    }

    /// The line of a CPU.
    pub(super) fn row(&self, row: &Row<'_>) -> String {
        self.line(|column, width| column.cell(row, width))
    }

    fn line(&self, cell: impl Fn(Column, usize) -> String) -> String {
        let mut line = String::new();
        for &(column, width) in &self.0 {
            if !line.is_empty() {
                line.push(' ');
            }
            let cell = cell(column, width);
            line += &match column.is_text() {
                true => format!("{cell:<width$}"),
                false => format!("{cell:>width$}"),
            };
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::shell::figures::for_tests::online;

    fn lines(room: usize) -> [String; 2] {
        let cpu = online(3);
        let columns = Columns::that_fit(&[&cpu], room);
        let row = Row {
            cpu: &cpu,
            rates: Some(Rates {
                polls: 1_234,
                wakes: 1_200,
                calls: 17,
                ipis: 250_000,
                saved: 9,
                spurious: 0,
                idle: Some(750),
            }),
            span: Some(Span(Duration::from_secs(75))),
        };
        [columns.heads(), columns.row(&row)]
    }

    #[test]
    fn a_wide_terminal_shows_all_and_a_narrow_one_what_tells_most() {
        assert_eq!(
            lines(39),
            [
                " cpu state      idle% polls/s wakes/s",
                "   3 online      75.0    1234    1200",
            ]
        );
        assert_eq!(
            lines(79),
            [
                " cpu  apic state         for idle% polls/s wakes/s calls/s  IPIs/s",
                "   3     6 online      1m15s  75.0    1234    1200      17  250000 [|||       ]",
            ]
        );
        let wide = lines(199);
        assert_eq!(
            wide[0],
            " cpu  apic place  state         for idle% polls/s wakes/s calls/s  IPIs/s saved/s empty/s"
        );
        assert!(wide[1].starts_with("   3     6 0/3/0  online      1m15s  75.0 "));
        assert!(wide[1].ends_with(&bar(250, 52)));
    }

    #[test]
    fn a_bar_is_empty_only_for_a_cpu_that_did_nothing() {
        assert_eq!(bar(0, 8), "[      ]");
        assert_eq!(bar(1, 8), "[|     ]");
        assert_eq!(bar(500, 8), "[|||   ]");
        assert_eq!(bar(1_000, 8), "[||||||]");
    }
}
