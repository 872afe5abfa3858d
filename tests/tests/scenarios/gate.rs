//! The deterministic gate repeats to the byte, and sees what costs a little more.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use reveille_smp::strategy::Strategy;
use reveille_tests::{
    bench::gate::{
        Comparison, Figures,
        compare::Kind,
        measure::measure,
        settings::{self, Setting},
    },
    kernel::{IMAGE_VARIABLE, workspace},
    qemu::machine::Chipset,
};

use crate::{
    boot::kernel,
    command::{stderr, stdout},
};

/// The figures of these, as the gate measures them.
fn figures(settings: &[Setting]) -> Figures {
    let measured = measure(kernel(), settings, |_, _| true);
    let measured = measured.expect("all boots come up whole");
    measured.expect("nobody ends it")
}

fn few() -> Vec<Setting> {
    let of = |cpus, strategy| Setting::new(Chipset::Q35, cpus, strategy);
    vec![of(2, Strategy::Parallel), of(8, Strategy::TwoPass)]
}

#[test]
fn a_needless_poll_of_each_ap_shuts_the_gate() {
    let clean = figures(&few());
    let with_polls = few().into_iter();
    let with_polls: Vec<_> = with_polls
        .map(|setting| setting.append("test=needless-poll"))
        .collect();
    let comparison = Comparison::of(&clean, &figures(&with_polls));
    println!("{comparison}");
    assert!(!comparison.is_open());
    for setting in few() {
        let mut rises = comparison.rises();
        let polls = rises.find(|it| (&*it.section, &*it.figure) == (setting.name(), "polls"));
        let Some(Kind::Rise { was, is }) = polls.map(|it| it.kind) else {
            panic!("{}: the polls are not among the rises", setting.name());
        };
        assert_eq!(is, was + u64::from(setting.cpus() - 1));
    }
    assert!(Comparison::of(&clean, &figures(&few())).is_open());
}

#[test]
fn what_is_committed_is_whole_and_written_as_the_gate_writes_it() {
    let path = workspace().join("tests/gate/figures.toml");
    let committed = Figures::read(&path).expect("it is whole");
    for setting in settings::all() {
        let is_there = committed.get(setting.name(), "polls").is_some();
        assert!(is_there, "no figures of {}", setting.name());
    }
    let text = fs::read_to_string(&path).expect("it was read just now");
    // The order is the settings', which is lost in what was read.
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&text), sorted(&committed.to_string()));
}

#[test]
fn a_broken_file_of_figures_is_told_before_anything_boots() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("broken.toml");
    fs::write(&path, "[made-with]\nqemu = 10\n").expect("the folder is ours");
    let output = xtask(&path);
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    for part in ["broken.toml", "line 2", "--renew"] {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
}

/// Compares with the figures in a file, as CI does.
fn xtask(figures: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["bench", "gate", "--figures"]).arg(figures);
    command.env(IMAGE_VARIABLE, kernel().image());
    let output = command.output().expect("xtask starts");
    println!("{}{}", stdout(&output), stderr(&output));
    output
}

mod slow {
    use super::*;

    #[test]
    fn two_runs_give_the_same_bytes_and_a_third_sees_what_rises() {
        let [mut first, second] = [(); 2].map(|()| figures(&settings::all()));
        assert_eq!(first.to_string(), second.to_string());

        let polls = &mut first.sections[2].figures[0];
        let (was, is) = (polls.value - 1, polls.value);
        polls.value = was;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("figures.toml");
        first.write(&path).expect("the folder is ours");
        let output = xtask(&path);
        assert_eq!(output.status.code(), Some(1));
        let rise = format!("polls {was} {is} +");
        let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let told = stdout(&output);
        let findings: Vec<_> = told.lines().map(line).collect();
        let rises: Vec<_> = findings.iter().filter(|it| it.ends_with("rise")).collect();
        assert_eq!(rises.len(), 1, "{told}");
        assert!(rises[0].contains(&rise), "{told}");
    }
}
