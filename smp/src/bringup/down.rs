//! Takes APs down again: each ends its life on its own CPU and parks.

use core::{fmt, time::Duration};

use reveille_executor::Instant;

use super::{Ap, BringUp};
use crate::{cpu::CpuIndex, machine::Machine, state::Stage};

/// An AP that was asked to leave and did not park in time. It is not to be reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotParked {
    /// The AP.
    pub cpu: CpuIndex,
    /// Where it is instead.
    pub stage: Stage,
}

impl fmt::Display for NotParked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CPU {} was asked to park and is still {:?}",
            self.cpu, self.stage
        )
    }
}

impl core::error::Error for NotParked {}

/// How long an AP has from the request until it is parked.
const PARK_TIMEOUT: Duration = Duration::from_secs(2);

/// Parking is the AP's last act, so no wake can follow it. The AP announces it, and from there it
/// is a few instructions: this is the first pause before the BSP looks again, doubled each time.
const FIRST_LOOK: Duration = Duration::from_micros(20);

/// Takes down all APs that are online, at once, and ends when all of them are parked, and those
/// that failed in a step, too. An AP that is stuck elsewhere cannot be asked and is left there.
///
/// # Errors
///
/// The lowest AP that did not park in time.
///
/// # Cancellation
///
/// The APs that were asked to leave do so all the same.
pub async fn take_down<M: Machine>(bring_up: &BringUp<M>) -> Result<(), NotParked> {
    for ap in bring_up.aps.iter() {
        // Whoever is not online is down already, failed and on its way there, or stuck.
        let _ = ap.slot.go_down();
    }
    let deadline = bring_up.machine.now().saturating_add(PARK_TIMEOUT);
    let is_leaving = |ap: &&Ap| {
        matches!(
            ap.slot.state().load().stage(),
            Stage::GoingDown | Stage::Failed
        )
    };
    for ap in bring_up.aps.iter().filter(is_leaving) {
        until_parked(bring_up, ap, deadline).await?;
    }
    Ok(())
}

async fn until_parked<M: Machine>(
    bring_up: &BringUp<M>,
    ap: &Ap,
    deadline: Instant,
) -> Result<(), NotParked> {
    let stage = || ap.slot.state().load().stage();
    let mut pause = FIRST_LOOK;
    while !stage().is_down() {
        if bring_up.machine.now() >= deadline {
            return Err(NotParked {
                cpu: ap.cpu,
                stage: stage(),
            });
        }
        bring_up.timer.sleep(pause).await;
        pause = pause.saturating_mul(2);
    }
    Ok(())
}
