//! What a scenario could not do on this machine.
//!
//! A test that passes is not heard: test runners keep what it writes to themselves. So it goes to
//! a file, which `cargo xtask test` empties before and shows after the scenarios.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use crate::kernel::Kernel;

/// The file; scenarios in other processes may write to it at the same time.
#[derive(Clone, Debug)]
pub struct Skipped(PathBuf);

impl Skipped {
    /// The file for the scenarios that boot `kernel`.
    pub fn of(kernel: &Kernel) -> Self {
        Self::below(&kernel.scratch())
    }

    /// The file for tests that boot nothing: [`Kernel::scratch`] is known to them without a kernel.
    pub fn below(scratch: &Path) -> Self {
        Self(scratch.join("skipped"))
    }

    /// Forgets what earlier runs wrote.
    pub fn clear(&self) -> io::Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Adds a line.
    pub fn add(&self, line: &str) -> io::Result<()> {
        if let Some(folder) = self.0.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0)?;
        // In one piece, which appending keeps whole.
        file.write_all(format!("{line}\n").as_bytes())
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_until_they_are_cleared() {
        let folder = tempfile::tempdir().expect("a folder");
        let skipped = Skipped(folder.path().join("xtask/skipped"));
        skipped.clear().expect("there is no file yet");
        skipped.add("one").expect("the folder can be written");
        skipped.add("two").expect("the folder can be written");
        assert_eq!(skipped.lines(), ["one", "two"]);
        skipped.clear().expect("the file is ours");
        assert!(skipped.lines().is_empty());
    }
}
