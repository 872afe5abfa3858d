//! What is left once the outcome of every AP is known: what takes several CPUs at once, and the
//! account of what was found.

use alloc::vec::Vec;

use reveille_smp::{
    record::{self, CpuState, Record},
    srat::Srat,
};

use super::{Consistency, account};
use crate::{bench::Bench, command_line::Options, percpu, println, report};

/// The account: one record a CPU that has an area, the BSP first.
#[derive(Default)]
pub struct Settled {
    states: Vec<CpuState>,
}

/// Brings in line what takes several CPUs at once, and tells what was found of each.
pub async fn settle(options: &Options, bench: &Bench<'_>, srat: Option<&Srat>) -> Settled {
    if options.consistency == Consistency::Off {
        return Settled::default();
    }
    let _ = bench;
    let areas = percpu::all();
    let features = account::features(areas);
    let topologies = account::topologies(areas, srat);
    let parts = features.into_iter().zip(topologies);
    let states = areas.iter().zip(parts);
    let states = states.map(|(area, (features, topology))| CpuState {
        cpu: area.index(),
        apic_id: area.apic_id(),
        topology,
        registers: record::Registers::default(),
        features,
        clock: record::Clock::default(),
    });
    Settled {
        states: states.collect(),
    }
}

impl Settled {
    /// Writes the account, on both channels.
    pub fn write(&self) {
        for line in account::lines(&self.states) {
            println!("{line}");
        }
        for state in &self.states {
            report::write(&Record::CpuState(state.clone()));
        }
    }
}
