//! The rules of steps: who runs them, one behind the other, the lowest first.

use reveille_smp::{order::Order, state::Stage, step::Direction, strategy::Strategy};

use super::{Rule, Rules, StepKind};
use crate::sim::{Operation, world::World};

impl Rules {
    pub(in crate::sim) fn begins(
        &self,
        world: &World,
        cpu: usize,
        step: StepKind,
        direction: Direction,
    ) {
        let index = cpu - 1;
        let here = world.here();
        world.tell(here.unwrap_or(cpu), || {
            format!("begins with {} for CPU {cpu}", step.name)
        });
        let right = match step.on_ap {
            Some(_) => self.aps[index].user.get(),
            None => Some(0),
        };
        if here != right {
            let text = format!(
                "{} of CPU {cpu} runs on {here:?}, not on {right:?}",
                step.name
            );
            world.broke(Rule::Truth, text);
        }
        if step.primaries_first && direction == Direction::Up {
            self.is_before_siblings(world, cpu, step);
        }
        if !step.is_serialised {
            return;
        }
        if let Some(place) = step.on_ap
            && direction == Direction::Up
            && self.is_strict.get()
        {
            self.is_behind_lower_ones(world, cpu, step, place);
        }
        if step.on_ap.is_none() {
            if let Some(other) = self.in_gate.replace(Some(index)) {
                world.broke(Rule::Serial, overlap(step.name, cpu, other + 1));
            }
            return;
        }
        let mut in_turn = self.in_turn.borrow_mut();
        // Whoever is waited for no longer may not know that yet.
        let is_abandoned = |other: usize| world.stage(other) == Stage::Abandoned;
        for &other in in_turn.iter() {
            if !is_abandoned(other) && !is_abandoned(index) {
                world.broke(Rule::Serial, overlap(step.name, cpu, other + 1));
            }
        }
        in_turn.push(index);
        if self.last.replace(Some(index)) != Some(index)
            && let Some(next) = self.next.take()
            && next < index
        {
            let text = format!("CPU {cpu} has the turn, for which CPU {} waits", next + 1);
            world.broke(Rule::Lowest, text);
        }
    }

    /// While a core's first thread runs such a step, the others must not run yet.
    pub(super) fn is_before_siblings(&self, world: &World, cpu: usize, step: StepKind) {
        // One with which something is wrong may still be stuck where an earlier attempt left it.
        let is_faulty = |cpu: usize| self.aps[cpu - 1].is_faulty;
        let place = |cpu: usize| world.aps[cpu - 1].place;
        let core = |cpu: usize| (place(cpu).package, place(cpu).core);
        if place(cpu).thread > 0 || is_faulty(cpu) || !self.looks_at_all {
            return;
        }
        let is_early = |&other: &usize| {
            let stage = world.stage(other - 1);
            let is_on_its_way = matches!(stage, Stage::Kicked | Stage::Claimed);
            !is_faulty(other) && other != cpu && core(other) == core(cpu) && is_on_its_way
        };
        if let Some(other) = (1..=self.aps.len()).find(is_early) {
            let text = format!(
                "CPU {cpu} begins with {}, and CPU {other} is started",
                step.name
            );
            world.broke(Rule::Primaries, text);
        }
    }

    /// In strict order, all lower CPUs have had their turn. Siblings that are kicked behind the first
    /// threads come behind them here too.
    pub(super) fn is_behind_lower_ones(
        &self,
        world: &World,
        cpu: usize,
        step: StepKind,
        place: usize,
    ) {
        let thread = |index: usize| world.aps[index].place.thread;
        let is_missed = |&index: &usize| {
            let watch = &self.aps[index];
            let comes_before = thread(index) == 0 || thread(cpu - 1) > 0;
            comes_before && !watch.is_faulty && watch.passed.get() <= place
        };
        if let Some(index) = (0..cpu - 1).find(is_missed).filter(|_| !self.is_bsp_faulty) {
            let text = format!("CPU {cpu} runs {} before CPU {}", step.name, index + 1);
            world.broke(Rule::Strict, text);
        }
    }

    /// An operation begins.
    pub(in crate::sim) fn begins_operation(&self, operation: Operation, order: Order) {
        // In two passes the waves go before the order.
        let keeps_order =
            matches!(operation, Operation::BringUp(strategy) if strategy != Strategy::TwoPass);
        self.is_strict.set(keeps_order && order == Order::Strict);
    }

    /// The AP's executor has polled.
    pub(in crate::sim) fn has_polled(&self, index: usize) {
        self.aps[index].has_polled.set(true);
    }

    /// A step has been passed by a CPU.
    pub(in crate::sim) fn has_passed(
        &self,
        world: &World,
        cpu: usize,
        step: StepKind,
        direction: Direction,
    ) {
        let here = world.here().unwrap_or(cpu);
        world.tell(here, || {
            format!("passes {} of CPU {cpu}, {direction:?}", step.name)
        });
        let Some(place) = step.on_ap else { return };
        self.aps[cpu - 1].has_polled.set(false);
        let passed = &self.aps[cpu - 1].passed;
        let (before, behind) = match direction {
            Direction::Up => (place, place + 1),
            Direction::Down => (place + 1, place),
        };
        if passed.replace(behind) != before {
            let text = format!("CPU {cpu} passes {} out of order", step.name);
            world.broke(Rule::Truth, text);
        }
    }

    /// A step has ended, or was cancelled.
    pub(in crate::sim) fn ends(&self, cpu: usize, step: StepKind) {
        if !step.is_serialised {
            return;
        }
        if step.on_ap.is_none() {
            return self.in_gate.set(None);
        }
        self.in_turn.borrow_mut().retain(|&other| other != cpu - 1);
        if self.looks_at_all {
            let lowest = self.aps.iter().position(|watch| watch.is_queued.get());
            self.next.set(lowest);
        }
    }
}

fn overlap(step: &str, cpu: usize, other: usize) -> String {
    format!("CPU {cpu} begins with {step} while CPU {other} is in its turn")
}
