//! Calls from all CPUs to all CPUs: each runs once, and not a byte is left behind.

use reveille_smp::record::{Calls, RoundTrips};
use reveille_tests::{guest::Ended, outcome::Outcome, qemu::machine::Machine};

use crate::boot::{boot, is_whole};

fn calls(ended: &Ended) -> Calls {
    ended.records.calls().expect("all records are whole")
}

/// Boots, and lets all CPUs call each other so often.
fn all_run(machine: Machine, asked: u32) -> Calls {
    let machine = machine.append(&format!("calls={asked} seed=1"));
    let ended = boot(&machine);
    is_whole(&machine, &ended);
    let calls = calls(&ended);
    assert_eq!((calls.asked, calls.cpus), (asked, machine.smp.cpus()));
    let totals = &calls.totals;
    // Nobody goes down meanwhile, so none fails.
    assert_eq!((totals.done, totals.failed), (u64::from(asked), 0));
    assert_eq!((totals.lost, totals.unheard), (0, 0));
    assert_eq!(
        totals.kinds.iter().map(|it| it.done).sum::<u64>(),
        totals.done
    );
    assert!(
        calls.broken.is_none() && calls.balance.is_even(),
        "{calls:?}"
    );
    let start = format!("calls: {asked} of {asked} on {} CPU", calls.cpus);
    let mut lines = ended.console.lines();
    assert!(lines.any(|line| line.starts_with(&start)), "no `{start}`");
    calls
}

#[test]
fn a_million_calls_between_8_cpus_run_once_each_and_leave_no_memory_behind() {
    let calls = all_run(Machine::new(8), 1_000_000);
    let kinds = &calls.totals.kinds;
    assert!(
        kinds.len() > 5 && kinds.iter().all(|it| it.done > 0),
        "{kinds:?}"
    );
    // Who has not looked yet gets no second interrupt.
    assert!(calls.totals.ipis < calls.totals.done, "{calls:?}");
}

#[test]
fn a_cpu_that_is_alone_calls_itself() {
    all_run(Machine::new(1), 1_000);
}

#[test]
fn cpus_in_xapic_mode_call_each_other_too() {
    all_run(Machine::new(4).cpu("max,-x2apic"), 10_000);
}

/// Boots with a fault in the calls that the account is to find, and gives what it says.
fn is_found_out(hook: &str) -> String {
    let ended = boot(&Machine::new(4).append(&format!("calls=20000 seed=1 test={hook}")));
    let calls = calls(&ended);
    assert!(calls.totals.lost > 0, "{calls:?}");
    let broken = calls.broken.expect("it is told");
    let Outcome::Failed(reason) = &ended.outcome else {
        panic!("it ended as {:?}", ended.outcome);
    };
    assert!(reason.starts_with("calls: "), "{reason}");
    assert!(reason.ends_with(&broken), "{reason}");
    broken
}

#[test]
fn calls_that_run_twice_are_found_out() {
    assert_eq!(
        is_found_out("call-twice"),
        "a call ran more often than once"
    );
}

#[test]
fn calls_that_are_lost_are_found_out() {
    let broken = is_found_out("call-lost");
    assert_eq!(broken, "a call is said to have run and did not");
}

#[test]
fn a_call_to_a_halted_cpu_takes_an_interrupt_and_one_to_a_cpu_that_polls_takes_none() {
    const SAMPLES: u32 = 64;
    let machine = Machine::new(2).append(&format!("round-trips={SAMPLES}"));
    let ended = boot(&machine);
    is_whole(&machine, &ended);
    let round_trips = ended.records.round_trips().expect("all records are whole");
    let RoundTrips {
        ping_pong,
        awaited,
        blocking,
        polling,
        samples,
        ..
    } = &round_trips;
    assert_eq!(*samples, SAMPLES);
    let all = u64::from(SAMPLES);
    assert_eq!((ping_pong.ipis, ping_pong.answer_ipis), (all, all));
    // How the answer comes depends on whether the caller halts by then.
    for halted in [awaited, blocking] {
        assert_eq!(halted.ipis, all, "{round_trips:?}");
        assert!(halted.answer_ipis <= all, "{round_trips:?}");
    }
    assert_eq!(polling.ipis, 0, "{round_trips:?}");
    for kind in [ping_pong, awaited, blocking, polling] {
        assert!(kind.round_trip_ns.is_some(), "{round_trips:?}");
    }
    let mut lines = ended.console.lines();
    assert!(lines.any(|it| it.starts_with("round trips: ping-pong ")));
}
