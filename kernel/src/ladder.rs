//! The steps that each AP of this kernel goes through, from wherever their subsystems register them.
//!
//! A subsystem puts its step into [`STEPS`], in its own file, and nothing else has to know of it: the
//! linker collects the slice, and [`Ladder`] sorts it. Steps have no state of their own. What they
//! work on they find by the CPU's number ([`PerCpu::of`](crate::percpu::PerCpu::of)), or, on the AP
//! itself, once it has its area, by [`PerCpu::current`](crate::percpu::PerCpu::current).

use linkme::distributed_slice;
use reveille_smp::{
    ladder::{Ladder, LadderError},
    step::Step,
};

use crate::consistency::Consistency;

/// All steps, in no order.
#[distributed_slice]
pub static STEPS: [&'static dyn Step];

/// The ladder that they make, with those of `consistency` if it is on, and those that a test or a model adds.
///
/// # Errors
///
/// [`LadderError`] when two of them share a name, or another rule of ladders is broken.
pub fn of_all_steps(
    consistency: Consistency,
    added: impl IntoIterator<Item = &'static dyn Step>,
) -> Result<Ladder, LadderError> {
    let checks = consistency.steps().iter();
    Ladder::new(STEPS.iter().chain(checks).copied().chain(added))
}

#[cfg(test)]
mod tests {
    use reveille_smp::step::Section;

    use super::*;

    #[test]
    fn the_steps_that_are_registered_make_a_ladder() {
        let ladder = of_all_steps(Consistency::On, None).unwrap();
        // The ladder adds one, the kick.
        let checks = Consistency::On.steps().len();
        assert_eq!(ladder.steps().len(), STEPS.len() + checks + 1);
        let without = of_all_steps(Consistency::Off, None).unwrap();
        assert_eq!(without.steps().len(), STEPS.len() + 1);
        for section in [Section::Prepare, Section::Starting, Section::Online] {
            let is_there = STEPS.iter().any(|step| step.section() == section);
            assert!(is_there, "{section:?}");
        }
    }

    #[test]
    fn interrupts_come_last_before_the_first_online_step_and_what_they_need_before_them() {
        let ladder = of_all_steps(Consistency::On, None).unwrap();
        let rung = |name| ladder.find(name).unwrap();
        assert_eq!(rung("interrupts"), ladder.started());
        let order = ["kick", "tables", "cpuid", "apic", "timer", "interrupts"].map(rung);
        assert!(order.is_sorted());
    }

    #[test]
    fn a_cpu_rests_wherever_a_doorbell_finds_it() {
        let ladder = of_all_steps(Consistency::On, None).unwrap();
        let blind: Vec<_> = ladder
            .rungs()
            .filter(|&rung| !ladder.can_rest(rung))
            .map(|rung| ladder.name(rung))
            .collect();
        assert_eq!(blind, ["kick", "tables", "cpuid", "clock"]);
    }
}
