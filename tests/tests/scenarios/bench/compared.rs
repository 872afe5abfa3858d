//! What a comparison says by its exit status. Where time counts instructions one boot is enough, and what is slower is
//! so for sure.

use std::{
    path::Path,
    process::{Command, Output},
};

use reveille_tests::bench::results::FILE;

use super::{SMALL, bench, run};
use crate::command::{stderr, stdout};

/// A machine whose time counts instructions, and a boot of it.
const EXACT: &str = "--smp 2 --accel icount --strategies parallel --rounds 2 --runs 1";

/// Compares what two folders have.
fn compare(old: &Path, new: &Path, words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["bench", "compare"]).arg(old).arg(new);
    run(command.args(words.split_ascii_whitespace()))
}

#[test]
fn a_slower_kernel_ends_a_comparison_in_1_and_the_same_one_in_0() {
    let folder = tempfile::tempdir().expect("a folder");
    let [old, same, slower] = ["old", "same", "slower"].map(|name| folder.path().join(name));
    assert_eq!(bench(&old, EXACT).status.code(), Some(0));
    // Measured and compared in one.
    let compared = format!("{EXACT} --compare {}", old.display());
    let output = bench(&same, &compared);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("no difference, exact"));
    let output = bench(&slower, &format!("{compared} --append test=slower"));
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("SLOWER, exact"));

    // And of results that are there.
    let verdict = |old: &Path, new: &Path| compare(old, new, "").status.code();
    assert_eq!(verdict(&old, &slower), Some(1));
    assert_eq!(verdict(&slower, &old), Some(0));
}

#[test]
fn too_few_boots_to_call_anything_slower_are_refused_before_the_first_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let [old, new] = ["old", "new"].map(|name| folder.path().join(name));
    let words = format!("{SMALL} --runs 1");
    assert_eq!(bench(&old, &words).status.code(), Some(0));
    let reports = ["results.csv", "results.md"].map(|name| old.join(name).exists());
    assert_eq!(reports, [true, true]);
    let output = bench(&new, &format!("{words} --compare {}", old.display()));
    assert_eq!(output.status.code(), Some(2));
    // Two cells beside one old boot of each: one in a hundred, in either direction.
    let told = stderr(&output);
    assert!(told.contains("--compare takes --runs 399 here"), "{told}");
    assert!(!new.join(FILE).exists(), "nothing has begun");
    assert!(!told.contains(", run 1: "), "{told}");

    // Where they are there, nobody can tell, which is no failure unless it is to be one.
    let output = compare(&old, &old, "");
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("not every cell has a verdict"));
    assert_eq!(compare(&old, &old, "--strict").status.code(), Some(1));
}
