//! What an AP may do: to which rung it is to go, whether it has been called, and whether it has to
//! wait for its turn.
//!
//! # Memory ordering
//!
//! The word is stored by the BSP with release ordering while the AP has nothing to do, and changed
//! once more by whoever grants the turn, in one compare-and-swap that releases. The AP loads with
//! acquire ordering, and so sees what was prepared for its steps, and what was done in the turns
//! before its own. It clears the call itself where a step failed, and [`withdraw`] clears it from
//! the other side: whichever comes first, the AP is no longer called. The AP then leaves a state
//! that the BSP acquires before it stores here again, so no new call is cleared by an old decline.
//!
//! [`withdraw`]: Permission::withdraw

use crate::{
    ladder::Rung,
    sync::{AtomicU32, Ordering},
};

/// The word.
#[derive(Debug)]
pub(crate) struct Permission(AtomicU32);

/// Not before it is granted the turn.
const HELD: u32 = 1 << 31;
/// The AP is called: it is to go to the rung that the lower bits name.
const CALLED: u32 = 1 << 30;
/// Between the two and the rung, the turns that the AP has ever waited for are counted, so that a
/// grant which comes when the AP waits for another one is known. Whoever grants so late has missed
/// as many turns as there are of these to be mistaken.
const ONE_TURN: u32 = 1 << 16;
const TURNS: u32 = CALLED - ONE_TURN;

/// A turn that an AP waits for, told from all others that it waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Awaited(u32);

impl Permission {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    // ---- whoever grants the turn ----

    /// What the AP waits for. To be looked at while it is sure to wait, by whoever will grant it.
    pub(crate) fn awaited(&self) -> Awaited {
        Awaited(self.0.load(Ordering::Relaxed))
    }

    /// Grants the turn that the AP waited for; without effect if that has been granted already.
    pub(crate) fn grant(&self, Awaited(permission): Awaited) {
        let _ = self.0.compare_exchange(
            permission,
            permission & !HELD,
            Ordering::Release,
            Ordering::Relaxed,
        );
    }

    // ---- the BSP ----

    /// How far the AP is to go before it is alive. Its claim orders this before it.
    pub(crate) fn direct(&self, goal: Rung) {
        self.0
            .store(self.turns() | u32::from(goal.0), Ordering::Relaxed);
    }

    /// Calls the AP to go to a rung.
    pub(crate) fn call(&self, goal: Rung) {
        self.0
            .store(CALLED | self.turns() | u32::from(goal.0), Ordering::Release);
    }

    /// The same for the moment at which it is granted the turn.
    pub(crate) fn call_with_the_turn(&self, goal: Rung) {
        let turns = self.turns().wrapping_add(ONE_TURN) & TURNS;
        self.0
            .store(CALLED | HELD | turns | u32::from(goal.0), Ordering::Release);
    }

    /// Takes back what was permitted.
    pub(crate) fn withdraw(&self) {
        self.0.store(self.turns(), Ordering::Release);
    }

    /// Whether the AP has yet to be granted the turn for what it is permitted. It starts a deadline
    /// and no more: nothing is read behind it.
    pub(crate) fn is_held(&self) -> bool {
        self.0.load(Ordering::Relaxed) & HELD != 0
    }

    /// Only the BSP changes them.
    fn turns(&self) -> u32 {
        self.0.load(Ordering::Relaxed) & TURNS
    }

    // ---- the AP ----

    /// How far the AP is to go before it is alive.
    pub(crate) fn direction(&self) -> Rung {
        rung(self.0.load(Ordering::Relaxed))
    }

    /// Where the AP may go now; `None` before it is called, and while it has to wait for its turn.
    pub(crate) fn goal(&self) -> Option<Rung> {
        let permission = self.0.load(Ordering::Acquire);
        (permission & (CALLED | HELD) == CALLED).then(|| rung(permission))
    }

    /// The AP goes no further than it has come.
    pub(crate) fn decline(&self) {
        self.0.fetch_and(!CALLED, Ordering::Relaxed);
    }
}

fn rung(permission: u32) -> Rung {
    Rung(permission as u16)
}
