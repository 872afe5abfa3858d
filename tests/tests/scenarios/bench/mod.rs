//! `cargo xtask bench`: machines take turns, each boot is a line, and nothing that was measured is lost.

mod charts;
mod compared;
mod ends;
mod growth;
mod wrong;

use std::{
    path::Path,
    process::{Command, Output},
};

use reveille_tests::{bench::results::Results, kernel::IMAGE_VARIABLE, qemu::machine::Machine};

use crate::{
    boot::{kernel, slot},
    command::{stderr, stdout},
};

/// A small benchmark's options: two machines, one boot each unless it is said otherwise.
const SMALL: &str = "--smp 2,3 --accel tcg --strategies serial,bare --rounds 2";

/// `cargo xtask bench` with these words, which have no blanks in them, and its results in `out`. Who is to be looked at
/// is booted again for that, which few tests are about: the others leave it out.
fn command(out: &Path, words: &str) -> Command {
    with_charts(out, &format!("{words} --no-charts"))
}

/// The same with boots to look at, or a benchmark that has none.
fn with_charts(out: &Path, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("bench").args(words.split_ascii_whitespace());
    command.arg("--out").arg(out);
    command.env(IMAGE_VARIABLE, kernel().image());
    command
}

/// Lets it run to its end.
fn bench(out: &Path, words: &str) -> Output {
    run(&mut command(out, words))
}

fn run(command: &mut Command) -> Output {
    let _slot = slot(&Machine::new(3));
    let output = command.output().expect("xtask starts");
    println!("{}{}", stdout(&output), stderr(&output));
    output
}

/// Joins parts in a folder into another one in it.
fn merge(folder: &Path, out: &str, parts: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["bench", "merge"]).arg(folder.join(out));
    run(command.args(parts.iter().map(|name| folder.join(name))))
}

fn results(out: &Path) -> Results {
    Results::read(out).expect("the results are whole")
}

/// How many CPUs the machine of each boot has, and which of its boots it is.
fn boots(results: &Results) -> Vec<(u32, u32)> {
    let runs = results.runs.iter();
    runs.map(|run| (run.machine.smp.cpus(), run.run)).collect()
}

#[test]
fn machines_take_turns_and_each_boot_leaves_a_line_with_its_load() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = bench(folder.path(), &format!("{SMALL} --runs 2"));
    assert_eq!(output.status.code(), Some(0));
    let results = results(folder.path());
    assert_eq!(boots(&results), [(2, 1), (3, 1), (2, 2), (3, 2)]);
    assert_eq!(results.header.strategies, ["serial", "bare"]);
    // Without the folder, which is this host's, and whatever becomes of pictures.
    assert_eq!(
        results.header.command,
        format!("cargo xtask bench {SMALL} --runs 2")
    );
    for run in &results.runs {
        assert!(run.is_ok() && run.boot_online_ns > Some(0));
        assert!(run.samples.keys().eq(["bare", "serial"]), "{run:?}");
        assert!(run.samples.values().all(|it| it.online_ns.len() == 2));
        // A guest of 512 MiB that ran at all.
        assert!(
            run.load.own_cpu_ns > 0 && run.load.peak_rss_bytes > 1 << 20,
            "{run:?}"
        );
    }
    let (table, told) = (stdout(&output), stderr(&output));
    assert!(
        table.contains("q35 tcg 2") && table.contains("serial"),
        "{table}"
    );
    assert!(told.contains("4/4 q35 tcg 3, run 2: "), "{told}");
}

#[test]
fn a_machine_of_one_cpu_has_nothing_to_compare_and_is_no_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = "--smp 1 --accel tcg --runs 1 --rounds 2";
    assert_eq!(bench(folder.path(), words).status.code(), Some(0));
    let results = results(folder.path());
    assert!(results.runs[0].is_ok() && results.runs[0].samples.is_empty());
}

#[test]
fn parts_that_several_hosts_measure_are_joined_into_the_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let part = |name: &str| folder.path().join(name);
    for (name, shard) in [("a", "1/2"), ("b", "2/2")] {
        let words = format!("{SMALL} --runs 1 --shard {shard}");
        assert_eq!(bench(&part(name), &words).status.code(), Some(0));
        assert_eq!(results(&part(name)).runs.len(), 1, "half of two machines");
    }
    let merge = |out: &str, parts: &[&str]| merge(folder.path(), out, parts);
    let whole = merge("whole", &["b", "a"]);
    assert_eq!(whole.status.code(), Some(0));
    // In the plan's order, whatever that of the files.
    assert_eq!(boots(&results(&part("whole"))), [(2, 1), (3, 1)]);
    assert_eq!(results(&part("whole")).header.shard, None);

    let short = merge("short", &["a", "a"]);
    assert_eq!(short.status.code(), Some(1));
    let told = stderr(&short);
    assert!(
        told.contains("is there several times") && told.contains("is missing"),
        "{told}"
    );
    let taken = merge("whole", &["a", "b"]);
    assert_eq!(taken.status.code(), Some(1));
    let told = stderr(&taken);
    assert!(told.contains("has results already, which"), "{told}");

    let other = bench(
        &part("c"),
        "--smp 4 --accel tcg --strategies bare --runs 1 --rounds 1",
    );
    assert_eq!(other.status.code(), Some(0));
    let unlike = merge("unlike", &["a", "c"]);
    assert_eq!(unlike.status.code(), Some(1));
    let told = stderr(&unlike);
    assert!(told.contains("does not go with"), "{told}");
    let plans = "its `plan` is q35 tcg 4, and that of the first file is q35 tcg 2, q35 tcg 3";
    assert!(told.contains(plans), "{told}");
    assert!(!part("unlike").exists());
}
