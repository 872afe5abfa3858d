//! The whole way of one AP, from the rung on which it is to another, and back where a step fails.
//!
//! ```text
//!        prepare            kick ─▶ alive?            climb
//! down ──────────▶ prepared ─────────────▶ started ──────────▶ online
//!      ◀────────── prepared ◀──── park ───────────────────────
//! ```

use core::{mem, time::Duration};

use reveille_executor::Instant;

use super::attempt::Attempt;
use crate::{machine::Machine, outcome::Outcome, state::Stage, step::Direction};

/// How long an AP has at the least from its last step until it is parked; [`online_timeout`] if that is more.
///
/// [`online_timeout`]: crate::bringup::Timing::online_timeout
const PARK_TIMEOUT: Duration = Duration::from_secs(2);

/// How long an AP that was abandoned may take to come back, if it is to be taken back to where it was.
/// It has nothing to do but to be let run by its host.
const COME_BACK_TIMEOUT: Duration = Duration::from_millis(50);

/// Parking is the AP's last act, so no wake can follow it (the other place where the BSP looks unasked
/// is `kick/mailbox.rs`). The AP announces it, and from there it
/// is a few instructions: this is the first pause before the driver looks again, doubled each time.
const FIRST_LOOK: Duration = Duration::from_micros(20);

/// And the longest pause, for an AP that its host does not let run.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

impl<M: Machine> Attempt<M> {
    /// Drives the AP to its goal.
    pub(super) async fn go(&mut self) -> Result<(), Outcome> {
        if self.rung() > self.goal() {
            return self.descend().await;
        }
        if self.stage().is_down() {
            self.set_out().await?;
        }
        self.ascend().await
    }

    /// The first part of the way up: what is done for an AP before it runs, and the kick.
    pub(super) async fn set_out(&mut self) -> Result<(), Outcome> {
        self.make_ready().await?;
        if self.stays_down() {
            return Ok(());
        }
        let shared = self.shared();
        shared.primaries.until_past(self.ap().place).await;
        self.kick().await
    }

    /// What is done for the AP before the kick.
    pub(crate) async fn make_ready(&mut self) -> Result<(), Outcome> {
        self.prepare().await?;
        if self.stays_down() {
            return Ok(());
        }
        // Nobody comes by a kick that is to fail.
        let kick = self.rung().step_towards(Direction::Up);
        match self.slot().strike(kick, Direction::Up) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.fail_at(kick, error.reason())),
        }
    }

    /// The second part of the way up.
    pub(super) async fn ascend(&mut self) -> Result<(), Outcome> {
        self.give_time_to_come_back().await;
        match (self.kicked, self.stage()) {
            (Some(kicked), _) => self.await_alive(kicked).await?,
            // It claimed in time and was alive only after an earlier attempt had ended, or rests on
            // its way.
            (None, Stage::Alive | Stage::Online) => {}
            (None, stage) if stage.is_down() && self.stays_down() => return Ok(()),
            (None, stage) => return Err(self.cannot_be_called(stage)),
        }
        self.climb(self.goal()).await
    }

    async fn descend(&mut self) -> Result<(), Outcome> {
        self.give_time_to_come_back().await;
        match self.stage() {
            Stage::Alive | Stage::Online => {
                let lowest = self.shared().bring_up.ladder.prepared();
                self.climb(self.goal().max(lowest)).await?;
                if !self.stays_down() {
                    return Ok(());
                }
                self.until_parked().await?;
            }
            stage if stage.is_down() => {}
            stage => return Err(self.cannot_be_called(stage)),
        }
        self.prepare().await
    }

    /// Whether the goal is none for which the AP has to run.
    fn stays_down(&self) -> bool {
        self.goal() <= self.shared().bring_up.ladder.prepared()
    }

    /// After a failure: takes the AP back to where it was, if it was elsewhere and can be called at all.
    /// What the report says of the failure stays.
    pub(super) async fn go_back(&mut self) {
        if self.goal() == self.origin() {
            return;
        }
        let can_be_called = match self.stage() {
            Stage::Alive | Stage::Online => true,
            Stage::Claimed | Stage::Moving => self.has_parked().await,
            Stage::Abandoned => self.has_come_back().await,
            stage => stage.is_down(),
        };
        if !can_be_called {
            return;
        }
        let (step, reason) = (self.report.step, self.report.reason);
        self.turn_back();
        if self.go().await.is_err() {
            self.report.rollback = self.report.reason;
        }
        (self.report.step, self.report.reason) = (step, reason);
    }

    /// An AP that an earlier operation abandoned may be on its way back.
    async fn give_time_to_come_back(&mut self) {
        if self.stage() == Stage::Abandoned {
            self.has_come_back().await;
        }
    }

    /// An AP that waited in its step drops it as soon as it hears that nobody waits for it. It has its
    /// time for that once in each operation.
    async fn has_come_back(&mut self) -> bool {
        if mem::replace(&mut self.has_waited_for_return, true) {
            return self.stage() == Stage::Alive;
        }
        let shared = self.shared();
        let back = self.slot().until(|slot| slot.stage() != Stage::Abandoned);
        let _ = shared.bring_up.timer.timeout(COME_BACK_TIMEOUT, back).await;
        self.progress();
        self.stage() == Stage::Alive
    }

    /// An AP that failed where it could not wait is on its way to the parking place.
    async fn has_parked(&mut self) -> bool {
        let progress = self.slot().progress();
        let is_leaving =
            progress.failure.is_some() && progress.rung == self.shared().bring_up.ladder.prepared();
        is_leaving && self.until_parked().await.is_ok()
    }

    async fn until_parked(&mut self) -> Result<(), Outcome> {
        let shared = self.shared();
        let patience = self.timing().online_timeout.max(PARK_TIMEOUT);
        let deadline = self.now().saturating_add(patience);
        let mut pause = FIRST_LOOK;
        while !self.stage().is_down() {
            if self.now() >= deadline {
                return Err(self.fail("it was on its way to park and did not"));
            }
            shared.bring_up.timer.sleep(pause).await;
            self.progress();
            pause = LONGEST_PAUSE.min(2 * pause);
        }
        Ok(())
    }

    fn cannot_be_called(&mut self, stage: Stage) -> Outcome {
        match stage {
            Stage::NotPresent => Outcome::Disabled,
            Stage::Claimed => {
                self.fail("an earlier attempt started it, and it is not alive yet");
                Outcome::StuckLongMode
            }
            _ => self.fail("it has not yet left an earlier attempt's steps"),
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.machine().now()
    }
}
