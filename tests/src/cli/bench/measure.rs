//! `cargo xtask bench` itself: the matrix is measured, and what came of it is shown.
//!
//! What is wrong with the options, or with where the results are to go, is found before the first boot.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};

use super::{
    super::{mistake, to_stdout},
    Options,
    charts::Looks,
    compare::Judging,
    progress::Progress,
    report,
};
use crate::{
    bench::{
        boots::{boot, run_of},
        cell::REVEILLE,
        measure::{End, Task, measure},
        plan::Plan,
        provenance::{self, Provenance},
        report::{Tables, write_files},
        results::{FILE, Header, Key, Problem, Results, Run, Writer},
        stats::summary::Summary,
    },
    guest::Ended,
    interrupt::Interrupts,
    kernel::Kernel,
    outcome::Outcome,
    setup,
    terminal::look::{self, When},
};

/// What may differ between a benchmark and the one that goes on with it.
const MAY_DIFFER: &[&str] = &["started", "command"];

impl Options {
    pub(super) fn execute(self) -> Result<ExitCode> {
        let old = self.compare.as_deref().map(Results::read).transpose()?;
        if old.is_none() && self.judging != Judging::default() {
            return Ok(mistake(&anyhow!("--by and --strict are for --compare")));
        }
        if let Some(out) = &self.out {
            check_folder(out)?;
        }
        setup::ensure(false)?;
        let kernel = Kernel::ready()?;
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
        let (mut results, mut writer) = match self.resume {
            true => go_on(&folder, &header)?,
            false => begin(&folder, &header)?,
        };
        eprintln!("xtask: the results go to {}", folder.display());

        if chosen.is_empty() {
            eprintln!("xtask: there are more parts than machines, and this one has none");
        }
        let tasks: Vec<Task<'_>> = plan.tasks(&chosen, &costs).collect();
        let done = tasks
            .iter()
            .filter(|task| is_done(&results, task.key))
            .count();
        if done > 0 {
            eprintln!("xtask: {done} of {} boots are there already", tasks.len());
        }
        let interrupts = Interrupts::listen()?;
        let mut progress = Progress::new(tasks.len() - done);
        let boot = |key: Key<'_>| boot_one(&kernel, &plan, key, self.timeout, &interrupts, &folder);
        let end = measure(
            tasks,
            &mut results,
            &mut writer,
            &interrupts,
            &mut progress,
            boot,
        );
        drop(progress);

        let is_done = matches!(end, End::Done);
        let failed = results.runs.iter().filter(|run| !run.is_ok()).count();
        let code = ended(end, failed, &folder);
        let shown = show(&folder, &results).map(|is_whole| match is_whole {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        });
        let code = and_told(code, shown);
        let code = match is_done && !self.no_charts {
            true => {
                let looks = Looks {
                    kernel: &kernel,
                    limit: self.timeout,
                    interrupts: &interrupts,
                };
                let machines = chosen.iter().map(|&number| &plan.machines[number]);
                and_told(code, looks.keep(machines, &folder))
            }
            false => code,
        };
        let code = and_told(code, report::beside(&folder));
        if !is_done {
            return Ok(code);
        }
        let judged = old
            .map(|old| self.judging.judge(&old, &results))
            .transpose()?;
        Ok(match code == ExitCode::SUCCESS {
            true => judged.unwrap_or(ExitCode::SUCCESS),
            false => ExitCode::FAILURE,
        })
    }

    /// Where the results go, if they are not there yet; `all` is the folder of those that have no other.
    fn folder(&self, all: &Path) -> Result<PathBuf> {
        match (&self.out, self.resume) {
            (Some(out), _) => Ok(out.clone()),
            (None, true) => latest(all),
            // A name for every system, so without colons.
            (None, false) => Ok(all.join(provenance::now().replace(':', "-"))),
        }
    }
}

/// The exit status of a benchmark that ended so and had so many boots that failed, of which a person is told how
/// to go on with it.
///
/// This comes before the figures: where those cannot be written, a line that the disk did not take must not be
/// lost with them.
pub(super) fn ended(end: End, failed: usize, folder: &Path) -> ExitCode {
    let resume = format!("--resume --out {} goes on", folder.display());
    match end {
        End::Done => match failed {
            0 => ExitCode::SUCCESS,
            1 => {
                eprintln!("xtask: 1 boot failed; --resume tries it again");
                ExitCode::FAILURE
            }
            failed => {
                eprintln!("xtask: {failed} boots failed; --resume tries them again");
                ExitCode::FAILURE
            }
        },
        End::Interrupted(signal) => {
            eprintln!("xtask: interrupted; {resume}");
            ExitCode::from(Outcome::Interrupted(signal).exit_code())
        }
        End::Unwritten(unwritten) => {
            eprintln!("xtask: {unwritten}");
            eprintln!("xtask: what stood there is whole, and this belongs behind it:");
            eprintln!("{}", unwritten.line);
            eprintln!("xtask: {resume}");
            ExitCode::FAILURE
        }
    }
}

/// The exit status with what came of showing the figures, behind the end. Why the benchmark ended outranks that;
/// what could not be shown is said in any case.
pub(super) fn and_told(code: ExitCode, shown: Result<ExitCode>) -> ExitCode {
    let shown = shown.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    });
    match code == ExitCode::SUCCESS {
        true => shown,
        false => code,
    }
}

/// Shows the figures, and writes them beside the results. Says what cannot be written, and whether nothing
/// had to be said.
pub(super) fn show(folder: &Path, results: &Results) -> Result<bool> {
    let summary = Summary::of(results);
    to_stdout(|out| {
        let look = look::of_this_process(When::Auto);
        write!(out, "{}", Tables(&summary, look))?;
        Ok(ExitCode::SUCCESS)
    })?;
    let written = write_files(folder, &summary);
    if let Err(error) = &written {
        eprintln!("xtask: {error:#}");
    }
    Ok(written.is_ok())
}

pub(super) fn is_done(results: &Results, key: Key<'_>) -> bool {
    results.find(key).is_some_and(Run::is_ok)
}

/// Whether files can be made in a folder, which is made if it is not there: what is measured for hours
/// is to have a place.
pub(super) fn check_folder(folder: &Path) -> Result<()> {
    let made = fs::create_dir_all(folder).and_then(|()| {
        let mut file = tempfile::tempfile_in(folder)?;
        file.write_all(b"room for a line")
    });
    made.with_context(|| format!("cannot write into {}", folder.display()))
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

pub(super) fn begin(folder: &Path, header: &Header) -> Result<(Results, Writer)> {
    if folder.join(FILE).exists() {
        bail!(
            "{} has results already: --resume goes on with them, and another --out keeps them",
            folder.display()
        );
    }
    let writer = Writer::create(folder, header)?;
    Ok((Results::new(header.clone()), writer))
}

/// What is there, and a writer for the rest.
pub(super) fn go_on(folder: &Path, now: &Header) -> Result<(Results, Writer)> {
    let Some(writer) = Writer::open(folder)? else {
        return begin(folder, now);
    };
    let results = match Results::read(folder) {
        Ok(results) => results,
        // It was ended in its first line, or before.
        Err(error) if matches!(error.problem, Problem::Empty) => {
            return Ok((Results::new(now.clone()), writer.begin(now)?));
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(difference) = results.header.difference(now, MAY_DIFFER) {
        bail!(
            "{} cannot be gone on with: `{}` was {} and is {}; another --out begins anew",
            folder.display(),
            difference.field,
            difference.here,
            difference.there
        );
    }
    if let Some(warning) = results.warning() {
        eprintln!("xtask: {}: {warning}", folder.join(FILE).display());
    }
    let writer = writer.go_on(&results)?;
    Ok((results, writer))
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
        // The reason is in the results; that there is no more to see is told by its absence.
        let _unkept = keep(folder, key, &booted.0);
    }
    Ok(run)
}

pub(super) fn keep(folder: &Path, key: Key<'_>, ended: &Ended) -> Result<()> {
    debug_assert_eq!(key.system, REVEILLE);
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || ".-=".contains(letter);
    let name: String = key
        .to_string()
        .chars()
        .map(|it| if is_plain(it) { it } else { '-' })
        .collect();
    let records = ended.records.lines().join("\n");
    let text = format!("{}\n\n{}\n\n{records}\n", ended.explain(), ended.console);
    Ok(fs::write(folder.join(format!("failed-{name}.log")), text)?)
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

    #[test]
    fn what_ended_a_benchmark_early_has_the_exit_status_whatever_became_of_its_figures() {
        let interrupted = ExitCode::from(130);
        for shown in [
            Ok(ExitCode::SUCCESS),
            Ok(ExitCode::FAILURE),
            Err(anyhow!("no room")),
        ] {
            assert_eq!(and_told(interrupted, shown), interrupted);
        }
        let done = |shown| and_told(ExitCode::SUCCESS, shown);
        assert_eq!(done(Ok(ExitCode::SUCCESS)), ExitCode::SUCCESS);
        assert_eq!(done(Ok(ExitCode::FAILURE)), ExitCode::FAILURE);
        assert_eq!(done(Err(anyhow!("no room"))), ExitCode::FAILURE);
    }
}
