//! Very many random schedules, for `cargo xtask test --full`, which builds this target optimised.

use reveille_tests::sim::schedule::Explorer;

#[test]
#[ignore = "minutes, and that optimised: `cargo xtask test --full` runs it"]
fn of_a_million_schedules_none_breaks_a_rule() {
    let explorer = Explorer::new().expect("the model comes with Reveille");
    if let Err(finding) = explorer.explore(1_000_000, 6, |_| ()) {
        panic!("to be pasted into schedules/found.rs:\n\n{finding}\n");
    }
}
