//! How much memory is in use, for those who check that what they do leaves no growth behind.
//!
//! They can tell only while nobody else uses memory. Whoever does at times of their own, such as a person
//! who types, says so by [`disturb`], and then nothing is judged: a growth that was not there is worse than
//! one that is found the next time.

use core::sync::atomic::{AtomicU64, Ordering};

use reveille_smp::record::Balance;

use crate::memory::{self, heap::HEAP};

/// How often somebody has said that he uses memory.
///
/// Relaxed: those who say it and those who measure are tasks of the BSP.
static DISTURBANCES: AtomicU64 = AtomicU64::new(0);

/// Whoever measures memory at this moment is not to judge it: the caller, a task of the BSP, is about to
/// take some, or to give some back, beside what is measured.
pub(crate) fn disturb() {
    DISTURBANCES.fetch_add(1, Ordering::Relaxed);
}

/// What is in use at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InUse {
    heap: u64,
    frames: u64,
    disturbances: u64,
}

impl InUse {
    /// What is in use now.
    pub(crate) fn now() -> Self {
        Self {
            heap: HEAP.bytes_in_use() as u64,
            frames: memory::frames_in_use(),
            disturbances: DISTURBANCES.load(Ordering::Relaxed),
        }
    }

    /// What was in use then, beside what is now.
    pub(crate) fn balance(self) -> Balance {
        let after = Self::now();
        Balance {
            heap_before: self.heap,
            heap_after: after.heap,
            frames_before: self.frames,
            frames_after: after.frames,
            disturbed: self.is_disturbed(),
        }
    }

    /// Whether somebody else has used memory since.
    pub(crate) fn is_disturbed(self) -> bool {
        self.disturbances != DISTURBANCES.load(Ordering::Relaxed)
    }
}
