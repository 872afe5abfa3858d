//! `cargo xtask bench compare`, and the end of `cargo xtask bench --compare`: what became faster or slower.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, anyhow};
use clap::Args;

use super::super::to_stdout;
use crate::bench::{
    report::Verdicts,
    results::{Header, Results},
    stats::{
        compare::{Comparison, boots_needed},
        measure::By,
    },
};

#[derive(Debug, Args)]
pub(super) struct Compare {
    /// The folder with the results as they were, or the file
    old: PathBuf,

    /// The folder with the results as they are, or the file
    new: PathBuf,

    #[command(flatten)]
    judging: Judging,
}

/// How two sets are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args)]
pub(super) struct Judging {
    /// By what boots are compared
    ///
    /// Ratios to `bare` within a boot are steady from boot to boot and from day to day, and show what
    /// the kernel adds. Times show everything, the host's day as well: to trust them, measure the two
    /// sets in turns on a host that does nothing else.
    #[arg(long, value_enum, value_name = "WHAT", default_value = "bare")]
    by: By,

    /// End in 1 also where nobody can tell
    #[arg(long)]
    strict: bool,
}

impl Compare {
    pub(super) fn execute(self) -> Result<ExitCode> {
        let Self { old, new, judging } = self;
        let [old, new] = [Results::read(&old)?, Results::read(&new)?];
        judging.judge(&old, &new)
    }
}

impl Judging {
    /// What is wrong with so many boots of a plan's machines with these numbers: nothing could be called slower than
    /// in `old`.
    pub(super) fn too_few(
        self,
        old: &Results,
        new: &Header,
        chosen: &[usize],
    ) -> Option<anyhow::Error> {
        let needed = boots_needed(old, new, chosen, self.by)?;
        ((new.runs as usize) < needed).then(|| {
            anyhow!(
                "with --runs {} nothing could be called slower than in the old results: --compare takes \
                 --runs {needed} here, less of the machines and strategies, or old results of more boots",
                new.runs
            )
        })
    }

    /// Shows what became faster or slower, and gives the exit status for that: 1 where something got slower, or
    /// is not measured any more.
    ///
    /// # Errors
    ///
    /// The standard output takes no more.
    pub(super) fn judge(self, old: &Results, new: &Results) -> Result<ExitCode> {
        for (name, results) in [("old", old), ("new", new)] {
            if let Some(warning) = results.warning() {
                eprintln!("xtask: the {name} results: {warning}");
            }
        }
        let comparison = Comparison::between(old, new, self.by);
        let is_decided = comparison.is_decided();
        if !is_decided {
            eprintln!(
                "xtask: not every cell has a verdict: that something got slower is not ruled out"
            );
        }
        let is_bad = comparison.is_worse() || self.strict && !is_decided;
        // Who reads no further has the verdict all the same.
        to_stdout(|out| {
            write!(out, "{}", Verdicts(&comparison))?;
            Ok(ExitCode::SUCCESS)
        })?;
        Ok(ExitCode::from(u8::from(is_bad)))
    }
}
