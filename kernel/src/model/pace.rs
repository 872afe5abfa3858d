//! How long the BSP is at the pieces of its work for one AP: the preparation, and the kick behind it.
//!
//! A piece takes the model's time. What follows the piece before it for the same AP counts from where that was to
//! end: what this kernel takes for the same, and to come from one to the other, is inside. What comes later, because
//! somebody waited in between or the BSP had other things to do, counts from its own beginning.

#![forbid(unsafe_code)]

use core::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use reveille_executor::Instant;
use reveille_smp::cpu::ApicId;

/// The last piece.
///
/// Relaxed: the BSP alone touches it.
#[derive(Debug)]
pub(super) struct Pace {
    of: AtomicU32,
    /// When it was to end, in nanoseconds; [`NEVER`] before the first.
    due: AtomicU64,
}

const NEVER: u64 = u64::MAX;

impl Pace {
    pub(super) const fn new() -> Self {
        Self {
            of: AtomicU32::new(0),
            due: AtomicU64::new(NEVER),
        }
    }

    /// A piece for this AP begins that follows none.
    pub(super) fn begins(&self, of: ApicId, now: Instant, span: Duration) -> Instant {
        let due = now + span;
        self.of.store(of.0, Ordering::Relaxed);
        self.due.store(due.as_nanos(), Ordering::Relaxed);
        due
    }

    /// A piece begins that may follow the last one: it does if that was for the same AP, and if it begins no
    /// later than `within` behind its end.
    pub(super) fn follows(
        &self,
        of: ApicId,
        now: Instant,
        span: Duration,
        within: Duration,
    ) -> Instant {
        let due = Instant::from_nanos(self.due.load(Ordering::Relaxed));
        let is_same = self.of.load(Ordering::Relaxed) == of.0;
        match is_same && due.as_nanos() != NEVER && now < due + within {
            true => self.begins(of, due, span),
            false => self.begins(of, now, span),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: ApicId = ApicId(4);
    const OTHER: ApicId = ApicId(6);

    fn us(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * 1_000)
    }

    #[test]
    fn a_piece_that_follows_at_once_counts_from_where_the_one_before_was_to_end() {
        let pace = Pace::new();
        assert_eq!(pace.begins(FIRST, at(1_000), us(300)), at(1_300));
        assert_eq!(pace.follows(FIRST, at(1_310), us(1), us(42)), at(1_301));
        assert_eq!(pace.follows(FIRST, at(1_320), us(41), us(41)), at(1_342));
    }

    #[test]
    fn what_follows_late_or_belongs_to_another_counts_from_its_own_beginning() {
        let pace = Pace::new();
        assert_eq!(pace.follows(FIRST, at(5), us(1), us(42)), at(6));
        assert_eq!(pace.follows(FIRST, at(48), us(41), us(42)), at(89));
        assert_eq!(pace.follows(OTHER, at(90), us(1), us(42)), at(91));
    }
}
