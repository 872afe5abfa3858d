//! Every AP's clock is compared with the BSP's, and times are told by one clock or marked.
//!
//! Under icount all TSCs are one, of 1 GHz: a count is a nanosecond, and figures repeat.

use reveille_smp::{
    outcome::Outcome as CpuOutcome,
    record::{Clock, ClockCheck, Cpu},
};
use reveille_tests::{
    guest::Ended,
    outcome::Outcome,
    qemu::machine::{Accel, Machine},
};

use crate::boot::{boot, comes_up_whole};

/// A reading has two interrupts to go, one behind three others: some thousand instructions.
const CERTAIN_NS: u64 = 5_000;

fn machine(cpus: u32, append: &str) -> Machine {
    Machine::new(cpus).accel(Accel::Icount).append(append)
}

/// What was found of each AP's clock, lowest number first.
fn clocks(ended: &Ended) -> Vec<(u32, Clock)> {
    let states = ended.records.cpu_states().expect("all records are whole");
    let aps = states.into_iter().skip(1);
    aps.map(|state| (state.cpu.0, state.clock)).collect()
}

/// The only comparison of a boot.
fn check(ended: &Ended) -> ClockCheck {
    let mut checks = ended.records.clock_checks().expect("all records are whole");
    assert_eq!(checks.len(), 1, "{checks:?}");
    checks.remove(0)
}

fn aps(ended: &Ended) -> Vec<Cpu> {
    let cpus = ended.records.cpus().expect("all records are whole");
    let aps = cpus
        .into_iter()
        .filter(|cpu| cpu.outcome != CpuOutcome::Bsp);
    aps.collect()
}

fn all_agree(cpus: u32) {
    let ended = comes_up_whole(&machine(cpus, ""));
    for (cpu, clock) in clocks(&ended) {
        assert_eq!(clock.offset_ns, Some(0), "CPU {cpu}: {clock:?}");
        let uncertainty = clock.uncertainty_ns.expect("it was compared");
        assert!(
            (1..CERTAIN_NS).contains(&uncertainty),
            "CPU {cpu}: {clock:?}"
        );
        assert_eq!(clock.reason, None);
    }
    let check = check(&ended);
    assert_eq!((check.aps, check.compared), (cpus - 1, cpus - 1));
    assert_eq!(check.exchanges, (cpus - 1) * 8, "{check:?}");
    let worst = aps(&ended).into_iter().map(|cpu| cpu.uncertainty_ns).max();
    assert_eq!(worst.flatten(), check.uncertainty_ns);
    let bringup = ended.records.bringup().expect("round 0");
    assert_eq!(bringup.uncertainty_ns, check.uncertainty_ns);
    assert!(!ended.console.contains("own clock"), "nothing to mark");
    assert!(
        !ended.console.contains("are certain to"),
        "it does not show"
    );
}

#[test]
fn clocks_that_are_one_are_found_to_agree_on_8_cpus() {
    all_agree(8);
}

#[test]
fn clocks_that_are_one_are_found_to_agree_on_64_cpus() {
    all_agree(64);
}

/// One clock is `ticks` ahead: that is found on its CPU and on no other, and the CPU's times are
/// nearly what they would have been.
fn one_is_off(cpus: u32, cpu: u32, ticks: i64) {
    let ended = comes_up_whole(&machine(cpus, &format!("fault={cpu}:tsc={ticks}")));
    let mut found = None;
    for (number, clock) in clocks(&ended) {
        let offset = clock.offset_ns.expect("it was compared");
        if number == cpu {
            assert!(
                offset.abs_diff(ticks) <= ticks.unsigned_abs() / 5,
                "{clock:?}"
            );
            let uncertainty = clock.uncertainty_ns.expect("it was compared");
            assert!(offset.abs_diff(ticks) <= uncertainty, "{clock:?}");
            found = Some(offset);
        } else {
            assert_eq!(offset, 0, "CPU {number}: {clock:?}");
        }
    }
    assert!(found.is_some());

    let without = comes_up_whole(&machine(cpus, ""));
    let times = |ended: &Ended, number: u32| {
        let cpu = aps(ended).remove(number as usize - 1);
        [cpu.real_ns, cpu.long_ns, cpu.alive_ns, cpu.online_ns].map(|time| time.expect("a time"))
    };
    let apart = |number| {
        let both = times(&ended, number)
            .into_iter()
            .zip(times(&without, number));
        both.map(|(ours, theirs)| ours.abs_diff(theirs))
            .max()
            .expect("four")
    };
    // Tables of other times take other ways, by which all times of both boots differ a little.
    let others = (1..cpus).filter(|&number| number != cpu);
    let allowed = CERTAIN_NS + others.map(apart).max().expect("there are others");
    let own = apart(cpu);
    assert!(own <= allowed, "{own} apart, {allowed} allowed");
}

#[test]
fn a_clock_that_is_10_us_ahead_is_found_on_8_cpus() {
    one_is_off(8, 3, 10_000);
}

#[test]
fn a_clock_that_is_10_us_behind_is_found_on_8_cpus() {
    one_is_off(8, 3, -10_000);
}

#[test]
fn a_clock_that_is_10_us_ahead_is_found_on_64_cpus() {
    one_is_off(64, 40, 10_000);
}

#[test]
fn a_clock_that_is_a_second_ahead_has_its_timer_and_its_times_put_right() {
    one_is_off(4, 1, 1_000_000_000);
}

#[test]
fn all_clocks_of_63_aps_take_at_most_three_times_as_long_as_one() {
    let duration = |cpus| check(&comes_up_whole(&machine(cpus, ""))).duration_ns;
    let (one, many) = (duration(2), duration(64));
    assert!(many <= 3 * one, "{one} ns for one AP, {many} for 63");
}

#[test]
fn rounds_of_all_strategies_and_the_bare_one_are_corrected_too() {
    let ended = comes_up_whole(&machine(4, "bench=1 fault=2:tsc=50000000"));
    let bringups = ended.records.bringups().expect("all records are whole");
    assert!(bringups.len() > 1);
    let worst = check(&ended).uncertainty_ns;
    for bringup in &bringups {
        assert_eq!(bringup.uncertainty_ns, worst, "{bringup:?}");
        // Uncorrected, the last time were 50 ms behind the end.
        assert!(bringup.online_ns <= Some(bringup.total_ns), "{bringup:?}");
    }
    let bare = ended
        .records
        .bares()
        .expect("all records are whole")
        .remove(0);
    assert_eq!(bare.uncertainty_ns, worst);
    assert!(
        bare.alive_ns <= bare.online_ns && bare.online_ns < Some(50_000_000),
        "{bare:?}"
    );
}

#[test]
fn a_cpu_that_comes_later_is_compared_when_it_has_come() {
    let late = "alive-timeout=100 fault=2:late=150 do=online:2";
    let ended = boot(&machine(4, late));
    let checks = ended.records.clock_checks().expect("all records are whole");
    let compared: Vec<_> = checks.iter().map(|check| check.compared).collect();
    assert_eq!(compared, [2, 1]);
    for (cpu, clock) in clocks(&ended) {
        assert_eq!(clock.offset_ns, Some(0), "CPU {cpu}: {clock:?}");
    }
}

#[test]
fn where_nobody_compared_the_clocks_times_are_marked_once() {
    let machine = machine(8, "consistency=off");
    let ended = boot(&machine);
    assert_eq!(ended.outcome, Outcome::Ok);
    assert_eq!(
        ended.records.clock_checks().expect("all records are whole"),
        []
    );
    assert!(aps(&ended).iter().all(|cpu| cpu.uncertainty_ns.is_none()));
    let bringup = ended.records.bringup().expect("round 0");
    assert_eq!(bringup.uncertainty_ns, None);
    assert_eq!(ended.console.matches("own clock").count(), 1);
    assert!(ended.console.contains(" ms? (parallel)"));
}

#[test]
fn a_clock_that_stands_where_the_boot_began_tells_no_times() {
    let ended = boot(&machine(4, "fault=2:tsc=-2000000000"));
    is_online_without_times(&ended);
    let (_, clock) = &clocks(&ended)[1];
    // It was compared all the same, by its counts.
    let offset = clock.offset_ns.expect("it was compared");
    assert!(offset.abs_diff(-2_000_000_000) < CERTAIN_NS, "{clock:?}");
}

fn is_online_without_times(ended: &Ended) {
    let aps = aps(ended);
    let marked: Vec<_> = aps.iter().map(|cpu| cpu.uncertainty_ns.is_none()).collect();
    assert_eq!(marked, [false, true, false]);
    assert!(aps.iter().all(|cpu| cpu.outcome == CpuOutcome::Online));
}
