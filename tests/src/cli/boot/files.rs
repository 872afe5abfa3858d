//! The file of `--json`: the records, as they come.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use anyhow::{Context, Result};

use super::say;
use crate::cli::output::{Destination, Output};

/// The file of `--json`.
pub(super) struct RecordsFile {
    path: PathBuf,
    output: Output,
    lines: u64,
    /// The first that went wrong.
    error: Option<io::Error>,
}

impl RecordsFile {
    pub(super) fn open(destination: Destination) -> Result<Self> {
        Ok(Self {
            path: destination.path().to_owned(),
            output: destination.open()?,
            lines: 0,
            error: None,
        })
    }

    pub(super) fn write(&mut self, line: &str) {
        self.lines += 1;
        if let Err(error) = writeln!(self.output, "{line}") {
            self.error.get_or_insert(error);
        }
    }

    /// Gives the file its name if there is anything in it, however the run ended.
    pub(super) fn keep(self) -> Result<()> {
        let path = self.path.display();
        if self.lines == 0 {
            say(format_args!(
                "{path} was not written: the kernel wrote no records"
            ));
            return Ok(());
        }
        self.error
            .map_or_else(|| self.output.keep(), Err)
            .with_context(|| format!("cannot write {path}"))
    }
}
