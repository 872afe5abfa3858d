//! `cargo xtask fuzz`: looks for inputs that break what must hold for every input.
//!
//! The targets are the crate `reveille-fuzz` in `tests/fuzz/`. As many run side by side as there
//! are CPUs. They start from the committed corpus and leave it alone: what they find goes to
//! cargo's target folder, where the next run goes on from it.

mod build;
mod log;

use std::{
    fs::{self, File},
    num::NonZero,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::Mutex,
    thread,
};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};

use self::{build::Fuzzers, log::Log};
use super::Fuzz;
use crate::{kernel::workspace, setup};

/// An input that keeps the parsers busy for so many seconds is a finding.
const SECONDS_AN_INPUT: u32 = 10;

/// What can be fuzzed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Target {
    /// The walk over the MADT, and the plan made from it
    Madt,
    /// The walk over the SRAT
    Srat,
    /// The start info, its memory map, and the choice of the low pages
    BootInfo,
    /// The kernel's command line
    CommandLine,
    /// What is typed at the shell: keys, the line, the command
    Shell,
}

impl Target {
    /// As in the names of its binary and its folders.
    const fn name(self) -> &'static str {
        match self {
            Self::Madt => "madt",
            Self::Srat => "srat",
            Self::BootInfo => "boot_info",
            Self::CommandLine => "command_line",
            Self::Shell => "shell",
        }
    }

    /// The longest input tried, in bytes: more are slower, and show nothing new.
    const fn longest_input(self) -> u32 {
        match self {
            // Some 100 entries.
            Self::Madt => 1024,
            // Some 50 entries.
            Self::Srat => 1024,
            // The longest command line that is taken has 2047 bytes.
            Self::BootInfo => 4096,
            // Some 30 words; all are checked by themselves.
            Self::CommandLine => 512,
            // A line that is too long, and more: one may have 1024 bytes.
            Self::Shell => 1536,
        }
    }

    /// What is committed: `corpus`, or `crashes` for what once broke something.
    fn committed(self, folder: &str) -> PathBuf {
        workspace()
            .join("tests/fuzz")
            .join(folder)
            .join(self.name())
    }
}

impl Fuzz {
    pub(super) fn execute(self) -> Result<ExitCode> {
        setup::ensure_cxx()?;
        let fuzzers = Fuzzers::build()?;
        let targets = match &self.targets[..] {
            [] => Target::value_variants(),
            chosen => chosen,
        };

        let waiting = Mutex::new(targets.iter());
        let next = || waiting.lock().expect("no holder panics").next().copied();
        let logs = Mutex::new(Vec::new());
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        thread::scope(|scope| {
            for _ in 0..workers.min(targets.len()) {
                scope.spawn(|| {
                    while let Some(target) = next() {
                        let log = self.run(&fuzzers, target);
                        logs.lock().expect("no holder panics").push((target, log));
                    }
                });
            }
        });

        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header([
            "target",
            "inputs",
            "inputs/s",
            "edges reached",
            "corpus",
        ]);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let mut failed = false;
        for (target, log) in logs.into_inner().expect("no holder panics") {
            let log = log?;
            table.add_row([
                target.name().to_owned(),
                log.inputs.to_string(),
                log.inputs_a_second.to_string(),
                format!("{} of {}", log.edges, log.all_edges),
                log.corpus.to_string(),
            ]);
            if let Some(finding) = &log.finding {
                failed = true;
                explain(target, &log, finding);
            } else if self.keep {
                fuzzers.merge(target)?;
            }
        }
        eprintln!("{table}");
        Ok(if failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }

    fn run(&self, fuzzers: &Fuzzers, target: Target) -> Result<Log> {
        eprintln!("xtask: fuzzing {} for {} s", target.name(), self.seconds);
        let path = fuzzers.folder("logs").join(target.name());
        let crashes = fuzzers.folder("crashes").join(target.name());
        for folder in [fuzzers.folder("logs"), crashes.clone()] {
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let mut command = fuzzers.command(target)?;
        command
            .arg(format!("-max_total_time={}", self.seconds))
            .arg(format!("-timeout={SECONDS_AN_INPUT}"))
            .arg("-print_final_stats=1")
            .arg(format!("-artifact_prefix={}/", crashes.display()))
            .args([fuzzers.findings(target)?, target.committed("corpus")]);
        let succeeded = log_to(&path, &mut command)?;
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let log = Log::parse(path, &String::from_utf8_lossy(&text));
        if !succeeded && log.finding.is_none() {
            bail!(
                "the fuzzer of {} failed; see {}",
                target.name(),
                log.path.display()
            );
        }
        Ok(log)
    }
}

/// Runs a command with all that it says in a file; returns whether it succeeded.
fn log_to(path: &Path, command: &mut Command) -> Result<bool> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let status = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status();
    Ok(status.context("cannot start the fuzzer")?.success())
}

fn explain(target: Target, log: &Log, finding: &log::Finding) {
    let crashes = target.committed("crashes");
    let crashes = crashes.strip_prefix(workspace()).unwrap_or(&crashes);
    eprintln!("xtask: FOUND in {}: {}", target.name(), finding.what);
    eprintln!("       the input   {}", finding.input.display());
    eprintln!("       all of it   {}", log.path.display());
    eprintln!(
        "       once more   mkdir -p {0} && cp {1} {0}/ &&",
        crashes.display(),
        finding.input.display()
    );
    eprintln!("                   cargo test --package reveille-fuzz");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_corpus_by_the_name_that_is_typed() {
        for target in Target::value_variants() {
            let typed = target.to_possible_value().expect("none is hidden");
            assert_eq!(typed.get_name(), target.name());
            assert!(target.committed("corpus").is_dir(), "{}", target.name());
        }
    }
}
