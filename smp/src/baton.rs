//! The turn on its way from AP to AP: each CPU in the queue holds the name of the next one.
//!
//! ```text
//!   BSP        opens m's baton ──▶ links m behind its predecessor  (compare-and-swap)
//!   holder     runs its serialised section ──▶ passes on   (compare-and-swap) ──▶ grants the next one
//! ```
//!
//! So the turn goes on by one interrupt, straight from the CPU that is done to the one that waits,
//! and the BSP is not on that way. It decides the order, by linking; and where a holder falls
//! silent, it passes on in its place, and grants the next one if the holder died before it did.
//!
//! A holder may also come to its grant when all of that is long over. So it looks at what the next
//! one waits for before it passes on, while that is sure to wait, and grants that and nothing else.
//!
//! # Memory ordering
//!
//! Linking and passing on are read-modify-writes of one word with acquire-release ordering, so one
//! of them comes first. If the link does, whoever passes on sees it, and all that the BSP prepared
//! for the new one before. If the passing does, the link fails and has acquired what was done in
//! the section; the BSP then grants the turn itself. Of two that pass on, the BSP and a holder that
//! it took for dead, one gets the name. An open baton is written before anybody knows of it.

use crate::sync::{AtomicU32, Ordering};

/// Who comes after a CPU in the queue for the turn. Names are indices into the list of APs.
#[derive(Debug)]
pub(crate) struct Baton(AtomicU32);

/// The turn has been passed on, or the CPU does not queue for it.
const PASSED: u32 = u32::MAX;
/// The CPU waits or has the turn, and nobody queues behind it.
const LAST: u32 = u32::MAX - 1;

impl Baton {
    /// The baton of a CPU that does not queue.
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(PASSED))
    }

    /// BSP: the CPU is going to queue before `next`. To be called before anybody links to it.
    pub(crate) fn open(&self, next: Option<usize>) {
        self.0.store(name(next), Ordering::Relaxed);
    }

    /// BSP: puts `new` between this CPU and `next`; `false` if this CPU has passed on already.
    pub(crate) fn link(&self, next: Option<usize>, new: usize) -> bool {
        self.0
            .compare_exchange(
                name(next),
                name(Some(new)),
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .is_ok()
    }

    /// The holder, or the BSP in its place: takes the name of the one to grant the turn to, and what
    /// `look` finds in that one as long as it waits here. `None` when nobody queues, and for all but
    /// the first who passes on.
    pub(crate) fn pass_on<T>(&self, look: impl Fn(usize) -> T) -> Option<(usize, T)> {
        let mut now = self.0.load(Ordering::Acquire);
        loop {
            let next = match now {
                PASSED => return None,
                LAST => None,
                index => Some((index as usize, look(index as usize))),
            };
            match self
                .0
                .compare_exchange(now, PASSED, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return next,
                // The BSP has put somebody in between, which it does once for each CPU at most, or
                // has passed on.
                Err(changed) => now = changed,
            }
        }
    }

    /// Whether the turn is not here, and will not come without another [`open`](Self::open).
    pub(crate) fn has_passed(&self) -> bool {
        self.0.load(Ordering::Acquire) == PASSED
    }

    /// Forgets an earlier attempt.
    pub(crate) fn clear(&self) {
        self.0.store(PASSED, Ordering::Relaxed);
    }
}

fn name(next: Option<usize>) -> u32 {
    next.map_or(LAST, |index| index as u32)
}
