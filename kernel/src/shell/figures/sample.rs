//! Reads the CPUs.

use alloc::vec::Vec;

use reveille_executor::Clock;
use reveille_smp::{bringup::Ap, plan::Planned};

use super::{Counts, CpuFigures, CpuState, MemoryFigures, Moment};
use crate::{
    cpuid::ThisCpu,
    cpus::{Cpus, idle::IdleTime},
    memory::{self, heap::HEAP},
    percpu::PerCpu,
    topology::Topology,
};

impl Moment {
    /// What the CPUs show now. Asks none of them: it reads what each has written.
    pub fn now(cpus: &Cpus) -> Self {
        let topology = Topology::of(&ThisCpu);
        let at = cpus.machine.clock.now();
        let figures = |planned: &Planned| {
            let slot = planned.cpu.and_then(|cpu| {
                let at = cpus.aps.binary_search_by_key(&cpu, |ap| ap.cpu).ok()?;
                Some(&cpus.aps[at])
            });
            let area = planned.cpu.and_then(PerCpu::of);
            CpuFigures {
                cpu: planned.cpu,
                apic_id: planned.apic_id,
                place: topology.place(planned.apic_id),
                state: state(planned, slot, cpus),
                since: area.and_then(PerCpu::online_or_offline_since),
                counts: area.map_or_else(Counts::default, Counts::of),
                time: area.map_or_else(IdleTime::default, PerCpu::idle_time),
            }
        };
        Self {
            at,
            cpus: cpus.plan.iter().map(figures).collect::<Vec<_>>(),
            memory: MemoryFigures::now(),
        }
    }
}

fn state(planned: &Planned, slot: Option<&Ap>, cpus: &Cpus) -> CpuState {
    match slot {
        None => CpuState::of_unwoken(planned.role),
        Some(ap) => {
            let (stage, progress) = (ap.slot.state().load().stage(), ap.slot.progress());
            CpuState::of_slot(planned.role, stage, progress, cpus.ladder())
        }
    }
}

impl Counts {
    fn of(area: &PerCpu) -> Self {
        Self {
            executor: area.counters().snapshot(),
            calls: area.calls().traffic(),
        }
    }
}

impl MemoryFigures {
    fn now() -> Self {
        Self {
            heap_in_use: HEAP.bytes_in_use() as u64,
            heap_free: HEAP.bytes_free() as u64,
            frames_in_use: memory::frames_in_use(),
            frames_free: memory::frames_free(),
        }
    }
}
