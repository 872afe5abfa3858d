//! Ours beside Linux, machine by machine.

use std::{cmp::Reverse, collections::BTreeSet};

use maud::{Markup, html};
use serde::Serialize;

use super::{
    figure::{Chart, Choice},
    table::{Cell, Column, Row, Table},
    words::{count, interval, millis},
};
use crate::{
    bench::cell::REVEILLE,
    looks::Look,
    report::data::{LinuxRow, Report},
};

/// What is drawn: systems side by side on each machine.
#[derive(Serialize)]
pub(super) struct Beside {
    machines: Vec<String>,
    /// What the axis calls them: by their CPUs, unless several have as many.
    labels: Vec<String>,
    systems: Vec<System>,
}

/// A system, cold or warm.
#[derive(Serialize)]
struct System {
    name: String,
    look: Look,
    /// For each machine, as [`Beside`] has them, the median and its ends in nanoseconds.
    dots: Vec<Option<Dot>>,
}

/// A median, and from where to where the times reach.
#[derive(Clone, Serialize)]
struct Dot {
    median_ns: u64,
    low_ns: Option<u64>,
    high_ns: Option<u64>,
}

const COLUMNS: &[Column] = &[
    Column::Words("machine"),
    Column::Figures("CPUs"),
    Column::Words("system"),
    Column::Words("kind"),
    Column::Figures("median, ms"),
    Column::Figures("from–to, ms"),
    Column::Figures("boots"),
    Column::Words("host"),
    Column::Figures("left out"),
    Column::Figures("failed"),
];

impl Beside {
    /// What there is to draw; `None` without a single median.
    pub(super) fn of(report: &Report) -> Option<Self> {
        let rows = &report.linux.as_ref()?.rows;
        let mut machines: Vec<&str> = Vec::new();
        let mut systems: Vec<System> = Vec::new();
        for row in rows {
            if !machines.contains(&row.machine.as_str()) {
                machines.push(&row.machine);
            }
            let name = name(row);
            if !systems.iter().any(|system| system.name == name) {
                let place = systems.len();
                systems.push(System {
                    look: Look::nth(place),
                    name,
                    dots: Vec::new(),
                });
            }
        }
        for system in &mut systems {
            let dot = |machine: &&str| {
                let row = rows
                    .iter()
                    .find(|it| it.machine == *machine && name(it) == system.name)?;
                Some(Dot {
                    median_ns: row.median_ns?,
                    low_ns: row.low_ns,
                    high_ns: row.high_ns,
                })
            };
            system.dots = machines.iter().map(dot).collect();
        }
        systems.retain(|system| system.dots.iter().any(Option::is_some));
        (!systems.is_empty()).then(|| Self {
            labels: labels(&machines, rows),
            machines: machines.into_iter().map(str::to_owned).collect(),
            systems,
        })
    }
}

fn labels(machines: &[&str], rows: &[LinuxRow]) -> Vec<String> {
    let cpus = |machine: &&str| {
        let row = rows.iter().find(|row| row.machine == *machine);
        row.map_or(0, |row| row.cpus)
    };
    let sizes: BTreeSet<u32> = machines.iter().map(cpus).collect();
    let label = |machine: &&str| match sizes.len() == machines.len() {
        true => count(cpus(machine) as usize, "CPU"),
        false => (*machine).to_owned(),
    };
    machines.iter().map(label).collect()
}

/// The section.
pub(super) fn section(report: &Report, beside: Option<&Beside>) -> Markup {
    let rows = report.linux.as_ref().map_or(&[][..], |linux| &linux.rows);
    let table = (!rows.is_empty()).then(|| Table {
        caption: "Time until all CPUs are online, ours and Linux's".to_owned(),
        columns: COLUMNS,
        rows: rows.iter().map(row).collect(),
    });
    html! {
        section #linux aria-labelledby="linux-head" {
            h2 #linux-head { "Beside Linux" }
            @match (table, beside) {
                (Some(table), Some(_)) => (Chart {
                    name: "linux",
                    choose: "",
                    choices: vec![Choice {
                        name: String::new(),
                        cpus: 0,
                        says: says(rows),
                        figures: html! { (table) },
                    }],
                    reading: html! {
                        "Bars reach from the shortest to the longest boot; the axis is logarithmic. Linux brings its
                        CPUs up once in a boot, so its times are cold, and only ours that are cold as well are like
                        with like. Nor is it the same work. Boots on a busy host are left out where there are others."
                    },
                    buttons: &[],
                }),
                (Some(table), None) => {
                    p.missing { "No boot of these gave a time." }
                    (table)
                },
                (None, _) => p.missing {
                    "Linux was not measured beside ours; " code { "cargo xtask bench linux" } " measures it."
                },
            }
        }
    }
}

/// Whom a row is about: warm and cold are two.
fn name(row: &LinuxRow) -> String {
    format!("{}, {}", system(row), kind(row))
}

fn system(row: &LinuxRow) -> &str {
    match row.system.as_str() {
        REVEILLE => "ours",
        other => other,
    }
}

fn kind(row: &LinuxRow) -> &'static str {
    if row.is_cold { "cold" } else { "warm" }
}

fn row(row: &LinuxRow) -> Row {
    let ends = row.low_ns.zip(row.high_ns);
    Row {
        machine: Some(row.machine.clone()),
        contender: Some(name(row)),
        cells: vec![
            Cell::name(&row.machine),
            Cell::number(row.cpus),
            Cell::words(&row.system),
            Cell::words(kind(row)),
            Cell::millis(row.median_ns),
            Cell::of(row.low_ns, |low| match ends {
                Some(_) => interval(ends),
                None => format!("{}, and no end", millis(low)),
            }),
            Cell::number(row.boots),
            Cell::words(if row.busy { "busy" } else { "" }),
            Cell::number(row.left_out),
            Cell::number(row.failed),
        ],
    }
}

/// All that was measured cold on the largest machine that has a time of ours, one after the other.
fn says(rows: &[LinuxRow]) -> String {
    let cold = || {
        rows.iter()
            .filter(|row| row.is_cold && row.median_ns.is_some())
    };
    let Some(largest) =
        cold().max_by_key(|row| (row.cpus, row.system == REVEILLE, Reverse(&row.machine)))
    else {
        return "No system has a cold time.".to_owned();
    };
    let there = cold().filter(|row| row.machine == largest.machine);
    let times: Vec<_> = there
        .clone()
        .map(|row| {
            format!(
                "{} {} ms{}",
                system(row),
                millis(row.median_ns.unwrap_or_default()),
                if row.busy { " on a busy host" } else { "" }
            )
        })
        .collect();
    let says = format!("{} CPUs, cold: {}.", largest.cpus, times.join("; "));
    let busy = there.clone().filter(|row| row.busy).count();
    match busy > 0 && busy < times.len() {
        true => says + " Times of a busy host and of a quiet one are not alike.",
        false => says,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::page::{html::elements, sample};

    #[test]
    fn times_of_a_busy_host_are_said_to_be_not_alike_with_those_of_a_quiet_one() {
        let report = sample::report();
        let mut rows = report.linux.clone().expect("it is there").rows;
        assert!(!says(&rows).contains("busy"), "{}", says(&rows));
        rows[0].busy = true;
        let told = says(&rows);
        assert!(told.contains("ours 42.5 ms on a busy host; "), "{told}");
        assert!(told.ends_with("are not alike."), "{told}");
        rows.iter_mut().for_each(|row| row.busy = true);
        let told = says(&rows);
        assert!(!told.contains("not alike"), "{told}");
    }

    #[test]
    fn the_table_says_of_each_row_how_busy_its_host_was() {
        let mut report = sample::report();
        let rows = &mut report.linux.as_mut().expect("it is there").rows;
        (rows[0].busy, rows[1].left_out) = (true, 2);
        let page = section(&report, Beside::of(&report).as_ref()).into_string();
        let rows = elements(&page).into_iter().filter(|it| it.name == "tr");
        let rows: Vec<_> = rows.skip(1).map(|row| row.text).collect();
        assert!(rows[0].contains("3busy00"), "{rows:?}");
        assert!(rows[1].contains("320"), "{rows:?}");
    }
}
