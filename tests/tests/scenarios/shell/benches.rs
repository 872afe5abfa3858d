//! What a benchmark that fails leaves behind, and one that would be too long.

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
    let ended = session.leaves_by("exit ok");
    assert_eq!(ended.outcome, Outcome::Ok);
    assert_eq!(ended.records.bares().expect("they are whole").len(), 1);
}

#[test]
fn what_would_not_fit_into_memory_is_refused_with_how_much_would() {
    let mut session = Session::start(Machine::new(2));
    for (line, of) in [
        ("stop 4000000000", "stops"),
        ("bench 4000000000", "rounds"),
        ("bench serial 4000000000", "rounds"),
    ] {
        let refused = session.asks(line);
        let text = format!("the times of that many {of} do not fit into memory: 4000000000 were");
        assert!(refused.contains(&text), "{refused}");
        assert!(refused.contains(" would fit"), "{refused}");
    }
    let cpus = session.asks("cpus");
    assert!(cpus.contains("2 of 2 CPUs are online"), "{cpus}");
    assert_eq!(session.leaves_by("exit ok").outcome, Outcome::Ok);
}
