//! The rules of outcomes: that an operation ends in time, and that what is said of a CPU is what it did.

use std::time::Duration;

use reveille_executor::Instant;
use reveille_smp::{
    bringup::{Moved, NotDown, Round},
    ladder::Rung,
    machine::Evidence,
    outcome::Outcome,
    state::Stage,
    strategy::Strategy,
};

use super::{Rule, Rules, Watch};
use crate::sim::{Operation, cpu::Power, world::World};

impl Rules {
    /// An operation has ended that began then; `pauses` are those that belong to it.
    pub(in crate::sim) fn has_ended(
        &self,
        world: &World,
        operation: Operation,
        began: Instant,
        pauses: Duration,
    ) {
        let took = world.now() - began;
        let is_of_all_at_once = matches!(
            operation,
            Operation::BringUp(Strategy::Parallel | Strategy::Broadcast)
        );
        if let Some(longest) = self.longest_of_silent.filter(|_| is_of_all_at_once)
            && took > longest
        {
            let text = format!("all deadlines are to pass at once, and it took {took:?}");
            world.broke(Rule::Ends, text);
        }
        if self.longest.is_some_and(|longest| took > longest + pauses) {
            world.broke(
                Rule::Prompt,
                format!("nothing is wrong, and it took {took:?}"),
            );
        }
    }

    /// A CPU has left evidence under the id of this AP.
    pub(in crate::sim) fn seen(&self, index: usize, evidence: Evidence, now: Instant) {
        let watch = &self.aps[index];
        watch.seen.set(watch.seen.get().or(Some(now)));
        watch.evidence.set(evidence);
    }

    pub(in crate::sim) fn forgotten(&self, index: usize) {
        self.aps[index].seen.set(None);
        self.aps[index].evidence.set(Evidence::None);
    }

    pub(in crate::sim) fn has_brought_up(&self, world: &World, round: &Round, on_ap: usize) {
        for (index, report) in round.reports.iter().enumerate() {
            world.tell(index + 1, || match report.reason {
                None => report.outcome.to_string(),
                Some(reason) => format!("{}: {reason}", report.outcome),
            });
            let (cpu, watch) = (index + 1, &self.aps[index]);
            let outcome = report.outcome;
            let untrue = |what: &str| {
                world.broke(Rule::Truth, format!("CPU {cpu} is {outcome}, and {what}"));
            };
            let stage = world.stage(index);
            match outcome {
                Outcome::Online => {
                    let is_there = watch.user.get().is_some_and(|user| {
                        let power = world.cpus[user].power.get();
                        matches!(power, Power::Runs(Some(on)) | Power::Dead(Some(on)) if on == index)
                    });
                    if !is_there || stage != Stage::Online {
                        untrue(&format!("its slot says {stage:?}"));
                    } else if watch.passed.get() != on_ap {
                        untrue(&format!(
                            "it has passed {} of {on_ap} steps",
                            watch.passed.get()
                        ));
                    }
                }
                // Where a step down fails, it stays up, and the report says so.
                _ if stage == Stage::Online && report.rollback.is_none() => {
                    untrue("it is online");
                }
                Outcome::NeverStarted | Outcome::StuckRealMode if !stage.is_down() => {
                    untrue(&format!("its slot says {stage:?}, and is not closed"));
                }
                Outcome::NeverStarted if report.reason.is_none() => {
                    if let (Some(seen), Some(given_up)) = (watch.seen.get(), watch.given_up.get())
                        && seen < given_up
                    {
                        untrue("it was seen before it was given up");
                    }
                }
                Outcome::StuckRealMode if watch.seen.get().is_none() => {
                    untrue("it never was in real mode");
                }
                Outcome::StuckLongMode if watch.evidence.get() != Evidence::LongMode => {
                    untrue("it never was in long mode");
                }
                _ => {}
            }
            // Where INIT was lost, a CPU that an earlier SIPI started may come before it.
            let sent = [report.init, report.sipi, Some(round.end)];
            let stamps = [
                report.real,
                report.long,
                report.alive,
                report.online,
                Some(round.end),
            ];
            let are_in_order =
                sent.into_iter().flatten().is_sorted() && stamps.into_iter().flatten().is_sorted();
            if !self.has_skew && !are_in_order {
                untrue("its times are not in order");
            }
            if outcome != Outcome::Online && watch.comes_up && !self.is_bsp_faulty {
                let why = report.reason.unwrap_or("no reason is given");
                let text = format!("CPU {cpu} is {outcome} ({why}), and should have come up");
                world.broke(Rule::Healthy, text);
            }
            if !self.prepare_waits && report.spurious_polls > self.most_spurious(watch) {
                let text = format!(
                    "CPU {cpu} was polled {} times for nothing",
                    report.spurious_polls
                );
                world.broke(Rule::Halts, text);
            }
        }
    }

    /// A wake that comes while its task looks at the words has it polled once more for nothing; a
    /// fault may bring more of these about.
    pub(super) fn most_spurious(&self, watch: &Watch) -> u32 {
        match watch.is_faulty || self.is_bsp_faulty {
            true => 8,
            false => 4,
        }
    }

    pub(in crate::sim) fn has_moved(&self, world: &World, moved: &[Moved]) {
        for moved in moved {
            let cpu = moved.cpu.0 as usize;
            let watch = &self.aps[cpu - 1];
            world.tell(cpu, || format!("has moved: {moved:?}"));
            match &moved.failure {
                None if moved.rung != moved.to || !self.is_on(world, cpu - 1, moved.to) => {
                    let text = format!("CPU {cpu} has moved, and is at {:?}", moved.rung);
                    world.broke(Rule::Truth, text);
                }
                Some(failure)
                    if watch.is_told_to_fail
                        && !self.is_bsp_faulty
                        && failure.rollback.is_none()
                        && moved.rung != moved.from =>
                {
                    let text = format!("CPU {cpu}: {failure}, and is not back where it was");
                    world.broke(Rule::Truth, text);
                }
                Some(failure) if !watch.is_faulty && !self.is_bsp_faulty => {
                    let text = format!("CPU {cpu}: {failure}, and nothing is wrong with it");
                    world.broke(Rule::Healthy, text);
                }
                _ => {}
            }
        }
    }

    /// Whether a CPU rests on a rung by what it did itself.
    pub(super) fn is_on(&self, world: &World, index: usize, rung: Rung) -> bool {
        let watch = &self.aps[index];
        let stage = world.stage(index);
        if rung <= world.ladder.prepared() {
            return stage.is_down() && watch.user.get().is_none();
        }
        let rest = match rung == world.ladder.top() {
            true => Stage::Online,
            false => Stage::Alive,
        };
        let steps = usize::from(rung.0 - world.ladder.prepared().0 - 1);
        stage == rest && watch.passed.get() == steps
    }

    pub(in crate::sim) fn has_taken_down(&self, world: &World, down: &Result<(), NotDown>) {
        for (index, watch) in self.aps.iter().enumerate() {
            if watch.is_faulty || self.is_bsp_faulty {
                continue;
            }
            let is_down = self.is_on(world, index, Rung::OFFLINE) && !watch.has_stack.get();
            if !is_down {
                let text = format!("CPU {} was taken down and is up ({down:?})", index + 1);
                world.broke(Rule::Healthy, text);
            }
        }
    }
}
