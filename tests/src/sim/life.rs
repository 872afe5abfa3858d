//! The life of an AP, from the SIPI to the parking place: what the trampoline does in assembly, and
//! then the AP's side of the bring-up, as it boots.

use std::{pin::pin, rc::Rc, sync::atomic::Ordering};

use futures_util::future::{Either, select};
use reveille_smp::{
    ap::{self, Arrival},
    machine::Evidence,
};

use super::{
    call::call_all,
    cpu::Power,
    fiber::suspend,
    model::At,
    platform::{Resident, Seat},
    wait::Wait,
    world::World,
};

/// Lives on the CPU with this number. It never returns.
pub(super) fn live(world: &Rc<World>, number: usize) {
    let cpu = &world.cpus[number];
    world.pass_place();
    let real = world.local_now();
    leave_evidence(world, number, Evidence::RealMode);
    world.take_time(At::Real, number);
    world.pass_place();
    let long = world.local_now();
    leave_evidence(world, number, Evidence::LongMode);
    world.take_time(At::Long, number);
    world.pass_place();
    match world.listed(cpu.arrives_as) {
        Some(listed) => claim(world, number, listed - 1, Arrival { real, long }),
        None => {
            let (count, _) = world.strangers.get();
            world.strangers.set((count + 1, cpu.arrives_as));
        }
    }
    cpu.power.set(Power::Parks);
    suspend(Wait::Forever);
}

/// What the trampoline leaves behind, under the id that the CPU's APIC tells it.
fn leave_evidence(world: &World, number: usize, evidence: Evidence) {
    let id = world.cpus[number].arrives_as;
    world.tell(number, || format!("leaves evidence of {evidence:?}"));
    world.evidence.borrow_mut().insert(id, evidence);
    if let Some(listed) = world.listed(id) {
        world.rules.seen(listed - 1, evidence, world.now());
    }
}

/// Takes the slot of the AP with this index, and lives on its stack if that succeeds.
fn claim(world: &Rc<World>, number: usize, index: usize, arrival: Arrival) {
    let slot = &world.aps[index].slot;
    if slot.state().claim().is_err() {
        // Too late, or there is another one with this id.
        let _ = slot.state().come_late();
        return;
    }
    let cpu = &world.cpus[number];
    cpu.power.set(Power::Runs(Some(index)));
    world.rules.enters(world, number, index);
    let left = {
        let seat = Seat::of(index + 1);
        let mut resident = Resident::at(seat, 1);
        let timer = resident.timer();
        let life = ap::reside(&world.aps, index, world.ladder, &seat, &timer, arrival, &());
        match world.calls.is_empty() {
            true => resident.block_on(life),
            false => {
                let calls = call_all(Rc::clone(world), index + 1, timer.clone());
                match resident.block_on(select(pin!(life), pin!(calls))) {
                    Either::Left((left, _)) => left,
                    Either::Right((never, _)) => match never {},
                }
            }
        }
    };
    match left {
        Ok(state) => {
            world.rules.calls.parks(world, index + 1);
            cpu.has_handlers.set(false);
            // As the trampoline does it: one store. Up to there the CPU is on its stack, and behind it
            // uses nothing but the trampoline's page.
            let word = slot.state().as_atomic();
            word.store(state.parked().to_bits(), Ordering::Release);
            cpu.power.set(Power::Parks);
            world.rules.leaves(index);
        }
        // It halts where it is, and keeps what it has.
        Err(_) => suspend(Wait::Forever),
    }
}
