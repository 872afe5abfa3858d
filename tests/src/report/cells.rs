//! Who of ours took how long, machine by machine: the rows of the [`Summary`], with all that was measured behind
//! them.
//!
//! Beside Linux all have the figures of the table that `bench linux` shows ([`super::beside`]), whose medians are of
//! other boots. So no Linux is here, and nothing that only that table has: **a figure stands in one place.**

use reveille_smp::contender::Contender;

use super::{
    data::Cell,
    source::{Benchmark, Source, busy},
};
use crate::bench::{
    cell::REVEILLE,
    results::{Results, Run},
    stats::{
        median::Median,
        summary::{Group, Summary},
    },
};

/// As many values show how times spread as well as more do.
pub(super) const MOST_SAMPLES: usize = 500;

/// The cells of a file.
pub(super) fn cells(source: &Source) -> Vec<Cell> {
    let groups = groups(source).into_iter();
    let of_group = |group: Group| -> Vec<Cell> {
        let names = expected(&group, source).into_iter();
        let cells = names.map(|name| cell(&group, &name, &source.results));
        cells.collect()
    };
    let with_aps = groups.filter(|group| group.machine.smp.cpus() > 1);
    with_aps.flat_map(of_group).collect()
}

/// What a file lacks and none of the others has, of whose cells are `shown`.
pub(super) fn missing(source: &Source, shown: &[Cell]) -> Vec<String> {
    let mut missing = Vec::new();
    for group in groups(source) {
        let machine = group.machine.to_string();
        if group.machine.smp.cpus() == 1 {
            missing.push(format!(
                "Strategies: {machine} has one CPU, so there is nothing to bring up, and no time of it."
            ));
            continue;
        }
        let has_time = |name: &String| {
            let mut shown = shown.iter().filter(|cell| cell.median_ns.is_some());
            shown.any(|cell| cell.machine == machine && cell.contender == *name)
        };
        let mut without = expected(&group, source);
        without.retain(|name| !has_time(name));
        if !without.is_empty() {
            missing.push(format!(
                "Strategies: {machine} has no time of {}; {} tries again.",
                without.join(", "),
                source.goes_on()
            ));
        }
    }
    missing.extend(not_booted(source));
    missing
}

/// The machines of ours that a file has boots of. Where sizes are measured, a machine is one of three, and the points
/// tell of them.
fn groups(source: &Source) -> Vec<Group> {
    if source.benchmark() == Benchmark::Growth {
        return Vec::new();
    }
    let mut groups = Summary::of(&source.results).groups;
    groups.retain(|group| group.system == REVEILLE);
    groups
}

/// Who should be in a group: the strategies and yardsticks that were asked for, and those that are there.
fn expected(group: &Group, source: &Source) -> Vec<String> {
    let asked = source.results.header.strategies.iter();
    let there = group.rows.iter().map(|row| &row.contender);
    let mut expected: Vec<String> = Vec::new();
    for name in asked.chain(there) {
        if name.parse::<Contender>().is_ok() && !expected.contains(name) {
            expected.push(name.clone());
        }
    }
    expected
}

fn cell(group: &Group, contender: &str, results: &Results) -> Cell {
    let row = group.rows.iter().find(|row| row.contender == contender);
    let online = row.map(|row| row.online_ns);
    let interval = online.and_then(|median: Median| median.interval);
    let ratio = row.and_then(|row| row.of_parallel);
    let ratio_interval = ratio.and_then(|median| median.interval);
    let runs = || {
        let ok = results.ok_runs();
        ok.filter(|run| run.system == group.system && run.machine == group.machine)
    };
    let samples = runs().filter_map(|run| run.samples.get(contender));
    let samples = samples.flat_map(|it| it.headline_ns().iter().copied());
    let mut samples: Vec<u64> = samples.collect();
    samples.sort_unstable();
    Cell {
        machine: group.machine.to_string(),
        cpus: group.machine.smp.cpus(),
        contender: contender.to_owned(),
        is_yardstick: matches!(contender.parse(), Ok(Contender::Bare | Contender::Floor)),
        boots: online.map_or(0, |it| it.values as u32),
        failed: group.failed.len() as u32,
        failures: group
            .failed
            .iter()
            .map(|(run, why)| {
                let why = without_folders(why.lines().next().unwrap_or_default());
                format!("run {run}: {why}")
            })
            .collect(),
        busy: busy(runs()),
        median_ns: online.map(|it| nanoseconds(it.median)),
        low_ns: interval.map(|it| nanoseconds(it.low)),
        high_ns: interval.map(|it| nanoseconds(it.high)),
        rounds: samples.len() as u32,
        five_ns: five(&samples),
        samples_ns: thinned(samples),
        ratio: ratio.map(|it| it.median),
        ratio_low: ratio_interval.map(|it| it.low),
        ratio_high: ratio_interval.map(|it| it.high),
        level: [interval, ratio_interval]
            .into_iter()
            .flatten()
            .map(|it| it.level)
            .min_by(f64::total_cmp),
    }
}

/// A reason without the folders that it names, which are nobody's business: of a file its name is left.
fn without_folders(why: &str) -> String {
    let ends_name = |letter: char| letter.is_whitespace() || "'\"`,;:()[]<>=".contains(letter);
    let mut told = String::new();
    for word in why.split_inclusive(ends_name) {
        match word.rsplit_once('/') {
            Some((folders, name)) if folders.starts_with('/') || folders.starts_with('~') => {
                told += "…/";
                told += name;
            }
            _ => told += word,
        }
    }
    told
}

/// What the plan has and nobody has booted, in a sentence.
fn not_booted(source: &Source) -> Option<String> {
    let Results { header, runs, .. } = &source.results;
    // A part of a plan has the rest elsewhere.
    if header.shard.is_some() {
        return None;
    }
    // What stands in for a number that nobody told is none that was asked for.
    let asked = source.told("runs", header.runs)?;
    let machines = header.plan.len().checked_mul(header.systems.len())?;
    let all = u64::from(asked).checked_mul(machines as u64)?;
    // By the boots that are there: the header may ask for more than anybody can count.
    let is_of_plan = |run: &&Run| {
        let is_asked = (1..=asked).contains(&run.run) && header.systems.contains(&run.system);
        is_asked && header.plan.contains(&run.machine)
    };
    let left = all.saturating_sub(runs.iter().filter(is_of_plan).count() as u64);
    (left > 0).then(|| {
        format!(
            "{}: {left} of {all} boots were not made; {} makes them.",
            source.name,
            source.goes_on()
        )
    })
}

/// As all times of a report are.
pub(super) fn nanoseconds(value: f64) -> u64 {
    value.round() as u64
}

/// The shortest, the quartiles and the longest of rounds in their order: each is one that was measured, as the median
/// of a boot's rounds is; of boots that of an even number is the mean of two.
fn five(sorted: &[u64]) -> Option<[u64; 5]> {
    let last = sorted.len().checked_sub(1)?;
    Some([0, 1, 2, 3, 4].map(|quarters| sorted[last * quarters / 4]))
}

/// Of very many values in their order, quantiles at equal distances.
fn thinned(sorted: Vec<u64>) -> Vec<u64> {
    let count = sorted.len();
    if count <= MOST_SAMPLES {
        return sorted;
    }
    let last = MOST_SAMPLES - 1;
    (0..=last)
        .map(|it| sorted[it * (count - 1) / last])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{folder_of, lines},
        *,
    };
    use crate::{bench::stats::median::percent, kernel::workspace};

    fn of(text: &str) -> (Vec<Cell>, Vec<String>) {
        let folder = folder_of(text);
        let source = Source::read(&folder.path().join("boots")).expect("something is in it");
        let cells = cells(&source);
        let missing = missing(&source, &cells);
        (cells, missing)
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
            let ratio = row.of_parallel.and_then(|it| it.interval);
            assert_eq!(cell.ratio_low, ratio.map(|it| it.low));
            assert_eq!(cell.ratio_high, ratio.map(|it| it.high));
            // Of two boots the interval is from one to the other.
            assert_eq!(cell.level.map(percent), Some(50));
            assert_eq!((cell.samples_ns.len(), cell.rounds), (6, 6));
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
    fn what_a_header_asks_for_is_reckoned_and_not_counted() {
        let text = lines().concat();
        let (_, missing) = of(&text.replace(r#""runs":2"#, r#""runs":4294967295"#));
        let told = "boots: 8589934586 of 8589934590 boots were not made; ";
        assert!(missing[0].starts_with(told), "{missing:?}");
        // Nobody has asked for what stands in for a number.
        let headless = lines()[1..].concat();
        let last = headless.replacen(r#""run":2"#, r#""run":4294967295"#, 1);
        let (cells, missing) = of(&last);
        assert_eq!((cells.len(), missing), (4, vec![]));
    }

    #[test]
    fn no_linux_and_no_cold_boot_stands_among_strategies() {
        let path = workspace().join("docs/results/linux.jsonl");
        let source = Source::read(&path).expect("it is committed");
        let cells = cells(&source);
        assert!(!cells.is_empty());
        for cell in &cells {
            assert!(cell.contender.parse::<Contender>().is_ok(), "{cell:?}");
        }
        let group = &Summary::of(&source.results).groups[0];
        assert_eq!(group.system, REVEILLE);
        let ours = cells.iter().find(|it| it.contender == "parallel");
        let row = group.rows.iter().find(|row| row.contender == "parallel");
        let median = row.map(|row| nanoseconds(row.online_ns.median));
        assert_eq!(ours.and_then(|it| it.median_ns), median);
    }

    #[test]
    fn of_a_file_that_a_reason_names_its_name_is_left() {
        for (why, told) in [
            (
                "cannot open /home/me/reveille/target/slot-0: Permission denied (os error 13)",
                "cannot open …/slot-0: Permission denied (os error 13)",
            ),
            (
                "qemu: -drive file='/home/me/a.img',if=none: no such file",
                "qemu: -drive file='…/a.img',if=none: no such file",
            ),
            (
                "cannot make the folder /tmp/x/",
                "cannot make the folder …/",
            ),
            (
                "panicked at kernel/src/main.rs:3:4",
                "panicked at kernel/src/main.rs:3:4",
            ),
            (
                "no end after 5 s, 1/2 of all I/O",
                "no end after 5 s, 1/2 of all I/O",
            ),
        ] {
            assert_eq!(without_folders(why), told);
        }
    }

    #[test]
    fn very_many_samples_become_quantiles_with_the_first_and_the_last() {
        let few: Vec<u64> = (0..500).collect();
        assert_eq!(thinned(few.clone()), few);
        let many = thinned((0..10_001).collect());
        assert_eq!((many.len(), many[0], many[499]), (500, 0, 10_000));
        assert!(many.is_sorted());
    }

    #[test]
    fn rounds_and_quartiles_are_those_of_all_that_was_measured_however_few_are_drawn() {
        let rounds = (1..=401).map(|it| it.to_string()).collect::<Vec<_>>();
        let text = lines().concat();
        let text = text.replace("[5,6,7]", &format!("[{}]", rounds.join(",")));
        let (cells, _) = of(&text);
        let cell = &cells[0];
        assert_eq!((cell.contender.as_str(), cell.rounds), ("parallel", 802));
        assert_eq!(cell.samples_ns.len(), MOST_SAMPLES);
        // Of two boots with the same rounds.
        assert_eq!(cell.five_ns, Some([1, 101, 201, 301, 401]));
    }

    #[test]
    fn the_five_are_values_that_were_measured() {
        assert_eq!(five(&[]), None);
        assert_eq!(five(&[7]), Some([7; 5]));
        assert_eq!(five(&[1, 2, 3, 4, 5]), Some([1, 2, 3, 4, 5]));
        assert_eq!(five(&[1, 2, 3, 4]), Some([1, 1, 2, 3, 4]));
    }
}
