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

mod beside;
mod cells;
pub mod charts;
pub mod data;
mod growth;
mod looked_at;
mod mend;
pub mod page;
mod source;

use std::path::Path;

use anyhow::Result;

use self::{
    charts::Charts,
    data::Origin,
    source::{Source, busy},
};
pub use self::{data::Report, looked_at::MOST_IN_PAIRS};

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
        for source in &sources {
            report.add(source);
        }
        report.say_what_is_not_there();
        Ok(report)
    }

    fn add(&mut self, source: &Source) {
        self.origins.push(origin(source));
        self.missing.extend(source.missing.iter().cloned());
        let (cells, missing) = cells::cells(source);
        self.missing.extend(missing);
        let twice = add(&mut self.cells, cells, |one, other| {
            one.machine == other.machine && one.contender == other.contender
        });
        self.say_twice("Strategies", twice.into_iter().map(|it| it.machine));
        let (points, missing) = growth::growth(source);
        self.missing.extend(missing);
        let twice = add(&mut self.growth, points, |one, other| {
            one.cpus == other.cpus && one.what == other.what
        });
        self.say_twice("Growth", twice.into_iter().map(|it| cpus(it.cpus)));
        if let Some((linux, missing)) = beside::linux(source) {
            self.missing.extend(missing);
            let rows = &mut self.linux.get_or_insert_default().rows;
            let twice = add(rows, linux.rows, |one, other| {
                one.machine == other.machine
                    && one.system == other.system
                    && one.is_cold == other.is_cold
            });
            self.say_twice("Linux", twice.into_iter().map(|it| it.machine));
        }
        let charts = Charts::beside(&source.path);
        self.missing.extend(looked_at::missing(source, &charts));
        for kept in charts.kept {
            let is_known = self
                .boots
                .iter()
                .any(|it| it.machine == kept.machine.to_string());
            if !is_known {
                self.heat.extend(looked_at::heat(&kept));
                self.boots.push(looked_at::boot(kept));
            }
        }
    }

    /// What was measured by several benchmarks has the figures of the first of them.
    fn say_twice(&mut self, part: &str, what: impl Iterator<Item = String>) {
        let mut what: Vec<String> = what.collect();
        what.dedup();
        let told = match &what[..] {
            [] => return,
            [only] => {
                format!("{only} was measured several times, and is shown as the first file has it")
            }
            all => format!(
                "{} were measured several times, and each is shown as the first file has it",
                all.join(", ")
            ),
        };
        self.missing.push(format!("{part}: {told}."));
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

/// Adds those that are not the same as one that is there, and returns the others.
fn add<T>(all: &mut Vec<T>, more: Vec<T>, is_same: impl Fn(&T, &T) -> bool) -> Vec<T> {
    let is_there = |it: &T| all.iter().any(|other| is_same(it, other));
    let (twice, new) = more.into_iter().partition(is_there);
    all.extend::<Vec<T>>(new);
    twice
}

fn cpus(number: u32) -> String {
    match number {
        1 => "1 CPU".to_owned(),
        _ => format!("{number} CPUs"),
    }
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
        host: source.told("host", header.host),
        runs: header.runs,
        rounds: header.rounds,
        boots_ok: ok as u32,
        boots_failed: (results.runs.len() - ok) as u32,
        busy_boots: busy(results.ok_runs()),
    }
}

#[cfg(test)]
mod tests;
