//! The deterministic gate repeats to the byte, and sees what costs a little more.

use reveille_smp::strategy::Strategy;
use reveille_tests::{
    bench::gate::{
        Comparison, Figures,
        compare::Kind,
        measure::measure,
        settings::{self, Setting},
    },
    kernel::workspace,
    qemu::machine::Chipset,
};

use crate::boot::kernel;

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
    let text = std::fs::read_to_string(&path).expect("it was read just now");
    // The order is the settings', which is lost in what was read.
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&text), sorted(&committed.to_string()));
}

mod slow {
    use super::*;

    #[test]
    fn two_runs_of_the_gate_give_the_same_bytes() {
        let [first, second] = [(); 2].map(|()| figures(&settings::all()));
        assert_eq!(first.to_string(), second.to_string());
    }
}
