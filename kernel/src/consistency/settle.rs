//! What is left once the outcome of every AP is known: what takes several CPUs at once, and the
//! account of what was found.

use alloc::vec::Vec;

use reveille_smp::{
    cpu::CpuIndex,
    record::{self, CpuState, Record},
};

use super::{Consistency, registers};
use crate::{
    bench::Bench,
    command_line::{Options, TestHook},
    cpus::rendezvous,
    percpu::{self, PerCpu},
    report,
};

/// The account: one record a CPU that has an area, the BSP first.
#[derive(Default)]
pub struct Settled {
    states: Vec<CpuState>,
}

/// Brings in line what takes several CPUs at once, and tells what was found of each.
pub async fn settle(options: &Options, bench: &Bench<'_>) -> Settled {
    if options.consistency == Consistency::Off {
        return Settled::default();
    }
    if options.tests.contains(&TestHook::LateRendezvous)
        && let Some(ap) = bench.cpus.online_aps().max()
    {
        rendezvous::make_late(ap);
    }
    if options.tests.contains(&TestHook::PanicRendezvous) {
        registers::panic_at_work();
    }
    let settling = registers::Settling::settle(bench);
    let areas = percpu::all().iter();
    Settled {
        states: areas.map(|area| state_of(area, &settling)).collect(),
    }
}

fn state_of(area: &PerCpu, settling: &registers::Settling) -> CpuState {
    CpuState {
        cpu: area.index(),
        apic_id: area.apic_id(),
        topology: record::Topology::default(),
        registers: match area.index() {
            CpuIndex::BSP => registers::of_bsp(),
            _ => settling.account(area),
        },
        features: record::Features::default(),
        clock: record::Clock::default(),
    }
}

impl Settled {
    /// Writes the account, on both channels.
    pub fn write(&self) {
        for state in &self.states {
            let mut state = state.clone();
            if let Some(area) = PerCpu::of(state.cpu) {
                state.registers.differences.extend(registers::again(area));
            }
            report::write(&Record::CpuState(state));
        }
    }
}
