//! Who took how long, machine by machine.

use maud::{Markup, html};

use super::{
    headline::OURS,
    table::{Cell, Column, Row, Table},
    words::{between, count, digits, interval, millis, worth},
};
use crate::report::data::{self, Report};

const COLUMNS: &[Column] = &[
    Column::Words("machine"),
    Column::Figures("CPUs"),
    Column::Words("strategy"),
    Column::Figures("online, ms"),
    Column::Figures("interval, ms"),
    Column::Figures("x parallel"),
    Column::Figures("interval of x"),
    Column::Figures("boots"),
    Column::Figures("failed"),
    Column::Figures("busy"),
];

/// The section.
pub(super) fn section(report: &Report) -> Markup {
    html! {
        section #strategies aria-labelledby="strategies-head" {
            h2 #strategies-head { "Strategies" }
            @if report.cells.is_empty() {
                p.missing { "No strategy was measured; " code { "cargo xtask bench" } " measures them." }
            } @else {
                p {
                    "From the first INIT until the last CPU is online: medians of boots, each the median of its
                    warm rounds, with the interval in which that median lies. A ratio is one of times in the same
                    boot. " (about_intervals(&report.cells)) " Yardsticks are marked by a dagger: they say what
                    starting CPUs costs at all."
                }
                (Table {
                    caption: "Time until all CPUs are online, by strategy and machine".to_owned(),
                    columns: COLUMNS,
                    rows: report.cells.iter().map(row).collect(),
                })
                (failures(&report.cells))
            }
        }
    }
}

/// What the intervals are worth, and so what a ratio says.
fn about_intervals(cells: &[data::Cell]) -> String {
    match worth(cells.iter().filter_map(|cell| cell.level)) {
        Some(worth) => format!(
            "An interval is right in {worth} of all cases, where there are as few boots as in the smallest group here; \
             as surely, a ratio is more than chance if 1 is outside of its interval."
        ),
        None => "Where there is a single boot there is no interval, and nobody can tell a ratio from chance."
            .to_owned(),
    }
}

fn row(cell: &data::Cell) -> Row {
    let strategy = html! {
        (cell.contender)
        @if cell.is_yardstick { span.yardstick title="a yardstick" { "†" } }
    };
    let ends = cell.low_ns.zip(cell.high_ns);
    let ratio_ends = cell.ratio_low.zip(cell.ratio_high);
    Row {
        machine: Some(cell.machine.clone()),
        contender: Some(cell.contender.clone()),
        cells: vec![
            Cell::name(&cell.machine),
            Cell::number(cell.cpus),
            Cell::words(strategy),
            Cell::millis(cell.median_ns),
            Cell::of(ends.map(|(low, _)| low), |_| interval(ends)),
            ratio(cell, cell.ratio, digits),
            ratio(cell, cell.ratio_low, |_| {
                ratio_ends.map(between).unwrap_or_default()
            }),
            Cell::number(cell.boots),
            Cell::number(cell.failed),
            Cell::told(cell.busy),
        ],
    }
}

/// Whom it is to be compared with has none, and lacks none.
fn ratio(cell: &data::Cell, value: Option<f64>, text: impl Fn(f64) -> String) -> Cell {
    match cell.contender == OURS {
        true => Cell::words(""),
        false => Cell::of(value, text),
    }
}

/// Why boots failed, each reason of a machine once: those who were measured in one boot failed together.
fn failures(cells: &[data::Cell]) -> Markup {
    let mut told: Vec<(&str, &str)> = Vec::new();
    for cell in cells {
        for failure in &cell.failures {
            let one = (cell.machine.as_str(), failure.as_str());
            if !told.contains(&one) {
                told.push(one);
            }
        }
    }
    html! {
        @if !told.is_empty() {
            h3 { "What failed" }
            ul.failures {
                @for (machine, failure) in told {
                    li { b { (machine) } ": " (failure) }
                }
            }
        }
    }
}

/// Which strategies of a machine have the lowest and the highest median, in words. That makes nobody faster than the
/// next: intervals do.
pub(super) fn fastest_and_slowest(cells: &[&data::Cell]) -> Option<String> {
    let timed = || {
        let cells = cells.iter().filter(|cell| !cell.is_yardstick);
        cells.filter_map(|cell| Some((cell.median_ns?, cell.contender.as_str())))
    };
    let (least, fastest) = timed().min()?;
    let (most, slowest) = timed().max()?;
    Some(match timed().count() {
        1 => format!("{fastest} takes {} ms", millis(least)),
        several => format!(
            "of {}, {fastest} has the lowest median, {} ms, and {slowest} the highest, {} ms",
            count(several, "contender"),
            millis(least),
            millis(most)
        ),
    })
}
