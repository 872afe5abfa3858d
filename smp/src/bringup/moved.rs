//! Drives CPUs to the rungs that they are asked to.

use core::fmt;

use alloc::{collections::BTreeMap, rc::Rc, vec::Vec};

use futures_util::future::join_all;
use reveille_executor::Spawner;

use super::{Ap, BringUp, Shared};
use crate::{
    cpu::CpuIndex, ladder::Rung, machine::Machine, outcome::Outcome, state::Stage,
    strategy::Strategy,
};

/// How one CPU was driven from a rung to another.
#[derive(Clone, Debug)]
pub struct Moved {
    /// The CPU.
    pub cpu: CpuIndex,
    /// Where it was.
    pub from: Rung,
    /// Where it was to go.
    pub to: Rung,
    /// Where it is now: where it was, if it failed and could be taken back.
    pub rung: Rung,
    /// Why it is not where it was to go.
    pub failure: Option<Failure>,
}

/// Why a CPU did not come to where it was to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What became of it.
    pub outcome: Outcome,
    /// The step in which it failed.
    pub step: Option<&'static str>,
    /// Why.
    pub reason: Option<&'static str>,
    /// Why it could not be taken back to where it was.
    pub rollback: Option<&'static str>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.outcome)?;
        if let Some(step) = self.step {
            write!(f, " at step {step}")?;
        }
        if let Some(reason) = self.reason {
            write!(f, ": {reason}")?;
        }
        if let Some(rollback) = self.rollback {
            write!(f, "; on the way back: {rollback}")?;
        }
        Ok(())
    }
}

impl<M: Machine> BringUp<M> {
    /// Drives each of these CPUs to its rung, all at once, whatever their directions. A CPU that
    /// fails is taken back to where it was. CPUs that are no APs of this machine are left out of
    /// the answer, which has all others in the order of their numbers.
    ///
    /// One operation at a time: turns are not shared between two of them.
    ///
    /// # Cancellation
    ///
    /// As for [`run`](Self::run).
    pub async fn drive(&self, spawner: &Spawner, targets: &[(CpuIndex, Rung)]) -> Vec<Moved> {
        let target = |&(cpu, rung): &(CpuIndex, Rung)| {
            let index = self.aps.binary_search_by_key(&cpu, |ap| ap.cpu);
            Some((index.ok()?, rung))
        };
        let targets: BTreeMap<_, _> = targets.iter().filter_map(target).collect();
        let shared = Rc::new(Shared::new(self, Strategy::Parallel, targets));
        let ways = shared.attempts().map(|attempt| {
            let (ap, from, to) = (attempt.index(), attempt.origin(), attempt.goal());
            let way = attempt.spawn_way(spawner);
            async move {
                let report = way.await;
                let ap = &self.aps[ap];
                Moved {
                    cpu: ap.cpu,
                    from,
                    to,
                    rung: ap.rung(),
                    failure: report.failure(),
                }
            }
        });
        let mut moved = join_all(ways).await;
        moved.sort_unstable_by_key(|moved| moved.cpu);
        moved
    }

    /// Takes down all APs that can be called, at once, as far as it goes, and ends when all of them
    /// are parked and nothing is prepared for them any more. One that is stuck is left where it is.
    ///
    /// # Errors
    ///
    /// The lowest AP that did not go all the way.
    ///
    /// # Cancellation
    ///
    /// As for [`run`](Self::run).
    pub async fn take_down(&self, spawner: &Spawner) -> Result<(), NotDown> {
        let can_be_called = |ap: &&Ap| {
            let stage = ap.slot.stage();
            stage.is_down() || matches!(stage, Stage::Alive | Stage::Online)
        };
        let aps = self.aps.iter().filter(can_be_called);
        let targets: Vec<_> = aps.map(|ap| (ap.cpu, Rung::OFFLINE)).collect();
        let moved = self.drive(spawner, &targets).await;
        let failed = moved.into_iter().find_map(|moved| {
            let failure = moved.failure?;
            Some(NotDown {
                cpu: moved.cpu,
                failure,
            })
        });
        failed.map_or(Ok(()), Err)
    }
}

/// An AP that was asked to go down and did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotDown {
    /// The AP.
    pub cpu: CpuIndex,
    /// Why.
    pub failure: Failure,
}

impl fmt::Display for NotDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CPU {} did not go down: {}", self.cpu, self.failure)
    }
}

impl core::error::Error for NotDown {}
