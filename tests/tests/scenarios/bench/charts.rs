//! Boots to look at: each machine is booted again behind those that are measured, once for all.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Output, Stdio},
};

use reveille_tests::{
    bench::cell::Machine,
    qemu,
    report::{self, charts::Charts},
};
use rustix::process::{Pid, Signal, kill_process};

use super::{merge, run, with_charts};
use crate::{
    boot::slot,
    command::{stderr, stdout},
};

const MACHINES: &str = "--smp 2,3 --accel tcg --strategies bare --rounds 1 --runs 1";

fn bench(out: &Path, words: &str) -> Output {
    run(&mut with_charts(out, words))
}

/// How many CPUs the machine of each boot to look at has, and how many pairs of them called each other.
fn looks(out: &Path) -> Vec<(u32, Option<usize>)> {
    let charts = Charts::beside(out);
    assert_eq!(charts.problem, None);
    let look = charts.kept.iter().map(|kept| {
        let cpus = kept.machine.smp.cpus();
        assert_eq!(kept.chart.lanes.len(), cpus as usize);
        assert!(kept.chart.bsp.is_some(), "{cpus} CPUs: it was not traced");
        (cpus, kept.ipi.as_ref().map(|calls| calls.pairs.len()))
    });
    look.collect()
}

#[test]
fn each_machine_is_booted_again_for_pictures_once_and_parts_are_joined_with_theirs() {
    let folder = tempfile::tempdir().expect("a folder");
    let part = |name: &str| folder.path().join(name);
    let mut whole = Vec::new();
    for (name, shard) in [("a", "1/2"), ("b", "2/2")] {
        let words = format!("{MACHINES} --shard {shard}");
        let first = bench(&part(name), &words);
        assert_eq!(first.status.code(), Some(0));
        assert_eq!(stderr(&first).matches(", to look at").count(), 1);
        assert_eq!(looks(&part(name)).len(), 1);
        whole.extend(looks(&part(name)));
        let page = fs::read_to_string(part(name).join(report::FILE)).expect("it is there");
        assert!(page.contains("id=\"chart-timeline\""));

        // Nothing is booted twice, nor written anew.
        let file = Charts::beside(&part(name)).path().to_owned();
        let before = fs::metadata(&file).and_then(|it| it.modified());
        let again = bench(&part(name), &format!("{words} --resume"));
        assert_eq!(again.status.code(), Some(0));
        assert!(!stderr(&again).contains(", to look at"));
        assert!(stderr(&again).contains("1 of 1 boots are there already"));
        let after = fs::metadata(&file).and_then(|it| it.modified());
        assert_eq!(before.expect("it is there"), after.expect("it is there"));
    }
    whole.sort_unstable();
    // Each calls each other one.
    assert_eq!(whole, [(2, Some(2)), (3, Some(6))]);
    let merged = merge(folder.path(), "whole", &["b", "a"]);
    assert_eq!(merged.status.code(), Some(0));
    assert_eq!(looks(&part("whole")), whole);
    assert!(part("whole").join(report::FILE).exists());
}

#[test]
fn ctrl_c_behind_the_last_boot_that_counts_ends_as_ctrl_c_does_and_resume_makes_the_pictures() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path();
    let words = "--smp 2,3,4 --accel tcg --strategies bare --rounds 1 --runs 1";
    {
        let _slot = slot(&qemu::machine::Machine::new(4));
        let mut xtask = with_charts(out, words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("xtask starts");
        let mut lines = BufReader::new(xtask.stderr.take().expect("it is piped")).lines();
        lines
            .by_ref()
            .map_while(Result::ok)
            .inspect(|line| println!("{line}"))
            .find(|line| line.contains(", to look at"))
            .expect("all that counts is measured");
        kill_process(Pid::from_child(&xtask), Signal::INT).expect("it runs");
        let rest: Vec<_> = lines.map_while(Result::ok).collect();
        let output = xtask.wait_with_output().expect("it ends");
        println!("{}{}", stdout(&output), rest.join("\n"));
        assert_eq!(output.status.code(), Some(130));
        assert!(
            rest.iter().any(|line| line.contains("--resume makes")),
            "{rest:?}"
        );
    }
    // Who is slow to press Ctrl-C may have looked at the first.
    let last = || Charts::beside(out).find(&Machine::new(4)).is_some();
    assert!(!last());
    let resumed = bench(out, &format!("{words} --resume"));
    assert_eq!(resumed.status.code(), Some(0));
    assert!(last());
}

#[test]
fn a_file_of_pictures_that_cannot_be_added_to_is_found_before_the_first_boot() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path();
    let theirs = "{\"record\":\"chart\",\"schema\":9}\n";
    fs::write(Charts::beside(out).path(), theirs).expect("there is room");
    for (program, output) in [
        ("bench", bench(out, MACHINES)),
        ("merge", merge(out, ".", &["nowhere"])),
    ] {
        assert_eq!(output.status.code(), Some(1), "{program}");
        let told = stderr(&output);
        assert!(told.contains("move it away, or choose"), "{told}");
        assert!(!told.contains(", run 1"), "{told}");
    }
    let file = fs::read_to_string(Charts::beside(out).path());
    assert_eq!(file.expect("it is there"), theirs);
}
