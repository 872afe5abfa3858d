//! Random operations, and random calls meanwhile, for longer.

use reveille_tests::qemu::machine::Machine;

use crate::torture::survives;

#[test]
#[ignore = "takes ten minutes: `cargo xtask test --full`"]
fn ten_minutes_of_random_operations_break_no_rule() {
    survives(Machine::new(8), 600, 600);
}
