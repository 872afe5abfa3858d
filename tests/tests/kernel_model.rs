//! What the kernel takes for a model's times, beside the model: each figure is that of `tests/models/`.

use std::time::Duration;

use reveille_kernel::model::{
    Model,
    figures::{self, Figures},
};
use reveille_smp::step::Section;
use reveille_tests::sim::model::{self, At, Cost, Delay, On, Part, Who};

/// What the kernel has by itself: these figures of a model it does not take.
const ITS_OWN: [At; 3] = [At::Poll, At::Ring, At::Wake];

fn both(model: Model) -> (&'static Figures, model::Model) {
    let of_simulator = model::Model::named(model.name()).expect("the simulator has it too");
    (model.figures(), of_simulator)
}

fn on(on: figures::On) -> On {
    match on {
        figures::On::Bsp => On::Bsp,
        figures::On::Ap => On::Ap,
        figures::On::Pair => On::Pair,
    }
}

fn who(who: figures::Who) -> Who {
    match who {
        figures::Who::Every => Who::Every,
        figures::Who::FirstThreads => Who::FirstThreads,
        figures::Who::OtherThreads => Who::OtherThreads,
        figures::Who::FirstOfPackage => Who::FirstOfPackage,
    }
}

#[test]
fn it_stands_for_the_same_machine() {
    for &model in Model::ALL {
        let (kernel, of_simulator) = both(model);
        let [first, last] =
            [0, of_simulator.shape.cpus() - 1].map(|cpu| of_simulator.shape.place(cpu));
        assert_eq!(kernel.title, of_simulator.title);
        assert_eq!(kernel.cpus() as usize, of_simulator.shape.cpus());
        let counts = [
            last.package - first.package + 1,
            last.core - first.core + 1,
            last.thread - first.thread + 1,
        ];
        assert_eq!([kernel.packages, kernel.cores, kernel.threads], counts);
    }
}

#[test]
fn a_kick_and_an_answer_take_the_same_and_nothing_else_costs_anything() {
    for &model in Model::ALL {
        let (kernel, of_simulator) = both(model);
        let constant = Delay::Constant;
        let other_threads = Delay::LogUniform {
            from: kernel.other_threads_answer.from(),
            to: kernel.other_threads_answer.to(),
        };
        let expected = [
            (At::Init, On::Bsp, Who::Every, constant(kernel.init)),
            (At::Sipi, On::Bsp, Who::Every, constant(kernel.sipi)),
            (
                At::Start,
                On::Latency,
                Who::FirstThreads,
                constant(kernel.first_threads_answer),
            ),
            (At::Start, On::Latency, Who::OtherThreads, other_threads),
        ];
        let is_modelled = |cost: &&Cost| !ITS_OWN.contains(&cost.at);
        let costs = of_simulator.costs.iter().filter(is_modelled);
        let found: Vec<_> = costs
            .map(|Cost { at, piece }| (*at, piece.on, piece.who, piece.time.clone()))
            .collect();
        assert_eq!(found, expected, "{}", model.name());
    }
}

#[test]
fn every_step_is_the_same_piece_by_piece() {
    for &model in Model::ALL {
        let (kernel, of_simulator) = both(model);
        assert_eq!(kernel.steps.len(), of_simulator.steps.len());
        for (step, of_simulator) in kernel.steps.iter().zip(&of_simulator.steps) {
            let kind = (step.name, step.section, step.mode, step.primaries_first);
            let simulated = (
                of_simulator.name,
                of_simulator.section,
                of_simulator.mode,
                of_simulator.primaries_first,
            );
            assert_eq!(kind, simulated);
            let pieces = step.up.iter();
            let pieces: Vec<_> = pieces
                .map(|it| (on(it.on), who(it.who), Delay::Constant(it.time)))
                .collect();
            let simulated = of_simulator.up.iter();
            let simulated: Vec<_> = simulated
                .map(|it| (it.on, it.who, it.time.clone()))
                .collect();
            assert_eq!(pieces, simulated, "{}", step.name);
            assert!(
                of_simulator.down.is_empty(),
                "the way down of {}",
                step.name
            );
        }
    }
}

#[test]
fn nobody_has_a_share_of_a_host_or_of_a_resource() {
    for &model in Model::ALL {
        let (_, of_simulator) = both(model);
        assert_eq!(of_simulator.host, None);
        assert!(of_simulator.resources.is_empty());
    }
}

/// From what Linux prints, and by no way over the simulator: with what is prepared for an AP, its kick and a poll.
#[test]
fn what_the_bsp_does_for_an_ap_is_what_was_published() {
    let (kernel, of_simulator) = both(Model::Skylake112);
    let prepare = kernel
        .steps
        .iter()
        .filter(|step| step.section == Section::Prepare);
    let pieces: Duration = prepare
        .flat_map(|step| step.up)
        .map(|piece| piece.time)
        .sum();
    let poll = Duration::from_micros(1);
    let of_all = (pieces + kernel.init + kernel.sipi + poll) * (kernel.cpus() - 1);
    let published = of_simulator
        .totals
        .iter()
        .find(|total| total.part == Part::Prepare);
    let published = published.expect("it is printed").published;
    assert!(
        of_all.abs_diff(published) < Duration::from_micros(10),
        "{of_all:?}, {published:?}"
    );
}
