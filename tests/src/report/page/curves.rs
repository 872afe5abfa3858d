//! What can be drawn over the number of CPUs: the medians of each kind of machine that was measured in several
//! sizes, and what `bench growth` measured.
//!
//! Both axes are logarithmic. **What is zero or less has no place on them, so each curve says which of its points
//! are not drawn.**

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    strategies::fastest_and_slowest,
    words::{between, count, digits, mebibytes},
};
use crate::{
    looks::Look,
    report::data::{Cell, Quantity, Report},
};

/// Curves that are drawn together.
#[derive(Serialize)]
pub(super) struct Curves {
    #[serde(skip)]
    pub(super) name: String,
    #[serde(skip)]
    pub(super) says: String,
    /// What the axis of the values is called, with its unit.
    pub(super) axis: String,
    pub(super) lines: Vec<Line>,
}

/// A curve.
#[derive(Serialize)]
pub(super) struct Line {
    pub(super) name: String,
    look: Look,
    pub(super) points: Vec<Point>,
}

/// A point of a curve, in the unit of the axis.
#[derive(Serialize)]
pub(super) struct Point {
    pub(super) cpus: u32,
    pub(super) median: f64,
    /// Where the median lies.
    pub(super) ends: Option<(f64, f64)>,
    /// What was measured, in nanoseconds or bytes.
    #[serde(skip)]
    pub(super) whole: f64,
    /// What the interval is worth.
    #[serde(skip)]
    pub(super) level: Option<f64>,
    #[serde(skip)]
    pub(super) boots: u32,
}

/// All that can be drawn: each kind of machine, then each quantity.
pub(super) fn curves(report: &Report) -> Vec<Curves> {
    let mut families: Vec<(String, Vec<&Cell>)> = Vec::new();
    for cell in &report.cells {
        let name = family(&cell.machine, cell.cpus);
        match families.iter_mut().find(|(family, _)| *family == name) {
            Some((_, cells)) => cells.push(cell),
            None => families.push((name, vec![cell])),
        }
    }
    let by_family = families
        .into_iter()
        .filter_map(|(name, cells)| Curves::of_strategies(&name, &cells));
    let by_quantity = QUANTITIES
        .into_iter()
        .filter_map(|it| Curves::of_quantity(it, report));
    let all = by_family.chain(by_quantity);
    all.filter(|curves| curves.sizes().len() > 1).collect()
}

/// What `bench growth` measured and cannot be drawn.
pub(super) fn not_drawn(report: &Report) -> Vec<Curves> {
    let all = QUANTITIES.into_iter();
    let all = all.filter_map(|it| Curves::of_quantity(it, report));
    all.filter(|curves| curves.sizes().len() < 2).collect()
}

impl Curves {
    fn of_strategies(family: &str, cells: &[&Cell]) -> Option<Self> {
        let timed = || cells.iter().filter(|cell| cell.median_ns.is_some());
        let first = timed().map(|cell| cell.cpus).min()?;
        let last = timed().map(|cell| cell.cpus).max()?;
        let largest = timed().copied().filter(|cell| cell.cpus == last);
        let mut says = match fastest_and_slowest(&largest.collect::<Vec<_>>()) {
            Some(says) => format!("From {first} to {last} CPUs; with {last}, {says}."),
            None => format!("From {first} to {last} CPUs."),
        };
        let mut lines: Vec<Line> = Vec::new();
        for cell in cells {
            let (Some(median), Ok(contender)) = (cell.median_ns, cell.contender.parse()) else {
                continue;
            };
            let scale = |nanos: u64| Unit::Time.scale(nanos as f64);
            let ends = cell.low_ns.zip(cell.high_ns);
            let point = Point {
                cpus: cell.cpus,
                median: scale(median),
                ends: ends.map(|(low, high)| (scale(low), scale(high))),
                whole: median as f64,
                level: cell.level.filter(|_| ends.is_some()),
                boots: cell.boots,
            };
            match lines.iter_mut().find(|line| line.name == cell.contender) {
                Some(line) => line.points.push(point),
                None => lines.push(Line {
                    name: cell.contender.clone(),
                    look: Look::of(contender),
                    points: vec![point],
                }),
            }
        }
        for line in &mut lines {
            line.points.sort_by_key(|point| point.cpus);
            says += &line.without_a_place(Unit::Time);
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
        let mut lines: Vec<Line> = Vec::new();
        for it in report.growth.iter().filter(|it| it.what == quantity) {
            let Some(median) = it.median else {
                continue;
            };
            let ends = it.low.zip(it.high);
            let point = Point {
                cpus: it.cpus,
                median: unit.scale(median),
                ends: ends.map(|(low, high)| (unit.scale(low), unit.scale(high))),
                whole: median,
                level: it.level,
                boots: it.boots,
            };
            // What is measured of one kind of machine is no point of another's curve.
            let kind = family(&it.machine, it.cpus);
            match lines.iter_mut().find(|line| line.name == kind) {
                Some(line) => line.points.push(point),
                None => lines.push(Line {
                    name: kind,
                    look: Look::nth(lines.len()),
                    points: vec![point],
                }),
            }
        }
        let mut says: Vec<String> = Vec::new();
        for line in &mut lines {
            line.points.sort_by_key(|point| point.cpus);
            says.push(line.told(unit));
        }
        (!lines.is_empty()).then(|| Self {
            name: name.to_owned(),
            says: says.join(" "),
            axis: format!("{name}, {}", unit.name()),
            lines,
        })
    }

    /// Of how many CPUs there is something that has its place.
    fn sizes(&self) -> BTreeSet<u32> {
        let points = self.lines.iter().flat_map(|line| &line.points);
        let drawn = points.filter(|point| point.median > 0.0);
        drawn.map(|point| point.cpus).collect()
    }
}

impl Line {
    /// From where to where it goes, in sentences.
    fn told(&self, unit: Unit) -> String {
        let points = match &self.points[..] {
            [] => String::new(),
            [only] => only.told(unit),
            [first, .., last] => format!("{}, and {}", first.told(unit), last.told(unit)),
        };
        format!("{}: {points}.{}", self.name, self.without_a_place(unit))
    }

    /// What of it a logarithmic axis has no place for, as a sentence behind others; nothing where it has all.
    fn without_a_place(&self, unit: Unit) -> String {
        let points = self.points.iter().filter(|point| point.median <= 0.0);
        let points: Vec<String> = points.map(|point| point.told(unit)).collect();
        let is_cut =
            |point: &&Point| point.median > 0.0 && point.ends.is_some_and(|it| it.0 <= 0.0);
        let bars = self.points.iter().filter(is_cut).map(|point| {
            let ends = point.ends.map(between).unwrap_or_default();
            let cpus = count(point.cpus as usize, "CPU");
            format!("the interval {ends} {} with {cpus}", unit.name())
        });
        let all: Vec<String> = points.into_iter().chain(bars).collect();
        match all.is_empty() {
            true => String::new(),
            false => format!(
                " A logarithmic axis has no place for {}.",
                all.join(", nor for ")
            ),
        }
    }
}

impl Point {
    fn told(&self, unit: Unit) -> String {
        format!(
            "{} {} with {}",
            digits(self.median),
            unit.name(),
            count(self.cpus as usize, "CPU")
        )
    }
}

/// What kind a machine of so many CPUs is of, whatever its size: its name without its CPUs, and with the rest of their
/// topology, as two sockets are another kind of machine than one.
pub(in crate::report) fn family(machine: &str, cpus: u32) -> String {
    let size = cpus.to_string();
    let mut is_found = false;
    let words = machine.split_whitespace().filter_map(|word| {
        let rest = word.strip_prefix(size.as_str());
        match rest.filter(|rest| !is_found && (rest.is_empty() || rest.starts_with(','))) {
            Some(topology) => {
                is_found = true;
                Some(topology.trim_start_matches(',')).filter(|it| !it.is_empty())
            }
            None => Some(word),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

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
            Self::Time => whole * 1e-6,
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
mod tests;
