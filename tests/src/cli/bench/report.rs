//! `cargo xtask bench report`, and the end of each benchmark: `report.html`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::{
    Args,
    builder::{PathBufValueParser, TypedValueParser},
};

use super::super::output::{self, Destination};
use crate::report::{self, page};

#[derive(Debug, Args)]
pub(super) struct Report {
    /// Folders with results, of any benchmark, or files of them
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,

    /// Write it to FILE [default: report.html in the first DIR]
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(output::path))]
    out: Option<PathBuf>,
}

impl Report {
    pub(super) fn execute(self) -> Result<ExitCode> {
        let first = &self.folders[0];
        let out = self.out.unwrap_or_else(|| match first.is_dir() {
            true => first.join(report::FILE),
            false => first.with_file_name(report::FILE),
        });
        write(&self.folders, out)
    }
}

/// The report of a benchmark, beside its results.
pub(super) fn beside(folder: &Path) -> Result<ExitCode> {
    write(&[folder], folder.join(report::FILE))
}

/// Writes it, and says where. It is there as a whole, or as it was before.
fn write(folders: &[impl AsRef<Path>], out: PathBuf) -> Result<ExitCode> {
    let shown = out.display().to_string();
    let write = || -> Result<()> {
        let report = report::Report::of(folders)?;
        let mut output = Destination::new(out)?.open()?;
        page::write(&report, &mut output)?;
        Ok(output.keep()?)
    };
    write().with_context(|| format!("{shown} was not written"))?;
    eprintln!("xtask: the report is in {shown}");
    Ok(ExitCode::SUCCESS)
}
