//! Who runs when: the waits of CPUs, and the cores of the host that executes them.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    time::Duration,
};

use super::{Event, World, text_of};
use crate::sim::{cpu::Cpu, rules::Rule, share::Claim, wait::Wait};

impl World {
    /// A wait is over, unless it was another one, or somebody has taken the processor meanwhile.
    pub(super) fn go(self: &Rc<Self>, claim: Claim) {
        let cpu = &self.cpus[claim.cpu];
        if cpu.claim(claim.cpu) != claim {
            return;
        }
        if self.now() < cpu.ready_at.get() {
            return self.plan_at(cpu.ready_at.get(), Event::Go(claim));
        }
        let Some(mut fiber) = cpu.fiber.borrow_mut().take() else {
            return;
        };
        cpu.renew();
        cpu.places_now.set(0);
        self.current.set(Some(claim.cpu));
        loop {
            match catch_unwind(AssertUnwindSafe(|| fiber.resume())) {
                Ok(Some(wait)) if self.is_over_at_once(claim.cpu, wait) => {}
                Ok(Some(_)) => {
                    cpu.fiber.replace(Some(fiber));
                    break;
                }
                Ok(None) => {
                    self.has_bsp_ended.set(claim.cpu == 0);
                    break;
                }
                Err(panic) => {
                    self.broke(Rule::NoPanic, text_of(&*panic));
                    break;
                }
            }
        }
        self.current.set(None);
    }

    /// Begins a wait of the CPU; `true` if it need not wait.
    pub(super) fn is_over_at_once(&self, number: usize, wait: Wait) -> bool {
        let cpu = &self.cpus[number];
        let claim = cpu.claim(number);
        match wait {
            Wait::Busy(span) => {
                let ready_at = cpu.take(self.now(), span);
                match &self.host {
                    None => self.plan_at(ready_at, Event::Go(claim)),
                    Some(host) => {
                        cpu.left.set(ready_at - self.now());
                        if host.borrow_mut().take(claim) {
                            self.run_on_core(claim);
                        }
                    }
                }
                false
            }
            Wait::Halt(until) => {
                let is_called = cpu.is_called.get();
                if cpu.is_pending.take()
                    || is_called
                    || until.is_some_and(|until| until <= self.now())
                {
                    return true;
                }
                cpu.is_halted.set(true);
                cpu.polls_awake.set(0);
                if let Some(until) = until {
                    self.plan_at(until, Event::Go(claim));
                }
                false
            }
            Wait::Resource(which) => self.resources.borrow_mut()[which].take(claim),
            Wait::Forever => false,
        }
    }

    /// Whether the wait for which something was claimed goes on.
    pub(super) fn still_waits(&self, claim: Claim) -> bool {
        self.cpus[claim.cpu].claim(claim.cpu) == claim
    }

    /// The CPU runs on a core of the host for as long as it may.
    pub(super) fn run_on_core(&self, claim: Claim) {
        let cpu = &self.cpus[claim.cpu];
        cpu.is_on_core.set(true);
        let longest = self.model.host.map_or(Duration::MAX, |host| host.slice);
        let slice = cpu.left.get().min(longest);
        self.plan(slice, Event::Slice(claim, slice));
    }

    pub(super) fn slice_is_over(self: &Rc<Self>, claim: Claim, slice: Duration) {
        let Some(host) = self.host.as_ref().filter(|_| self.still_waits(claim)) else {
            return;
        };
        let cpu = &self.cpus[claim.cpu];
        cpu.left.set(cpu.left.get() - slice);
        let is_done = cpu.left.get().is_zero();
        if !is_done && !host.borrow().has_queue() {
            return self.run_on_core(claim);
        }
        self.leave_core(cpu);
        if is_done {
            self.go(claim);
        } else if host.borrow_mut().take(claim) {
            self.run_on_core(claim);
        }
    }

    /// What the CPU has of things that are shared is free again.
    pub(super) fn let_go(&self, cpu: &Cpu) {
        self.leave_core(cpu);
        cpu.holds
            .take()
            .into_iter()
            .for_each(|held| self.give_back(held));
    }

    pub(super) fn leave_core(&self, cpu: &Cpu) {
        if let Some(host) = self.host.as_ref().filter(|_| cpu.is_on_core.take()) {
            let next = host.borrow_mut().give_back(|claim| self.still_waits(claim));
            if let Some(next) = next {
                self.run_on_core(next);
            }
        }
    }
}
