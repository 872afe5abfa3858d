//! What more CPUs cost: a curve for each contender, and where it was measured, one for memory and host time.

use std::collections::BTreeSet;

use maud::{Markup, html};
use serde::Serialize;

use super::{
    colours::Look,
    figure::{Chart, Choice},
    strategies::fastest_and_slowest,
    table::{self, Column, Row, Table},
    words::{count, digits, mebibytes},
};
use crate::{
    bench::cell::REVEILLE,
    report::data::{Cell, Quantity, Report},
};

/// Curves that are drawn together.
#[derive(Serialize)]
pub(super) struct Curves {
    #[serde(skip)]
    name: String,
    #[serde(skip)]
    says: String,
    /// What the axis of the values is called, with its unit.
    axis: String,
    lines: Vec<Line>,
}

/// A curve.
#[derive(Serialize)]
struct Line {
    name: String,
    look: Look,
    points: Vec<Point>,
}

/// A point of a curve, in the unit of the axis.
#[derive(Serialize)]
struct Point {
    cpus: u32,
    median: f64,
    /// Where the median lies.
    ends: Option<(f64, f64)>,
    /// What was measured, in nanoseconds or bytes.
    #[serde(skip)]
    whole: f64,
    #[serde(skip)]
    boots: u32,
}

const COLUMNS: &[Column] = &[
    Column::Words("curve"),
    Column::Figures("CPUs"),
    Column::Figures("median"),
    Column::Figures("interval"),
    Column::Figures("boots"),
];

/// All that can be drawn: each kind of machine that was measured in several sizes, then what `bench growth` measured.
pub(super) fn curves(report: &Report) -> Vec<Curves> {
    let cells = || report.cells.iter().filter(|cell| cell.system == REVEILLE);
    let mut families: Vec<String> = Vec::new();
    for cell in cells() {
        let family = family(cell);
        if !families.contains(&family) {
            families.push(family);
        }
    }
    let by_family = families.into_iter().map(|family| {
        let cells: Vec<&Cell> = cells()
            .filter(|cell| self::family(cell) == family)
            .collect();
        Curves::of_strategies(family, &cells)
    });
    let by_quantity = QUANTITIES
        .into_iter()
        .map(|it| Curves::of_quantity(it, report));
    by_family.chain(by_quantity).flatten().collect()
}

/// The section.
pub(super) fn section(report: &Report, curves: &[Curves]) -> Markup {
    html! {
        section #growth aria-labelledby="growth-head" {
            h2 #growth-head { "Growth" }
            @if curves.is_empty() {
                p.missing {
                    @if report.cells.is_empty() { "Nothing was measured that could grow; " }
                    @else { "One size of machine gives no curve; " }
                    code { "cargo xtask bench --smp 2,8,64" } " measures several, and "
                    code { "cargo xtask bench growth" } " memory and host time as well."
                }
            } @else {
                (Chart {
                    name: "growth",
                    choose: "Shown",
                    choices: curves.iter().map(Curves::choice).collect(),
                    reading: html! {
                        "Both axes are logarithmic; bars reach over the interval in which the median lies. Yardsticks
                        are dashed. The legend shows and hides curves."
                    },
                    buttons: &[],
                })
            }
        }
    }
}

impl Curves {
    fn of_strategies(family: String, cells: &[&Cell]) -> Option<Self> {
        let sizes: BTreeSet<u32> = cells.iter().map(|cell| cell.cpus).collect();
        let (first, last) = (sizes.first()?, sizes.last().filter(|_| sizes.len() > 1)?);
        let largest: Vec<&Cell> = cells
            .iter()
            .copied()
            .filter(|cell| cell.cpus == *last)
            .collect();
        let says = match fastest_and_slowest(&largest) {
            Some(says) => format!("From {first} to {last} CPUs; with {last}, {says}."),
            None => format!("From {first} to {last} CPUs."),
        };
        let mut lines: Vec<Line> = Vec::new();
        for cell in cells {
            let Some(median) = cell.median_ns else {
                continue;
            };
            let scale = |nanos: u64| nanos as f64 * MILLIS;
            let ends = cell.low_ns.zip(cell.high_ns);
            let point = Point {
                cpus: cell.cpus,
                median: scale(median),
                ends: ends.map(|(low, high)| (scale(low), scale(high))),
                whole: median as f64,
                boots: cell.boots,
            };
            match lines.iter_mut().find(|line| line.name == cell.contender) {
                Some(line) => line.points.push(point),
                None => lines.push(Line {
                    name: cell.contender.clone(),
                    look: Look::of(&cell.contender, cell.is_yardstick, lines.len()),
                    points: vec![point],
                }),
            }
        }
        for line in &mut lines {
            line.points.sort_by_key(|point| point.cpus);
        }
        Some(Self {
            name: format!("strategies, {family}"),
            says,
            axis: "online, ms".to_owned(),
            lines,
        })
    }

    fn of_quantity(
        (quantity, name, unit): (Quantity, &str, Unit),
        report: &Report,
    ) -> Option<Self> {
        let of_it = report.growth.iter().filter(|point| point.what == quantity);
        let points: Vec<Point> = of_it
            .filter_map(|it| {
                let median = it.median?;
                let ends = it.low.zip(it.high);
                Some(Point {
                    cpus: it.cpus,
                    median: unit.scale(median),
                    ends: ends.map(|(low, high)| (unit.scale(low), unit.scale(high))),
                    whole: median,
                    boots: it.boots,
                })
            })
            .collect();
        let (first, last) = (points.first()?, points.last()?);
        let at = |point: &Point| {
            format!(
                "{} {} with {}",
                digits(point.median),
                unit.name(),
                count(point.cpus as usize, "CPU")
            )
        };
        Some(Self {
            name: name.to_owned(),
            says: format!("{}, and {}.", at(first), at(last)),
            axis: format!("{name}, {}", unit.name()),
            lines: vec![Line {
                name: name.to_owned(),
                look: Look::of("parallel", false, 0),
                points,
            }],
        })
    }

    fn choice(&self) -> Choice {
        let rows = self
            .lines
            .iter()
            .flat_map(|line| line.points.iter().map(|it| row(line, it)));
        let table = Table {
            caption: format!("{}: {}", self.name, self.axis),
            columns: COLUMNS,
            rows: rows.collect(),
        };
        Choice {
            name: self.name.clone(),
            says: self.says.clone(),
            figures: html! { (table) },
        }
    }
}

fn row(line: &Line, point: &Point) -> Row {
    let interval = |(low, high): (f64, f64)| format!("{}–{}", digits(low), digits(high));
    Row {
        contender: Some(line.name.clone()),
        cells: vec![
            table::Cell::words(&line.name),
            table::Cell::number(point.cpus),
            table::Cell::figure(point.whole, digits(point.median)),
            table::Cell::of(point.ends.map(|(low, _)| low), |_| {
                point.ends.map(interval).unwrap_or_default()
            }),
            table::Cell::number(point.boots),
        ],
        ..Row::default()
    }
}

/// What kind of machine a cell is of, whatever its size: its name without the word that begins with its CPUs.
fn family(cell: &Cell) -> String {
    let size = cell.cpus.to_string();
    let is_size = |word: &&str| word.split(',').next() == Some(size.as_str());
    let words = cell
        .machine
        .split_whitespace()
        .filter(|word| !is_size(word));
    words.collect::<Vec<_>>().join(" ")
}

/// Nanoseconds in a millisecond, the other way round.
const MILLIS: f64 = 1e-6;

#[derive(Clone, Copy)]
enum Unit {
    Time,
    Memory,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Time => "ms",
            Self::Memory => "MiB",
        }
    }

    fn scale(self, whole: f64) -> f64 {
        match self {
            Self::Time => whole * MILLIS,
            Self::Memory => mebibytes(whole),
        }
    }
}

const QUANTITIES: [(Quantity, &str, Unit); 5] = [
    (Quantity::Online, "all online, warm", Unit::Time),
    (Quantity::Cold, "all online, cold", Unit::Time),
    (Quantity::HostCpu, "host CPU time of the APs", Unit::Time),
    (
        Quantity::GuestMemory,
        "guest memory of the APs",
        Unit::Memory,
    ),
    (
        Quantity::QemuMemory,
        "resident memory of QEMU",
        Unit::Memory,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::sample;

    #[test]
    fn a_kind_of_machine_is_its_name_without_its_size() {
        let mut cell = sample::report().cells.remove(0);
        cell.cpus = 112;
        cell.machine = "q35 tcg 112,sockets=2,cores=28,threads=2 skylake-112".to_owned();
        assert_eq!(family(&cell), "q35 tcg skylake-112");
    }

    #[test]
    fn one_size_of_machine_is_no_curve() {
        let mut report = sample::report();
        assert!(!curves(&report).is_empty());
        report.cells.retain(|cell| cell.cpus == 8);
        report.growth.clear();
        assert!(curves(&report).is_empty());
    }
}
