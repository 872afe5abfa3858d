//! The online steps: what an AP does on its own CPU between ALIVE and ONLINE.
//!
//! A step says whether it must be serialised. Neighbours of one kind form a [`Section`]; a CPU
//! takes its turn before it enters a serialised one and gives it back behind it, and concurrent
//! ones run on all CPUs at once.

use core::{fmt, ops::Range};

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
}

impl StepError {
    pub(crate) fn from_word(word: u32) -> Option<Self> {
        [Self::WrongCpu, Self::Exhausted, Self::Unsupported]
            .into_iter()
            .find(|&error| error as u32 == word)
    }

    /// A sentence for reports.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::WrongCpu => "it ran on another CPU than it was meant for",
            Self::Exhausted => "what it hands out is used up",
            Self::Unsupported => "the CPU does not support what it needs",
        }
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for StepError {}

/// Neighbouring steps of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Whether a turn is needed.
    pub mode: Mode,
    /// The steps, as indices.
    pub steps: Range<usize>,
}

/// The steps cut into sections.
pub fn sections(steps: &[&dyn Step]) -> Vec<Section> {
    let mut first = 0;
    steps
        .chunk_by(|a, b| a.mode() == b.mode())
        .map(|chunk| {
            let steps = first..first + chunk.len();
            first = steps.end;
            Section {
                mode: chunk[0].mode(),
                steps,
            }
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
    fn neighbours_of_one_kind_share_a_section() {
        let (s, c) = (Dummy(Mode::Serialised), Dummy(Mode::Concurrent));
        let steps: [&dyn Step; 5] = [&c, &s, &s, &c, &s];
        let section = |mode, steps| Section { mode, steps };
        assert_eq!(
            sections(&steps),
            vec![
                section(Mode::Concurrent, 0..1),
                section(Mode::Serialised, 1..3),
                section(Mode::Concurrent, 3..4),
                section(Mode::Serialised, 4..5),
            ]
        );
        assert_eq!(sections(&[]), vec![]);
    }

    #[test]
    fn an_error_survives_its_way_through_a_word() {
        for error in [
            StepError::WrongCpu,
            StepError::Exhausted,
            StepError::Unsupported,
        ] {
            assert_eq!(StepError::from_word(error as u32), Some(error));
        }
        assert_eq!(StepError::from_word(0), None);
    }
}
