//! What is left once the outcome of every AP is known: what takes several CPUs at once, and the
//! account of what was found.

use alloc::vec::Vec;

use reveille_smp::{
    cpu::CpuIndex,
    record::{self, CpuState, Record},
};

use super::{Consistency, clock};
use crate::{
    bench::Bench,
    command_line::Options,
    percpu::{self, PerCpu},
    report,
    time::TscClock,
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
    let _ = bench;
    Settled {
        states: percpu::all().iter().map(|area| state_of(area)).collect(),
    }
}

fn state_of(area: &PerCpu) -> CpuState {
    CpuState {
        cpu: area.index(),
        apic_id: area.apic_id(),
        topology: record::Topology::default(),
        registers: record::Registers::default(),
        features: record::Features::default(),
        clock: record::Clock::default(),
    }
}

/// As late as can be: a CPU that comes behind the account was compared when it came.
fn clock_of(cpu: CpuIndex) -> record::Clock {
    match (PerCpu::of(cpu), TscClock::get()) {
        (Some(area), Some(clock)) => clock::record_of(area, clock),
        _ => record::Clock::default(),
    }
}

impl Settled {
    /// Writes the account, on both channels.
    pub fn write(&self) {
        for state in &self.states {
            report::write(&Record::CpuState(CpuState {
                clock: clock_of(state.cpu),
                ..state.clone()
            }));
        }
    }
}
