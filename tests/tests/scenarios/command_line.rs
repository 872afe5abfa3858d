//! A word on the kernel's command line that is not understood fails the run: a typo must not
//! change a measurement silently.

use reveille_smp::record::ExitStatus;
use reveille_tests::{outcome::Outcome, qemu::machine::Machine};

use crate::boot::boot;

/// Boots with `word`, and checks that the reason of the failure names it and the known keys.
fn is_refused(word: &str) {
    let ended = boot(&Machine::new(2).append(word));
    let Outcome::Failed(reason) = &ended.outcome else {
        panic!("`{word}` ended as {:?}", ended.outcome);
    };
    assert!(reason.contains(word), "`{reason}` does not name `{word}`");
    for key in ["bringup=", "bench=", "alive-timeout=", "after=", "test="] {
        assert!(reason.contains(key), "`{reason}` does not list `{key}`");
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
    is_refused("bnech=9");
}

#[test]
fn a_key_without_a_value_fails_the_run() {
    is_refused("bench");
}

#[test]
fn a_malformed_value_fails_the_run() {
    is_refused("bench=nine");
    is_refused("bringup=fast");
}
