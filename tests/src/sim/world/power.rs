//! What the hardware does with a CPU: reset, start, death.

use std::{rc::Rc, time::Duration};

use reveille_smp::cpu::ApicId;

use super::{Event, World, micros};
use crate::sim::{
    cpu::{Cpu, Power, count},
    fault::Fault,
    fiber::Fiber,
    life,
    model::At,
    rules::Rule,
};

impl World {
    /// INIT has reached the CPU.
    pub(in crate::sim) fn reset(&self, number: usize) {
        let cpu = &self.cpus[number];
        self.tell(number, || format!("INIT, at {:?}", cpu.power.get()));
        self.rules.hit_by_init(self, number);
        self.end_life(cpu);
        cpu.power.set(Power::WaitsForSipi);
    }

    /// A SIPI has reached the CPU.
    pub(in crate::sim) fn start(self: &Rc<Self>, number: usize) {
        let cpu = &self.cpus[number];
        self.tell(number, || format!("SIPI, at {:?}", cpu.power.get()));
        if cpu.power.get() != Power::WaitsForSipi || cpu.has(&Fault::Silent) {
            return;
        }
        cpu.power.set(Power::Starts);
        cpu.places.set(0);
        let started = count(&cpu.starts);
        let late = cpu.faults.iter().map(|fault| match fault {
            Fault::Late(us) if started == 1 => micros(*us),
            _ => Duration::ZERO,
        });
        let after = self.latency(At::Start, number) + late.sum::<Duration>();
        self.note(
            "start",
            number,
            self.now(),
            self.now().saturating_add(after),
        );
        let body = {
            let world = Rc::clone(self);
            move || life::live(&world, number)
        };
        match Fiber::new(body) {
            Ok(fiber) => self.begin(number, fiber, after),
            Err(error) => self.broke(Rule::NoPanic, format!("no memory for a stack: {error}")),
        }
    }

    /// The CPU stops for good, with what it holds.
    pub(in crate::sim) fn die(&self, number: usize, holds: Option<usize>) {
        let cpu = &self.cpus[number];
        cpu.renew();
        self.let_go(cpu);
        cpu.power.set(Power::Dead(holds));
        self.tell(number, || "stops for good".to_owned());
    }

    pub(super) fn begin(&self, number: usize, fiber: Fiber, after: Duration) {
        let cpu = &self.cpus[number];
        cpu.renew();
        cpu.is_pending.set(false);
        cpu.is_called.set(false);
        cpu.is_masked.set(false);
        cpu.lends.set(false);
        cpu.is_doomed.set(false);
        cpu.ready_at.set(self.now());
        cpu.left.set(Duration::ZERO);
        cpu.polls_awake.set(0);
        cpu.fiber.replace(Some(fiber));
        self.plan(after, Event::Go(cpu.claim(number)));
    }

    pub(super) fn end_life(&self, cpu: &Cpu) {
        cpu.renew();
        self.let_go(cpu);
        cpu.is_pending.set(false);
        cpu.is_called.set(false);
        cpu.has_handlers.set(false);
        let fiber = cpu.fiber.borrow_mut().take();
        self.bury(fiber);
    }

    pub(super) fn bury(&self, fiber: Option<Fiber>) {
        self.graveyard.borrow_mut().extend(fiber);
    }

    /// The CPUs that have this id: one, but for faults.
    pub(in crate::sim) fn with_id(&self, id: ApicId) -> impl Iterator<Item = usize> {
        let listed = self.index_of.get(&id).copied();
        let others = self.model.shape.cpus()..self.cpus.len();
        let others = others.filter(move |&number| self.cpus[number].apic_id == id);
        listed.into_iter().chain(others)
    }

    /// From now on a CPU with this id is about to be started anew: what was seen of it counts no more.
    pub(in crate::sim) fn will_start(&self, id: ApicId) {
        if let Some(index) = self.listed(id).and_then(|number| number.checked_sub(1)) {
            self.rules.forgotten(index);
        }
    }

    /// The number of the CPU that is listed with this id.
    pub(in crate::sim) fn listed(&self, id: ApicId) -> Option<usize> {
        self.index_of.get(&id).copied()
    }
}
