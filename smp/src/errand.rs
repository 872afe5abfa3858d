//! What an AP that rests is asked to do without leaving its rung: one instance of one step, done or
//! undone.
//!
//! # Memory ordering
//!
//! The driver stores the errand with release ordering, and the AP its answer; both are loaded with
//! acquire ordering. There is one at a time, and a word that asks is changed by the AP alone, or by
//! the driver that waits no longer: then before it abandons the AP, so that an AP which comes back
//! from that finds nothing asked of the time before.

use crate::{
    instances::Instance,
    step::{Direction, StepError},
    sync::{AtomicU32, Ordering},
};

/// One instance of the step with this place in the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errand {
    pub(crate) step: usize,
    pub(crate) instance: Instance,
    pub(crate) direction: Direction,
}

/// What one AP is asked, or has answered.
#[derive(Debug)]
pub(crate) struct ErrandWord(AtomicU32);

const ASKED: u32 = 1 << 31;
const ANSWERED: u32 = 1 << 30;
const DOWN: u32 = 1 << 29;
/// In a question, above the step's ten bits; in an answer, the error or 0.
const SHIFT: u32 = 10;
const STEP: u32 = (1 << SHIFT) - 1;

impl ErrandWord {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    pub(crate) fn ask(&self, errand: Errand) {
        let down = match errand.direction {
            Direction::Up => 0,
            Direction::Down => DOWN,
        };
        let instance = u32::from(errand.instance.number()) << SHIFT;
        let question = ASKED | down | instance | errand.step as u32;
        self.0.store(question, Ordering::Release);
    }

    /// Takes back what was asked, unless it has been answered.
    pub(crate) fn withdraw(&self) {
        let withdraw = |word| (word & ASKED != 0).then_some(0);
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, withdraw);
    }

    pub(crate) fn asked(&self) -> Option<Errand> {
        let word = self.0.load(Ordering::Acquire);
        if word & ASKED == 0 {
            return None;
        }
        Some(Errand {
            step: (word & STEP) as usize,
            instance: Instance::new((word >> SHIFT) as u8)?,
            direction: match word & DOWN {
                0 => Direction::Up,
                _ => Direction::Down,
            },
        })
    }

    pub(crate) fn answer(&self, result: Result<(), StepError>) {
        let error = result.err().map_or(0, |error| error as u32);
        self.0.store(ANSWERED | error << SHIFT, Ordering::Release);
    }

    pub(crate) fn answered(&self) -> Option<Result<(), StepError>> {
        let word = self.0.load(Ordering::Acquire);
        let error = || StepError::from_number((word >> SHIFT) as u8);
        (word & ANSWERED != 0).then(|| error().map_or(Ok(()), Err))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_question_and_its_answer_come_through_as_they_were_given() {
        let word = ErrandWord::new();
        assert_eq!((word.asked(), word.answered()), (None, None));
        for direction in [Direction::Up, Direction::Down] {
            let errand = Errand {
                step: 1022,
                instance: Instance::new(Instance::MOST - 1).unwrap(),
                direction,
            };
            word.ask(errand);
            assert_eq!((word.asked(), word.answered()), (Some(errand), None));
            word.withdraw();
            assert_eq!((word.asked(), word.answered()), (None, None));
        }
        for result in [Ok(()), Err(StepError::Busy)] {
            word.answer(result);
            assert_eq!((word.asked(), word.answered()), (None, Some(result)));
            word.withdraw();
            assert_eq!(word.answered(), Some(result));
        }
    }
}
