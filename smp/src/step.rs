//! The online steps: what an AP does on its own CPU between ALIVE and ONLINE.
//!
//! A step says whether it must be serialised. A CPU takes its turn before the first of neighbouring
//! serialised steps and passes it on behind the last; concurrent ones run on all CPUs at once.

use core::fmt;

use alloc::vec::Vec;

use crate::cpu::CpuIndex;

/// Whether a step may run on several CPUs at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One CPU at a time, the lowest living one first.
    Serialised,
    /// All CPUs at once.
    Concurrent,
}

/// One step of the online phase.
pub trait Step: Sync {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// Whether it must be serialised.
    fn mode(&self) -> Mode;

    /// Runs on the AP itself, with interrupts on, in a task of the AP's own executor.
    fn up(&self, cpu: CpuIndex) -> Result<(), StepError>;
}

/// The steps of a kernel, in their order.
pub type Steps = &'static [&'static dyn Step];

/// Why a step failed. It crosses from the AP to the BSP as one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[non_exhaustive]
pub enum StepError {
    /// The step runs on another CPU than the one it was meant for.
    WrongCpu = 1,
    /// What the step hands out is used up.
    Exhausted = 2,
    /// The CPU lacks what the step needs, or refused it.
    Unsupported = 3,
    /// The step was told to fail.
    Injected = 4,
}

impl StepError {
    pub(crate) fn from_word(word: u32) -> Option<Self> {
        [
            Self::WrongCpu,
            Self::Exhausted,
            Self::Unsupported,
            Self::Injected,
        ]
        .into_iter()
        .find(|&error| error as u32 == word)
    }

    /// A sentence for reports.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::WrongCpu => "it ran on another CPU than it was meant for",
            Self::Exhausted => "what it hands out is used up",
            Self::Unsupported => "the CPU does not support what it needs",
            Self::Injected => "fault= asked for it",
        }
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for StepError {}

/// A part of the way through the steps that an AP runs without another word from the BSP:
/// serialised steps, for which it takes its turn, and the concurrent ones behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Whether it begins with serialised steps.
    pub needs_turn: bool,
    /// How many steps have been run at its end.
    pub end: usize,
}

/// The steps cut into legs, at least one.
pub fn legs(steps: &[&dyn Step]) -> Vec<Leg> {
    let is_serialised = |index: usize| {
        steps
            .get(index)
            .is_some_and(|step| step.mode() == Mode::Serialised)
    };
    let begins = |&index: &usize| index == 0 || is_serialised(index) && !is_serialised(index - 1);
    let mut starts: Vec<_> = (0..steps.len().max(1)).filter(begins).collect();
    starts.push(steps.len());
    starts
        .windows(2)
        .map(|leg| Leg {
            needs_turn: is_serialised(leg[0]),
            end: leg[1],
        })
        .collect()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::vec;

    use super::*;

    struct Dummy(Mode);

    impl Step for Dummy {
        fn name(&self) -> &'static str {
            "dummy"
        }
        fn mode(&self) -> Mode {
            self.0
        }
        fn up(&self, _: CpuIndex) -> Result<(), StepError> {
            Ok(())
        }
    }

    #[test]
    fn a_leg_ends_where_another_turn_is_needed() {
        let (s, c) = (Dummy(Mode::Serialised), Dummy(Mode::Concurrent));
        let legs_of = |steps: &[&dyn Step]| -> Vec<_> {
            let legs = legs(steps).into_iter();
            legs.map(|leg| (leg.needs_turn, leg.end)).collect()
        };
        assert_eq!(
            legs_of(&[&c, &s, &s, &c, &c, &s]),
            vec![(false, 1), (true, 5), (true, 6)]
        );
        assert_eq!(legs_of(&[&s, &c]), vec![(true, 2)]);
        assert_eq!(legs_of(&[&c]), vec![(false, 1)]);
        assert_eq!(legs_of(&[]), vec![(false, 0)]);
    }

    #[test]
    fn an_error_survives_its_way_through_a_word() {
        for error in [
            StepError::WrongCpu,
            StepError::Exhausted,
            StepError::Unsupported,
            StepError::Injected,
        ] {
            assert_eq!(StepError::from_word(error as u32), Some(error));
        }
        assert_eq!(StepError::from_word(0), None);
    }
}
