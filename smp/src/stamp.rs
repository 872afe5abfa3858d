//! When something happened, if it did.

use reveille_executor::Instant;

use crate::sync::{AtomicU64, Ordering};

/// A point in time that may not have come yet.
#[derive(Debug)]
pub(crate) struct Stamp(AtomicU64);

impl Stamp {
    /// A clock that counts nanoseconds gets here after 584 years.
    const NONE: u64 = u64::MAX;

    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(Self::NONE))
    }

    pub(crate) fn set(&self, at: Instant) {
        self.0.store(at.as_nanos(), Ordering::Relaxed);
    }

    pub(crate) fn clear(&self) {
        self.0.store(Self::NONE, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Option<Instant> {
        match self.0.load(Ordering::Relaxed) {
            Self::NONE => None,
            nanos => Some(Instant::from_nanos(nanos)),
        }
    }
}
