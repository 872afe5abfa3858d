//! The kick by INIT and SIPI, and the wait until the AP is alive: what can be done for one of which
//! nothing is seen, and the deadline (SDM volume 3, "Multiple-Processor Management").

use core::time::Duration;

use reveille_executor::Instant;

use super::{SecondSipi, attempt::Attempt};
use crate::{
    ladder::Rung,
    machine::{Evidence, Machine, SendError},
    outcome::Outcome,
    slot::Slot,
    state::Stage,
    step::Direction,
};

/// A slot that was given up may belong to a CPU that is still on its way. INIT is sent to it, but
/// takes effect when that CPU sees it; this is how long that may take before the slot is opened
/// again. It is also the delay that processors of old need between INIT and SIPI
/// (MultiProcessor Specification 1.4, section B.4).
pub(crate) const LONG_INIT_DELAY: Duration = Duration::from_millis(10);

/// The delay of old between the first SIPI and the second (there).
pub(crate) const LONG_SIPI_DELAY: Duration = Duration::from_micros(200);

impl<M: Machine> Attempt<M> {
    pub(super) async fn kick(&mut self) -> Result<(), Outcome> {
        let at = self.machine().now();
        let sent = self.machine().send_init(self.apic_id());
        self.note_init(at, sent)?;
        self.pause(self.init_delay()).await;
        self.open_slot()?;
        let sent = self.machine().send_sipi(self.apic_id());
        self.note_sipi(sent)
    }

    /// Waits for ALIVE and does what can be done for an AP of which nothing is seen: one more SIPI,
    /// then all from the beginning. Gives up at the deadline, which counts from the first SIPI.
    pub(super) async fn await_alive(&mut self, kicked: Instant) -> Result<(), Outcome> {
        let timing = self.timing();
        let deadline = kicked.saturating_add(timing.alive_timeout);
        let (repeat_after, is_unconditional) = match timing.second_sipi {
            SecondSipi::IfUnseen(after) => (after, false),
            SecondSipi::Always(after) => (after, true),
        };
        if repeat_after < timing.alive_timeout {
            if self.has_come_by(kicked.saturating_add(repeat_after)).await {
                return self.arrival();
            }
            if is_unconditional || self.is_unseen() {
                self.repeat_sipi();
            }
        }
        if timing.init_repeat < timing.alive_timeout {
            let repeat_at = kicked.saturating_add(timing.init_repeat);
            if self.has_come_by(repeat_at).await {
                return self.arrival();
            }
            if self.is_unseen() {
                self.start_over().await?;
            }
        }
        if self.has_come_by(deadline).await {
            return self.arrival();
        }
        match self.slot().state().give_up() {
            Ok(_) => Err(match self.evidence() {
                Evidence::None => Outcome::NeverStarted,
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

    /// INIT and both SIPIs again, with the long delays. The slot is taken back first: should the AP
    /// come by the SIPIs sent so far, it finds it closed.
    async fn start_over(&mut self) -> Result<(), Outcome> {
        if self.slot().state().give_up().is_err() {
            // It has just come.
            return Ok(());
        }
        // Should it be refused, the SIPIs may still do.
        let _ = self.machine().send_init(self.apic_id());
        self.pause(LONG_INIT_DELAY).await;
        if self.stage() == Stage::Late {
            // It took both INITs for one, as a CPU does that was kept from running since the first,
            // and came by the SIPI between them. Where it has parked now, it takes no SIPI before
            // another INIT.
            let _ = self.machine().send_init(self.apic_id());
            self.pause(LONG_INIT_DELAY).await;
        }
        self.open_slot()?;
        self.repeat_sipi();
        let repeat_at = self.machine().now().saturating_add(LONG_SIPI_DELAY);
        if !self.has_come_by(repeat_at).await && self.is_unseen() {
            self.repeat_sipi();
        }
        Ok(())
    }

    fn repeat_sipi(&mut self) {
        self.report.sipis += 1;
        // Should it be refused, an earlier one may still do its work until the deadline.
        let _ = self.machine().send_sipi(self.apic_id());
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

    // ---- the kick in its parts, for strategies that send INIT and SIPI to many at once ----

    /// INIT was sent at this time.
    pub(crate) fn note_init(
        &mut self,
        at: Instant,
        sent: Result<(), SendError>,
    ) -> Result<(), Outcome> {
        self.report.init = Some(at);
        sent.map_err(|error| {
            self.report.reason = Some(error.reason());
            Outcome::NeverStarted
        })
    }

    /// How long to wait after INIT.
    pub(crate) fn init_delay(&self) -> Duration {
        let delay = self.timing().init_delay;
        match self.stage() {
            Stage::GivenUp => delay.max(LONG_INIT_DELAY),
            _ => delay,
        }
    }

    /// Opens the slot for the AP's claim. By now INIT has reset whoever an earlier SIPI might still
    /// have started: no evidence comes but that of the CPU which the next SIPI starts, and nobody
    /// else claims the generation.
    pub(crate) fn open_slot(&mut self) -> Result<(), Outcome> {
        self.machine().forget_evidence(self.apic_id());
        self.slot().kick(self.first_goal()).map(drop).map_err(|_| {
            self.report.reason = Some("its slot is in use");
            Outcome::Failed
        })?;
        let now = self.machine().now();
        self.report.sipi.get_or_insert(now);
        self.kicked.get_or_insert(now);
        Ok(())
    }

    /// The first SIPI was sent, or refused.
    pub(crate) fn note_sipi(&mut self, sent: Result<(), SendError>) -> Result<(), Outcome> {
        self.report.sipis = 1;
        if let Err(error) = sent {
            // It may have gone out all the same. Then the AP has claimed, or loses to this.
            if self.slot().state().give_up().is_ok() {
                self.report.reason = Some(error.reason());
                return Err(Outcome::NeverStarted);
            }
        }
        Ok(())
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
