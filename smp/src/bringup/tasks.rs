//! The parts of an attempt as tasks, and what becomes of an attempt for which there is no task.

use alloc::rc::Rc;

use reveille_executor::Spawner;

use super::{Report, attempt::Attempt};
use crate::{machine::Machine, outcome::Outcome};

impl<M: Machine> Attempt<M> {
    /// Kicks the AP, if it is down.
    pub(crate) fn spawn_kick(self, spawner: &Spawner) -> impl Future<Output = Self> + use<M> {
        self.spawn(spawner, Self::kick_if_down, |attempt| attempt)
    }

    /// Waits for the AP that was kicked to be alive.
    pub(crate) fn spawn_wait(self, spawner: &Spawner) -> impl Future<Output = Self> + use<M> {
        self.spawn(spawner, Self::come_alive, |attempt| attempt)
    }

    /// Leads the AP from the kick, or from ALIVE, to its outcome.
    pub(crate) fn spawn_rest(self, spawner: &Spawner) -> impl Future<Output = Report> + use<M> {
        self.spawn(spawner, Self::come_online, Self::concluded)
    }

    /// The whole attempt.
    pub(crate) fn spawn_whole(self, spawner: &Spawner) -> impl Future<Output = Report> + use<M> {
        let whole = async |attempt: &mut Self| {
            attempt.kick_if_down().await;
            attempt.come_online().await;
        };
        self.spawn(spawner, whole, Self::concluded)
    }

    /// The way to wherever the AP is to go, from wherever it is.
    pub(crate) fn spawn_way(self, spawner: &Spawner) -> impl Future<Output = Report> + use<M> {
        self.spawn(spawner, Self::go_all_the_way, Self::concluded)
    }

    /// Runs a part of the attempt as a task of its own, and counts its polls.
    fn spawn<P: AsyncFnOnce(&mut Self) + 'static, T: 'static>(
        mut self,
        spawner: &Spawner,
        part: P,
        end: fn(Self) -> T,
    ) -> impl Future<Output = T> + use<M, P, T> {
        let lost = Self::new(&self.shared, self.position());
        let task = spawner.spawn(async move {
            let polls = Rc::clone(&self.polls);
            polls.count(part(&mut self)).await;
            end(self)
        });
        async move {
            match task {
                Ok(handle) => handle
                    .await
                    .unwrap_or_else(|_| end(lost.without_task("its task was aborted"))),
                Err(_) => end(lost.without_task("the executor has no task left for it")),
            }
        }
    }

    /// Ends an attempt that nobody runs. An AP that has been kicked is given up, so that it parks,
    /// and another attempt finds it down.
    fn without_task(mut self, reason: &'static str) -> Self {
        let _ = self.slot().state().give_up();
        self.report.reason = Some(reason);
        self.conclude(Outcome::NeverStarted);
        self
    }

    fn concluded(self) -> Report {
        self.shared.precedence.conclude(self.position());
        self.shared.primaries.conclude(self.ap().place);
        let shared = Rc::clone(&self.shared);
        let slot = &shared.bring_up.aps[self.index()].slot;
        let outcome = self.outcome.unwrap_or(Outcome::Online);
        let report = self.report.conclude(outcome, slot);
        Report {
            polls: self.polls.total(),
            spurious_polls: self.polls.spurious(),
            ..report
        }
    }
}
