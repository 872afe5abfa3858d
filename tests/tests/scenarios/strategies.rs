//! Every strategy brings all CPUs up, whatever their number.

use reveille_smp::strategy::Strategy;
use reveille_tests::{bench::boots, qemu::machine::Machine};

use crate::boot::comes_up_whole;

fn comes_up_whole_by(strategy: Strategy, cpus: u32) {
    let machine = Machine::new(cpus).append(&format!("bringup={strategy}"));
    let ended = comes_up_whole(&machine);
    let bringup = ended.records.bringup().expect("round 0");
    assert_eq!(bringup.strategy, strategy.to_string());
}

/// A test each for the numbers of CPUs with which every strategy must come up whole.
macro_rules! come_up_whole {
    ($($name:ident: $cpus:literal;)*) => {$(
        #[test]
        fn $name() {
            for &strategy in Strategy::ALL {
                comes_up_whole_by(strategy, $cpus);
            }
        }
    )*};
}

come_up_whole! {
    every_strategy_brings_1_cpu_up: 1;
    every_strategy_brings_2_cpus_up: 2;
    every_strategy_brings_8_cpus_up: 8;
    every_strategy_brings_64_cpus_up: 64;
}

#[test]
fn strict_order_brings_all_cpus_up_too() {
    comes_up_whole(&Machine::new(8).append("order=strict"));
}

#[test]
fn without_aps_there_is_nothing_to_compare() {
    let ended = comes_up_whole(&Machine::new(1).append("bench=3"));
    assert!(ended.console.contains("no APs, nothing to compare"));
}

#[test]
fn a_benchmark_has_rounds_of_every_strategy_with_everybody_online() {
    let ended = comes_up_whole(&Machine::new(3).append("bench=2"));
    let rounds = ended.records.bringups().expect("all records are whole");
    for strategy in Strategy::ALL {
        let name = strategy.to_string();
        let of_strategy: Vec<_> = rounds
            .iter()
            .filter(|bringup| bringup.round > 0 && bringup.strategy == name)
            .map(|bringup| (bringup.round, bringup.online))
            .collect();
        assert_eq!(of_strategy, [(1, 2), (2, 2)], "{strategy}");
        assert!(ended.console.contains(&name), "{strategy}");
    }
}

#[test]
fn a_benchmark_measures_those_that_a_list_names_and_leaves_everybody_online() {
    let words = |list| format!("bench=2 strategies={list} cycle=1");
    let ended = comes_up_whole(&Machine::new(3).append(&words("bare,serial")));
    let samples = boots::samples(&ended.records).expect("all records are whole");
    assert!(samples.keys().eq(["bare", "serial"]), "{samples:?}");
    assert_eq!(samples["serial"].online_ns.len(), 2);
    // Nobody but a strategy brings back whom they took down.
    let ended = comes_up_whole(&Machine::new(3).append(&words("floor,bare")));
    let samples = boots::samples(&ended.records).expect("all records are whole");
    assert!(samples.keys().eq(["bare", "floor"]), "{samples:?}");
    let cycle = ended.records.cycle().expect("there is one");
    assert_eq!((cycle.aps, cycle.done, cycle.failed), (2, 1, 0));
    // It is of the number of APs, whoever else took part.
    assert!(!ended.console.contains("floor of"), "{}", ended.console);
}
