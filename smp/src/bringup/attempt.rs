//! One attempt to bring up one AP: kick it, wait until it is alive, lead it online.
//!
//! It is run as one task, or as several, for the kick, the wait and the rest: strategies differ in
//! what they put between them.

use core::time::Duration;

use alloc::rc::Rc;

use reveille_executor::Instant;

use super::{Ap, Report, SecondSipi, Shared, Timing, polls::Polls};
use crate::{
    cpu::ApicId,
    machine::{Evidence, Machine, SendError},
    outcome::Outcome,
    slot::Slot,
    state::Stage,
};

/// The attempt for one AP, and what is known of it so far.
pub(crate) struct Attempt<M> {
    pub(super) shared: Rc<Shared<M>>,
    pub(super) index: usize,
    pub(super) report: Report,
    pub(super) polls: Rc<Polls>,
    /// When the first SIPI was sent; the deadline counts from there.
    kicked: Option<Instant>,
    /// Known early when the kick failed.
    pub(super) outcome: Option<Outcome>,
}

/// A slot that was given up may belong to a CPU that is still on its way. INIT is sent to it, but
/// takes effect when that CPU sees it; this is how long that may take before the slot is opened
/// again. It is also the delay that processors of old need between INIT and SIPI
/// (MultiProcessor Specification 1.4, section B.4).
pub(crate) const LONG_INIT_DELAY: Duration = Duration::from_millis(10);

/// The delay of old between the first SIPI and the second (there).
pub(crate) const LONG_SIPI_DELAY: Duration = Duration::from_micros(200);

impl<M: Machine> Attempt<M> {
    pub(super) fn new(shared: &Rc<Shared<M>>, index: usize) -> Self {
        let ap = &shared.bring_up.aps[index];
        Self {
            shared: Rc::clone(shared),
            index,
            report: Report::new(ap.cpu, ap.apic_id),
            polls: Rc::default(),
            kicked: None,
            outcome: None,
        }
    }

    pub(super) async fn kick_if_down(&mut self) {
        if self.stage().is_down()
            && let Err(failure) = self.kick().await
        {
            self.conclude(failure);
        }
    }

    pub(super) async fn come_alive(&mut self) {
        if let Some(kicked) = self.kicked
            && !self.is_over()
            && let Err(failure) = self.await_alive(kicked).await
        {
            self.conclude(failure);
        }
    }

    pub(super) async fn come_online(&mut self) {
        if !self.is_over() {
            let outcome = self.try_online().await.unwrap_or_else(|failure| failure);
            self.conclude(outcome);
        }
    }

    /// Both sides of the result are outcomes: the error leaves early by `?`.
    async fn try_online(&mut self) -> Result<Outcome, Outcome> {
        match (self.kicked, self.stage()) {
            (Some(kicked), _) => self.await_alive(kicked).await?,
            // It claimed in time and was alive only after an earlier attempt had ended.
            (None, Stage::Alive) => {}
            (None, Stage::Online) => return Ok(Outcome::Online),
            (None, Stage::NotPresent) => return Err(Outcome::Disabled),
            (None, Stage::Claimed) => {
                self.report.reason = Some("an earlier attempt started it, and it is not alive yet");
                return Err(Outcome::StuckLongMode);
            }
            (None, _) => {
                self.report.reason = Some("it has not yet left an earlier attempt's steps");
                return Err(Outcome::Failed);
            }
        }
        self.go_online().await?;
        Ok(Outcome::Online)
    }

    async fn kick(&mut self) -> Result<(), Outcome> {
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
    async fn await_alive(&mut self, kicked: Instant) -> Result<(), Outcome> {
        let timing = self.timing();
        let deadline = kicked.saturating_add(timing.alive_timeout);
        let (repeat_after, is_unconditional) = match timing.second_sipi {
            SecondSipi::IfUnseen(after) => (after, false),
            SecondSipi::Always(after) => (after, true),
        };
        if repeat_after < timing.alive_timeout {
            if self.is_alive_by(kicked.saturating_add(repeat_after)).await {
                return Ok(());
            }
            if is_unconditional || self.is_unseen() {
                self.repeat_sipi();
            }
        }
        if timing.init_repeat < timing.alive_timeout {
            let repeat_at = kicked.saturating_add(timing.init_repeat);
            if self.is_alive_by(repeat_at).await {
                return Ok(());
            }
            if self.is_unseen() {
                self.start_over().await?;
            }
        }
        if self.is_alive_by(deadline).await {
            return Ok(());
        }
        match self.slot().state().give_up() {
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
        self.open_slot()?;
        self.repeat_sipi();
        let repeat_at = self.machine().now().saturating_add(LONG_SIPI_DELAY);
        if !self.is_alive_by(repeat_at).await && self.is_unseen() {
            self.repeat_sipi();
        }
        Ok(())
    }

    fn repeat_sipi(&mut self) {
        self.report.sipis += 1;
        // Should it be refused, an earlier one may still do its work until the deadline.
        let _ = self.machine().send_sipi(self.apic_id());
    }

    async fn is_alive_by(&mut self, deadline: Instant) -> bool {
        let alive = self.slot().until(|slot| slot.stage() == Stage::Alive);
        let _ = self.shared.bring_up.timer.timeout_at(deadline, alive).await;
        self.progress();
        // Not the time-out's result but the word decides: the deadline may fire though the flag is
        // set, when the wake was lost.
        self.stage() == Stage::Alive
    }

    async fn pause(&self, span: Duration) {
        if span > Duration::ZERO {
            self.shared.bring_up.timer.sleep(span).await;
            self.progress();
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
        self.slot().kick().map(drop).map_err(|_| {
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

    /// Whether the outcome is known.
    pub(crate) fn is_over(&self) -> bool {
        self.outcome.is_some()
    }

    /// The outcome is known.
    pub(crate) fn conclude(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }

    // ---- short names ----

    pub(super) fn fail_at(&mut self, step: Option<&'static str>, reason: Option<&'static str>) {
        self.report.step = step;
        self.report.reason = reason;
    }

    pub(super) fn progress(&self) {
        self.polls.progress();
    }

    pub(super) fn shared(&self) -> Rc<Shared<M>> {
        Rc::clone(&self.shared)
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// The AP that it is for.
    pub(crate) fn ap(&self) -> &Ap {
        &self.shared.bring_up.aps[self.index]
    }

    pub(super) fn slot(&self) -> &Slot {
        &self.ap().slot
    }

    pub(super) fn timing(&self) -> Timing {
        self.shared.timing
    }

    pub(crate) fn stage(&self) -> Stage {
        self.slot().stage()
    }

    fn apic_id(&self) -> ApicId {
        self.report.apic_id
    }

    fn machine(&self) -> &M {
        &self.shared.bring_up.machine
    }

    fn evidence(&self) -> Evidence {
        self.machine().evidence(self.apic_id())
    }

    /// Whether the AP has left no trace at all.
    fn is_unseen(&self) -> bool {
        self.evidence() == Evidence::None && self.stage() == Stage::Kicked
    }
}
