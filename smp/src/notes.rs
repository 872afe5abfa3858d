//! What an AP and its driver leave for each other apart from the words by which they talk.

use crate::{
    errand::ErrandWord,
    injection::InjectionWord,
    stamp::Stamp,
    sync::{AtomicU32, AtomicWaker, Ordering},
};

/// What an AP notes on its way, and what it is told beside that. The stamps are written by the AP and
/// read by others only when its way is over; the rest is written by the driver while the AP rests.
///
/// # Memory ordering
///
/// Relaxed: a stamp is read behind the state or the progress that it belongs to.
#[repr(align(64))]
#[derive(Debug)]
pub(crate) struct Notes {
    /// When the AP ran in real mode.
    pub(crate) real: Stamp,
    /// When it ran in long mode.
    pub(crate) long: Stamp,
    /// When it wrote ALIVE.
    pub(crate) alive: Stamp,
    /// When it wrote ONLINE.
    pub(crate) online: Stamp,
    /// Not zero while the AP's changes wake nobody; see [`mute`](crate::slot::Slot::mute).
    muted: AtomicU32,
    /// The step that is to fail on this CPU.
    pub(crate) injection: InjectionWord,
    /// What the AP is asked to do where it is.
    pub(crate) errand: ErrandWord,
    /// The task in which the AP itself resides, for the AP that passes it the turn.
    pub(crate) peers: AtomicWaker,
}

impl Notes {
    pub(crate) fn new() -> Self {
        Self {
            real: Stamp::new(),
            long: Stamp::new(),
            alive: Stamp::new(),
            online: Stamp::new(),
            muted: AtomicU32::new(0),
            injection: InjectionWord::new(),
            errand: ErrandWord::new(),
            peers: AtomicWaker::new(),
        }
    }

    /// Forgets the times of an earlier attempt.
    pub(crate) fn clear(&self) {
        for stamp in [&self.real, &self.long, &self.alive, &self.online] {
            stamp.clear();
        }
    }

    pub(crate) fn mute(&self) {
        self.muted.store(1, Ordering::Relaxed);
    }

    pub(crate) fn is_muted(&self) -> bool {
        self.muted.load(Ordering::Relaxed) != 0
    }
}
