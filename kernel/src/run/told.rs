//! What a run tells of the bring-up, on both channels; and on the console as often as somebody asks.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use core::time::Duration;

use reveille_executor::Instant;
use reveille_smp::{
    lines::{Parts, Words},
    machine::Way,
    outcome::Outcome,
    plan::Role,
    record::{self, Balance, Memory, Record},
    step::StepError,
    table::{Headline, Table},
};

use super::{Run, say};
use crate::{
    attempts::{Attempt, Attempts},
    bench,
    command_line::MadtSource,
    consistency::{features, identity},
    console::print_lines,
    cpuid::{Cpuid, ThisCpu},
    cpus::figures::Figures,
    faults,
    interrupts::apic_errors::apic_errors,
    model, println, report,
    topology::Topology,
    vmm_probe::OfRound0,
};

/// Why strategies are not measured beside the bare bring-up and the floor.
const BY_MAILBOX: &str = "they need INIT and SIPI; broadcast runs like parallel";
const BY_MODEL: &str = "they do nothing of the model's; broadcast runs like parallel, as first threads come before \
                        the others";

/// What is told of the bring-up.
pub(super) struct Told {
    /// The attempts, the first one first.
    pub(super) attempts: Vec<Attempt>,
    /// A record for every CPU, of each attempt.
    pub(super) cpus: Vec<Vec<record::Cpu>>,
    /// The rounds that were measured.
    results: bench::Results,
    /// What the APs noted behind them.
    figures: Figures,
    /// Memory before anything was prepared for APs, and behind the bring-up.
    balance: Balance,
}

impl Told {
    /// What `probe=` tells of the boot's own bring-up. The last attempt is that in which the last AP was alive.
    pub(super) fn of_round_0(&self, boot_timer: Option<Instant>) -> OfRound0<'_> {
        let last = self.attempts.last();
        OfRound0 {
            cpus: self.cpus.first().map_or(&[], Vec::as_slice),
            alive: last.and_then(|last| {
                last.record.uncertainty_ns?;
                let kick = last.round.first_kick()?;
                Some(kick + Duration::from_nanos(last.record.alive_ns?))
            }),
            boot_timer,
        }
    }
}

impl Run {
    /// Collects it.
    pub(super) fn told(
        &self,
        attempts: Attempts,
        results: bench::Results,
        figures: Figures,
        balance: Balance,
    ) -> Told {
        let attempts = attempts.all;
        Told {
            cpus: attempts.iter().map(|it| self.cpu_records(it)).collect(),
            attempts,
            results,
            figures,
            balance,
        }
    }

    /// Tells it, on both channels.
    pub(super) fn tell(&self, told: &Told) {
        self.print(told);
        report::write(&Record::Boot(self.boot_record(told)));
        for (attempt, cpus) in told.attempts.iter().zip(&told.cpus) {
            cpus.iter()
                .for_each(|cpu| report::write(&Record::Cpu(cpu.clone())));
            report::write(&Record::Bringup(attempt.record.clone()));
        }
        report::write(&Record::Memory(Memory {
            aps: self.cpus.aps.len() as u32,
            balance: told.balance,
        }));
        let rounds = told.results.records();
        rounds.for_each(|record| report::write(&record));
    }

    /// Prints all of it.
    pub(super) fn print(&self, told: &Told) {
        let Told {
            attempts,
            cpus,
            results,
            figures,
            ..
        } = told;
        let look = self.options.look;
        let boot = self.boot_record(told);
        println!("reveille: {}", env!("CARGO_PKG_VERSION"));
        let machine = [
            boot.machine.clone(),
            format!("{} of {} CPUs enabled", boot.cpus_enabled, boot.cpus_listed),
            boot.apic.clone(),
            format!("woken by {}", way(self.waking.way())),
            format!("TSC {}", self.calibration),
            String::from(record::hypervisor_name(&boot.accel_hint)),
        ];
        print_lines(Parts::with_commas("machine: ", machine).within(look));
        let model = self.cpus.machine.model();
        if let Some(model) = model {
            print_lines(model::Told(model, look));
        }
        let source = match self.options.madt {
            MadtSource::Firmware => "firmware",
            MadtSource::Module => "madt=module",
        };
        let flaws = self.cpu_list.flaws(self.cpus.machine.apic.id());
        for flaw in flaws.into_iter().chain(self.waking.flaw()) {
            say(&format!("{source}: {flaw}"), look);
        }
        if let Some(defect) = self.srat.as_ref().and_then(|srat| srat.defect) {
            say(&format!("firmware: {defect}"), look);
        }
        if let Some(errors) = apic_errors() {
            say(&errors.to_string(), look);
        }
        for (attempt, cpus) in attempts.iter().zip(cpus) {
            if attempts.len() > 1 {
                println!(
                    "attempt {} of {}:",
                    attempt.record.attempt + 1,
                    attempts.len()
                );
            }
            let headline = Headline(&attempt.record, look);
            print_lines(format_args!("{}{headline}", Table(cpus, look)));
        }
        let is_short = attempts.last().is_some_and(|last| last.record.failed > 0);
        match self.options.bench_rounds {
            0 => {}
            _ if self.cpus.aps.is_empty() => {
                say(&format!("{:10}no APs, nothing to compare", ""), look);
            }
            _ if is_short && !self.is_to_miss_any() => {
                say(&format!("{:10}no rounds: not all APs are online", ""), look);
            }
            rounds => {
                print_lines(results.comparison(rounds).within(look));
                let without_yardsticks = match self.waking.way() {
                    Way::Mailbox => Some(BY_MAILBOX),
                    Way::InitSipi => model.map(|_| BY_MODEL),
                };
                if let Some(why) = without_yardsticks {
                    let indent = 10;
                    let text = &format!("{:indent$}no yardsticks: {why}", "");
                    print_lines(Words { text, indent }.within(look));
                }
            }
        }
        if figures.are_there() {
            print_lines(figures.told(look));
        }
    }

    fn cpu_records(&self, attempt: &Attempt) -> Vec<record::Cpu> {
        let topology = Topology::of(&ThisCpu);
        let mut cpus = report::cpus(&self.cpus.plan, &attempt.round, topology);
        for cpu in &mut cpus {
            cpu.attempt = attempt.record.attempt;
            if cpu.reason.is_none() && faults::explain(&self.options.faults, cpu) {
                cpu.reason = Some(StepError::Injected.reason().to_string());
            }
            if let Some(lacks) = self.lack_of(cpu) {
                cpu.reason = Some(lacks);
            }
        }
        cpus
    }

    /// What a CPU did not come up for the lack of, if that is why.
    fn lack_of(&self, cpu: &record::Cpu) -> Option<String> {
        match cpu.outcome {
            Outcome::Failed if cpu.step.as_deref() == Some(identity::STEP) => {
                identity::lack_of(cpu.cpu?)
            }
            Outcome::StuckRealMode | Outcome::StuckLongMode => {
                let trampoline = self.cpus.machine.trampoline;
                trampoline.lacks(cpu.apic_id.0).map(identity::reason)
            }
            _ => None,
        }
    }

    fn boot_record(&self, told: &Told) -> record::Boot {
        let first = told.attempts.first();
        let first_kick = first.and_then(|first| first.round.first_kick());
        let numbered = self
            .cpus
            .plan
            .iter()
            .filter(|planned| !matches!(planned.role, Role::Disabled { .. }));
        let model = self.cpus.machine.model();
        record::Boot {
            schema: record::SCHEMA,
            machine: self.cpu_list.oem(),
            accel_hint: ThisCpu
                .hypervisor_signature_text()
                .unwrap_or_else(|| String::from("none")),
            cpus_listed: self.cpus.plan.len() as u32,
            cpus_enabled: numbered.count() as u32,
            apic: self.cpus.machine.apic.mode().to_string(),
            wake: self.waking.way().to_string(),
            tsc_hz: self.calibration.chosen.tsc_hz,
            clock_source: self.calibration.chosen.source.to_string(),
            entry_to_kick_ns: first_kick.map(|kick| kick.as_nanos()),
            common_features: features::common().names(),
            model: model.map(|model| model.model().name().to_string()),
        }
    }
}

/// What APs are woken by, for people.
fn way(way: Way) -> &'static str {
    match way {
        Way::InitSipi => "INIT and SIPI",
        Way::Mailbox => "mailbox",
    }
}
