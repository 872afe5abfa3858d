//! `cargo xtask bench growth`: what more CPUs cost, and whether that grows linearly.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Args;

use super::{
    super::{machine_options::AccelOption, to_stdout},
    matrix::{SmpList, resolve},
    report,
    session::{Session, and_told, folder_of_now, keep, prepare},
};
use crate::{
    bench::{
        boots::{boot, run_of},
        growth::{
            plan::{Kind, plan, sizes as all_sizes},
            points::{MEMORY, sizes},
            words::{Report, write_csv},
        },
        measure::Task,
        plan::Plan,
        provenance::Provenance,
        results::{Key, Results, Run, Samples},
    },
    interrupt::Interrupts,
    kernel::Kernel,
    qemu::{machine::Chipset, smp::Smp},
};

/// The table's name in the folder of the results.
const CSV: &str = "growth.csv";

/// Measure what more CPUs cost: time, memory and host CPU time, and whether that grows linearly
///
/// Each number of CPUs is booted in three ways: with all of them, with none woken but the first, and
/// with rounds behind the boot's own. All boots are interleaved.
#[derive(Debug, Args)]
pub(super) struct Growth {
    /// Numbers of CPUs [default: 1,2,4,8,16,32,64,128,256,512]
    #[arg(long, value_name = "LIST", value_parser = str::parse::<SmpList>)]
    smp: Vec<SmpList>,

    /// What executes the guests
    #[arg(long, value_enum, default_value = "tcg")]
    accel: AccelOption,

    /// Boots of each number of CPUs in each of the three ways
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,

    /// Rounds in a boot that has some
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Write the results into DIR [default: target/xtask/growth/ and the time]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Go on with the results in DIR
    #[arg(long, requires = "out")]
    resume: bool,

    /// Boot nothing, and show what DIR has
    #[arg(long, value_name = "DIR", conflicts_with_all = ["smp", "accel", "runs", "rounds", "out", "resume"])]
    show: Option<PathBuf>,

    /// Stop a guest that has not ended by then, and count it as failed
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = super::super::seconds)]
    timeout: Duration,
}

impl Growth {
    pub(super) fn execute(self) -> Result<ExitCode> {
        if let Some(folder) = &self.show {
            let results = Results::read(folder)?;
            if let Some(warning) = results.warning() {
                eprintln!("xtask: {}: {warning}", folder.display());
            }
            return to_stdout(|out| show(out, &results));
        }
        let kernel = prepare(self.out.as_deref())?;
        let accel = resolve(self.accel, Chipset::Q35, None, &kernel)?;
        let plan = plan(&self.sizes(), accel, self.runs, self.rounds);
        let folder = match &self.out {
            Some(out) => out.clone(),
            None => folder_of_now(&kernel.scratch().join("growth"), ""),
        };
        let header = Provenance::here(&kernel)?.header(&plan, None);
        let mut session = Session::open(folder.clone(), &header, self.resume)?;
        let chosen: Vec<usize> = (0..plan.machines.len()).collect();
        let costs = plan.costs();
        let tasks: Vec<Task<'_>> = plan.tasks(&chosen, &costs).collect();
        let interrupts = session.interrupts.clone();
        let end = session.measure(tasks, |key| {
            self.boot_one(&kernel, &plan, key, &interrupts, &folder)
        });
        let code = session.ended(end, |run| !run.is_ok());
        let results = &session.results;
        let code = and_told(code, to_stdout(|out| show(out, results)));
        let code = and_told(code, csv(&folder, results));
        Ok(and_told(code, report::beside(&folder)))
    }

    fn sizes(&self) -> Vec<Smp> {
        let mut sizes: Vec<Smp> = Vec::new();
        let asked = self
            .smp
            .iter()
            .flat_map(|SmpList(list)| list.iter().cloned());
        for smp in asked {
            // What is told of a size is told of its number.
            if sizes.iter().all(|other| other.cpus() != smp.cpus()) {
                sizes.push(smp);
            }
        }
        match sizes.is_empty() {
            true => all_sizes(),
            false => sizes,
        }
    }

    /// A boot, with what its APs take of the guest's memory.
    fn boot_one(
        &self,
        kernel: &Kernel,
        plan: &Plan,
        key: Key<'_>,
        interrupts: &Interrupts,
        folder: &Path,
    ) -> Result<Run> {
        let kind = Kind::of_machine(key.machine, plan.rounds).context("it is not of the plan")?;
        let booted = boot(kernel, &key.machine.qemu(), self.timeout, interrupts)?;
        let mut run = run_of(
            key.machine,
            key.run,
            kind.contenders(),
            plan.rounds,
            &booted,
        );
        if let Ok(memory) = booted.0.records.memory() {
            let bytes = vec![u64::try_from(memory.bytes()).unwrap_or_default()];
            let samples = Samples {
                bytes,
                ..Samples::default()
            };
            run.samples.insert(MEMORY.to_owned(), samples);
        }
        if !run.is_ok() && interrupts.received().is_none() {
            keep(folder, key, &booted.0);
        }
        Ok(run)
    }
}

fn show(out: &mut dyn Write, results: &Results) -> Result<ExitCode> {
    writeln!(out, "{}", Report(&sizes(results)))?;
    Ok(ExitCode::SUCCESS)
}

fn csv(folder: &Path, results: &Results) -> Result<ExitCode> {
    let path = folder.join(CSV);
    let written = File::create(&path).and_then(|file| write_csv(&sizes(results), file));
    written.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(ExitCode::SUCCESS)
}
