//! The boot's own bring-up, tried again while an AP that is down is missing.
//!
//! An attempt takes up the APs where the one before has left them: who is online stays so, who was
//! given up or came late is kicked again, who claimed and fell silent is left alone.

use alloc::vec::Vec;
use core::time::Duration;

use reveille_smp::{bringup::Round, record, state::Stage, strategy::Strategy};

use crate::{bench::Bench, cpus::StackTouched};

/// How long an AP that was given up has to be noticed as late, once all others are done.
const LATE_GRACE: Duration = Duration::from_millis(100);

/// One attempt.
pub struct Attempt {
    /// How it went.
    pub round: Round,
    /// The same as a record.
    pub record: record::Bringup,
}

/// All of them, the first one first; there is at least one.
pub struct Attempts {
    /// The attempts.
    pub all: Vec<Attempt>,
    /// Whether the APs that had to leave their stacks alone did so.
    pub stacks: Result<(), StackTouched>,
}

impl Attempts {
    /// The attempt that counts.
    pub fn last(&self) -> &Attempt {
        self.all.last().expect("there is at least one attempt")
    }
}

/// Brings up all APs that are down, again and again until all are online, none is left that another
/// attempt could help, or the bring-up was tried `most` times.
pub async fn bring_up(bench: &Bench<'_>, strategy: Strategy, most: u32) -> Attempts {
    let mut all = Vec::new();
    loop {
        let attempt = all.len() as u32;
        let (mut round, doorbells) = match attempt {
            0 => bench.bring_up_cold(strategy).await,
            _ => bench.bring_up(strategy).await,
        };
        let record = record::Bringup {
            attempt,
            ..round.record(0, doorbells)
        };
        let is_whole = record.failed == 0;
        if !is_whole {
            bench.timer.sleep(LATE_GRACE).await;
            round.notice_late(&bench.cpus.aps);
        }
        let stacks = bench.cpus.faulty.after_attempt(attempt);
        all.push(Attempt { round, record });
        if is_whole || stacks.is_err() || attempt + 1 >= most || !can_be_helped(bench) {
            return Attempts { all, stacks };
        }
    }
}

/// Whether another attempt would find an AP to kick, or one to call that was alive too late.
fn can_be_helped(bench: &Bench<'_>) -> bool {
    bench.cpus.aps.iter().any(|ap| {
        let stage = ap.slot.state().load().stage();
        stage.is_down() || stage == Stage::Alive
    })
}
