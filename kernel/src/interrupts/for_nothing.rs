//! How often a device's interrupt comes for nothing: a level triggered one that nobody ends keeps its CPU in the
//! handler for ever. Whoever counts it masks it in time.

#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering};

/// How often the interrupt came since it last came for something. The BSP's handler alone counts, so it is
/// Relaxed.
#[derive(Debug)]
pub(crate) struct ForNothing(AtomicU32);

impl ForNothing {
    /// So often is too often. Another device on the same input, or an event that was dealt with as its interrupt
    /// was on its way, may account for a few.
    pub(crate) const MOST: u32 = 1000;

    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Takes note of an interrupt that came for something, or for nothing; whether it has come too often for
    /// nothing.
    pub(crate) fn note(&self, is_for_something: bool) -> bool {
        match is_for_something {
            true => self.0.store(0, Ordering::Relaxed),
            false => {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.0.load(Ordering::Relaxed) >= Self::MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_interrupts_for_nothing_in_a_row_are_too_many() {
        let for_nothing = ForNothing::new();
        for _ in 0..5 {
            assert!((1..ForNothing::MOST).all(|_| !for_nothing.note(false)));
            assert!(!for_nothing.note(true));
        }
        assert!((1..ForNothing::MOST).all(|_| !for_nothing.note(false)));
        assert!(for_nothing.note(false));
    }
}
