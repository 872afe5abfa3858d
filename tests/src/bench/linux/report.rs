//! The boots side by side, for people: what each took, how many times ours that is, and what is in Linux's
//! time that is not in ours.
//!
//! Whoever did not come up is told with the reason, and ours stands cold beside Linux's, which is.

use std::{collections::BTreeMap, fmt};

use comfy_table::{CellAlignment, Table, presets};

use super::{
    figures::{Figures, alive, kick, online, total},
    plan::{Subject, View},
    samples,
    system::Series,
};
use crate::bench::{
    cell::REVEILLE,
    host::BUSY_SHARE,
    results::{Header, Outcome, Run},
};

/// What is in Linux's time and not in ours.
const WHAT_LINUX_DOES: &str = "\
In that time Linux makes for each CPU its kernel threads (idle, hotplug, migration, softirq), the pools and
workers of its work queues, RCU's and the timers' state, page lists, perf events and a watchdog, one CPU after
the other on the boot CPU, and then puts it into the scheduler's domains and interrupt affinities. Our APs get
a stack, a per-CPU area, an executor, tables, APIC, timer and their inboxes, and report online. So the two are
not the same work; the times from the first INIT to the APICs, in the boots that QEMU traces, leave most of
Linux's out.";

/// The columns of Linux's own trace.
const WHAT_THE_PARTS_ARE: &str = "\
 prepare: threads, work queues, RCU and timers, on the boot CPU; kick: INIT and SIPI (before 6.5 within answer);
 answer: from there until the AP takes its first step; online: the AP's own steps; seen: until the boot CPU goes
 on; whole: from the first to the last, less what the trace itself took, which is in no part";

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// What was measured, in the order in which it is shown.
    pub header: &'a Header,
    /// The boots, in any order.
    pub runs: &'a [Run],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.header.systems.iter();
        let subjects: Vec<Subject> = names.filter_map(|name| Subject::named(name)).collect();
        for machine in &self.header.plan {
            let beside = Beside {
                runs: self
                    .runs
                    .iter()
                    .filter(|it| it.machine == *machine)
                    .collect(),
                subjects: subjects
                    .iter()
                    .filter(|it| it.view == View::Plain)
                    .collect(),
            };
            writeln!(f, "{machine}\n\n{beside}")?;
        }
        writeln!(f, "{WHAT_LINUX_DOES}")?;
        writeln!(
            f,
            "A boot is busy when others took more than {} % of the host; times are in ms, \
             and of rounds within a boot the median.",
            BUSY_SHARE * 100.0
        )
    }
}

/// The systems on one machine.
struct Beside<'a> {
    runs: Vec<&'a Run>,
    /// Each system once, us first.
    subjects: Vec<&'a Subject>,
}

/// The strategy of ours that stands beside Linux.
const OURS: &str = "parallel";

impl Beside<'_> {
    /// Those beside us, by their names, with their series.
    fn linux(&self) -> impl Iterator<Item = (String, Series)> {
        let subjects = self.subjects.iter();
        subjects.filter_map(|it| Some((it.to_string(), it.linux.as_ref()?.series)))
    }

    fn figures(&self, system: &str, time: impl Fn(&Run) -> Option<u64>) -> Option<Figures> {
        let runs = self.runs.iter().copied();
        Figures::of(runs.filter(|run| run.system == system), time)
    }

    /// Why there are no times of a system: the first failure.
    fn failure(&self, system: &str) -> Option<String> {
        let mut runs = self.runs.iter().filter(|run| run.system == system);
        runs.find_map(|run| match &run.outcome {
            Outcome::Failed(why) => Some(why.clone()),
            Outcome::Ok => None,
        })
    }

    /// Until all CPUs are online.
    fn online(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cold = self.figures(REVEILLE, online(samples::COLD));
        let warm = self.figures(REVEILLE, online(OURS));
        let times = |figures: &Figures, ours: &Option<Figures>| match ours {
            Some(ours) => format!("{:.1}", ratio(figures.median, ours.median)),
            None => String::new(),
        };
        let mut table = table(&[
            "all CPUs online",
            "boots",
            "min",
            "median",
            "max",
            "by ours, cold",
            "by ours, warm",
        ]);
        let ours = [
            ("ours, the boot's first: cold", &cold),
            ("ours, later rounds: warm", &warm),
        ];
        for (name, figures) in ours {
            match figures {
                Some(it) => table.add_row(row(name, it, [String::new(), String::new()])),
                None => table.add_row([name, &self.failure(REVEILLE).unwrap_or_default()]),
            };
        }
        // Of each series the mode that takes less.
        let mut better: BTreeMap<Series, (String, Figures)> = BTreeMap::new();
        for (system, series) in self.linux() {
            let Some(figures) = self.figures(&system, online(samples::BRING_UP)) else {
                if let Some(why) = self.failure(&system) {
                    table.add_row([system, why]);
                }
                continue;
            };
            let ratios = [times(&figures, &cold), times(&figures, &warm)];
            table.add_row(row(&system, &figures, ratios));
            let known = better.get(&series);
            if known.is_none_or(|(_, best)| figures.median < best.median) {
                better.insert(series, (system, figures));
            }
        }
        writeln!(f, "{}\n", aligned(table))?;
        let (Some(cold), Some(warm)) = (cold, warm) else {
            return Ok(());
        };
        for (series, (system, linux)) in better {
            writeln!(
                f,
                "Linux {series} is better as {system}: {} ms. Ours takes {} ms cold, as Linux's is, which is \
                 {:.1} times as fast; warm {} ms, {:.1} times.",
                ms(linux.median),
                ms(cold.median),
                ratio(linux.median, cold.median),
                ms(warm.median),
                ratio(linux.median, warm.median),
            )?;
        }
        if let Some(before) = self.figures(REVEILLE, total(samples::BEFORE)) {
            writeln!(
                f,
                "Not in our time: from our kernel's first instruction to its first INIT {} ms, with all that it \
                 prepares, for its boot CPU and the others. Linux's time has what it prepares for the others.\n",
                ms(before.median)
            )?;
        }
        Ok(())
    }

    /// What QEMU saw, of all in the same way.
    fn outside(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = table(&[
            "from the first INIT, by QEMU's trace",
            "boots",
            "last SIPI",
            "last APIC on",
            "an AP's INIT to APIC on",
            "all online, by its bytes",
        ]);
        for subject in &self.subjects {
            let system = subject.to_string();
            let traced = subject.seen(View::Outside).to_string();
            let median =
                |figures: Option<Figures>| figures.map_or(String::new(), |it| ms(it.median));
            if let Some(apics) = self.figures(&traced, alive(samples::ALL_APICS)) {
                table.add_row([
                    system,
                    apics.boots(),
                    median(self.figures(&traced, kick(samples::ALL_APICS))),
                    ms(apics.median),
                    median(self.figures(&traced, alive(samples::AN_APIC))),
                    median(self.figures(&traced, online(samples::BRING_UP))),
                ]);
            } else if let Some(why) = self.failure(&traced) {
                table.add_row([system, why]);
            }
        }
        if !table.is_empty() {
            writeln!(f, "{}\n", aligned(table))?;
        }
        Ok(())
    }

    /// Where Linux's time goes, by its own trace, and ours by our records.
    fn inside(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut head = vec!["by Linux's own trace, sums over all APs", "boots"];
        head.extend(samples::PARTS);
        let mut table = table(&head);
        for subject in self.subjects.iter().filter(|it| it.linux.is_some()) {
            let system = subject.to_string();
            let traced = subject.seen(View::Inside).to_string();
            let parts: Vec<_> = samples::PARTS
                .iter()
                .filter_map(|part| self.figures(&traced, total(part)))
                .collect();
            if let Some(first) = parts.first() {
                let mut row = vec![system, first.boots()];
                row.extend(parts.iter().map(|it| ms(it.median)));
                table.add_row(row);
            } else if let Some(why) = self.failure(&traced) {
                table.add_row([system, why]);
            }
        }
        if table.is_empty() {
            return Ok(());
        }
        writeln!(f, "{}\n{WHAT_THE_PARTS_ARE}", aligned(table))?;
        for (name, sample) in [("cold", samples::COLD), ("warm", OURS)] {
            let figures = (
                self.figures(REVEILLE, kick(sample)),
                self.figures(REVEILLE, alive(sample)),
                self.figures(REVEILLE, online(sample)),
            );
            if let (Some(kick), Some(alive), Some(online)) = figures {
                let [kick, alive, online] = [kick, alive, online].map(|it| ms(it.median));
                writeln!(
                    f,
                    "ours, {name}, by our records: last SIPI {kick}, last AP alive {alive}, last online \
                     {online}"
                )?;
            }
        }
        writeln!(f)
    }
}

impl fmt::Display for Beside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.online(f)?;
        self.outside(f)?;
        self.inside(f)
    }
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.to_vec());
    table
}

fn row(name: &str, figures: &Figures, ratios: [String; 2]) -> Vec<String> {
    let times = [figures.min, figures.median, figures.max].map(ms);
    let head = [name.to_owned(), figures.boots()];
    head.into_iter().chain(times).chain(ratios).collect()
}

fn aligned(mut table: Table) -> String {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

fn ms(time_ns: u64) -> String {
    let ms = time_ns as f64 / 1e6;
    // Three digits say all that a host repeats.
    match ms {
        100.0.. => format!("{ms:.0}"),
        10.0.. => format!("{ms:.1}"),
        _ => format!("{ms:.2}"),
    }
}

fn ratio(theirs: u64, ours: u64) -> f64 {
    theirs as f64 / ours.max(1) as f64
}

#[cfg(test)]
pub(super) mod tests;
