//! `cargo xtask bench` itself: the matrix is measured, and what came of it is shown.
//!
//! What is wrong with the options, or with where the results are to go, is found before the first boot.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};

use super::{
    super::{mistake, to_stdout},
    Options,
    charts::{self, Looks},
    compare::Judging,
    report,
    session::{Session, and_looked, and_told, folder_of_now, keep, prepare},
};
use crate::{
    bench::{
        boots::{boot, run_of},
        measure::{End, Task},
        plan::Plan,
        provenance::Provenance,
        report::{Tables, write_files},
        results::{FILE, Key, Results, Run},
        stats::summary::Summary,
    },
    interrupt::Interrupts,
    kernel::Kernel,
    qemu::machine,
    terminal::look::{self, When},
};

impl Options {
    pub(super) fn execute(self) -> Result<ExitCode> {
        let old = self.compare.as_deref().map(Results::read).transpose()?;
        if old.is_none() && self.judging != Judging::default() {
            return Ok(mistake(&anyhow!("--by and --strict are for --compare")));
        }
        let kernel = prepare(self.out.as_deref())?;
        let plan = Plan {
            machines: self.matrix.machines(&kernel)?,
            contenders: self.matrix.contenders(),
            runs: self.runs,
            rounds: self.rounds,
        };
        let costs = plan.costs();
        let chosen = match self.shard {
            Some(shard) => shard.choose(&costs),
            None => (0..plan.machines.len()).collect(),
        };
        let header = Provenance::here(&kernel)?.header(&plan, self.shard);
        let old_ones = old.as_ref();
        if let Some(wrong) = old_ones.and_then(|old| self.judging.too_few(old, &header, &chosen)) {
            return Ok(mistake(&wrong));
        }
        let folder = self.folder(&kernel.scratch().join("bench"))?;
        charts::check(&folder)?;
        let mut session = Session::open(folder.clone(), &header, self.resume)?;
        if chosen.is_empty() {
            eprintln!("xtask: there are more parts than machines, and this one has none");
        }
        let tasks: Vec<Task<'_>> = plan.tasks(&chosen, &costs).collect();
        let interrupts = session.interrupts.clone();
        let end = session.measure(tasks, |key| {
            boot_one(&kernel, &plan, key, self.timeout, &interrupts, &folder)
        });
        let is_done = matches!(end, End::Done);
        let code = session.ended(end, |run| !run.is_ok());
        let code = and_told(code, show(&folder, &session.results));
        let code = match is_done && !self.no_charts {
            true => {
                let looks = Looks {
                    boot: |machine: &machine::Machine| {
                        Ok(boot(&kernel, machine, self.timeout, &interrupts)?.0)
                    },
                    interrupts: &interrupts,
                };
                let machines = chosen.iter().map(|&number| &plan.machines[number]);
                and_looked(code, looks.keep(machines, &folder), &interrupts)
            }
            false => code,
        };
        let code = and_told(code, report::beside(&folder));
        Ok(match old {
            Some(old) if is_done => and_told(code, self.judging.judge(&old, &session.results)),
            _ => code,
        })
    }

    /// Where the results go, if they are not there yet; `all` is the folder of those that have no other.
    fn folder(&self, all: &Path) -> Result<PathBuf> {
        match (&self.out, self.resume) {
            (Some(out), _) => Ok(out.clone()),
            (None, true) => latest(all),
            (None, false) => Ok(folder_of_now(all, "")),
        }
    }
}

/// Shows the figures, and writes them beside the results. Ends in 1 where they cannot be written, and says why.
pub(super) fn show(folder: &Path, results: &Results) -> Result<ExitCode> {
    let summary = Summary::of(results);
    let shown = to_stdout(|out| {
        let look = look::of_this_process(When::Auto);
        write!(out, "{}", Tables(&summary, look))?;
        Ok(ExitCode::SUCCESS)
    })?;
    let written = write_files(folder, &summary).map(|()| ExitCode::SUCCESS);
    Ok(and_told(shown, written))
}

/// The folder with the latest results of those that were not given a place.
fn latest(all: &Path) -> Result<PathBuf> {
    let folders = fs::read_dir(all).into_iter().flatten().flatten();
    let folders = folders.map(|entry| entry.path());
    // Their names are times. Those of other benchmarks begin with what they are.
    let is_ours = |folder: &PathBuf| {
        let name = folder.file_name().unwrap_or_default().as_encoded_bytes();
        name.first().is_some_and(u8::is_ascii_digit) && folder.join(FILE).exists()
    };
    let latest = folders.filter(is_ours).max();
    latest.with_context(|| format!("there are no results in {} to go on with", all.display()))
}

/// A boot of ours. What one that fails showed is kept in the folder, for a look afterwards.
fn boot_one(
    kernel: &Kernel,
    plan: &Plan,
    key: Key<'_>,
    limit: Duration,
    interrupts: &Interrupts,
    folder: &Path,
) -> Result<Run> {
    let machine = key.machine.qemu_for(plan.rounds, plan.contenders);
    let booted = boot(kernel, &machine, limit, interrupts)?;
    let run = run_of(key.machine, key.run, plan.contenders, plan.rounds, &booted);
    if !run.is_ok() && interrupts.received().is_none() {
        keep(folder, key, &booted.0);
    }
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_results_are_those_of_a_benchmark_of_this_kind() {
        let all = tempfile::tempdir().expect("a folder");
        let all = all.path();
        assert!(latest(all).is_err());
        for name in [
            "2026-11-28T10-00-00Z",
            "2026-11-29T10-00-00Z",
            "linux-2026-11-29T11-00-00Z",
        ] {
            fs::create_dir(all.join(name)).expect("it can be made");
            fs::write(all.join(name).join(FILE), "").expect("it can be written");
        }
        // One that came to nothing.
        fs::create_dir(all.join("2026-11-30T10-00-00Z")).expect("it can be made");
        let latest = latest(all).expect("there are some");
        assert_eq!(latest, all.join("2026-11-29T10-00-00Z"));
    }
}
