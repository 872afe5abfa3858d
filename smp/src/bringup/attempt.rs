//! One attempt to drive one AP: where it was, where it is to go, what is known of it so far.
//!
//! At boot it is run as one task, or as several, for the kick, the wait and the rest: strategies differ in
//! what they put between them.

use alloc::rc::Rc;

use reveille_executor::Instant;

use super::{Ap, Report, Shared, Timing, polls::Polls};
use crate::{
    cpu::ApicId, ladder::Rung, machine::Machine, outcome::Outcome, slot::Slot, state::Stage,
};

/// The attempt for one AP, and what is known of it so far.
pub(crate) struct Attempt<M> {
    pub(super) shared: Rc<Shared<M>>,
    /// Which of the operation's CPUs it is for.
    position: usize,
    /// Where the AP was.
    origin: Rung,
    /// Where it is to go; after a failure, where it was.
    goal: Rung,
    pub(super) report: Report,
    pub(super) polls: Rc<Polls>,
    /// When the first SIPI was sent, or the first request; the deadline counts from there.
    pub(super) kicked: Option<Instant>,
    /// Somebody has taken a request for the AP from the mailbox.
    pub(super) has_answered: bool,
    /// The AP had been abandoned and had its time to come back.
    pub(super) has_waited_for_return: bool,
    /// Known early when the kick failed.
    pub(super) outcome: Option<Outcome>,
}

impl<M: Machine> Attempt<M> {
    pub(super) fn new(shared: &Rc<Shared<M>>, position: usize) -> Self {
        let (index, goal) = shared.targets[position];
        let ap = &shared.bring_up.aps[index];
        Self {
            shared: Rc::clone(shared),
            position,
            origin: ap.rung(),
            goal,
            report: Report::new(ap.cpu, ap.apic_id),
            polls: Rc::default(),
            kicked: None,
            has_answered: false,
            has_waited_for_return: false,
            outcome: None,
        }
    }

    pub(super) async fn kick_if_down(&mut self) {
        if self.stage().is_down()
            && let Err(failure) = self.set_out().await
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
            let outcome = match self.ascend().await {
                Ok(()) => Outcome::Online,
                Err(failure) => failure,
            };
            self.conclude(outcome);
        }
        if self.has_failed() {
            self.go_back().await;
        }
    }

    /// The way to the target, wherever the AP is.
    pub(super) async fn go_all_the_way(&mut self) {
        let ladder = self.shared.bring_up.ladder;
        let is_to_park = self.goal <= ladder.prepared() && self.rung() > ladder.prepared();
        let gone = if !ladder.can_rest(self.goal) {
            Err(self.fail("a CPU cannot wait there to be called"))
        } else if is_to_park && !self.can_come_back() {
            Err(self.is_lost())
        } else {
            self.go().await
        };
        if let Err(failure) = gone {
            self.conclude(failure);
            self.go_back().await;
        }
    }

    /// Those that are to come behind this AP on its core may learn how far it has come.
    pub(super) fn tell_siblings(&self) {
        let primaries = &self.shared.primaries;
        primaries.reached(self.ap().place, self.rung());
    }

    /// Whether the outcome is known.
    pub(crate) fn is_over(&self) -> bool {
        self.outcome.is_some()
    }

    /// The outcome is known.
    pub(crate) fn conclude(&mut self, outcome: Outcome) {
        self.report.outcome = outcome;
        self.outcome = Some(outcome);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.outcome.is_some_and(Outcome::is_failure)
    }

    /// It fails for this reason.
    pub(super) fn fail(&mut self, reason: &'static str) -> Outcome {
        self.report.reason = Some(reason);
        Outcome::Failed
    }

    /// It fails for this reason in the step with this place in the ladder.
    pub(super) fn fail_at(&mut self, step: usize, reason: &'static str) -> Outcome {
        let step = self.shared.bring_up.ladder.steps().get(step);
        self.report.step = step.map(|step| step.name());
        self.fail(reason)
    }

    /// From here on it is to go back to where it was; but not so far down that nobody could wake it
    /// any more.
    pub(super) fn turn_back(&mut self) {
        let ladder = self.shared.bring_up.ladder;
        let would_park = self.rung() > ladder.prepared();
        self.goal = match would_park && !self.can_come_back() {
            true => self.origin.max(ladder.lowest_awake()),
            false => self.origin,
        };
        self.kicked = None;
    }

    // ---- short names ----

    pub(super) fn progress(&self) {
        self.polls.progress();
    }

    pub(super) fn shared(&self) -> Rc<Shared<M>> {
        Rc::clone(&self.shared)
    }

    /// Which of the operation's CPUs the AP is.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Which of all APs it is.
    pub(super) fn index(&self) -> usize {
        self.shared.targets[self.position].0
    }

    /// The AP that it is for.
    pub(crate) fn ap(&self) -> &Ap {
        &self.shared.bring_up.aps[self.index()]
    }

    /// Where the AP was.
    pub(super) fn origin(&self) -> Rung {
        self.origin
    }

    /// Where it is to go.
    pub(super) fn goal(&self) -> Rung {
        self.goal
    }

    /// Where it is.
    pub(super) fn rung(&self) -> Rung {
        self.ap().rung()
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

    pub(super) fn apic_id(&self) -> ApicId {
        self.report.apic_id
    }

    pub(super) fn machine(&self) -> &M {
        &self.shared.bring_up.machine
    }
}
