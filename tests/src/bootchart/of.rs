//! A chart from the records of a boot.

use anyhow::Result;
use reveille_smp::record::Cpu;

use super::{
    BootChart, Lane,
    stage::Milestones,
    traced::{Traced, Window},
};
use crate::records::Records;

impl BootChart {
    /// What the records of a boot tell of its bring-up, round 0.
    ///
    /// # Errors
    ///
    /// A record is broken, or the one of the boot or of its bring-up is not there.
    pub fn of(records: &Records) -> Result<Self> {
        let boot = records.boot()?;
        let bringup = records.bringup()?;
        let window = Window {
            kick_ns: boot.entry_to_kick_ns,
            total_ns: bringup.total_ns,
        };
        let traced = Traced::of(&records.parse()?, window);
        Ok(Self {
            machine: boot.machine,
            hypervisor: boot.accel_hint,
            model: boot.model,
            strategy: bringup.strategy,
            aps: bringup.aps,
            online: bringup.online,
            online_ns: bringup.online_ns,
            total_ns: bringup.total_ns,
            lanes: records.cpus()?.iter().map(Lane::of).collect(),
            bsp: traced.bsp,
            serialised: traced.serialised,
            gaps: traced.gaps,
        })
    }
}

impl Lane {
    fn of(cpu: &Cpu) -> Self {
        let advice = cpu.outcome.advice().map(str::to_owned);
        Self {
            cpu: cpu.cpu,
            apic_id: cpu.apic_id,
            place: cpu.place().map(|it| it.to_string()),
            outcome: cpu.outcome,
            step: cpu.step.clone(),
            reason: cpu.reason.clone().or(advice),
            times: Milestones::of(cpu),
            sipis: cpu.sipis,
            polls: cpu.polls,
            uncertainty_ns: cpu.uncertainty_ns,
        }
    }
}
