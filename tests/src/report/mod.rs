//! `report.html`: what was measured, as pictures and tables that open in any browser, offline.
//!
//! ```text
//!   results.jsonl ─┐
//!   (bench, linux, ├─▶ Report ──▶ page ──▶ report.html
//!    growth)       │   (data)
//!   charts.jsonl  ─┘
//! ```
//!
//! A report is made of whatever there is: a benchmark that broke off, one machine, one strategy. What it has no
//! data for it says, and how to get them.

mod apart;
mod beside;
mod cells;
pub mod charts;
pub mod data;
mod growth;
mod looked_at;
mod mend;
pub mod page;
mod source;

use std::{collections::HashSet, mem, path::Path};

use anyhow::Result;

use self::{
    charts::Charts,
    data::{Boot, Heat, LinuxRow, Origin},
    source::{Source, busy},
};
pub use self::{data::Report, looked_at::MOST_IN_PAIRS};
use crate::bench::host::Host;

/// The file's name beside the results.
pub const FILE: &str = "report.html";

impl Report {
    /// Of these files of results, or folders with one, and the boots to look at that lie beside them.
    ///
    /// # Errors
    ///
    /// One of them cannot be read, is of another schema, or is none of a benchmark.
    pub fn of(paths: &[impl AsRef<Path>]) -> Result<Self> {
        let sources = paths.iter().map(|path| Source::read(path.as_ref()));
        let sources = sources.collect::<Result<Vec<_>>>()?;
        let mut report = Self {
            title: title(&sources),
            ..Self::default()
        };
        let charts = sources.iter().map(|source| Charts::beside(&source.path));
        let charts: Vec<Charts> = charts.collect();
        for (source, charts) in sources.iter().zip(&charts) {
            report.add(source, charts);
        }
        // What no file has is known when all have been joined.
        for (source, charts) in sources.iter().zip(&charts) {
            report.say_what_is_missing(source, charts);
        }
        report.missing.extend(apart::apart(&sources, &report));
        report.missing.extend(looked_at::gaps(&report.boots));
        report.say_what_is_not_there();
        let mut said = HashSet::new();
        report
            .missing
            .retain(|sentence| said.insert(sentence.clone()));
        Ok(report)
    }

    fn add(&mut self, source: &Source, charts: &Charts) {
        self.origins.push(origin(source));
        self.missing.extend(source.missing.iter().cloned());
        let twice = add(
            &mut self.cells,
            cells::cells(source),
            |one, other| one.machine == other.machine && one.contender == other.contender,
            |cell| cell.median_ns.is_some(),
        );
        self.say_twice("Strategies", twice.into_iter().map(|it| it.machine));
        let twice = add(
            &mut self.growth,
            growth::growth(source),
            |one, other| one.machine == other.machine && one.what == other.what,
            |point| point.median.is_some(),
        );
        self.say_twice("Growth", twice.into_iter().map(|it| it.machine));
        if let Some(linux) = beside::linux(source) {
            let rows = &mut self.linux.get_or_insert_default().rows;
            let twice = add(rows, linux.rows, LinuxRow::is_same, |row| {
                row.median_ns.is_some()
            });
            self.say_twice("Linux", twice.into_iter().map(|it| it.machine));
        }
        self.missing.extend(looked_at::problem(charts));
        let heat = charts.kept.iter().filter_map(looked_at::heat).collect();
        let is_same = |one: &Heat, other: &Heat| one.machine == other.machine;
        let twice = add(&mut self.heat, heat, is_same, |_| true);
        self.say_twice("Calls", twice.into_iter().map(|it| it.machine));
        let boots = charts.kept.iter().map(looked_at::boot).collect();
        let is_same = |one: &Boot, other: &Boot| one.machine == other.machine;
        let twice = add(&mut self.boots, boots, is_same, |_| true);
        self.say_twice("Timeline", twice.into_iter().map(|it| it.machine));
    }

    /// What was measured by several benchmarks has the figures of the first of them that has any.
    fn say_twice(&mut self, part: &str, what: impl Iterator<Item = String>) {
        let mut told = HashSet::new();
        let what: Vec<String> = what.filter(|it| told.insert(it.clone())).collect();
        let told = match &what[..] {
            [] => return,
            [only] => {
                format!(
                    "{only} was measured several times, and is shown as the first file with a figure has it"
                )
            }
            all => format!(
                "{} were measured several times, and each is shown as the first file with a figure has it",
                all.join(", ")
            ),
        };
        self.missing.push(format!("{part}: {told}."));
    }

    /// What a file lacks, and no other one has.
    fn say_what_is_missing(&mut self, source: &Source, charts: &Charts) {
        let rows = self.linux.as_ref().map_or(&[][..], |linux| &linux.rows);
        let missing = [
            cells::missing(source, &self.cells),
            growth::missing(source, &self.growth),
            beside::missing(source, rows),
            looked_at::missing(source, charts, &self.boots, &self.heat),
        ];
        self.missing.extend(missing.into_iter().flatten());
    }

    /// What a whole part of the report would need.
    fn say_what_is_not_there(&mut self) {
        let parts = [
            (
                self.cells.is_empty(),
                "Strategies: none was measured; `cargo xtask bench` does that.",
            ),
            (
                self.growth.is_empty(),
                "Growth: what more CPUs cost was not measured; `cargo xtask bench growth` does that.",
            ),
            (
                self.linux.is_none(),
                "Linux: it was not measured beside ours; `cargo xtask bench linux` does that.",
            ),
            (
                self.boots.is_empty(),
                "Timeline: no boot was kept to look at; `cargo xtask bench` keeps one of each machine.",
            ),
            (
                self.heat.is_empty(),
                "Calls: no calls between CPUs were measured; `cargo xtask bench` does that for machines \
                 of 2 to 64 CPUs.",
            ),
        ];
        let missing = parts.into_iter().filter(|(is_missing, _)| *is_missing);
        self.missing
            .extend(missing.map(|(_, sentence)| sentence.to_owned()));
    }
}

/// Adds those that are not the same as one that is there, and puts those that tell something in the place of one that
/// does not. Returns those that are left out, unless neither tells anything.
fn add<T>(
    all: &mut Vec<T>,
    more: Vec<T>,
    is_same: impl Fn(&T, &T) -> bool,
    tells: impl Fn(&T) -> bool,
) -> Vec<T> {
    let mut twice = Vec::new();
    for it in more {
        match all.iter_mut().find(|other| is_same(&it, other)) {
            None => all.push(it),
            Some(other) if tells(other) => twice.push(it),
            // A boot that failed is left out as well.
            Some(other) if tells(&it) => twice.push(mem::replace(other, it)),
            Some(_) => {}
        }
    }
    twice
}

/// What was measured, and when.
fn title(sources: &[Source]) -> String {
    let day = |source: &Source| {
        let started = source.told("started", &source.results.header.started)?;
        Some(started.split('T').next().unwrap_or_default().to_owned())
    };
    let mut days: Vec<_> = sources.iter().filter_map(day).collect();
    days.sort_unstable();
    match (days.first(), days.last()) {
        (Some(first), Some(last)) if first != last => {
            format!("Reveille: bring-up, measured {first} to {last}")
        }
        (Some(day), _) => format!("Reveille: bring-up, measured {day}"),
        _ => "Reveille: bring-up".to_owned(),
    }
}

/// The host of the header, and those that boots of a file that was joined have of their own.
fn hosts(source: &Source) -> Vec<Host> {
    let header = source.told("host", &source.results.header.host);
    let runs = source.results.runs.iter();
    let mut hosts: Vec<Host> = Vec::new();
    for host in header
        .into_iter()
        .chain(runs.filter_map(|run| run.host.as_deref()))
    {
        if !hosts.contains(host) {
            hosts.push(host.clone());
        }
    }
    hosts
}

fn origin(source: &Source) -> Origin {
    let results = &source.results;
    let header = results.header.clone();
    let ok = results.ok_runs().count();
    Origin {
        file: source.name.clone(),
        started: source.told("started", header.started),
        command: source.told("command", header.command),
        reveille: header.reveille,
        qemu: header.qemu,
        rustc: header.rustc,
        kernel: header.kernel,
        hosts: hosts(source),
        runs: source.told("runs", header.runs),
        rounds: source.told("rounds", header.rounds),
        boots_ok: ok as u32,
        boots_failed: (results.runs.len() - ok) as u32,
        busy_boots: busy(results.ok_runs()),
    }
}

#[cfg(test)]
mod tests;
