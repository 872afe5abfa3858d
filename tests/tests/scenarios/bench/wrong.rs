//! What is wrong is said before anything boots, with what would be right.

use std::fs;

use reveille_tests::bench::results::FILE;

use super::{SMALL, bench, results};
use crate::command::{stderr, stdout};

#[test]
fn what_there_is_not_is_refused_with_what_there_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    for (words, hint) in [
        ("--strategies serial,fastest", "two-pass"),
        ("--model skylake-113", "skylake-112"),
        ("--accel tcg,hax", "icount"),
        ("--machine q36", "microvm"),
        ("--smp 2,books=3", "books"),
        ("--smp 2,8,", "number of CPUs"),
        ("--append brinup=serial", "brinup"),
        ("--append bench=9", "bench"),
        ("--shard 5/4", "4/4"),
        ("--runs 0", "1.."),
        ("--rounds 0", "1.."),
        ("--strict", "--compare"),
    ] {
        let output = bench(&out, words);
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(
            stderr(&output).contains(hint),
            "{words}: {}",
            stderr(&output)
        );
        assert_eq!(stdout(&output), "");
    }
    assert!(!out.exists(), "nothing has begun");
}

#[test]
fn a_folder_that_takes_no_file_is_found_before_the_first_boot() {
    for out in ["/proc/bench", "/dev/null/bench"] {
        let output = bench(out.as_ref(), SMALL);
        assert_eq!(output.status.code(), Some(1), "{out}");
        let told = stderr(&output);
        assert!(told.contains(&format!("cannot write into {out}")), "{told}");
        assert!(!told.contains("run 1"), "{told}");
    }
}

#[test]
fn results_to_compare_with_that_cannot_be_read_are_found_before_the_first_boot() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let output = bench(&out, &format!("{SMALL} --compare /dev/null"));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/dev/null: it has no whole line"));
    assert!(!out.exists(), "nothing has begun");
}

#[test]
fn results_that_are_there_are_neither_written_over_nor_mixed_with_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path();
    let words = format!("{SMALL} --runs 1");
    assert_eq!(bench(out, &words).status.code(), Some(0));
    let whole = fs::read_to_string(out.join(FILE)).expect("it is there");

    let is_refused = |words: &str, hint: &str| {
        let there = fs::read(out.join(FILE)).expect("it is there");
        let output = bench(out, words);
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(
            stderr(&output).contains(hint),
            "{words}: {}",
            stderr(&output)
        );
        assert!(!stderr(&output).contains(", run 1: "), "nothing boots");
        assert_eq!(
            fs::read(out.join(FILE)).expect("it is there"),
            there,
            "{words}"
        );
    };
    is_refused(&words, "has results already");
    is_refused(
        &format!("{SMALL} --runs 2 --resume"),
        "`runs` was 1 and is 2",
    );
    is_refused(
        &format!("{words} --resume --append order=strict"),
        "`plan` was ",
    );
    is_refused(&format!("{words} --resume --shard 1/2"), "`shard` was null");
    let other = whole.replacen("\"schema\":1", "\"schema\":2", 1);
    fs::write(out.join(FILE), &other).expect("it can be written");
    is_refused(
        &format!("{words} --resume"),
        "schema 2, and this program reads schema 1",
    );
    let broken = whole.replacen("\"outcome\":\"ok\"", "\"outcome\":ok", 1);
    fs::write(out.join(FILE), &broken).expect("it can be written");
    is_refused(&format!("{words} --resume"), "line 2 is broken");
    fs::write(out.join(FILE), &whole).expect("it can be written");
    assert_eq!(
        bench(out, &format!("{words} --resume")).status.code(),
        Some(0)
    );
    assert_eq!(results(out).runs.len(), 2);
}
