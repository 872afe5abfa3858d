//! The BSP's part of the online phase: it permits the AP its steps, leg by leg, and queues it for
//! the turn where a leg begins with serialised ones.

use core::pin::pin;

use futures_util::future::select;

use super::attempt::Attempt;
use crate::{machine::Machine, outcome::Outcome, slot::Slot, state::Stage, step::Leg};

impl<M: Machine> Attempt<M> {
    /// Leads an AP that is alive through all legs until it is online.
    pub(super) async fn go_online(&mut self) -> Result<(), Outcome> {
        let shared = self.shared();
        let mut turn = 0;
        for leg in &shared.legs {
            if leg.needs_turn {
                shared.precedence.until_next(self.index(), turn).await;
                turn += 1;
                self.slot().permit_with_the_turn(leg.end);
                shared.turns.queue(self.index());
            } else {
                self.slot().permit(leg.end);
            }
            self.progress();
            self.await_end(leg).await?;
        }
        Ok(())
    }

    /// Waits until the AP has run the leg's steps; those of the last leg, until it is online. The
    /// deadline counts from the moment at which the AP was free to run. An AP that takes too long
    /// is abandoned: should it ever come out of its step, it parks.
    async fn await_end(&mut self, leg: &Leg) -> Result<(), Outcome> {
        let shared = self.shared();
        let is_last = leg.end == shared.bring_up.steps.len();
        let has_passed = |slot: &Slot| !is_last && slot.passed() >= leg.end;
        let has_ended = |slot: &Slot| {
            !matches!(slot.stage(), Stage::Alive | Stage::Starting) || has_passed(slot)
        };
        if leg.needs_turn {
            let granted = pin!(shared.turns.granted(self.index()));
            select(pin!(self.slot().until(has_ended)), granted).await;
            self.progress();
        }
        let ended = self.slot().until(has_ended);
        let timer = &shared.bring_up.timer;
        let _ = timer.timeout(self.timing().online_timeout, ended).await;
        self.progress();
        let in_time = has_ended(self.slot());
        let is_abandoned = !in_time && self.slot().abandon().is_ok();
        if is_abandoned {
            shared.turns.take_back(self.index());
        } else {
            shared.turns.follow();
            if self.slot().stage() == Stage::Online || has_passed(self.slot()) {
                return Ok(());
            }
        }
        let step = shared.bring_up.steps.get(self.slot().passed());
        let reason = match step {
            _ if !is_abandoned => self.slot().error().map(|error| error.reason()),
            Some(_) => Some("it did not finish the step in time: raise online-timeout="),
            None => Some("it ran its steps and did not report in time: raise online-timeout="),
        };
        self.fail_at(step.map(|step| step.name()), reason);
        Err(Outcome::Failed)
    }
}
