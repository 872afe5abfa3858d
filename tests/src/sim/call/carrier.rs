//! What calls see of a simulated machine.

use std::time::Duration;

use reveille_executor::{Clock, Instant};
use reveille_smp::{
    call::{CallQueue, Carrier},
    cpu::CpuIndex,
};

use crate::sim::{cpu::Power, world::World};

/// The machine that is simulated on this thread.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Interrupts;

/// What a look at the clock takes: whoever polls must come to an end.
const LOOK_AT_CLOCK: Duration = Duration::from_nanos(200);

/// How long a CPU polls before it halts: a few looks, for there are millions of simulations.
const LOOK: Duration = Duration::from_micros(1);

impl Clock for Interrupts {
    fn now(&self) -> Instant {
        World::current().map_or(crate::sim::EPOCH, |world| {
            world.pass_place();
            if let Some(here) = world.here() {
                world.work("clock", here, LOOK_AT_CLOCK);
            }
            world.local_now()
        })
    }
}

impl Carrier for Interrupts {
    fn this_cpu(&self) -> CpuIndex {
        let world = World::current();
        let here = world.and_then(|world| {
            let here = world.here()?;
            match world.cpus[here].power.get() {
                // By its stack: it may have come under another number.
                Power::Runs(Some(index)) => Some(index as u32 + 1),
                _ => None,
            }
        });
        here.map_or(CpuIndex::BSP, CpuIndex)
    }

    fn queue(&self, cpu: CpuIndex) -> Option<&'static CallQueue> {
        World::current().and_then(|world| world.queues.get(cpu.0 as usize).copied())
    }

    fn interrupt(&self, cpu: CpuIndex) -> bool {
        let world = World::current();
        if let Some(world) = &world {
            world.interrupt(cpu.0 as usize);
        }
        world.is_some()
    }

    fn masked<T>(&self, work: impl FnOnce() -> T) -> T {
        let _mask = Mask::set();
        work()
    }

    fn halt(&self, until: Instant) {
        if let Some(world) = World::current() {
            world.halt(Some(until));
            // Its handler runs, and then interrupts are off again.
            let _lifted = Mask::lift();
            if let Some(here) = world.here() {
                world.let_in(here);
            }
        }
    }

    fn look(&self) -> Duration {
        LOOK
    }
}

/// Interrupts of the CPU that runs are off, and as they were before when this is dropped.
pub(in crate::sim) struct Mask(Option<(usize, bool)>);

impl Mask {
    pub(in crate::sim) fn set() -> Self {
        Self::to(true)
    }

    /// The other way round, for a handler that ends a halt.
    pub(in crate::sim) fn lift() -> Self {
        Self::to(false)
    }

    fn to(is_masked: bool) -> Self {
        let world = World::current();
        Self(world.and_then(|world| {
            let here = world.here()?;
            Some((here, world.cpus[here].is_masked.replace(is_masked)))
        }))
    }
}

impl Drop for Mask {
    fn drop(&mut self) {
        if let (Some(world), Some((cpu, before))) = (World::current(), self.0) {
            world.cpus[cpu].is_masked.set(before);
        }
    }
}
