//! The kick by INIT and SIPI, and what can be done for an AP of which nothing is seen behind them (SDM
//! volume 3, "Multiple-Processor Management").

use core::time::Duration;

use reveille_executor::Instant;

use crate::{
    bringup::{SecondSipi, attempt::Attempt},
    machine::{Machine, SendError},
    outcome::Outcome,
    state::Stage,
};

/// A slot that was given up may belong to a CPU that is still on its way. INIT is sent to it, but
/// takes effect when that CPU sees it; this is how long that may take before the slot is opened
/// again. It is also the delay that processors of old need between INIT and SIPI
/// (MultiProcessor Specification 1.4, section B.4).
pub(crate) const LONG_INIT_DELAY: Duration = Duration::from_millis(10);

/// The delay of old between the first SIPI and the second (there).
pub(crate) const LONG_SIPI_DELAY: Duration = Duration::from_micros(200);

impl<M: Machine> Attempt<M> {
    pub(super) async fn kick_by_sipi(&mut self) -> Result<(), Outcome> {
        let at = self.machine().now();
        let sent = self.machine().send_init(self.apic_id());
        self.note_init(at, sent)?;
        self.pause(self.init_delay()).await;
        self.open_slot()?;
        let sent = self.machine().send_sipi(self.apic_id());
        self.note_sipi(sent)
    }

    /// What can be done for an AP of which nothing is seen: one more SIPI, then all from the
    /// beginning. It ends when all of it has been done, or the AP has come, and says whether it has.
    pub(super) async fn repeat_sipis(&mut self, kicked: Instant) -> Result<bool, Outcome> {
        let timing = self.timing();
        let (repeat_after, is_unconditional) = match timing.second_sipi {
            SecondSipi::IfUnseen(after) => (after, false),
            SecondSipi::Always(after) => (after, true),
        };
        if repeat_after < timing.alive_timeout {
            if self.has_come_by(kicked.saturating_add(repeat_after)).await {
                return Ok(true);
            }
            if is_unconditional || self.is_unseen() {
                self.repeat_sipi();
            }
        }
        if timing.init_repeat < timing.alive_timeout {
            let repeat_at = kicked.saturating_add(timing.init_repeat);
            if self.has_come_by(repeat_at).await {
                return Ok(true);
            }
            if self.is_unseen() {
                self.start_over().await?;
            }
        }
        Ok(false)
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
        self.open()?;
        self.note_kick(self.now());
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
}
