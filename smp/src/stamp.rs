//! When something happened, if it did.

use reveille_executor::Instant;

use crate::{
    errand::ErrandWord,
    injection::InjectionWord,
    sync::{AtomicU32, AtomicU64, Ordering},
};

/// A point in time that may not have come yet.
#[derive(Debug)]
pub(crate) struct Stamp(AtomicU64);

impl Stamp {
    /// A clock that counts nanoseconds gets here after 584 years.
    const NONE: u64 = u64::MAX;

    fn new() -> Self {
        Self(AtomicU64::new(Self::NONE))
    }

    pub(crate) fn set(&self, at: Instant) {
        self.0.store(at.as_nanos(), Ordering::Relaxed);
    }

    fn clear(&self) {
        self.0.store(Self::NONE, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Option<Instant> {
        match self.0.load(Ordering::Relaxed) {
            Self::NONE => None,
            nanos => Some(Instant::from_nanos(nanos)),
        }
    }
}

/// What an AP notes on its way, apart from the words by which it and the BSP talk: this line is
/// written by the AP, and read by others only when the AP's way is over.
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
