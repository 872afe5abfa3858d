//! What more CPUs cost: a curve for each contender, and where it was measured, one for memory and host time.

use maud::{Markup, html};

use super::{
    curves::{Curves, Line, Point, not_drawn},
    figure::{Chart, Choice},
    table::{self, Column, Row, Table},
    words::{between, digits, worth},
};
use crate::report::data::Report;

const COLUMNS: &[Column] = &[
    Column::Words("curve"),
    Column::Figures("CPUs"),
    Column::Figures("median"),
    Column::Figures("interval"),
    Column::Figures("boots"),
];

/// The section.
pub(super) fn section(report: &Report, curves: &[Curves]) -> Markup {
    html! {
        section #growth aria-labelledby="growth-head" {
            h2 #growth-head { "Growth" }
            @if curves.is_empty() {
                p.missing {
                    @if report.cells.is_empty() && report.growth.is_empty() {
                        "Nothing was measured that could grow; "
                    } @else {
                        "No two sizes of a machine have a figure, so there is no curve; "
                    }
                    code { "cargo xtask bench --smp 2,8,64" } " measures several, and "
                    code { "cargo xtask bench growth" } " memory and host time as well."
                }
            } @else {
                (Chart {
                    name: "growth",
                    choose: "Shown",
                    choices: curves.iter().map(Curves::choice).collect(),
                    reading: html! {
                        "Both axes are logarithmic; bars reach over the interval in which the median lies"
                        @if let Some(worth) = worth(levels(curves)) { ", the worst of them in " (worth) " of all cases" }
                        ". Yardsticks are dashed. The legend shows and hides curves."
                    },
                    buttons: &[],
                })
            }
            @for curves in not_drawn(report) {
                p { "Not drawn, as no two sizes have a figure above 0: " (curves.name) ", " (curves.says) }
                (curves.table())
            }
        }
    }
}

/// What each interval that is drawn is worth.
fn levels(curves: &[Curves]) -> impl Iterator<Item = f64> {
    let lines = curves.iter().flat_map(|curves| &curves.lines);
    let points = lines.flat_map(|line| &line.points);
    points.filter_map(|point| point.level)
}

impl Curves {
    fn choice(&self) -> Choice {
        Choice {
            name: self.name.clone(),
            cpus: 0,
            says: self.says.clone(),
            figures: html! { (self.table()) },
        }
    }

    fn table(&self) -> Table {
        let rows = self
            .lines
            .iter()
            .flat_map(|line| line.points.iter().map(|it| row(line, it)));
        Table {
            caption: format!("{}: {}", self.name, self.axis),
            columns: COLUMNS,
            rows: rows.collect(),
        }
    }
}

fn row(line: &Line, point: &Point) -> Row {
    Row {
        contender: Some(line.name.clone()),
        cells: vec![
            table::Cell::words(&line.name),
            table::Cell::number(point.cpus),
            table::Cell::figure(point.whole, digits(point.median)),
            table::Cell::of(point.ends.map(|(low, _)| low), |_| {
                point.ends.map(between).unwrap_or_default()
            }),
            table::Cell::number(point.boots),
        ],
        ..Row::default()
    }
}
