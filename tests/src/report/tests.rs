//! Reports of what benchmarks leave, whole and not.

use std::fs;

use tempfile::TempDir;

use super::{charts::tests::kept, data::Cell, *};
use crate::{
    bench::results::{
        self, Line, Outcome,
        tests::{header, run},
    },
    bootchart::gap::Gap,
    kernel::workspace,
};

/// The lines of a file of results: two boots each of 2 and of 8 CPUs.
pub(super) fn lines() -> Vec<String> {
    let header = header();
    let boots = header
        .keys()
        .map(|key| run(key.machine.smp.cpus(), key.run));
    let lines = [Line::Bench(header.clone())]
        .into_iter()
        .chain(boots.map(Line::Run));
    let text = |line: Line| serde_json::to_string(&line).expect("it is data") + "\n";
    lines.map(text).collect()
}

/// A folder with a folder `boots` of such results in it.
pub(super) fn folder_of(text: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("there is room");
    let boots = folder.path().join("boots");
    fs::create_dir(&boots).expect("it is new");
    fs::write(boots.join(results::FILE), text).expect("there is room");
    folder
}

fn report(text: &str) -> Report {
    let folder = folder_of(text);
    Report::of(&[folder.path().join("boots")]).expect("something is in it")
}

fn says(report: &Report, words: &str) -> bool {
    report.missing.iter().any(|it| it.contains(words))
}

#[test]
fn the_committed_results_give_a_report_with_all_parts_but_those_that_were_not_kept() {
    let names = ["strategies", "linux", "growth", "skylake-112"];
    let paths = names.map(|name| workspace().join(format!("docs/results/{name}.jsonl")));
    let report = Report::of(&paths).expect("they are whole");
    assert_eq!(report.origins.len(), 4);
    assert_eq!(report.origins[0].file, "strategies.jsonl");
    assert!(report.cells.len() > 28 && report.growth.len() > 40);
    assert!(report.linux.is_some());
    let cpus = report.cells.iter().map(|it| it.cpus);
    assert_eq!(cpus.max(), Some(255));
    // What several files have of one machine is there once.
    let key = |cell: &Cell| format!("{} {}", cell.machine, cell.contender);
    let mut keys: Vec<_> = report.cells.iter().map(key).collect();
    keys.sort_unstable();
    let all = keys.len();
    keys.dedup();
    assert_eq!(keys.len(), all);
    assert!(says(&report, "several times"), "{:?}", report.missing);
}

#[test]
fn what_is_not_there_is_said_with_the_command_that_makes_it() {
    let report = report(&lines().concat());
    assert_eq!((report.cells.len(), report.boots.len()), (4, 0));
    for words in [
        "`cargo xtask bench growth` does that",
        "`cargo xtask bench linux` does that",
        "no boot to look at was kept of q35 tcg 2, q35 tcg 8; `cargo xtask bench --smp 2,8 --runs 2 --resume",
        "Calls: no calls",
    ] {
        assert!(says(&report, words), "{words}: {:?}", report.missing);
    }
}

#[test]
fn no_path_of_the_machine_that_makes_it_is_in_a_report() {
    let folder = tempfile::tempdir().expect("there is room");
    let place = folder.path().to_string_lossy();
    let why = Outcome::Failed(format!("cannot open {place}/slots/gate: no room"));
    let why = serde_json::to_string(&why).expect("it is data");
    let boots = folder.path().join("boots");
    fs::create_dir(&boots).expect("it is new");
    let text = lines().concat().replacen("\"ok\"", &why, 1);
    fs::write(boots.join(results::FILE), text).expect("there is room");
    let report = Report::of(&[boots]).expect("it is whole");
    let text = serde_json::to_string(&report).expect("it is data");
    assert!(!text.contains(&*place), "{text}");
    assert!(
        text.contains("run 1: cannot open …/gate: no room"),
        "{text}"
    );
}

#[test]
fn boots_to_look_at_are_those_beside_the_results() {
    let folder = folder_of(&lines().concat());
    let boots = folder.path().join("boots");
    let mut charts = Charts::beside(&boots);
    charts.add(kept(8));
    charts.write().expect("there is room");
    let report = Report::of(&[&boots, &boots]).expect("it is whole");
    assert_eq!(report.boots.len(), 1);
    assert_eq!(report.boots[0].chart, kept(8).chart);
    assert_eq!(
        (report.heat.len(), report.heat[0].cpus.as_slice()),
        (1, &[0, 1][..])
    );
    assert!(says(&report, "kept of q35 tcg 2;"), "{:?}", report.missing);
    let text = fs::read_to_string(charts.path()).expect("it is there");
    fs::write(charts.path(), &text[..100]).expect("it is ours");
    let report = Report::of(&[&boots]).expect("the results are whole");
    assert!(says(&report, "charts.jsonl has a line that is cut off"));
}

#[test]
fn what_no_benchmark_would_replace_is_said_to_be_in_its_way() {
    let folder = folder_of(&lines().concat());
    let boots = folder.path().join("boots");
    for theirs in ["no JSON\n", "{\"record\":\"chart\",\"schema\":9}\n"] {
        fs::write(Charts::beside(&boots).path(), theirs).expect("there is room");
        let report = Report::of(&[&boots]).expect("it is whole");
        let told =
            "; once charts.jsonl is moved away, `cargo xtask bench --smp 2,8 --runs 2 --resume";
        assert!(says(&report, told), "{:?}", report.missing);
    }
}

#[test]
fn what_a_ring_was_too_small_for_is_told_with_a_command_that_has_such_an_option() {
    let folder = folder_of(&lines().concat());
    let boots = folder.path().join("boots");
    let mut charts = Charts::beside(&boots);
    let mut kept = kept(8);
    kept.chart.gaps = vec![Gap::BspOverwritten];
    charts.add(kept);
    charts.write().expect("there is room");
    let report = Report::of(&[&boots]).expect("it is whole");
    let told = "trace=N keeps more, with `cargo xtask timeline --append trace=N`.";
    assert!(says(&report, told), "{:?}", report.missing);
}

#[test]
fn machines_with_too_many_pairs_are_said_to_have_them() {
    let folder = folder_of(&lines().concat());
    let boots = folder.path().join("boots");
    let mut charts = Charts::beside(&boots);
    for cpus in [8, 255] {
        charts.add(charts::Kept {
            ipi: None,
            ..kept(cpus)
        });
    }
    charts.write().expect("there is room");
    let report = Report::of(&[&boots]).expect("it is whole");
    let told =
        "Calls: none were measured on q35 tcg 8; `cargo xtask bench --smp 2,8 --runs 2 --resume";
    assert!(says(&report, told), "{:?}", report.missing);
    assert!(says(&report, "too many to be measured on q35 tcg 255;"));
}

#[test]
fn a_single_strategy_and_boots_that_all_failed_are_drawn_with_what_there_is() {
    let single = lines()
        .concat()
        .replace(r#","bare":{"online_ns":[4,5,6]}"#, "");
    let single = single.replace(r#""bare":{"online_ns":[4,5,6]},"#, "");
    let report_of_one = report(&single.replace(r#"["parallel","bare"]"#, r#"["parallel"]"#));
    assert_eq!(report_of_one.cells.len(), 2);
    assert!(report_of_one.cells.iter().all(|it| it.ratio.is_none()));
    assert!(!says(&report_of_one, "has no time"));
    let failed = serde_json::to_string(&Outcome::Failed("hung".to_owned())).expect("it is data");
    let all_failed = report(&lines().concat().replace(r#""ok""#, &failed));
    assert_eq!(all_failed.cells.len(), 4);
    assert!(
        all_failed
            .cells
            .iter()
            .all(|it| it.median_ns.is_none() && it.failed == 2)
    );
    assert_eq!(all_failed.origins[0].boots_failed, 4);
}

#[test]
fn what_several_files_have_of_one_size_or_one_machine_is_there_once_and_told() {
    for (name, part) in [
        ("growth", "Growth: q35 tcg 1, q35 tcg 2"),
        ("linux", "Linux: q35 tcg 2"),
    ] {
        let path = workspace().join(format!("docs/results/{name}.jsonl"));
        let once = Report::of(&[&path]).expect("it is whole");
        let twice = Report::of(&[&path, &path]).expect("it is whole");
        assert_eq!((&twice.growth, &twice.linux), (&once.growth, &once.linux));
        assert!(says(&twice, part), "{:?}", twice.missing);
        assert!(!says(&once, "several times"));
    }
}

/// Two folders of results, the first of which has nothing to show of 8 CPUs.
fn two_folders() -> [TempDir; 2] {
    let lines = lines();
    let failed = serde_json::to_string(&Outcome::Failed("hung".to_owned())).expect("it is data");
    let without = |line: &String| match line.contains(r#""smp":"8""#) && line.contains("\"ok\"") {
        true => line.replace(r#""ok""#, &failed),
        false => line.clone(),
    };
    let without: String = lines.iter().map(without).collect();
    [folder_of(&without), folder_of(&lines.concat())]
}

#[test]
fn what_one_file_has_no_figure_of_is_shown_as_another_has_it() {
    let folders = two_folders();
    let paths = folders.each_ref().map(|it| it.path().join("boots"));
    let alone = Report::of(&paths[..1]).expect("it is whole");
    assert!(says(&alone, "q35 tcg 8 has no time of parallel, bare;"));
    for paths in [&paths, &[paths[1].clone(), paths[0].clone()]] {
        let joined = Report::of(paths).expect("both are whole");
        assert_eq!(joined.cells.len(), 4);
        assert!(joined.cells.iter().all(|it| it.median_ns.is_some()));
        assert!(!says(&joined, "has no time"), "{:?}", joined.missing);
        let twice = "Strategies: q35 tcg 2, q35 tcg 8 were measured several times";
        assert!(says(&joined, twice), "{:?}", joined.missing);
    }
}

#[test]
fn what_one_file_has_no_boot_or_no_calls_of_is_shown_as_another_has_it() {
    let folders = two_folders();
    let paths = folders.each_ref().map(|it| it.path().join("boots"));
    let silent = charts::Kept {
        ipi: None,
        ..kept(8)
    };
    for (path, all) in paths.iter().zip([&[silent][..], &[kept(2), kept(8)]]) {
        let mut charts = Charts::beside(path);
        all.iter().cloned().for_each(|kept| charts.add(kept));
        charts.write().expect("there is room");
    }
    let alone = Report::of(&paths[..1]).expect("it is whole");
    assert!(says(&alone, "no boot to look at was kept of q35 tcg 2;"));
    assert!(says(&alone, "Calls: none were measured on q35 tcg 8;"));
    let joined = Report::of(&paths).expect("both are whole");
    assert_eq!((joined.boots.len(), joined.heat.len()), (2, 2));
    for words in ["no boot to look at", "none were measured on"] {
        assert!(!says(&joined, words), "{:?}", joined.missing);
    }
}

#[test]
fn what_nobody_knows_is_null_and_no_figure() {
    let told = lines().concat();
    let told = told.replace(r#""own_cpu_ns":0"#, r#""own_cpu_ns":7"#);
    let origin = &report(&told).origins[0];
    assert!(!origin.hosts.is_empty() && origin.busy_boots == Some(0));
    let mut lines: Vec<serde_json::Map<_, _>> = told
        .lines()
        .map(|line| serde_json::from_str(line).expect("it is JSON"))
        .collect();
    for field in ["host", "started", "command", "load"] {
        for line in &mut lines {
            line.remove(field);
        }
    }
    let text = lines.into_iter().map(serde_json::Value::Object);
    let lacking = report(&text.map(|it| format!("{it}\n")).collect::<String>());
    let origin = &lacking.origins[0];
    assert_eq!(
        (&origin.hosts[..], &origin.started, &origin.command),
        (&[][..], &None, &None)
    );
    assert_eq!(origin.busy_boots, None);
    assert!(says(&lacking, "`cargo xtask bench`, from the beginning,"));
    assert!(
        lacking
            .cells
            .iter()
            .all(|it| it.median_ns.is_some() && it.busy.is_none())
    );
    assert_eq!(lacking.title, "Reveille: bring-up");
}
