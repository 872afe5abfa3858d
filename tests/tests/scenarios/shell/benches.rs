//! What a benchmark that fails leaves behind.

use reveille_tests::{outcome::Outcome, qemu::machine::Machine};

use super::session::Session;

#[test]
fn behind_a_bare_round_that_failed_all_come_back_and_the_next_one_runs() {
    let mut session = Session::start(Machine::new(4).append("test=bare-miss"));
    let failed = session.asks("bench 1");
    assert!(
        failed.contains("round 1 of bare lost 1 APs"),
        "CPU 3 got no SIPI: {failed}"
    );
    assert!(!failed.contains("did not come back"), "{failed}");
    let cpus = session.asks("cpus");
    assert!(cpus.contains("4 of 4 CPUs are online"), "{cpus}");
    let next = session.asks("bench 1");
    for row in ["bare ", "floor ", "parallel "] {
        assert!(next.contains(row), "no `{row}`: {next}");
    }
    let ended = session.exits();
    assert_eq!(ended.outcome, Outcome::Ok);
    assert_eq!(ended.records.bares().expect("they are whole").len(), 1);
}
