//! A CPU that cannot run the kernel makes it say so, where it would otherwise reset the machine.

use reveille_tests::{outcome::Outcome, qemu::machine::Machine};

use crate::boot::boot;

fn is_refused(model: &str) {
    let ended = boot(&Machine::new(1).cpu(model));
    let reason = "this CPU has no long mode, or no NX".to_owned();
    assert_eq!(ended.outcome, Outcome::Failed(reason));
}

#[test]
fn a_cpu_without_long_mode_is_refused() {
    is_refused("qemu64,-lm");
}

#[test]
fn a_cpu_without_extended_leaves_is_refused() {
    is_refused("pentium2");
}

#[test]
fn a_cpu_without_nx_is_refused() {
    is_refused("qemu64,-nx");
}
