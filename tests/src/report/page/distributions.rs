//! How the times of single rounds spread, contender by contender.

use maud::{Markup, html};
use serde::Serialize;

use super::{
    colours::Look,
    figure::{Chart, Choice},
    strategies::fastest_and_slowest,
    table::{self, Column, Row, Table},
    words::micros,
};
use crate::{
    bench::cell::REVEILLE,
    report::data::{Cell, Report},
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
    /// The shortest, the quartiles and the longest.
    five_ns: [u64; 5],
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
        let Some(five_ns) = five(&cell.samples_ns) else {
            continue;
        };
        let name = match cell.system.as_str() {
            REVEILLE => cell.machine.clone(),
            other => format!("{other}, {}", cell.machine),
        };
        let at = spreads
            .iter()
            .position(|spread| spread.name == name)
            .unwrap_or_else(|| {
                spreads.push(Spread {
                    name,
                    rows: Vec::new(),
                });
                spreads.len() - 1
            });
        let place = spreads[at].rows.len();
        spreads[at].rows.push(Strip {
            cell: index,
            look: Look::of(&cell.contender, cell.is_yardstick, place),
            five_ns,
        });
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
                    },
                    buttons: &[],
                })
            }
        }
    }
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
            table::Cell::number(cell.samples_ns.len() as u64),
        ];
        cells.extend(
            self.five_ns
                .map(|nanos| table::Cell::figure(nanos, micros(nanos))),
        );
        Row {
            machine: Some(cell.machine.clone()),
            contender: Some(cell.contender.clone()),
            cells,
        }
    }
}

/// The shortest, the quartiles and the longest: each is one that was measured, as medians are everywhere.
fn five(samples_ns: &[u64]) -> Option<[u64; 5]> {
    let mut sorted = samples_ns.to_vec();
    sorted.sort_unstable();
    let last = sorted.len().checked_sub(1)?;
    Some([0, 1, 2, 3, 4].map(|quarters| sorted[last * quarters / 4]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_are_values_that_were_measured() {
        assert_eq!(five(&[]), None);
        assert_eq!(five(&[7]), Some([7; 5]));
        assert_eq!(five(&[5, 1, 4, 2, 3]), Some([1, 2, 3, 4, 5]));
        assert_eq!(five(&[4, 1, 3, 2]), Some([1, 1, 2, 3, 4]));
    }
}
