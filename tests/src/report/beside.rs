//! Ours beside Linux, by the figures of the table that `bench linux` shows.

use reveille_smp::strategy::Strategy;

use super::{
    data::{Linux, LinuxRow},
    source::{Benchmark, Source},
};
use crate::bench::{
    cell::{Machine, REVEILLE},
    linux::{
        figures::{Figures, Tally, online},
        plan::{Subject, View},
        samples,
    },
    results::Run,
};

/// The rows of a file; `None` where no Linux was measured.
pub(super) fn linux(source: &Source) -> Option<Linux> {
    if source.benchmark() != Benchmark::Linux {
        return None;
    }
    let header = &source.results.header;
    let plain = header.systems.iter().filter(|name| {
        let subject = Subject::named(name);
        subject.is_some_and(|it| it.view == View::Plain && it.linux.is_some())
    });
    let systems: Vec<&String> = plain.collect();
    let mut rows = Vec::new();
    for machine in &header.plan {
        let row = |system, sample| row(&source.results.runs, machine, system, sample);
        rows.push(row(REVEILLE, samples::COLD));
        rows.push(row(REVEILLE, Strategy::Parallel.into()));
        rows.extend(systems.iter().map(|system| row(system, samples::BRING_UP)));
    }
    Some(Linux { rows })
}

/// What a file lacks and none of the others has, of whose rows are `shown`.
pub(super) fn missing(source: &Source, shown: &[LinuxRow]) -> Vec<String> {
    let rows = linux(source).unwrap_or_default().rows;
    let is_known = |row: &LinuxRow| {
        let mut known = shown.iter().filter(|other| other.median_ns.is_some());
        known.any(|other| other.is_same(row))
    };
    let without = rows.iter().filter(|row| !is_known(row));
    let missing = without.map(|row| {
        let LinuxRow { system, machine, boots, failed, .. } = row;
        format!(
            "Linux: {system} on {machine} has no median: {failed} of {} boots were late, broke or were not \
             tried; {} tries again what broke.",
            boots + failed,
            source.goes_on()
        )
    });
    missing.collect()
}

impl LinuxRow {
    /// Whether it is of the same, whoever measured it.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let key = |row: &Self| (row.machine.clone(), row.system.clone(), row.is_cold);
        key(self) == key(other)
    }
}

fn row(runs: &[Run], machine: &Machine, system: &str, sample: &'static str) -> LinuxRow {
    let of_it = || {
        let runs = runs.iter();
        runs.filter(|run| run.machine == *machine && run.system == system)
    };
    let figures = Figures::of(of_it(), online(sample));
    let tally = Tally::of(of_it(), online(sample));
    LinuxRow {
        machine: machine.to_string(),
        cpus: machine.smp.cpus(),
        system: system.to_owned(),
        is_cold: sample != <&str>::from(Strategy::Parallel),
        boots: tally.boots as u32,
        busy: tally.busy,
        left_out: tally.left_out as u32,
        failed: (tally.late + tally.failed + tally.not_tried) as u32,
        median_ns: figures.as_ref().map(|it| it.median),
        low_ns: figures.as_ref().map(|it| it.min),
        high_ns: figures.as_ref().and_then(|it| it.max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::workspace;

    #[test]
    fn each_system_of_the_committed_results_stands_on_each_machine_with_the_figures_of_the_table() {
        let path = workspace().join("docs/results/linux.jsonl");
        let source = Source::read(&path).expect("it is committed");
        let linux = linux(&source).expect("it is of Linux");
        let header = &source.results.header;
        assert_eq!(
            linux.rows.len(),
            header.plan.len() * (header.systems.len() + 1)
        );
        let machine = &header.plan[1];
        let is_of = |run: &&Run| run.machine == *machine && run.system == header.systems[1];
        let figures = Figures::of(
            source.results.runs.iter().filter(is_of),
            online(samples::BRING_UP),
        );
        let row = linux
            .rows
            .iter()
            .find(|row| row.machine == machine.to_string() && row.system == header.systems[1]);
        let (row, figures) = (row.expect("it is there"), figures.expect("it was up"));
        assert_eq!(
            (row.median_ns, row.low_ns),
            (Some(figures.median), Some(figures.min))
        );
        assert!(row.is_cold);
    }

    #[test]
    fn a_row_says_which_boots_were_on_a_busy_host_as_the_table_of_the_terminal_does() {
        let path = workspace().join("docs/results/linux.jsonl");
        let mut source = Source::read(&path).expect("it is committed");
        let machine = source.results.header.plan[0].clone();
        let of = |source: &Source| {
            let rows = linux(source).expect("it is of Linux").rows;
            let is_it = |row: &&LinuxRow| row.machine == machine.to_string() && row.is_cold;
            let row = rows.iter().find(is_it).expect("ours is there");
            (row.boots, row.busy, row.left_out)
        };
        let mut ours = source.results.runs.iter_mut();
        let mut set = |busy: bool| {
            let is_ours = |run: &&mut Run| run.machine == machine && run.system == REVEILLE;
            ours.by_ref()
                .filter(is_ours)
                .take(1)
                .for_each(|run| run.load.busy = busy);
        };
        [false, true, true].into_iter().for_each(&mut set);
        assert_eq!(of(&source), (1, false, 2));
        for run in &mut source.results.runs {
            run.load.busy = true;
        }
        assert_eq!(of(&source), (3, true, 0));
    }
}
