//! Random operations for longer.

use reveille_tests::qemu::machine::Machine;

use crate::torture::survives;

#[test]
fn twenty_seconds_of_random_operations_on_7_aps_break_no_rule() {
    survives(Machine::new(8), 20, 20);
}

#[test]
fn random_operations_on_63_aps_break_no_rule() {
    survives(Machine::new(64), 5, 63);
}

#[test]
#[ignore = "takes five minutes: `cargo xtask test --full`"]
fn five_minutes_of_random_operations_break_no_rule() {
    survives(Machine::new(8), 300, 300);
}
