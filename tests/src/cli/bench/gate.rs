//! `cargo xtask bench gate`: the deterministic gate.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::Args;
use indicatif::ProgressBar;

use crate::{
    bench::gate::{Comparison, Figures, measure::measure, settings},
    interrupt::Interrupts,
    kernel::{Kernel, workspace},
    outcome::Outcome,
    setup,
};

/// Where the figures are committed, in the workspace.
const COMMITTED: &str = "tests/gate/figures.toml";

/// How the gate is called.
#[derive(Debug, Args)]
pub(super) struct Gate {
    /// Write what is measured in the place of what is committed
    #[arg(long)]
    renew: bool,

    /// Compare with the figures in FILE [default: tests/gate/figures.toml]
    #[arg(long, value_name = "FILE")]
    figures: Option<PathBuf>,
}

impl Gate {
    pub(super) fn execute(self) -> Result<ExitCode> {
        let path = self.figures.unwrap_or_else(|| workspace().join(COMMITTED));
        // First, as it costs nothing.
        let committed = match (Figures::read(&path), self.renew) {
            (Ok(committed), _) => Some(committed),
            (Err(error), true) => {
                eprintln!("xtask: nothing to compare with: {error:#}");
                None
            }
            (Err(error), false) => {
                return Err(error.context("cargo xtask bench gate --renew writes new ones"));
            }
        };
        setup::ensure(false)?;
        let kernel = Kernel::ready()?;
        let interrupts = Interrupts::listen()?;
        let bar = ProgressBar::new(0);
        let measured = measure(&kernel, &settings::all(), |over, of| {
            bar.set_length(of as u64);
            bar.set_position(over as u64);
            interrupts.received().is_none()
        });
        bar.finish_and_clear();
        let Some(measured) = measured? else {
            let signal = interrupts.received().context("somebody ended it")?;
            return Ok(ExitCode::from(Outcome::Interrupted(signal).exit_code()));
        };
        if self.renew {
            measured.write(&path)?;
        }
        let comparison = committed.map(|it| Comparison::of(&it, &measured));
        let is_open = comparison.as_ref().is_none_or(|it| it.is_open());
        // Who reads no further has the verdict all the same.
        super::super::to_stdout(|out| {
            if let Some(comparison) = &comparison {
                writeln!(out, "{comparison}")?;
            }
            if self.renew {
                let count = measured.count();
                writeln!(out, "{count} figures are in {}", path.display())?;
            }
            Ok(ExitCode::SUCCESS)
        })?;
        Ok(match is_open || self.renew {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}
