//! `cargo xtask bench growth`: what more CPUs cost.

use std::{fs, path::Path, process::Command};

use super::{boots, results, run, with_charts};
use crate::command::{stderr, stdout};

/// Lets a benchmark of growth run to its end.
fn growth(out: &Path, words: &str) -> std::process::Output {
    run(&mut with_charts(out, &format!("growth {words}")))
}

/// Shows what a folder has.
fn show(folder: &Path) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["bench", "growth", "--show"]).arg(folder);
    run(&mut command)
}

#[test]
fn each_size_is_booted_in_three_ways_and_its_aps_take_as_much_memory_as_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = "--smp 1,2,3 --runs 1 --rounds 2";
    let output = growth(folder.path(), words);
    assert_eq!(output.status.code(), Some(0));
    let results = results(folder.path());
    assert_eq!(
        boots(&results),
        [(1, 1), (2, 1), (2, 1), (2, 1), (3, 1), (3, 1), (3, 1)]
    );
    let told = stdout(&output);
    assert!(told.lines().all(|line| line.len() <= 80), "{told}");
    assert!(told.contains("too few to tell: 2 sizes have a figure"));

    let csv = fs::read_to_string(folder.path().join("growth.csv")).expect("it was written");
    let cells = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let cells: Vec<_> = cells.collect();
    let column = |name: &str| {
        cells[0]
            .iter()
            .position(|it| *it == name)
            .expect("it is there")
    };
    let of = |row: usize, name: &str| cells[row][column(name)];
    assert_eq!(
        (of(1, "cpus"), of(1, "warm_ns"), of(1, "ap_cpu_ns")),
        ("1", "", "")
    );
    for name in ["cold_ns", "warm_ns", "guest_bytes", "rss_bytes", "cpu_ns"] {
        let value: u64 = of(2, name).parse().expect("a number");
        assert!(value > 0, "{name}");
    }
    // Stacks and what the heap has for it: the second AP takes as much as the first, but for lists that grow.
    let bytes: Vec<i64> = (1..=3)
        .map(|row| of(row, "guest_bytes").parse().expect("a number"))
        .collect();
    let each = [bytes[1] - bytes[0], bytes[2] - bytes[1]];
    assert!(
        each.iter().all(|it| (110_000..140_000).contains(it)),
        "{each:?}"
    );
    assert!(each[0].abs_diff(each[1]) < 4_096, "{each:?}");

    let shown = show(folder.path());
    assert_eq!(shown.status.code(), Some(0));
    assert_eq!(stdout(&shown), told);
    // Nothing is left to be done.
    let again = growth(folder.path(), &format!("{words} --resume"));
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(stdout(&again), told);
}

#[test]
fn what_cannot_be_shown_or_measured_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let nothing = show(folder.path());
    assert_eq!(nothing.status.code(), Some(1));
    assert!(
        stderr(&nothing).contains("results.jsonl"),
        "{}",
        stderr(&nothing)
    );
    for words in [
        "--runs 0",
        "--smp many",
        "--resume --show x",
        "--model skylake-112",
    ] {
        assert_eq!(
            growth(folder.path(), words).status.code(),
            Some(2),
            "{words}"
        );
    }
}

#[test]
fn a_boot_that_fails_is_no_figure_and_is_tried_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let measured = |words: &str| growth(folder.path(), &format!("--runs 1 --rounds 1 {words}"));
    let failed = measured("--smp 2 --timeout 0.001");
    assert_eq!(failed.status.code(), Some(1));
    assert!(
        stderr(&failed).contains("3 boots failed"),
        "{}",
        stderr(&failed)
    );
    let row = |output: &std::process::Output| {
        let told = stdout(output);
        let mut rows = told
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let row = rows
            .find(|row| row.first() == Some(&"2"))
            .expect("it is there");
        row.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    // No boot, and no figure.
    assert_eq!(row(&failed)[1], "0");
    assert!(
        row(&failed)[2..].iter().all(|it| it == "-"),
        "{:?}",
        row(&failed)
    );
    // What failed is tried again.
    let again = measured("--smp 2 --resume");
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert_eq!(row(&again)[1], "1");
    assert!(
        row(&again)[2..8].iter().all(|it| it != "-"),
        "{:?}",
        row(&again)
    );
}
