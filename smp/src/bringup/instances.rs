//! Adds and removes instances of a step while CPUs are up.

use core::fmt;

use alloc::vec::Vec;

use futures_util::future::join_all;

use super::{Ap, BringUp};
use crate::{
    cpu::CpuIndex,
    errand::Errand,
    instances::{Instance, Instances},
    machine::Machine,
    slot::Slot,
    state::Stage,
    step::{Direction, Run, Section, Site, Step, StepError},
};

/// Why an instance was not added or removed. On every CPU it is as it was, but for those on which
/// that failed, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstanceError {
    /// No step of the ladder has this name.
    NoSuchStep,
    /// The step has no instances.
    HasNone,
    /// The instance is there already, or is not there.
    NothingToDo,
    /// A CPU has passed the step and cannot be called.
    Unreachable(CpuIndex),
    /// It failed on this CPU, the lowest if on several.
    Failed(CpuIndex, StepError),
}

impl fmt::Display for InstanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchStep => f.write_str("no step has this name"),
            Self::HasNone => f.write_str("the step has no instances"),
            Self::NothingToDo => f.write_str("the instance is as it is to be"),
            Self::Unreachable(cpu) => write!(f, "CPU {cpu} cannot be called"),
            Self::Failed(cpu, error) => write!(f, "on CPU {cpu}: {error}"),
        }
    }
}

impl core::error::Error for InstanceError {}

impl<M: Machine> BringUp<M> {
    /// Adds an instance to the step of this name: brings it up on all CPUs that have passed the
    /// step, each by itself; from then on all others do so as they pass.
    ///
    /// One operation at a time, as with [`drive`](Self::drive).
    ///
    /// # Errors
    ///
    /// [`InstanceError`]; then the instance is not there.
    ///
    /// # Cancellation
    ///
    /// The instance is not there, and up on some CPUs. Those that have not answered yet are abandoned.
    pub async fn add_instance(&self, step: &str, instance: Instance) -> Result<(), InstanceError> {
        self.change_instance(step, instance, Direction::Up).await
    }

    /// Removes it in the same manner.
    ///
    /// # Errors
    ///
    /// [`InstanceError`]; then the instance is still there.
    ///
    /// # Cancellation
    ///
    /// The instance is there, and down on some CPUs. Those that have not answered yet are abandoned.
    pub async fn remove_instance(
        &self,
        step: &str,
        instance: Instance,
    ) -> Result<(), InstanceError> {
        self.change_instance(step, instance, Direction::Down).await
    }

    async fn change_instance(
        &self,
        name: &str,
        instance: Instance,
        direction: Direction,
    ) -> Result<(), InstanceError> {
        let steps = self.ladder.steps();
        let number = steps.iter().position(|step| step.name() == name);
        let number = number.ok_or(InstanceError::NoSuchStep)?;
        let step = steps[number];
        let instances = step.instances().ok_or(InstanceError::HasNone)?;
        let is_there = direction == Direction::Up;
        if instances.has(instance) == is_there {
            return Err(InstanceError::NothingToDo);
        }
        let has_passed = |ap: &&Ap| usize::from(ap.rung().0) > number;
        let aps: Vec<&Ap> = self.aps.iter().filter(has_passed).collect();
        let cannot = |ap: &&&Ap| step.section() != Section::Prepare && !rests(&ap.slot);
        if let Some(ap) = aps.iter().find(cannot) {
            return Err(InstanceError::Unreachable(ap.cpu));
        }
        let errand = Errand {
            step: number,
            instance,
            direction,
        };
        let results = self.on_all(&aps, step, instances, errand).await;
        let failed = aps.iter().zip(&results).find_map(|(ap, result)| {
            let error = result.err()?;
            Some(InstanceError::Failed(ap.cpu, error))
        });
        let Some(error) = failed else {
            instances.set(instance, is_there);
            return Ok(());
        };
        let done = aps
            .iter()
            .zip(&results)
            .filter(|(_, result)| result.is_ok());
        let done: Vec<_> = done.map(|(&ap, _)| ap).collect();
        let back = Errand {
            direction: direction.reverse(),
            ..errand
        };
        self.on_all(&done, step, instances, back).await;
        Err(error)
    }

    /// Does the errand on, or for, all of these: one after the other where the step is serialised.
    async fn on_all(
        &self,
        aps: &[&Ap],
        step: &dyn Step,
        instances: &dyn Instances,
        errand: Errand,
    ) -> Vec<Result<(), StepError>> {
        let each = aps
            .iter()
            .map(|ap| self.on_one(ap, step, instances, errand));
        if !step.is_serialised() {
            return join_all(each).await;
        }
        let mut results = Vec::with_capacity(aps.len());
        for one in each {
            results.push(one.await);
        }
        results
    }

    async fn on_one(
        &self,
        ap: &Ap,
        step: &dyn Step,
        instances: &dyn Instances,
        errand: Errand,
    ) -> Result<(), StepError> {
        let patience = self.timing.online_timeout + step.deadline().unwrap_or_default();
        if step.section() == Section::Prepare {
            let site = Site {
                cpu: ap.cpu,
                timer: &self.timer,
            };
            return match instances.run_one(site, errand.instance, errand.direction) {
                Run::Now(result) => result,
                Run::Later(future) => {
                    let in_time = self.timer.timeout(patience, future).await;
                    in_time.unwrap_or(Err(StepError::TimedOut))
                }
            };
        }
        ap.slot.send(errand);
        let asked = Asked(&ap.slot);
        let _ = self.timer.timeout(patience, ap.slot.until(answered)).await;
        drop(asked);
        ap.slot.answer().unwrap_or(Err(StepError::TimedOut))
    }
}

fn rests(slot: &Slot) -> bool {
    matches!(slot.stage(), Stage::Alive | Stage::Online)
}

/// An AP that was asked. If nobody waits any more and it has not answered, it is abandoned: else it
/// would take what it is asked next for this.
struct Asked<'a>(&'a Slot);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !answered(self.0) {
            let _ = self.0.abandon(answered);
        }
    }
}

fn answered(slot: &Slot) -> bool {
    slot.answer().is_some()
}
