//! Faults on demand: a step that is told to fail on one CPU.

use crate::{
    step::{Direction, StepError},
    sync::{AtomicU32, Ordering},
};

/// Which step is to fail, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Injection {
    /// The step's place in the ladder.
    pub step: usize,
    /// On the way up, or on the way down.
    pub direction: Direction,
    /// Every time, and not only the next.
    pub is_sticky: bool,
}

/// What one CPU is told, or nothing.
///
/// # Memory ordering
///
/// Relaxed: it is written before the CPU is called, and the call orders it.
#[derive(Debug)]
pub(crate) struct InjectionWord(AtomicU32);

const NONE: u32 = 0;
const SET: u32 = 1 << 31;
const STICKY: u32 = 1 << 30;
const DOWN: u32 = 1 << 29;

impl InjectionWord {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(NONE))
    }

    pub(crate) fn set(&self, injection: Option<Injection>) {
        let word = injection.map_or(NONE, |injection| {
            let sticky = if injection.is_sticky { STICKY } else { 0 };
            word(injection.step, injection.direction) | sticky
        });
        self.0.store(word, Ordering::Relaxed);
    }

    /// What the CPU is told, if it has not struck yet.
    pub(crate) fn get(&self) -> Option<Injection> {
        let now = self.0.load(Ordering::Relaxed);
        (now & SET != 0).then_some(Injection {
            step: (now & !(SET | STICKY | DOWN)) as usize,
            direction: match now & DOWN {
                0 => Direction::Up,
                _ => Direction::Down,
            },
            is_sticky: now & STICKY != 0,
        })
    }

    /// What is to strike once, strikes no more.
    pub(crate) fn forget_the_next(&self) {
        if self.0.load(Ordering::Relaxed) & STICKY == 0 {
            self.0.store(NONE, Ordering::Relaxed);
        }
    }

    /// Fails if this step is to; unless it always is, the next time it is not.
    pub(crate) fn strike(&self, step: usize, direction: Direction) -> Result<(), StepError> {
        let now = self.0.load(Ordering::Relaxed);
        if now & !STICKY != word(step, direction) {
            return Ok(());
        }
        if now & STICKY == 0 {
            self.0.store(NONE, Ordering::Relaxed);
        }
        Err(StepError::Injected)
    }
}

fn word(step: usize, direction: Direction) -> u32 {
    let down = match direction {
        Direction::Up => 0,
        Direction::Down => DOWN,
    };
    SET | down | step as u32
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_its_step_in_its_direction_once_or_always() {
        let word = InjectionWord::new();
        assert_eq!(word.strike(0, Direction::Up), Ok(()));
        assert_eq!(word.get(), None);
        for is_sticky in [false, true] {
            let injection = Injection {
                step: 3,
                direction: Direction::Down,
                is_sticky,
            };
            word.set(Some(injection));
            assert_eq!(word.get(), Some(injection));
            assert_eq!(word.strike(3, Direction::Up), Ok(()));
            assert_eq!(word.strike(2, Direction::Down), Ok(()));
            assert!(word.strike(3, Direction::Down).is_err());
            assert_eq!(word.get().is_some(), is_sticky);
            assert_eq!(word.strike(3, Direction::Down).is_err(), is_sticky);
        }
        word.set(None);
        assert_eq!(word.strike(3, Direction::Down), Ok(()));
    }

    #[test]
    fn what_strikes_once_can_be_forgotten_and_what_always_does_cannot() {
        let word = InjectionWord::new();
        for is_sticky in [false, true] {
            word.set(Some(Injection {
                step: 3,
                direction: Direction::Up,
                is_sticky,
            }));
            word.forget_the_next();
            assert_eq!(word.strike(3, Direction::Up).is_err(), is_sticky);
        }
    }
}
