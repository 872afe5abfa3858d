//! `cargo xtask bench growth`: what more CPUs cost.

use std::{fs, path::Path, process::Command};

use super::{bench, boots, results, run};
use crate::command::{stderr, stdout};

/// Shows what a folder has.
fn show(folder: &Path) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["bench", "growth", "--show"]).arg(folder);
    run(&mut command)
}

#[test]
fn each_size_is_booted_in_three_ways_and_its_aps_take_as_much_memory_as_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = "growth --smp 1,2,3 --runs 1 --rounds 2";
    let output = bench(folder.path(), words);
    assert_eq!(output.status.code(), Some(0));
    let results = results(folder.path());
    assert_eq!(
        boots(&results),
        [(1, 1), (2, 1), (2, 1), (2, 1), (3, 1), (3, 1), (3, 1)]
    );
    let told = stdout(&output);
    assert!(told.lines().all(|line| line.len() <= 80), "{told}");
    assert!(told.contains("too few to tell: 2 numbers of APs have a figure"));

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
    let again = bench(folder.path(), &format!("{words} --resume"));
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
        "growth --runs 0",
        "growth --smp many",
        "growth --resume --show x",
        "growth --model skylake-112",
    ] {
        assert_eq!(
            bench(folder.path(), words).status.code(),
            Some(2),
            "{words}"
        );
    }
    // A CPU that does not come up is a boot that failed, and the others count.
    let output = bench(
        folder.path(),
        "growth --smp 2 --runs 1 --rounds 1 --timeout 0.001",
    );
    assert_ne!(output.status.code(), Some(0));
}
