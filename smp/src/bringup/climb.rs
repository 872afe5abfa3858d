//! The driver's part while an AP moves along the ladder: it calls the AP leg by leg, and queues it
//! for the turn where a leg begins with serialised steps.

use core::{pin::pin, time::Duration};

use futures_util::future::select;

use super::attempt::Attempt;
use crate::{
    ladder::{Leg, Rung},
    machine::Machine,
    outcome::Outcome,
    slot::Slot,
    state::Stage,
    step::Direction,
};

impl<M: Machine> Attempt<M> {
    /// Leads an AP that rests to a rung of its own part of the ladder, or to below that, where it
    /// parks.
    pub(super) async fn climb(&mut self, goal: Rung) -> Result<(), Outcome> {
        let shared = self.shared();
        let top = shared.bring_up.ladder.top();
        let is_there = |slot: &Slot| {
            slot.progress().rung == goal && (goal != top || slot.stage() == Stage::Online)
        };
        while !is_there(self.slot()) {
            let from = self.rung();
            let direction = from.direction_to(goal).unwrap_or(Direction::Up);
            let leg = shared.bring_up.ladder.leg(from, goal);
            if leg.needs_turn {
                if direction == Direction::Up {
                    let precedence = &shared.precedence;
                    precedence.until_next(self.position(), leg.turn).await;
                }
                self.slot().call_with_the_turn(leg.end);
                shared.turns.queue(self.index());
            } else {
                self.slot().call(leg.end);
            }
            self.progress();
            self.await_end(&leg, direction).await?;
            self.tell_siblings();
        }
        Ok(())
    }

    /// Waits until the AP is at the leg's end. The deadline counts from the moment at which the AP
    /// was free to run. An AP that takes too long is abandoned: should it ever come out of its step,
    /// it rests.
    async fn await_end(&mut self, leg: &Leg, direction: Direction) -> Result<(), Outcome> {
        let shared = self.shared();
        let ladder = shared.bring_up.ladder;
        let is_at_end = |slot: &Slot| match leg.end == ladder.prepared() {
            // On its way to the parking place, of which nothing more is heard.
            true => slot.progress().rung == leg.end,
            false => slot.has_come_to(leg.end, ladder.top()),
        };
        let has_failed = |slot: &Slot| {
            let progress = slot.progress();
            let rests = matches!(slot.stage(), Stage::Alive | Stage::Online);
            progress.failure.is_some() && (rests || progress.rung == ladder.prepared())
        };
        let has_ended = |slot: &Slot| is_at_end(slot) || has_failed(slot);
        if leg.needs_turn {
            let granted = pin!(shared.turns.granted(self.index()));
            select(pin!(self.slot().until(has_ended)), granted).await;
            self.progress();
        }
        let patience = self.timing().online_timeout + leg.allowance;
        let half = patience / 2;
        if !self.in_time(half, has_ended).await {
            // Whoever granted it the turn may have died before it woke it.
            self.slot().rouse();
            self.in_time(patience - half, has_ended).await;
        }
        if !has_ended(self.slot()) && self.slot().abandon(has_ended).is_ok() {
            shared.turns.take_back(self.index());
            return Err(self.abandoned(leg, direction));
        }
        shared.turns.follow();
        match self.slot().progress().failure {
            None => Ok(()),
            Some((step, error)) => Err(self.fail_at(step, error.reason())),
        }
    }

    /// Waits until the condition holds, but not longer than that.
    async fn in_time(&self, span: Duration, condition: impl Fn(&Slot) -> bool + Copy) -> bool {
        let shared = self.shared();
        let holds = self.slot().until(condition);
        let _ = shared.bring_up.timer.timeout(span, holds).await;
        self.progress();
        condition(self.slot())
    }

    fn abandoned(&mut self, leg: &Leg, direction: Direction) -> Outcome {
        let rung = self.rung();
        if rung == leg.end {
            let reason = "it ran its steps and did not report in time: raise online-timeout=";
            self.fail(reason)
        } else {
            let reason = "it did not finish the step in time: raise online-timeout=";
            self.fail_at(rung.step_towards(direction), reason)
        }
    }
}
