//! A simulation as the records that a boot would have written.

use reveille_smp::{
    cpu::CpuIndex,
    machine::Way,
    outcome::Outcome,
    record::{self, ExitStatus},
    step::StepError,
};

use super::BroughtUp;
use crate::sim::{EPOCH, model::Model};

/// The machine, and the seed of its first round. What a kernel would have found out is what the
/// simulator has.
pub fn boot(model: &Model, brought_up: &BroughtUp, seed: u64) -> record::Boot {
    let cpus = model.shape.cpus() as u32;
    let first_kick = brought_up.round.first_kick();
    record::Boot {
        schema: record::SCHEMA,
        machine: format!("{}, seed {seed}", model.name),
        accel_hint: "simulator".to_owned(),
        cpus_listed: cpus,
        cpus_enabled: cpus,
        apic: "x2apic".to_owned(),
        wake: Way::InitSipi.to_string(),
        tsc_hz: 1_000_000_000,
        clock_source: "virtual-time".to_owned(),
        entry_to_kick_ns: first_kick.map(|kick| (kick - EPOCH).as_nanos() as u64),
        common_features: Vec::new(),
        model: Some(model.name.clone()),
    }
}

/// All CPUs, the BSP first. Those in `faulty` have been told to fail.
pub fn cpus(model: &Model, brought_up: &BroughtUp, faulty: &[usize]) -> Vec<record::Cpu> {
    let round = &brought_up.round;
    let place = model.shape.place(0);
    let bsp = record::Cpu {
        package: Some(place.package),
        core: Some(place.core),
        thread: Some(place.thread),
        ..record::Cpu::unwoken(Some(CpuIndex::BSP), model.shape.apic_id(0), Outcome::Bsp)
    };
    let aps = round.reports.iter().map(|report| {
        let cpu = report.cpu.as_usize();
        let mut record = round.cpu_record(report, Some(model.shape.place(cpu)));
        let was_told = faulty.contains(&cpu) && record.outcome.is_failure();
        if was_told && record.reason.is_none() {
            record.reason = Some(StepError::Injected.reason().to_owned());
        }
        record
    });
    [bsp]
        .into_iter()
        .chain(aps)
        .chain(round.stranger_record())
        .collect()
}

/// The last record: why it failed, if it did.
pub fn exit(failure: Option<String>) -> record::Exit {
    let status = match failure {
        None => ExitStatus::Ok,
        Some(_) => ExitStatus::Failed,
    };
    record::Exit {
        status,
        reason: failure,
    }
}

#[cfg(test)]
mod tests {
    use reveille_smp::strategy::Strategy;

    use super::*;
    use crate::sim::report::by_hand::{brought_up, model};

    #[test]
    fn the_records_are_those_of_a_boot_with_the_bsp_first_and_times_from_the_first_init() {
        let model = model();
        let online = [Some(2_010), Some(1_010), Some(510)];
        let brought_up = brought_up(&model, Strategy::Parallel, &online, vec![]);
        let boot = boot(&model, &brought_up, 7);
        assert_eq!(boot.machine, "two-cores, seed 7");
        assert_eq!(
            (boot.cpus_enabled, boot.entry_to_kick_ns),
            (4, Some(10_000))
        );
        let cpus = cpus(&model, &brought_up, &[]);
        assert_eq!(cpus[0].outcome, Outcome::Bsp);
        let last = &cpus[3];
        assert_eq!((last.core, last.thread), (Some(1), Some(1)));
        assert_eq!(last.apic_id, model.shape.apic_id(3));
        assert_eq!(last.online_ns, Some(500_000));
    }

    #[test]
    fn a_cpu_that_failed_as_it_was_told_says_so_and_another_does_not() {
        let model = model();
        let online = [None, None, Some(510)];
        let brought_up = brought_up(&model, Strategy::Parallel, &online, vec![]);
        let cpus = cpus(&model, &brought_up, &[1, 3]);
        let reasons: Vec<_> = cpus.iter().map(|cpu| cpu.reason.as_deref()).collect();
        let told = Some("it was told to fail");
        assert_eq!(reasons, [None, told, None, None]);
    }
}
