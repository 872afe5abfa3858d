//! Who took how long, machine by machine: the rows of the [`Summary`], with all that was measured behind them.

use reveille_smp::contender::Contender;

use super::{
    data::Cell,
    source::{Benchmark, Source},
};
use crate::bench::{
    cell::{Machine, REVEILLE},
    linux::{
        plan::{Subject, View},
        samples,
    },
    results::Results,
    stats::{
        median::Median,
        summary::{Group, Summary},
    },
};

/// As many values show how times spread as well as more do.
const MOST_SAMPLES: usize = 500;

/// The cells of a file, and what it lacks.
pub(super) fn cells(source: &Source) -> (Vec<Cell>, Vec<String>) {
    // Where sizes are measured, a machine is one of three, and the points tell of them.
    if source.benchmark() == Benchmark::Growth {
        return (Vec::new(), not_booted(source).into_iter().collect());
    }
    let (mut cells, mut missing) = (Vec::new(), Vec::new());
    let groups = Summary::of(&source.results).groups;
    for group in groups.iter().filter(|group| is_plain(group)) {
        if group.machine.smp.cpus() == 1 {
            missing.push(format!(
                "Strategies: {} has one CPU, so there is nothing to bring up, and no time of it.",
                group.machine
            ));
            continue;
        }
        let expected = expected(group, source);
        let of_group: Vec<Cell> = expected
            .iter()
            .map(|name| cell(group, name, &source.results))
            .collect();
        let without = of_group.iter().filter(|it| it.median_ns.is_none());
        let without: Vec<_> = without.map(|it| it.contender.as_str()).collect();
        if !without.is_empty() {
            missing.push(format!(
                "Strategies: {} has no time of {}; {} tries again.",
                named(&group.system, &group.machine),
                without.join(", "),
                source.goes_on()
            ));
        }
        cells.extend(of_group);
    }
    missing.extend(not_booted(source));
    (cells, missing)
}

/// Whether these boots were made without a trace, which would be in their times.
fn is_plain(group: &Group) -> bool {
    let subject = Subject::named(&group.system);
    subject.is_none_or(|it| it.view == View::Plain)
}

/// Who should be in a group: who was asked for, and who is there.
fn expected(group: &Group, source: &Source) -> Vec<String> {
    let is_ours = group.system == REVEILLE;
    let asked: Vec<&str> = match (is_ours, source.benchmark()) {
        (false, _) => vec![samples::BRING_UP],
        (true, Benchmark::Linux) => vec![samples::COLD],
        (true, _) => Vec::new(),
    };
    let strategies = source.results.header.strategies.iter();
    let ours = strategies.filter(|_| is_ours).map(String::as_str);
    let there = group.rows.iter().map(|row| row.contender.as_str());
    let mut expected: Vec<String> = Vec::new();
    for name in ours.chain(asked).chain(there) {
        let is_time_to_all_online =
            [samples::BRING_UP, samples::COLD].contains(&name) || name.parse::<Contender>().is_ok();
        if is_time_to_all_online && !expected.iter().any(|it| it == name) {
            expected.push(name.to_owned());
        }
    }
    expected
}

fn cell(group: &Group, contender: &str, results: &Results) -> Cell {
    let row = group.rows.iter().find(|row| row.contender == contender);
    let online = row.map(|row| row.online_ns);
    let interval = online.and_then(|median: Median| median.interval);
    let is_of =
        |system: &str, machine: &Machine| *system == group.system && *machine == group.machine;
    let runs = results
        .ok_runs()
        .filter(|run| is_of(&run.system, &run.machine));
    let samples = runs.filter_map(|run| run.samples.get(contender));
    Cell {
        machine: group.machine.to_string(),
        cpus: group.machine.smp.cpus(),
        system: group.system.clone(),
        contender: contender.to_owned(),
        is_yardstick: matches!(contender.parse(), Ok(Contender::Bare | Contender::Floor)),
        boots: online.map_or(0, |it| it.values as u32),
        failed: group.failed.len() as u32,
        failures: group
            .failed
            .iter()
            .map(|(run, why)| format!("run {run}: {}", why.lines().next().unwrap_or_default()))
            .collect(),
        busy: group.busy as u32,
        median_ns: online.map(|it| nanoseconds(it.median)),
        low_ns: interval.map(|it| nanoseconds(it.low)),
        high_ns: interval.map(|it| nanoseconds(it.high)),
        samples_ns: thinned(
            samples
                .flat_map(|it| it.headline_ns().iter().copied())
                .collect(),
        ),
        ratio: row.and_then(|row| row.of_parallel).map(|it| it.median),
    }
}

/// What the plan has and nobody has booted, in a sentence.
fn not_booted(source: &Source) -> Option<String> {
    let results = &source.results;
    let keys = || results.header.keys();
    let all = keys().count();
    let left = keys().filter(|key| results.find(*key).is_none());
    // A part of a plan has the rest elsewhere.
    let left = match results.header.shard {
        Some(_) => return None,
        None => left.count(),
    };
    (left > 0).then(|| {
        format!(
            "{}: {left} of {all} boots were not made; {} makes them.",
            source.name,
            source.goes_on()
        )
    })
}

/// What people tell a system on a machine by.
fn named(system: &str, machine: &Machine) -> String {
    match system {
        REVEILLE => machine.to_string(),
        other => format!("{other} on {machine}"),
    }
}

/// As all times of a report are.
pub(super) fn nanoseconds(value: f64) -> u64 {
    value.round() as u64
}

/// Values in their order; of very many, quantiles at equal distances.
fn thinned(mut values: Vec<u64>) -> Vec<u64> {
    values.sort_unstable();
    let count = values.len();
    if count <= MOST_SAMPLES {
        return values;
    }
    let last = MOST_SAMPLES - 1;
    (0..=last)
        .map(|it| values[it * (count - 1) / last])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{folder_of, lines},
        *,
    };

    fn of(text: &str) -> (Vec<Cell>, Vec<String>) {
        let folder = folder_of(text);
        cells(&Source::read(&folder.path().join("boots")).expect("something is in it"))
    }

    #[test]
    fn each_figure_is_that_of_the_summary() {
        let text = lines().concat();
        let (cells, missing) = of(&text);
        let results = Results::parse(text.as_bytes()).expect("they are whole");
        let summary = Summary::of(&results);
        let rows = summary.groups.iter().flat_map(|group| &group.rows);
        assert!(rows.clone().count() == 4 && cells.len() == 4, "{cells:?}");
        for (cell, row) in cells.iter().zip(rows) {
            assert_eq!(cell.contender, row.contender);
            assert_eq!(cell.median_ns, Some(nanoseconds(row.online_ns.median)));
            assert_eq!(cell.ratio, row.of_parallel.map(|it| it.median));
            assert_eq!(cell.samples_ns.len(), 6);
            assert_eq!(
                (cell.boots, cell.is_yardstick),
                (2, cell.contender == "bare")
            );
        }
        assert_eq!(missing, [""; 0]);
    }

    #[test]
    fn a_machine_whose_boots_failed_has_cells_without_times_and_says_why() {
        let lines = lines();
        let failed = |line: &String| match line.contains(r#""smp":"8""#) {
            true => line.replace(r#""outcome":"ok""#, r#""outcome":{"failed":"hung\nat 3"}"#),
            false => line.clone(),
        };
        let text: String = lines[..1]
            .iter()
            .cloned()
            .chain(lines[1..].iter().map(failed))
            .collect();
        let (cells, missing) = of(&text);
        let eight: Vec<_> = cells.iter().filter(|it| it.cpus == 8).collect();
        assert_eq!(eight.len(), 2);
        for cell in eight {
            assert_eq!((cell.median_ns, cell.boots, cell.failed), (None, 0, 2));
            assert_eq!(cell.failures, ["run 1: hung", "run 2: hung"]);
            assert!(cell.samples_ns.is_empty());
        }
        let told = "Strategies: q35 tcg 8 has no time of parallel, bare; `cargo xtask bench";
        assert!(missing[0].starts_with(told), "{missing:?}");
    }

    #[test]
    fn one_cpu_and_boots_that_were_not_made_are_told() {
        let text = lines().concat().replace(r#""smp":"8""#, r#""smp":"1""#);
        let (cells, missing) = of(&text);
        assert!(cells.iter().all(|it| it.cpus == 2));
        assert!(missing[0].contains("q35 tcg 1 has one CPU"), "{missing:?}");
        let (_, missing) = of(&lines()[..3].concat());
        let told = "boots: 2 of 4 boots were not made; `cargo xtask bench --smp 2,8 --runs 2 \
                    --resume --out DIR` makes them.";
        assert_eq!(missing, [told]);
    }

    #[test]
    fn very_many_samples_become_quantiles_with_the_first_and_the_last() {
        let few: Vec<u64> = (0..500).rev().collect();
        assert_eq!(thinned(few), (0..500).collect::<Vec<_>>());
        let many = thinned((0..10_001).rev().collect());
        assert_eq!((many.len(), many[0], many[499]), (500, 0, 10_000));
        assert!(many.is_sorted());
    }
}
