//! The kick, and the wait until the AP is alive: what can be done meanwhile for one of which nothing
//! is seen, and the deadline. There is a module for each way of waking; which one it is says the
//! machine.

mod init_sipi;
mod mailbox;

use core::time::Duration;

use reveille_executor::Instant;

pub(crate) use init_sipi::{LONG_INIT_DELAY, LONG_SIPI_DELAY};

use super::attempt::Attempt;
use crate::{
    ladder::Rung,
    machine::{Evidence, Machine},
    outcome::Outcome,
    slot::Slot,
    state::Stage,
    step::Direction,
};

impl<M: Machine> Attempt<M> {
    pub(super) async fn kick(&mut self) -> Result<(), Outcome> {
        match self.is_woken_by_mailbox() {
            false => self.kick_by_sipi().await,
            true => self.kick_by_mailbox().await,
        }
    }

    /// Waits for ALIVE and does what can be done for an AP of which nothing is seen. Gives up at the
    /// deadline, which counts from the kick.
    pub(super) async fn await_alive(&mut self, kicked: Instant) -> Result<(), Outcome> {
        let deadline = kicked.saturating_add(self.timing().alive_timeout);
        let has_come = match self.is_woken_by_mailbox() {
            false => self.repeat_sipis(kicked).await?,
            true => self.repeat_requests(deadline).await,
        };
        if has_come || self.has_come_by(deadline).await {
            return self.arrival();
        }
        match self.slot().state().give_up() {
            Ok(_) => Err(match self.evidence() {
                Evidence::None => self.never_started(),
                Evidence::RealMode => Outcome::StuckRealMode,
                Evidence::LongMode => Outcome::StuckLongMode,
            }),
            // It came at the last moment: the word is the truth.
            Err(_) if self.has_come() => self.arrival(),
            Err(_) => {
                // Who is in Rust is on its way through the first steps.
                let ladder = self.shared().bring_up.ladder;
                if let Some((step, error)) = self.slot().progress().failure {
                    self.fail_at(step, error.reason());
                } else if self.rung() >= ladder.kicked() {
                    let step = self.rung().step_towards(Direction::Up);
                    self.fail_at(step, "it never came out of the step");
                }
                Err(Outcome::StuckLongMode)
            }
        }
    }

    fn is_woken_by_mailbox(&self) -> bool {
        self.machine().mailbox().is_some()
    }

    async fn has_come_by(&mut self, deadline: Instant) -> bool {
        let prepared = self.shared.bring_up.ladder.prepared();
        let come = self.slot().until(|slot| has_come(slot, prepared));
        let _ = self.shared.bring_up.timer.timeout_at(deadline, come).await;
        self.progress();
        // Not the time-out's result but the words decide: the deadline may fire though they are
        // set, when the wake was lost.
        self.has_come()
    }

    fn has_come(&self) -> bool {
        has_come(self.slot(), self.shared.bring_up.ladder.prepared())
    }

    /// Whether the AP that has come passed its first steps.
    fn arrival(&mut self) -> Result<(), Outcome> {
        match self.slot().progress().failure {
            None => {
                self.tell_siblings();
                Ok(())
            }
            Some((step, error)) => Err(self.fail_at(step, error.reason())),
        }
    }

    /// Opens the slot for the AP's claim. Nobody may be on its way who could take it and is not the
    /// AP that is kicked.
    fn open(&mut self) -> Result<(), Outcome> {
        self.slot().kick(self.first_goal()).map(drop).map_err(|_| {
            self.report.reason = Some("its slot is in use");
            Outcome::Failed
        })
    }

    /// From then on the AP has its time to come, unless it has been kicked before.
    fn note_kick(&mut self, at: Instant) {
        self.report.sipi.get_or_insert(at);
        self.kicked.get_or_insert(at);
    }

    /// How far the AP is to go by itself.
    fn first_goal(&self) -> Rung {
        self.goal().min(self.shared.bring_up.ladder.started())
    }

    async fn pause(&self, span: Duration) {
        if span > Duration::ZERO {
            self.shared.bring_up.timer.sleep(span).await;
            self.progress();
        }
    }

    fn evidence(&self) -> Evidence {
        self.machine().evidence(self.apic_id())
    }

    /// Whether the AP has left no trace at all.
    fn is_unseen(&self) -> bool {
        self.evidence() == Evidence::None && self.stage() == Stage::Kicked
    }
}

/// Whether the AP is alive, or has failed where it could not be and goes to park. One that has failed
/// and is about to be alive cannot be called yet.
fn has_come(slot: &Slot, prepared: Rung) -> bool {
    let progress = slot.progress();
    let is_leaving = progress.failure.is_some() && progress.rung == prepared;
    is_leaving || slot.stage() == Stage::Alive
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::step::StepError;

    #[test]
    fn an_ap_that_has_failed_counts_as_come_when_it_can_be_called_or_goes_to_park() {
        let (prepared, kicked) = (Rung(1), Rung(2));
        for (at, has_come_by_failing) in [(prepared, true), (kicked, false)] {
            let slot = Slot::new();
            slot.kick(kicked).unwrap();
            slot.state().claim().unwrap();
            slot.report_failed(at, 2, StepError::Exhausted);
            assert_eq!(has_come(&slot, prepared), has_come_by_failing);
            slot.report_alive(Instant::from_nanos(1)).unwrap();
            assert!(has_come(&slot, prepared));
        }
    }
}
