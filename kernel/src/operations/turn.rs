//! Whose turn it is to operate on CPUs: one operation at a time, first come, first served.
//!
//! The driver in `smp` shares nothing between two operations, so they must not overlap. A measurement of
//! many CPUs has its turn from beginning to end; whatever goes on for long between small operations takes
//! a turn for each.

use core::cell::Cell;

use reveille_smp::gate::{FirstCome, Passage};

use super::perform::Operations;

/// The queue of those who want to operate.
#[derive(Default)]
pub(super) struct Turns {
    gate: FirstCome,
    /// How many turns there have been.
    taken: Cell<usize>,
}

impl Operations<'_> {
    /// Waits until nobody operates on CPUs, and keeps others out until the passage is dropped.
    ///
    /// Who has it and asks for another waits for ever: what operations are made of takes none.
    ///
    /// # Cancellation
    ///
    /// The turn is left to others.
    pub(crate) async fn turn(&self) -> Passage<'_> {
        let Turns { gate, taken } = &self.turns;
        let passage = gate.enter().await;
        taken.set(taken.get() + 1);
        passage
    }

    /// How many turns there have been. Whoever has one, and sees more than one more than in his last,
    /// knows that others have operated meanwhile.
    pub(super) fn turns_taken(&self) -> usize {
        self.turns.taken.get()
    }
}
