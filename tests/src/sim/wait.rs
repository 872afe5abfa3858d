//! What a simulated CPU waits for when it is suspended.

use std::time::Duration;

use reveille_executor::Instant;

/// Why a CPU does not go on at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Its processor is busy for so long.
    Busy(Duration),
    /// It halts until a doorbell comes, or this moment of the machine's clock.
    Halt(Option<Instant>),
    /// It has to share something, and others have it.
    Resource(usize),
    /// It never goes on: only INIT moves it again.
    Forever,
}
