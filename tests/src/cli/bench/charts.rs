//! Boots to look at, behind those that are measured: each machine once with a trace, and once for calls between
//! its CPUs, which would push the bring-up out of the trace.
//!
//! They count for nothing, so one that fails is told and takes nothing away.

use std::{path::Path, process::ExitCode, time::Duration};

use anyhow::{Result, ensure};

use crate::{
    bench::{boots::boot, cell::Machine, results::Results},
    guest::Ended,
    interrupt::Interrupts,
    kernel::Kernel,
    outcome::Outcome,
    report::{
        MOST_IN_PAIRS,
        charts::{Calls, Charts, Kept},
    },
};

/// Calls of each pair: enough for a median that a spoilt one does not move, and few enough for 64 CPUs.
const CALLS: u32 = 15;

/// How the boots are done.
pub(super) struct Looks<'a> {
    pub(super) kernel: &'a Kernel,
    pub(super) limit: Duration,
    pub(super) interrupts: &'a Interrupts,
}

impl Looks<'_> {
    /// Boots those of the machines that have no boot beside the results in `folder`, and keeps what there is to see. Ends in 1
    /// where one shows nothing, or cannot be kept, and like an interrupted benchmark where somebody ends it.
    ///
    /// # Errors
    ///
    /// The folder takes no file.
    pub(super) fn keep<'m>(
        &self,
        machines: impl IntoIterator<Item = &'m Machine>,
        folder: &Path,
    ) -> Result<ExitCode> {
        let mut charts = Charts::beside(folder);
        if let Some(problem) = &charts.problem {
            eprintln!("xtask: {} {problem}", charts.path().display());
        }
        let mut code = ExitCode::SUCCESS;
        for machine in machines {
            if charts.find(machine).is_some() {
                continue;
            }
            eprintln!("xtask: {machine}: once more, to look at");
            let kept = self.kept(machine);
            if let Some(signal) = self.interrupts.received() {
                eprintln!("xtask: interrupted; --resume makes the pictures that are missing");
                return Ok(ExitCode::from(Outcome::Interrupted(signal).exit_code()));
            }
            match kept {
                Ok(kept) => {
                    charts.add(kept);
                    charts.write()?;
                }
                Err(error) => {
                    eprintln!("xtask: {machine}: nothing to look at: {error:#}");
                    code = ExitCode::FAILURE;
                }
            }
        }
        Ok(code)
    }

    fn kept(&self, machine: &Machine) -> Result<Kept> {
        let traced = self.boot(machine, "trace=on")?;
        // A CPU that does not come up ends a boot as failed, and is well worth a look.
        let mut kept = Kept::of(machine, &traced.records)?;
        if let Outcome::Ok = traced.outcome {
            kept.ipi = self.calls(machine)?;
        } else {
            eprintln!("xtask: {machine}: the boot to look at: {}", traced.outcome);
        }
        Ok(kept)
    }

    fn calls(&self, machine: &Machine) -> Result<Option<Calls>> {
        if !(2..=MOST_IN_PAIRS).contains(&machine.smp.cpus())
            || self.interrupts.received().is_some()
        {
            return Ok(None);
        }
        let ended = self.boot(machine, &format!("ipi=matrix:{CALLS}"))?;
        ensure!(
            ended.outcome == Outcome::Ok,
            "calls between its CPUs: {}",
            ended.outcome
        );
        Calls::of(&ended.records)
    }

    fn boot(&self, machine: &Machine, words: &str) -> Result<Ended> {
        let machine = machine.qemu().append(words);
        Ok(boot(self.kernel, &machine, self.limit, self.interrupts)?.0)
    }
}

/// Joins what lies beside several files of results into one beside `folder`'s. Of a machine that several have, the
/// first is kept.
///
/// # Errors
///
/// The folder takes no file.
pub(super) fn join(parts: &[impl AsRef<Path>], folder: &Path, results: &Results) -> Result<()> {
    let mut joined = Charts::beside(folder);
    for part in parts {
        let charts = Charts::beside(part.as_ref());
        if let Some(problem) = &charts.problem {
            eprintln!("xtask: {} {problem}", charts.path().display());
        }
        charts.kept.into_iter().for_each(|kept| joined.add(kept));
    }
    let order = |kept: &Kept| {
        let mut plan = results.header.plan.iter();
        plan.position(|machine| *machine == kept.machine)
    };
    joined.kept.sort_by_key(order);
    match joined.kept.is_empty() {
        true => Ok(()),
        false => joined.write(),
    }
}
