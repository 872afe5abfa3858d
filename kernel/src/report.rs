//! What the kernel tells of a run, on both channels, after the last measured event.

use alloc::{string::String, vec::Vec};

use reveille_smp::{
    bringup::Round,
    cpu::{ApicId, CpuIndex},
    outcome::Outcome,
    plan::{Planned, Role},
    record::{self, ExitStatus, Record},
    strategy::Strategy,
};

use crate::{records::RecordChannel, topology::Topology};

/// Writes a record, if anybody listens.
pub fn write(record: &Record) {
    if let Some(mut channel) = RecordChannel::open() {
        // Records hold nothing that JSON cannot: strings, integers and nulls.
        if let Ok(line) = serde_json::to_vec(record) {
            channel.write(&line);
        }
    }
}

/// The kernel's verdict, as the last record.
pub fn write_exit(failure: Option<String>) {
    let status = if failure.is_none() {
        ExitStatus::Ok
    } else {
        ExitStatus::Failed
    };
    write(&Record::Exit(record::Exit {
        status,
        reason: failure,
    }));
}

/// A record for every CPU of the plan, those included that nobody woke, and for those that came
/// without being in it.
pub fn cpus(plan: &[Planned], round: &Round, topology: Topology) -> Vec<record::Cpu> {
    // The reports stand in the order of the CPUs' numbers.
    let report = |cpu: CpuIndex| {
        let at = round
            .reports
            .binary_search_by_key(&cpu, |report| report.cpu);
        at.ok().map(|at| &round.reports[at])
    };
    // A broadcast wakes those too whom the plan leaves out. They park, and are no strangers.
    let is_left_out = |id: ApicId| {
        let mut left_out = plan.iter().filter(|planned| !planned.has_slot());
        round.strategy == Strategy::Broadcast && left_out.any(|planned| planned.apic_id == id)
    };
    let stranger = round.stranger_record();
    plan.iter()
        .map(|planned| {
            let place = topology.place(planned.apic_id);
            match (planned.role, planned.cpu.and_then(report)) {
                (Role::Ap, Some(report)) => round.cpu_record(report, Some(place)),
                _ => planned.unwoken_record(place),
            }
        })
        .chain(stranger.filter(|stranger| !is_left_out(stranger.apic_id)))
        .collect()
}

/// How many CPUs came with unknown ids, of which the records `cpus` show the last: none where they
/// show none.
pub fn strangers(cpus: &[record::Cpu], round: &Round) -> u32 {
    let is_shown = cpus.iter().any(|cpu| cpu.outcome == Outcome::UnknownId);
    if is_shown { round.strangers.count } else { 0 }
}
