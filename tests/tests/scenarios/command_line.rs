//! A word on the kernel's command line that is not understood fails the run: a typo must not
//! change a measurement silently.

use reveille_smp::record::ExitStatus;
use reveille_tests::{cli::KERNEL_KEYS, outcome::Outcome, qemu::machine::Machine};

use crate::boot::boot;

/// Boots with `word`, and checks that the reason of the failure names it and all that is `known`.
fn is_refused(word: &str, known: &[&str]) {
    let ended = boot(&Machine::new(2).append(word));
    let Outcome::Failed(reason) = &ended.outcome else {
        panic!("`{word}` ended as {:?}", ended.outcome);
    };
    assert!(reason.contains(word), "`{reason}` does not name `{word}`");
    for part in known {
        assert!(reason.contains(part), "`{reason}` does not say `{part}`");
    }
    let exit = ended.records.exit().expect("a verdict");
    assert_eq!(exit.status, ExitStatus::Failed);
    assert!(
        ended.records.bringup().is_err(),
        "no CPU is woken for a run that fails"
    );
}

#[test]
fn an_unknown_key_fails_the_run_and_the_known_ones_are_listed() {
    is_refused(
        "bnech=9",
        &["bringup=", "bench=", "alive-timeout=", "after=", "test="],
    );
}

#[test]
fn a_key_without_a_value_fails_the_run() {
    is_refused("bench", &["it is bench=N"]);
}

#[test]
fn a_malformed_value_fails_the_run_and_what_its_key_takes_is_said() {
    is_refused("bench=nine", &["it is bench=N"]);
    is_refused("bringup=fast", &["|two-pass|"]);
    is_refused("model=zen3", &["it is model=skylake-112"]);
}

#[test]
fn the_help_of_xtask_names_the_keys_that_the_kernel_takes() {
    let ended = boot(&Machine::new(1).append("no-key-is-called-so=1"));
    let Outcome::Failed(reason) = &ended.outcome else {
        panic!("an unknown key ended as {:?}", ended.outcome);
    };
    let (_, list) = reason
        .split_once("the keys are")
        .expect("the kernel lists its keys");
    let taken = list
        .split_whitespace()
        .filter_map(|word| word.split_once('='));
    let taken: Vec<&str> = taken.map(|(key, _)| key).collect();
    let named: Vec<&str> = KERNEL_KEYS.iter().map(|(key, _)| *key).collect();
    assert_eq!(named, taken);
}
