//! What each benchmark does around its boots: where the results go, what is there already, the boots with their lines,
//! and how it ended.
//!
//! What is wrong with where the results are to go is found before the first boot.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};

use super::progress::Progress;
use crate::{
    bench::{
        cell::REVEILLE,
        measure::{End, Task, measure},
        provenance,
        results::{FILE, Header, Key, Problem, Results, Run, Writer},
    },
    guest::Ended,
    interrupt::Interrupts,
    kernel::Kernel,
    outcome::Outcome,
    setup,
};

/// What may differ between a benchmark and the one that goes on with it.
const MAY_DIFFER: &[&str] = &["started", "command"];

/// A benchmark that has begun.
pub(super) struct Session {
    /// Where the results go.
    pub(super) folder: PathBuf,
    /// What was measured, now and before.
    pub(super) results: Results,
    /// Who ends it early.
    pub(super) interrupts: Interrupts,
    writer: Writer,
}

impl Session {
    /// Begins, or goes on with what is there.
    ///
    /// # Errors
    ///
    /// There are results that it would replace, or cannot go on with; or the folder takes no file.
    pub(super) fn open(folder: PathBuf, header: &Header, resume: bool) -> Result<Self> {
        let (results, writer) = match resume {
            true => go_on(&folder, header)?,
            false => begin(&folder, header)?,
        };
        eprintln!("xtask: the results go to {}", folder.display());
        Ok(Self {
            folder,
            results,
            interrupts: Interrupts::listen()?,
            writer,
        })
    }

    /// Boots what is left of the tasks, and says how far it is.
    pub(super) fn measure<'a>(
        &mut self,
        tasks: Vec<Task<'a>>,
        boot: impl FnMut(Key<'a>) -> Result<Run>,
    ) -> End {
        let is_done = |task: &&Task<'_>| self.results.find(task.key).is_some_and(Run::is_ok);
        let done = tasks.iter().filter(is_done).count();
        if done > 0 {
            eprintln!("xtask: {done} of {} boots are there already", tasks.len());
        }
        let mut progress = Progress::new(tasks.len() - done);
        let Self {
            results,
            writer,
            interrupts,
            ..
        } = self;
        measure(tasks, results, writer, interrupts, &mut progress, boot)
    }

    /// The exit status of a benchmark that ended so, of which a person is told how to go on with it.
    ///
    /// This comes before the figures: where those cannot be written, a line that the disk did not take must not be
    /// lost with them.
    pub(super) fn ended(&self, end: End, is_failed: impl Fn(&Run) -> bool) -> ExitCode {
        let resume = format!("--resume --out {} goes on", self.folder.display());
        match end {
            End::Done => match self
                .results
                .runs
                .iter()
                .filter(|run| is_failed(run))
                .count()
            {
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
}

/// The kernel that is to be measured, where there is all that it takes and the folder takes files.
pub(super) fn prepare(out: Option<&Path>) -> Result<Kernel> {
    if let Some(out) = out {
        check_folder(out)?;
    }
    setup::ensure(false)?;
    Kernel::ready()
}

/// A folder in `all` that is named after the time.
pub(super) fn folder_of_now(all: &Path, prefix: &str) -> PathBuf {
    // A name for every system, so without colons.
    let now = provenance::now().replace(':', "-");
    all.join(format!("{prefix}{now}"))
}

/// The exit status with what came of showing what was measured, behind the end. Why the benchmark ended outranks that;
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

/// The same for what a person may still interrupt behind a benchmark that ended by itself: that outranks a boot that
/// failed.
pub(super) fn and_looked(
    code: ExitCode,
    looked: Result<ExitCode>,
    interrupts: &Interrupts,
) -> ExitCode {
    let signal = interrupts.received().map(Outcome::Interrupted);
    let interrupted = signal.map(|outcome| ExitCode::from(outcome.exit_code()));
    match looked {
        Ok(looked) if Some(looked) == interrupted => looked,
        looked => and_told(code, looked),
    }
}

/// Keeps what a boot that failed showed, for a look afterwards. The reason is in the results; that there is no more
/// to see is told by its absence.
pub(super) fn keep(folder: &Path, key: Key<'_>, ended: &Ended) {
    debug_assert_eq!(key.system, REVEILLE);
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || ".-=".contains(letter);
    let name: String = key
        .to_string()
        .chars()
        .map(|it| if is_plain(it) { it } else { '-' })
        .collect();
    let records = ended.records.lines().join("\n");
    let text = format!("{}\n\n{}\n\n{records}\n", ended.explain(), ended.console);
    let _unkept = fs::write(folder.join(format!("failed-{name}.log")), text);
}

/// Whether files can be made in a folder, which is made if it is not there: what is measured for hours
/// is to have a place.
fn check_folder(folder: &Path) -> Result<()> {
    let made = fs::create_dir_all(folder).and_then(|()| {
        let mut file = tempfile::tempfile_in(folder)?;
        file.write_all(b"room for a line")
    });
    made.with_context(|| format!("cannot write into {}", folder.display()))
}

fn begin(folder: &Path, header: &Header) -> Result<(Results, Writer)> {
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
fn go_on(folder: &Path, now: &Header) -> Result<(Results, Writer)> {
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
        let [was, is] = difference.in_words();
        bail!(
            "{} cannot be gone on with: `{}` was {was} and is {is}; another --out begins anew",
            folder.display(),
            difference.field
        );
    }
    if let Some(warning) = results.warning() {
        eprintln!("xtask: {}: {warning}", folder.join(FILE).display());
    }
    let writer = writer.go_on(&results)?;
    Ok((results, writer))
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

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
        assert_eq!(done(Ok(interrupted)), interrupted);
        assert_eq!(done(Err(anyhow!("no room"))), ExitCode::FAILURE);
    }

    #[test]
    fn a_signal_during_the_pictures_outranks_a_boot_that_failed_and_one_behind_them_does_not() {
        let interrupts = Interrupts::default();
        let (failed, interrupted) = (ExitCode::FAILURE, ExitCode::from(130));
        let of = |code, looked, interrupts: &_| and_looked(code, Ok(looked), interrupts);
        assert_eq!(of(failed, ExitCode::SUCCESS, &interrupts), failed);
        interrupts.receive(2);
        for code in [ExitCode::SUCCESS, failed] {
            assert_eq!(of(code, interrupted, &interrupts), interrupted);
        }
        assert_eq!(of(failed, ExitCode::SUCCESS, &interrupts), failed);
        let error = and_looked(ExitCode::SUCCESS, Err(anyhow!("no room")), &interrupts);
        assert_eq!(error, failed);
    }
}
