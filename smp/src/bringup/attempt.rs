//! One attempt to bring up one AP.

use core::time::Duration;

use alloc::rc::Rc;

use reveille_executor::Instant;

use super::{Ap, Report, Shared, Timing, polls::Polls};
use crate::{
    machine::{Evidence, Machine, SendError},
    outcome::Outcome,
    state::Stage,
    step::Mode,
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

struct Attempt<'a, M> {
    shared: &'a Shared<M>,
    ap: &'a Ap,
    report: Report,
    polls: &'a Polls,
}

impl<M: Machine> Attempt<'_, M> {
    /// The whole way. Both sides of the result are outcomes: the error leaves early by `?`.
    async fn run(&mut self) -> Result<Outcome, Outcome> {
        let kicked = self.kick().await?;
        self.await_alive(kicked).await?;
        self.go_online().await?;
        Ok(Outcome::Online)
    }

    /// INIT, the delay, the first SIPI; when that was sent.
    async fn kick(&mut self) -> Result<Instant, Outcome> {
        let stage = self.ap.slot.state().load().stage();
        if !stage.is_down() {
            self.report.reason = Some("its slot is in use by an earlier attempt");
            return Err(Outcome::Late);
        }
        let machine = &self.shared.bring_up.machine;
        machine.forget_evidence(self.ap.apic_id);
        self.report.init = Some(machine.now());
        self.sent(machine.send_init(self.ap.apic_id))?;
        let delay = self.timing().init_delay;
        if delay > Duration::ZERO {
            self.shared.bring_up.timer.sleep(delay).await;
            self.polls.progress();
        }
        // INIT has reset whoever an earlier SIPI might still have started, so nobody can claim the
        // new generation but the CPU that the next SIPI starts.
        if self.ap.slot.kick().is_err() {
            self.report.reason = Some("its slot was taken while it was reset");
            return Err(Outcome::Late);
        }
        let kicked = machine.now();
        self.report.sipi = Some(kicked);
        self.send_sipi()?;
        Ok(kicked)
    }

    fn send_sipi(&mut self) -> Result<(), Outcome> {
        self.report.sipis += 1;
        self.sent(self.shared.bring_up.machine.send_sipi(self.ap.apic_id))
    }

    fn sent(&mut self, result: Result<(), SendError>) -> Result<(), Outcome> {
        result.map_err(|error| {
            self.report.reason = Some(error.reason());
            // Where the SIPI was refused the slot is open; nobody may come in later.
            let _ = self.ap.slot.state().give_up();
            Outcome::NeverStarted
        })
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
            if self
                .is_alive_until(kicked.saturating_add(sipi_repeat))
                .await
            {
                return Ok(());
            }
            if self.evidence() == Evidence::None && self.stage() == Stage::Kicked {
                self.send_sipi()?;
            }
        }
        if self
            .is_alive_until(kicked.saturating_add(alive_timeout))
            .await
        {
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
        let alive = self
            .ap
            .slot
            .until(|slot| slot.state().load().stage() == Stage::Alive);
        let _ = self.shared.bring_up.timer.timeout_at(deadline, alive).await;
        self.polls.progress();
        // Not the time-out's result but the word decides: the deadline may fire though the flag is
        // set, when the wake was lost.
        self.stage() == Stage::Alive
    }

    /// Calls the AP section by section: in a serialised one it holds the turn.
    async fn go_online(&mut self) -> Result<(), Outcome> {
        let shared = self.shared;
        let last = shared.bring_up.steps.len();
        for (section, next) in shared
            .sections
            .iter()
            .zip(shared.sections.iter().skip(1).map(Some).chain([None]))
        {
            if section.mode == Mode::Concurrent && self.stage() != Stage::Alive {
                // Permitted together with the serialised section before it.
                continue;
            }
            let turn = match section.mode {
                Mode::Serialised => Some(shared.turnstile.turn(self.ap.cpu).await),
                Mode::Concurrent => None,
            };
            self.polls.progress();
            // What runs concurrently behind the section needs no word from the BSP.
            let permitted = match next {
                Some(next) if next.mode == Mode::Concurrent => next.steps.end,
                _ => section.steps.end,
            };
            self.let_run(permitted)?;
            self.await_passed(section.steps.end).await?;
            drop(turn);
        }
        if shared.sections.is_empty() {
            self.let_run(last)?;
        }
        self.await_passed(last).await
    }

    fn let_run(&mut self, steps: usize) -> Result<(), Outcome> {
        if self.stage() != Stage::Alive {
            self.ap.slot.permit(steps);
            return Ok(());
        }
        self.ap
            .slot
            .call(steps)
            .map(drop)
            .map_err(|_| Outcome::Failed)
    }

    /// Waits until the AP has run so many steps; behind the last one, until it is online.
    async fn await_passed(&mut self, steps: usize) -> Result<(), Outcome> {
        let is_last = steps == self.shared.bring_up.steps.len();
        let passed = self
            .ap
            .slot
            .until(|slot| match slot.state().load().stage() {
                Stage::Starting => !is_last && slot.passed() >= steps,
                _ => true,
            });
        let in_time = self
            .shared
            .bring_up
            .timer
            .timeout(self.timing().online_timeout, passed)
            .await;
        self.polls.progress();
        match self.stage() {
            Stage::Online => Ok(()),
            Stage::Starting if in_time.is_ok() => Ok(()),
            Stage::Starting => {
                self.report.reason = Some("it did not finish the step in time");
                Err(Outcome::Failed)
            }
            _ => {
                self.report.reason = self.ap.slot.error().map(|error| error.reason());
                Err(Outcome::Failed)
            }
        }
        .inspect_err(|_| {
            self.report.step = self
                .shared
                .bring_up
                .steps
                .get(self.ap.slot.passed())
                .map(|step| step.name());
        })
    }

    fn stage(&self) -> Stage {
        self.ap.slot.state().load().stage()
    }

    fn evidence(&self) -> Evidence {
        self.shared.bring_up.machine.evidence(self.ap.apic_id)
    }

    fn timing(&self) -> Timing {
        self.shared.bring_up.timing
    }
}
