//! How the times of single rounds spread, contender by contender.

use maud::{Markup, html};
use serde::Serialize;

use super::{
    figure::{Chart, Choice},
    strategies::fastest_and_slowest,
    table::{self, Column, Row, Table},
    words::micros,
};
use crate::{
    looks::Look,
    report::{
        cells::MOST_SAMPLES,
        data::{Cell, Report},
    },
};

/// Those that were measured on one machine.
#[derive(Serialize)]
pub(super) struct Spread {
    #[serde(skip)]
    name: String,
    rows: Vec<Strip>,
}

/// The rounds of one contender.
#[derive(Serialize)]
struct Strip {
    /// Which of the report's cells has the samples.
    cell: usize,
    look: Look,
}

const COLUMNS: &[Column] = &[
    Column::Words("strategy"),
    Column::Figures("rounds"),
    Column::Figures("shortest, µs"),
    Column::Figures("quarter, µs"),
    Column::Figures("median, µs"),
    Column::Figures("three quarters, µs"),
    Column::Figures("longest, µs"),
];

/// All machines that have samples.
pub(super) fn spreads(report: &Report) -> Vec<Spread> {
    let mut spreads: Vec<Spread> = Vec::new();
    for (index, cell) in report.cells.iter().enumerate() {
        let (Ok(contender), Some(_)) = (cell.contender.parse(), cell.five_ns) else {
            continue;
        };
        let strip = Strip {
            cell: index,
            look: Look::of(contender),
        };
        match spreads.iter_mut().find(|it| it.name == cell.machine) {
            Some(spread) => spread.rows.push(strip),
            None => spreads.push(Spread {
                name: cell.machine.clone(),
                rows: vec![strip],
            }),
        }
    }
    spreads
}

/// The section.
pub(super) fn section(report: &Report, spreads: &[Spread]) -> Markup {
    html! {
        section #distributions aria-labelledby="distributions-head" {
            h2 #distributions-head { "Distributions" }
            @if spreads.is_empty() {
                p.missing { "There are no rounds to show; " code { "cargo xtask bench" } " measures some." }
            } @else {
                (Chart {
                    name: "distributions",
                    choose: "Machine",
                    choices: spreads.iter().map(|spread| spread.choice(report)).collect(),
                    reading: html! {
                        "A dot a warm round, of all boots; the box holds the middle half, with the median as a line,
                        and its whiskers reach to the shortest and the longest. The axis is logarithmic."
                        @if report.cells.iter().any(is_thinned) {
                            " Of more than " (MOST_SAMPLES) " rounds " (MOST_SAMPLES) " dots stand for all: quantiles
                            at equal distances."
                        }
                    },
                    buttons: &[],
                })
            }
        }
    }
}

/// Whether fewer dots are drawn than there were rounds.
fn is_thinned(cell: &Cell) -> bool {
    cell.rounds as usize > MOST_SAMPLES
}

impl Spread {
    fn choice(&self, report: &Report) -> Choice {
        let cells: Vec<&Cell> = self.rows.iter().map(|it| &report.cells[it.cell]).collect();
        let says =
            fastest_and_slowest(&cells).map(|says| format!("By the medians of boots, {says}."));
        let table = Table {
            caption: format!("Single rounds on {}", self.name),
            columns: COLUMNS,
            rows: self.rows.iter().map(|strip| strip.row(report)).collect(),
        };
        Choice {
            name: self.name.clone(),
            cpus: cells.iter().map(|it| it.cpus as usize).max().unwrap_or(0),
            says: says.unwrap_or_else(|| "Only yardsticks were measured.".to_owned()),
            figures: html! { (table) },
        }
    }
}

impl Strip {
    fn row(&self, report: &Report) -> Row {
        let cell = &report.cells[self.cell];
        let mut cells = vec![
            table::Cell::words(&cell.contender),
            table::Cell::number(cell.rounds),
        ];
        let five = cell.five_ns.into_iter().flatten();
        cells.extend(five.map(|nanos| table::Cell::figure(nanos, micros(nanos))));
        Row {
            machine: Some(cell.machine.clone()),
            contender: Some(cell.contender.clone()),
            cells,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::sample;

    #[test]
    fn the_table_has_the_rounds_that_were_measured_and_not_those_that_are_drawn() {
        let mut report = sample::report();
        report.cells[0].rounds = 9_000;
        report.cells[0].five_ns = Some([1_000, 2_000, 3_000, 4_000, 5_000]);
        let spreads = spreads(&report);
        let told = section(&report, &spreads).into_string();
        for value in [9_000, 1_000, 2_000, 3_000, 4_000, 5_000] {
            assert!(told.contains(&format!("data-value=\"{value}\"")), "{value}");
        }
        assert!(told.contains("500 dots stand for all"), "{told}");
        let few = sample::report();
        let told = section(&few, &super::spreads(&few)).into_string();
        assert!(!told.contains("stand for all"), "{told}");
    }
}
