//! The first section of the ladder: its steps run on the CPU that drives, for an AP that is down.

use super::attempt::Attempt;
use crate::{
    machine::Machine,
    outcome::Outcome,
    step::{Direction, Run, Site, StepError},
};

impl<M: Machine> Attempt<M> {
    /// Moves an AP that is down towards its goal, as far as that goes without it.
    pub(super) async fn prepare(&mut self) -> Result<(), Outcome> {
        let shared = self.shared();
        let goal = self.goal().min(shared.bring_up.ladder.prepared());
        while let Some(direction) = self.rung().direction_to(goal) {
            let number = self.rung().step_towards(direction);
            let cpu = self.ap().cpu;
            self.machine().step_begins(cpu, number, direction);
            let result = self.run_here(number, direction).await;
            self.machine().step_ended(cpu, number, direction, result);
            if let Err(error) = result {
                return Err(self.fail_at(number, error.reason()));
            }
            self.slot().set_rung(self.rung().next(direction));
        }
        Ok(())
    }

    async fn run_here(&self, number: usize, direction: Direction) -> Result<(), StepError> {
        let shared = self.shared();
        let step = shared.bring_up.ladder.steps()[number];
        let _passage = match step.is_serialised() {
            true => Some(shared.gate.enter(self.index()).await),
            false => None,
        };
        self.slot().strike(number, direction)?;
        let site = Site {
            cpu: self.ap().cpu,
            timer: &shared.bring_up.timer,
        };
        match step.run(direction, site) {
            Run::Now(result) => result,
            Run::Later(future) => {
                let deadline = step.deadline().unwrap_or(self.timing().online_timeout);
                let in_time = shared.bring_up.timer.timeout(deadline, future).await;
                self.progress();
                in_time.unwrap_or(Err(StepError::TimedOut))
            }
        }
    }
}
