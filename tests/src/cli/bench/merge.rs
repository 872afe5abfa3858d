//! `cargo xtask bench merge`: results of several hosts become one file.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, anyhow, bail};
use clap::Args;

use super::{charts, measure::show, report, session::and_told};
use crate::bench::results::{FILE, Results, Writer, merge};

/// Where they come from, and where to.
#[derive(Debug, Args)]
pub(super) struct Merge {
    /// The folder for what comes of it, which has no results yet
    out: PathBuf,

    /// Folders with results, or files of them
    #[arg(required = true, value_name = "IN")]
    parts: Vec<PathBuf>,
}

impl Merge {
    /// Ends in 1 where a boot of the plan is missing, behind all else.
    pub(super) fn execute(self) -> Result<ExitCode> {
        if self.out.join(FILE).exists() {
            bail!(
                "{} has results already, which a merge would replace: another OUT keeps them",
                self.out.display()
            );
        }
        charts::check(&self.out)?;
        let mut files = Vec::new();
        for part in &self.parts {
            let results = Results::read(part)?;
            if let Some(warning) = results.warning() {
                eprintln!("xtask: {}: {warning}", part.display());
            }
            files.push(results);
        }
        let merged = merge(files).map_err(|differs| {
            let part = self.parts[differs.file].display();
            anyhow!(
                "{part} does not go with {}: {differs}",
                self.parts[0].display()
            )
        })?;
        for key in &merged.duplicates {
            eprintln!("xtask: {key} is there several times, and the first is kept");
        }
        for key in &merged.missing {
            eprintln!("xtask: {key} is missing");
        }
        let mut writer = Writer::create(&self.out, &merged.header)?;
        let mut results = Results::new(merged.header);
        for run in merged.runs {
            writer.add(&run)?;
            results.add(run);
        }
        eprintln!("xtask: the results are in {}", writer.path().display());
        let code = match merged.missing.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        };
        let code = and_told(code, show(&self.out, &results));
        let joined = charts::join(&self.parts, &self.out, &results).map(|()| ExitCode::SUCCESS);
        Ok(and_told(and_told(code, joined), report::beside(&self.out)))
    }
}
