//! How far a CPU has come: its rung, and the step at which it failed, in one word.
//!
//! # Memory ordering
//!
//! The word is stored with release and loaded with acquire ordering: whoever sees a rung sees what
//! the steps below it did. While the CPU is down or rests, whoever drives it writes the word, else
//! the AP alone does; the state word hands it over.

use crate::{
    ladder::Rung,
    step::StepError,
    sync::{AtomicU32, Ordering},
};

/// What the word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Where the CPU is.
    pub rung: Rung,
    /// The step at which its last way ended, if one failed: its place in the ladder, and why.
    pub failure: Option<(usize, StepError)>,
}

/// The word.
#[derive(Debug)]
pub(crate) struct ProgressWord(AtomicU32);

/// The rung stands in the lowest bits, then the step's place, then the error or 0.
const STEP_SHIFT: u32 = 10;
const ERROR_SHIFT: u32 = 20;
const TEN_BITS: u32 = (1 << 10) - 1;

impl ProgressWord {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// The CPU is on this rung, and no step has failed.
    pub(crate) fn pass(&self, rung: Rung) {
        self.0.store(u32::from(rung.0), Ordering::Release);
    }

    /// The CPU is on this rung, because this step failed.
    pub(crate) fn fail(&self, rung: Rung, step: usize, error: StepError) {
        let failure = (step as u32) << STEP_SHIFT | (error as u32) << ERROR_SHIFT;
        self.0.store(u32::from(rung.0) | failure, Ordering::Release);
    }

    pub(crate) fn load(&self) -> Progress {
        let word = self.0.load(Ordering::Acquire);
        let step = (word >> STEP_SHIFT & TEN_BITS) as usize;
        let error = StepError::from_number((word >> ERROR_SHIFT) as u8);
        Progress {
            rung: Rung((word & TEN_BITS) as u16),
            failure: error.map(|error| (step, error)),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::ladder::Ladder;

    #[test]
    fn rung_step_and_error_share_a_word_and_keep_apart() {
        let word = ProgressWord::new();
        let last = Ladder::MAX_STEPS;
        for (rung, step) in [(0, 0), (last, 0), (0, last), (last, last - 1)] {
            let rung = Rung(rung as u16);
            word.fail(rung, step, StepError::TimedOut);
            let failure = Some((step, StepError::TimedOut));
            assert_eq!(word.load(), Progress { rung, failure });
            word.pass(rung);
            let failure = None;
            assert_eq!(word.load(), Progress { rung, failure });
        }
    }
}
