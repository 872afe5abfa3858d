//! `cargo xtask bench merge`: results of several hosts become one file.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Merge {
    /// The folder for what comes of it
    out: PathBuf,

    /// Folders with results, or files of them
    #[arg(required = true)]
    parts: Vec<PathBuf>,
}

impl Merge {
    pub(super) fn execute(self) -> Result<ExitCode> {
        let Self { out, parts } = self;
        let _ = (out, parts);
        anyhow::bail!("nothing is joined yet")
    }
}
