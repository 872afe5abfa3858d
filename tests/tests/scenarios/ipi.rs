//! How long calls take between all pairs of CPUs.

use reveille_smp::record::{Ipi, Times};
use reveille_tests::{guest::Ended, outcome::Outcome, qemu::machine::Machine};

use crate::boot::{boot, is_whole};

/// Boots, and measures so many calls of each pair.
fn matrix(machine: Machine, samples: u32) -> (Vec<Ipi>, Ended) {
    let machine = machine.append(&format!("ipi=matrix:{samples}"));
    let ended = boot(&machine);
    is_whole(&machine, &ended);
    let ipis = ended.records.ipis().expect("all records are whole");
    let cpus = machine.smp.cpus();
    let pairs = (0..cpus).flat_map(|from| (0..cpus).map(move |to| (from, to)));
    let pairs = pairs.filter(|(from, to)| from != to);
    assert!(pairs.eq(ipis.iter().map(|it| (it.from.0, it.to.0))));
    for ipi in &ipis {
        assert_eq!(ipi.samples, samples);
        let all = |times: &Times| times.histogram.iter().sum::<u32>();
        let round_trip = ipi.round_trip_ns.as_ref().expect("all were answered");
        assert_eq!(all(round_trip), samples);
        assert!(round_trip.spread.min > 0, "{ipi:?}");
    }
    (ipis, ended)
}

#[test]
fn every_pair_of_8_cpus_is_measured_and_the_table_fits() {
    let (ipis, ended) = matrix(Machine::new(8), 20);
    for ipi in &ipis {
        let entry = ipi.queue_to_entry_ns.as_ref().expect("clocks compare");
        assert_eq!(entry.histogram.iter().sum::<u32>(), ipi.samples);
        assert!(ipi.uncertainty_ns.is_some());
        // Whoever halts gets an interrupt: of a few it may have been on its way to its halt.
        let sent = ipi.send_to_entry_ns.as_ref().expect("interrupts were sent");
        assert!(sent.spread.p50 <= entry.spread.max, "{ipi:?}");
    }
    let lines = || ended.console.lines().map(str::trim_end);
    let first = lines().position(|line| line.starts_with("ipi: 56 pairs, 20 calls each"));
    let table: Vec<_> = lines()
        .skip(first.expect("there is a table"))
        .take(11)
        .collect();
    assert!(table[1].starts_with("from\\to      0      1 "), "{table:?}");
    assert!(table.iter().all(|line| line.len() <= 80), "{table:?}");
}

#[test]
fn clocks_that_were_not_compared_leave_only_the_times_of_one_clock() {
    let machine = Machine::new(2).append("consistency=off");
    let (ipis, _) = matrix(machine, 10);
    for ipi in ipis {
        assert_eq!(ipi.uncertainty_ns, None);
        assert!(ipi.queue_to_entry_ns.is_none() && ipi.send_to_entry_ns.is_none());
    }
}

#[test]
fn all_4032_pairs_of_64_cpus_are_measured_and_the_worst_are_named() {
    let (_, ended) = matrix(Machine::new(64), 2);
    let mut lines = ended.console.lines();
    assert!(lines.any(|line| line.starts_with("ipi: 4032 pairs, 2 calls each")));
    assert_eq!(
        lines.take_while(|line| line.starts_with("  CPU ")).count(),
        5
    );
}

#[test]
fn more_calls_than_memory_holds_are_refused_and_it_is_said_how_many_would_fit() {
    for asked in ["300000000", "4294967295"] {
        for key in ["ipi=matrix:", "round-trips="] {
            let ended = boot(&Machine::new(2).append(&format!("{key}{asked}")));
            let Outcome::Failed(reason) = &ended.outcome else {
                panic!("{}", ended.explain());
            };
            let (_, most) = reason
                .split_once(&format!("{asked} were asked for, "))
                .expect("it is said what was asked for");
            let most: u32 = most
                .strip_suffix(" would fit")
                .and_then(|most| most.parse().ok())
                .expect("it is said how many would fit");
            assert!(most > 1_000, "{reason}");
        }
    }
}
