//! How much memory is in use, for those who check that what they do leaves no growth behind.

use reveille_smp::record::Balance;

use crate::memory::{self, heap::HEAP};

/// What is in use at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InUse {
    heap: u64,
    frames: u64,
}

impl InUse {
    /// What is in use now.
    pub(crate) fn now() -> Self {
        Self {
            heap: HEAP.bytes_in_use() as u64,
            frames: memory::frames_in_use(),
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
        }
    }
}
