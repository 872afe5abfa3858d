//! INIT, SIPI and evidence on a simulated machine.

use std::rc::Rc;

use reveille_executor::{Clock, Instant};
use reveille_smp::{
    cpu::ApicId,
    machine::{Evidence, Machine, SendError, Strangers},
};

use super::{
    cpu::{Cpu, count},
    fault::Fault,
    model::At,
    world::World,
};

/// The machine, as the bring-up sees it.
#[derive(Clone)]
pub(super) struct Simulated(pub(super) Rc<World>);

impl Simulated {
    /// Sends something to the CPUs with this id, and says whether that was accepted.
    fn send(
        &self,
        at: At,
        target: ApicId,
        deliver: impl Fn(&Rc<World>, usize),
    ) -> Result<(), SendError> {
        let world = &self.0;
        world.pass_place();
        let listed = world.listed(target).ok_or(SendError::Unreachable)?;
        world.take_time(at, listed);
        world
            .with_id(target)
            .for_each(|number| deliver(world, number));
        match world.cpus[listed].has(&Fault::Refused) {
            true => Err(SendError::Busy),
            false => Ok(()),
        }
    }

    fn broadcast(&self, deliver: impl Fn(&Rc<World>, usize)) -> Result<(), SendError> {
        let world = &self.0;
        world.pass_place();
        world.take_time(At::Broadcast, 0);
        (1..world.cpus.len()).for_each(|number| deliver(world, number));
        Ok(())
    }
}

/// An INIT comes to a CPU.
fn init(world: &Rc<World>, number: usize) {
    let cpu = &world.cpus[number];
    let sent = count(&cpu.inits);
    if cpu.has(&Fault::LostInit(sent)) {
        return;
    }
    match is_held(world, cpu) {
        true => cpu.held.set((true, cpu.held.get().1)),
        false => world.reset(number),
    }
}

/// A SIPI comes to a CPU.
fn sipi(world: &Rc<World>, number: usize) {
    let cpu = &world.cpus[number];
    let sent = count(&cpu.sipis);
    if cpu.has(&Fault::LostSipi(sent)) {
        return;
    }
    match (is_held(world, cpu), cpu.held.get().0) {
        (true, has_init) => cpu.held.set((has_init, has_init)),
        (false, _) => world.start(number),
    }
}

fn is_held(world: &World, cpu: &Cpu) -> bool {
    cpu.held_until().is_some_and(|until| world.now() < until)
}

impl Clock for Simulated {
    fn now(&self) -> Instant {
        self.0.pass_place();
        self.0.local_now()
    }
}

impl Machine for Simulated {
    fn send_init(&self, target: ApicId) -> Result<(), SendError> {
        self.0.will_start(target);
        self.send(At::Init, target, init)
    }

    fn send_sipi(&self, target: ApicId) -> Result<(), SendError> {
        self.send(At::Sipi, target, sipi)
    }

    fn broadcast_init(&self) -> Result<(), SendError> {
        self.0
            .cpus
            .iter()
            .for_each(|cpu| self.0.will_start(cpu.apic_id));
        self.broadcast(init)
    }

    fn broadcast_sipi(&self) -> Result<(), SendError> {
        self.broadcast(sipi)
    }

    fn evidence(&self, target: ApicId) -> Evidence {
        self.0.pass_place();
        let evidence = self.0.evidence.borrow();
        evidence.get(&target).copied().unwrap_or(Evidence::None)
    }

    fn forget_evidence(&self, target: ApicId) {
        self.0.pass_place();
        self.0.evidence.borrow_mut().remove(&target);
        self.0.will_start(target);
    }

    fn strangers(&self) -> Strangers {
        let (count, last) = self.0.strangers.get();
        Strangers { count, last }
    }
}
