//! The boots side by side, for people: what each took, how many times ours that is, and what is in Linux's
//! time that is not in ours.
//!
//! Whoever did not come up is told with the reason, and ours stands cold beside Linux's, which is. All of it fits
//! 80 columns.

use std::{collections::BTreeMap, fmt};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use reveille_smp::lines::{WIDTH, Words};

use super::{
    figures::{Figures, Tally, alive, kick, online, total},
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
const WHAT_LINUX_DOES: &str = "In that time Linux makes for each CPU its kernel threads (idle, hotplug, migration, \
softirq), the pools and workers of its work queues, RCU's and the timers' state, page lists, perf events and a \
watchdog, one CPU after the other on the boot CPU, and then puts it into the scheduler's domains and interrupt \
affinities. Our APs get a stack, a per-CPU area, an executor, tables, APIC, timer and their inboxes, and report \
online. So the two are not the same work; the times from the first INIT to the APICs, in the boots that QEMU \
traces, leave most of Linux's out.";

/// By what the times are taken.
const WHAT_IS_TRACED: &str = "Linux's time is taken by QEMU's trace of its serial port (-trace serial_write), in \
its plain boots too: each byte that it writes in that time costs it a line of the trace. Ours is taken by our \
records, and our plain boots have no trace.";

/// What is in the column of the boots, and in which unit the times are.
fn what_the_boots_are() -> String {
    format!(
        "A boot is busy when others took more than {} % of the host: those are left out where there are others \
         (+N busy), and times of busy boots and of quiet ones are not alike. A late one was not up within the \
         limit, and is longer than all others in the median. Times are in ms, and of rounds within a boot the \
         median.",
        BUSY_SHARE * 100.0
    )
}

/// The columns of Linux's own trace.
const WHAT_THE_PARTS_ARE: &str = "prepare: threads, work queues, RCU and timers, on the boot CPU; kick: INIT and \
SIPI (before 6.5 within answer); answer: from there until the AP takes its first step; online: the AP's own steps; \
seen: until the boot CPU goes on; whole: from the first to the last, less what the trace itself took, which is in \
no part";

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
        for text in [WHAT_LINUX_DOES, WHAT_IS_TRACED, &what_the_boots_are()] {
            writeln!(f, "{}", folded(text))?;
        }
        Ok(())
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

    /// What became of a system's boots, in which `time` is looked for.
    fn boots(&self, system: &str, time: impl Fn(&Run) -> Option<u64>) -> Option<String> {
        let runs = self.runs.iter().copied();
        let tally = Tally::of(runs.filter(|run| run.system == system), time);
        (tally != Tally::default()).then(|| tally.words())
    }

    /// Why boots of these systems are not up, below a table: the first reason of each.
    fn failures<'b>(
        &self,
        f: &mut fmt::Formatter<'_>,
        systems: impl IntoIterator<Item = &'b str>,
    ) -> fmt::Result {
        for system in systems {
            let mut runs = self.runs.iter().filter(|run| run.system == *system);
            let failure = runs.find_map(|run| match &run.outcome {
                Outcome::Failed(why) => Some((run.run, why)),
                Outcome::Ok => None,
            });
            if let Some((run, why)) = failure {
                writeln!(f, "{}", folded(&format!("{system}, boot {run}: {why}")))?;
            }
        }
        Ok(())
    }

    /// Until all CPUs are online.
    fn online(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cold = self.figures(REVEILLE, online(samples::COLD));
        let warm = self.figures(REVEILLE, online(OURS));
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
            ("ours, first: cold", samples::COLD, &cold),
            ("ours, later: warm", OURS, &warm),
        ];
        for (name, sample, figures) in ours {
            if let Some(boots) = self.boots(REVEILLE, online(sample)) {
                let ratios = [String::new(), String::new()];
                table.add_row(row(name, boots, figures.as_ref(), ratios));
            }
        }
        // Of each series the mode that takes less.
        let mut better: BTreeMap<Series, (String, Figures)> = BTreeMap::new();
        for (system, series) in self.linux() {
            let Some(boots) = self.boots(&system, online(samples::BRING_UP)) else {
                continue;
            };
            let figures = self.figures(&system, online(samples::BRING_UP));
            let ratios = [&cold, &warm].map(|ours| match (&figures, ours) {
                (Some(figures), Some(ours)) => times(figures, ours),
                _ => String::new(),
            });
            table.add_row(row(&system, boots, figures.as_ref(), ratios));
            let Some(figures) = figures else {
                continue;
            };
            let known = better.get(&series);
            if known.is_none_or(|(_, best)| figures.median < best.median) {
                better.insert(series, (system, figures));
            }
        }
        writeln!(f, "{}\n", aligned(table))?;
        let linux: Vec<_> = self.linux().map(|(system, _)| system).collect();
        let systems = [REVEILLE]
            .into_iter()
            .chain(linux.iter().map(String::as_str));
        self.failures(f, systems)?;
        let (Some(cold), Some(warm)) = (cold, warm) else {
            return Ok(());
        };
        for (series, (system, linux)) in better {
            let as_fast = |ours: &Figures| match times(&linux, ours) {
                times if times == NOT_ALIKE => {
                    format!("{NOT_ALIKE}, as the host was busy beside one of them")
                }
                times => format!("{times} times as fast"),
            };
            let text = format!(
                "Linux {series} is better as {system}: {} ms. Ours takes {} ms cold, as Linux's is: {}. Warm it \
                 takes {} ms: {}, but warm beside Linux's cold is not like with like.",
                ms(linux.median),
                ms(cold.median),
                as_fast(&cold),
                ms(warm.median),
                as_fast(&warm),
            );
            writeln!(f, "{}", folded(&text))?;
        }
        if let Some(before) = self.figures(REVEILLE, total(samples::BEFORE)) {
            let text = format!(
                "Not in our time: from our kernel's first instruction to its first INIT {} ms, with all that it \
                 prepares, for its boot CPU and the others. Linux's time has what it prepares for the others.",
                ms(before.median)
            );
            writeln!(f, "{}\n", folded(&text))?;
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
        let mut systems = Vec::new();
        for subject in &self.subjects {
            let traced = subject.seen(View::Outside).to_string();
            let median =
                |figures: Option<Figures>| figures.map_or(String::new(), |it| ms(it.median));
            if let Some(boots) = self.boots(&traced, alive(samples::ALL_APICS)) {
                table.add_row([
                    subject.to_string(),
                    boots,
                    median(self.figures(&traced, kick(samples::ALL_APICS))),
                    median(self.figures(&traced, alive(samples::ALL_APICS))),
                    median(self.figures(&traced, alive(samples::AN_APIC))),
                    median(self.figures(&traced, online(samples::BRING_UP))),
                ]);
            }
            systems.push(traced);
        }
        if !table.is_empty() {
            writeln!(f, "{}\n", aligned(table))?;
        }
        self.failures(f, systems.iter().map(String::as_str))
    }

    /// Where Linux's time goes, by its own trace, and ours by our records.
    fn inside(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut head = vec!["by Linux's own trace, sums over all APs", "boots"];
        head.extend(samples::PARTS);
        let mut table = table(&head);
        let mut systems = Vec::new();
        for subject in self.subjects.iter().filter(|it| it.linux.is_some()) {
            let traced = subject.seen(View::Inside).to_string();
            if let Some(boots) = self.boots(&traced, total(samples::PARTS[0])) {
                let parts = samples::PARTS.iter().map(|part| {
                    let figures = self.figures(&traced, total(part));
                    figures.map_or(String::new(), |it| ms(it.median))
                });
                let row = [subject.to_string(), boots].into_iter().chain(parts);
                table.add_row(row.collect::<Vec<_>>());
            }
            systems.push(traced);
        }
        if table.is_empty() {
            return Ok(());
        }
        writeln!(f, "{}\n{}", aligned(table), folded(WHAT_THE_PARTS_ARE))?;
        self.failures(f, systems.iter().map(String::as_str))?;
        for (name, sample) in [("cold", samples::COLD), ("warm", OURS)] {
            let figures = (
                self.figures(REVEILLE, kick(sample)),
                self.figures(REVEILLE, alive(sample)),
                self.figures(REVEILLE, online(sample)),
            );
            if let (Some(kick), Some(alive), Some(online)) = figures {
                let [kick, alive, online] = [kick, alive, online].map(|it| ms(it.median));
                let text = format!(
                    "ours, {name}, by our records: last SIPI {kick}, last AP alive {alive}, last online {online}"
                );
                writeln!(f, "{}", folded(&text))?;
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

/// A table that is no wider than a terminal: what is too long for its column goes on in the next line of it.
fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH as u16)
        .set_header(head.to_vec());
    table
}

fn row(name: &str, boots: String, figures: Option<&Figures>, ratios: [String; 2]) -> Vec<String> {
    let times = match figures {
        Some(it) => [Some(it.min), Some(it.median), it.max]
            .map(|time| time.map_or_else(|| "late".to_owned(), ms)),
        None => ["-"; 3].map(str::to_owned),
    };
    let head = [name.to_owned(), boots];
    head.into_iter().chain(times).chain(ratios).collect()
}

fn aligned(mut table: Table) -> String {
    for (index, column) in table.column_iter_mut().enumerate() {
        // A column between two is enough.
        column.set_padding((u16::from(index > 0), 0));
        if index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// A text in lines that fit a terminal, without the last one's end.
fn folded(text: &str) -> Words<'_> {
    Words { text, indent: 0 }
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

/// In place of a ratio of times of which one is of a busy host and the other is not.
const NOT_ALIKE: &str = "not alike";

/// How many times ours theirs is.
fn times(theirs: &Figures, ours: &Figures) -> String {
    if theirs.tally.busy != ours.tally.busy {
        return NOT_ALIKE.to_owned();
    }
    format!("{:.1}", theirs.median as f64 / ours.median.max(1) as f64)
}

#[cfg(test)]
pub(super) mod tests;
