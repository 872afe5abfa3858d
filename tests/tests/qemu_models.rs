//! What the models of QEMU say, beside what real boots took.
//!
//! The measured times are the models' own totals, medians of nine boots each; none of the models'
//! parts was taken from them.

use std::time::Duration;

use reveille_smp::strategy::Strategy;
use reveille_tests::sim::{
    Done, Simulator,
    model::{Model, Part, Use},
};

/// The sizes of machine that were booted.
const CPUS: [usize; 2] = [8, 64];

/// Two medians of which the longer is no more than so many times the shorter are not said to differ:
/// of each such pair, one of the nine boots under TCG had the other one ahead. Of all others, no boot
/// had.
const NOISE: f64 = 1.2;

/// One strategy on one machine.
struct Compared {
    strategy: Strategy,
    measured: Duration,
    simulated: Duration,
}

/// All strategies on a model with so many CPUs.
fn compare(name: &str, cpus: usize) -> Vec<Compared> {
    let model = Model::named(name).expect(name);
    let model = model.with_cpus(cpus).expect("a size that was booted");
    let simulator = Simulator::new(model).expect("its steps are a ladder");
    let compared = |&strategy: &Strategy| {
        let mut totals = simulator.model().fitting_totals();
        let total = totals.find(|total| total.strategy == strategy);
        let total = total.unwrap_or_else(|| panic!("{strategy} was measured on {cpus} CPUs"));
        assert_eq!((total.part, total.role), (Part::All, Use::Validated));
        Compared {
            strategy,
            measured: total.published,
            simulated: online(&simulator, strategy),
        }
    };
    Strategy::ALL.iter().map(compared).collect()
}

/// From the first INIT until the last AP is online, as in the line of a boot.
fn online(simulator: &Simulator, strategy: Strategy) -> Duration {
    let simulated = simulator.run(&simulator.setup(strategy, 1));
    let simulated = simulated.unwrap_or_else(|broken| panic!("{strategy}: {broken}"));
    let [Done::Round(round)] = &simulated.done[..] else {
        panic!("one bring-up was asked for");
    };
    assert_eq!(round.online(), simulator.model().shape.cpus() - 1);
    let last = round.last(|report| report.online);
    Duration::from_nanos(last.expect("all are online"))
}

#[test]
fn boots_under_tcg_take_what_is_simulated_within_a_factor_of_two() {
    for cpus in CPUS {
        for it in compare("qemu-tcg", cpus) {
            let ratio = it.simulated.div_duration_f64(it.measured);
            println!(
                "{cpus} CPUs, {}: measured {:?}, simulated {:?}, {ratio:.2}",
                it.strategy, it.measured, it.simulated
            );
            assert!(
                (0.5..=2.0).contains(&ratio),
                "{cpus} CPUs, {}: {ratio:.2} times what was measured",
                it.strategy
            );
        }
    }
}

#[test]
fn boots_under_tcg_have_the_strategies_in_the_order_that_is_simulated() {
    let mut ordered = 0;
    for cpus in CPUS {
        let compared = compare("qemu-tcg", cpus);
        for slow in &compared {
            for fast in &compared {
                if slow.measured.div_duration_f64(fast.measured) > NOISE {
                    ordered += 1;
                    assert!(
                        slow.simulated > fast.simulated,
                        "{cpus} CPUs: {} takes {:?}, {} {:?}",
                        slow.strategy,
                        slow.simulated,
                        fast.strategy,
                        fast.simulated
                    );
                }
            }
        }
    }
    // All pairs but parallel and broadcast, and two-pass and serial.
    assert_eq!(ordered, CPUS.len() * 8);
}
