//! One attempt to bring up one AP: kick it, wait until it is alive, lead it online.

use core::time::Duration;

use alloc::rc::Rc;

use reveille_executor::Instant;

use super::{Ap, Report, Shared, Timing, polls::Polls};
use crate::{
    machine::{Evidence, Machine},
    outcome::Outcome,
    state::Stage,
};

/// What one task does for its AP. The report counts the task's own polls.
pub(super) async fn attempt<M: Machine>(shared: Rc<Shared<M>>, index: usize) -> Report {
    let polls = Polls::default();
    let mut report = polls
        .count(async {
            let ap = &shared.bring_up.aps[index];
            let mut attempt = Attempt {
                shared: &shared,
                ap,
                report: Report::new(ap.cpu, ap.apic_id),
                polls: &polls,
            };
            let outcome = attempt.run().await.unwrap_or_else(|failure| failure);
            attempt.report.conclude(outcome, &ap.slot)
        })
        .await;
    report.polls = polls.total();
    report.spurious_polls = polls.spurious();
    report
}

pub(super) struct Attempt<'a, M> {
    pub(super) shared: &'a Shared<M>,
    pub(super) ap: &'a Ap,
    pub(super) report: Report,
    pub(super) polls: &'a Polls,
}

/// A slot that was given up may belong to a CPU that is still on its way. INIT is sent to it, but
/// takes effect when that CPU sees it; this is how long that may take before the slot is opened
/// again.
const STRAGGLER_DELAY: Duration = Duration::from_millis(10);

impl<M: Machine> Attempt<'_, M> {
    /// The whole way. Both sides of the result are outcomes: the error leaves early by `?`.
    async fn run(&mut self) -> Result<Outcome, Outcome> {
        match self.stage() {
            stage if stage.is_down() => {
                let kicked = self.kick(stage).await?;
                self.await_alive(kicked).await?;
            }
            // It claimed in time and was alive only after an earlier attempt had ended.
            Stage::Alive => {}
            Stage::Online => return Ok(Outcome::Online),
            Stage::NotPresent => return Err(Outcome::Disabled),
            Stage::Claimed => {
                self.report.reason = Some("an earlier attempt started it, and it is not alive yet");
                return Err(Outcome::StuckLongMode);
            }
            _ => {
                self.report.reason = Some("it has not yet left an earlier attempt's steps");
                return Err(Outcome::Failed);
            }
        }
        self.go_online().await?;
        Ok(Outcome::Online)
    }

    /// INIT, the delay, the first SIPI; when that was sent.
    async fn kick(&mut self, from: Stage) -> Result<Instant, Outcome> {
        let machine = &self.shared.bring_up.machine;
        self.report.init = Some(machine.now());
        if let Err(error) = machine.send_init(self.ap.apic_id) {
            self.report.reason = Some(error.reason());
            return Err(Outcome::NeverStarted);
        }
        let delay = match from {
            Stage::GivenUp => self.timing().init_delay.max(STRAGGLER_DELAY),
            _ => self.timing().init_delay,
        };
        if delay > Duration::ZERO {
            self.shared.bring_up.timer.sleep(delay).await;
            self.polls.progress();
        }
        // By now INIT has reset whoever an earlier SIPI might still have started: no evidence comes
        // but that of the CPU which the next SIPI starts, and nobody else claims the generation.
        machine.forget_evidence(self.ap.apic_id);
        if self.ap.slot.kick().is_err() {
            self.report.reason = Some("its slot is in use");
            return Err(Outcome::Failed);
        }
        let kicked = machine.now();
        self.report.sipi = Some(kicked);
        self.report.sipis = 1;
        if let Err(error) = machine.send_sipi(self.ap.apic_id) {
            // It may have gone out all the same. Then the AP has claimed, or loses to this.
            if self.ap.slot.state().give_up().is_ok() {
                self.report.reason = Some(error.reason());
                return Err(Outcome::NeverStarted);
            }
        }
        Ok(kicked)
    }

    /// Waits for ALIVE, sends one more SIPI if the first left no trace, and gives up at the
    /// deadline, which counts from the first SIPI.
    async fn await_alive(&mut self, kicked: Instant) -> Result<(), Outcome> {
        let Timing {
            sipi_repeat,
            alive_timeout,
            ..
        } = self.timing();
        if sipi_repeat < alive_timeout {
            let repeat_at = kicked.saturating_add(sipi_repeat);
            if self.is_alive_until(repeat_at).await {
                return Ok(());
            }
            if self.evidence() == Evidence::None && self.stage() == Stage::Kicked {
                self.report.sipis += 1;
                // Should it be refused, the first one may still do its work until the deadline.
                let _ = self.shared.bring_up.machine.send_sipi(self.ap.apic_id);
            }
        }
        let deadline = kicked.saturating_add(alive_timeout);
        if self.is_alive_until(deadline).await {
            return Ok(());
        }
        match self.ap.slot.state().give_up() {
            Ok(_) => Err(match self.evidence() {
                Evidence::None => Outcome::NeverStarted,
                Evidence::RealMode => Outcome::StuckRealMode,
                Evidence::LongMode => Outcome::StuckLongMode,
            }),
            // It came at the last moment: the word is the truth.
            Err(_) if self.stage() == Stage::Alive => Ok(()),
            Err(_) => Err(Outcome::StuckLongMode),
        }
    }

    async fn is_alive_until(&mut self, deadline: Instant) -> bool {
        let slot = &self.ap.slot;
        let alive = slot.until(|slot| slot.state().load().stage() == Stage::Alive);
        let _ = self.shared.bring_up.timer.timeout_at(deadline, alive).await;
        self.polls.progress();
        // Not the time-out's result but the word decides: the deadline may fire though the flag is
        // set, when the wake was lost.
        self.stage() == Stage::Alive
    }

    pub(super) fn stage(&self) -> Stage {
        self.ap.slot.state().load().stage()
    }

    pub(super) fn timing(&self) -> Timing {
        self.shared.bring_up.timing
    }

    fn evidence(&self) -> Evidence {
        self.shared.bring_up.machine.evidence(self.ap.apic_id)
    }
}
