//! The BSP's part of the online phase: it calls the AP section by section, and holds the turn
//! while the AP is in a serialised one.

use super::attempt::Attempt;
use crate::{
    machine::Machine,
    outcome::Outcome,
    state::Stage,
    step::{Mode, Section},
};

impl<M: Machine> Attempt<'_, M> {
    /// Leads an AP that is alive through all sections until it is online.
    pub(super) async fn go_online(&mut self) -> Result<(), Outcome> {
        let shared = self.shared;
        let last = shared.bring_up.steps.len();
        for (index, section) in shared.sections.iter().enumerate() {
            let turn = match section.mode {
                Mode::Serialised => Some(shared.turnstile.turn(self.ap.cpu).await),
                Mode::Concurrent => None,
            };
            self.polls.progress();
            self.let_run(permitted(&shared.sections[index..]))?;
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

    /// Waits until the AP has run so many steps; behind the last one, until it is online. An AP
    /// that takes too long is abandoned: should it ever come out of its step, it parks.
    async fn await_passed(&mut self, steps: usize) -> Result<(), Outcome> {
        let shared = self.shared;
        let slot = &self.ap.slot;
        let is_last = steps == shared.bring_up.steps.len();
        let has_passed = || !is_last && slot.passed() >= steps;
        let moved =
            slot.until(|slot| slot.state().load().stage() != Stage::Starting || has_passed());
        let timer = &shared.bring_up.timer;
        let _ = timer.timeout(self.timing().online_timeout, moved).await;
        self.polls.progress();
        let in_time = self.stage() != Stage::Starting || has_passed();
        self.report.reason = if in_time || slot.abandon().is_err() {
            match self.stage() {
                Stage::Online | Stage::Starting => return Ok(()),
                _ => slot.error().map(|error| error.reason()),
            }
        } else {
            Some("it did not finish the step in time")
        };
        self.report.step = shared
            .bring_up
            .steps
            .get(slot.passed())
            .map(|step| step.name());
        Err(Outcome::Failed)
    }
}

/// How far an AP may run when it enters the first of these sections: what runs concurrently
/// behind a serialised section needs no further word from the BSP.
fn permitted(sections: &[Section]) -> usize {
    match sections {
        [first, next, ..] if next.mode == Mode::Concurrent && first.mode == Mode::Serialised => {
            next.steps.end
        }
        [first, ..] => first.steps.end,
        [] => 0,
    }
}
