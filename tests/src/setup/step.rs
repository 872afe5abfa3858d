//! Commands that change the machine: each is shown first, then run, as root where it must be.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail};

/// Runs steps, or only shows them.
#[derive(Debug)]
pub struct Steps {
    dry_run: bool,
    root: bool,
}

impl Steps {
    /// With `dry_run`, steps are shown and not run.
    pub fn new(dry_run: bool) -> Self {
        Self {
            dry_run,
            root: rustix::process::geteuid().is_root(),
        }
    }

    /// Whether steps are shown only.
    pub fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// Runs `command` as the user who asked.
    pub fn run(&self, why: &str, command: &[&str]) -> Result<()> {
        eprintln!("xtask: {why}:\n       $ {}", command.join(" "));
        if self.dry_run {
            return Ok(());
        }
        let (program, arguments) = command.split_first().context("an empty command")?;
        let status = Command::new(program)
            .args(arguments)
            .status()
            .with_context(|| format!("cannot start `{program}`"))?;
        if !status.success() {
            bail!("`{}` ended with {status}", command.join(" "));
        }
        Ok(())
    }

    /// Runs `command` as root: as it is when we are, else through `sudo`.
    pub fn run_as_root(&self, why: &str, command: &[&str]) -> Result<()> {
        if self.root {
            self.run(why, command)
        } else {
            self.run(why, &[&["sudo"], command].concat())
        }
    }

    /// Puts a file that everybody may read at `path`, which only root may write.
    pub fn write_as_root(&self, why: &str, path: &str, contents: &str) -> Result<()> {
        eprintln!("xtask: {path} will hold:");
        for line in contents.lines() {
            eprintln!("       | {line}");
        }
        let draft = tempfile::NamedTempFile::new()?;
        std::fs::write(&draft, contents)?;
        let draft: &Path = draft.as_ref();
        let draft = draft
            .to_str()
            .context("the temporary folder's name is not UTF-8")?;
        self.run_as_root(why, &["install", "-m", "0644", draft, path])
    }
}
