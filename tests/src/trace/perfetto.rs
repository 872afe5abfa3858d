//! Perfetto's own trace processor, asked in SQL what it makes of a file.
//!
//! It is WebAssembly, in a build of Perfetto's UI, and runs in Node.js by `tests/perfetto/ask.mjs`. It is
//! there if somebody has put it there, as `.ci/run` does: nothing else needs it.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What asks it.
const ASK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/perfetto/ask.mjs");

/// What is in the folder of a build of the UI.
const ENGINE: &str = "engine_bundle.js";

/// A build of Perfetto's UI.
#[derive(Clone, Debug)]
pub struct Perfetto {
    folder: PathBuf,
}

/// The result of a query: its rows.
pub type Rows = Vec<Vec<Value>>;

impl Perfetto {
    /// The one that is somewhere below a folder.
    pub fn below(folder: &Path) -> Option<Self> {
        if folder.join(ENGINE).is_file() {
            let folder = folder.to_owned();
            return Some(Self { folder });
        }
        let entries = fs::read_dir(folder).ok()?.flatten();
        let mut folders = entries.map(|it| it.path()).filter(|it| it.is_dir());
        folders.find_map(|it| Self::below(&it))
    }

    /// Opens a trace, and puts questions to it.
    ///
    /// # Errors
    ///
    /// There is no Node.js, the trace is refused, or a query is wrong.
    pub fn ask(&self, trace: &Path, questions: &[&str]) -> Result<Vec<Rows>> {
        let mut asks = tempfile::tempfile()?;
        serde_json::to_writer(&mut asks, questions)?;
        asks.flush()?;
        let child = Command::new("node")
            .arg(ASK)
            .args([&self.folder, trace])
            .stdin(rewound(asks)?)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .context("cannot start Node.js")?;
        if !child.status.success() {
            let words = String::from_utf8_lossy(&child.stderr);
            // Node.js quotes the line of the bundle, which is all of it.
            let words: Vec<_> = words.lines().filter(|line| line.len() < 1_000).collect();
            bail!("Perfetto: {}", words.join("\n"));
        }
        serde_json::from_slice(&child.stdout).context("the answers are no JSON")
    }
}

fn rewound(mut file: File) -> Result<File> {
    std::io::Seek::rewind(&mut file)?;
    Ok(file)
}
