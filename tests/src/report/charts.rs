//! `charts.jsonl`: a boot of each machine to look at, and what calls between its CPUs took. A line a machine, beside
//! the results of the benchmark that booted it.
//!
//! They are no measurement: one boot, with a trace, behind those that count. **So nothing of it is needed**: a file
//! that is not there, is cut off or is of another schema costs the pictures, and nothing else.

use std::{
    fs,
    io::{self, Write},
    ops::Not,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use reveille_smp::record::Ipi;
use serde::{Deserialize, Serialize};

use super::data::Pair;
use crate::{
    bench::{cell::Machine, results::FILE},
    bootchart::BootChart,
    records::Records,
};

/// The schema that is written and read.
pub const SCHEMA: u32 = 1;

/// The file's name beside `results.jsonl`.
const NAME: &str = "charts.jsonl";

/// How each of our lines begins.
const START: &str = r#"{"record":"chart","#;

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
enum Line {
    Chart(Kept),
}

/// A boot to look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The machine, as results have it.
    pub machine: Machine,
    /// The boot failed: what it showed is kept, and the next benchmark tries again.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub failed: bool,
    /// What there is to draw.
    pub chart: BootChart,
    /// Calls between its CPUs; `None` where none were made.
    #[serde(default)]
    pub ipi: Option<Calls>,
}

/// Calls between all pairs of CPUs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// Of each pair.
    pub samples: u32,
    /// What they took, there and back.
    pub pairs: Vec<Pair>,
}

/// A file of boots to look at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Charts {
    path: PathBuf,
    /// The boots.
    pub kept: Vec<Kept>,
    /// What of the file could not be read, in words that go on behind its name.
    pub problem: Option<String>,
    /// It is of another program, and stays as it is.
    pub(super) is_foreign: bool,
}

impl Kept {
    /// What the records of a boot of this machine tell, without calls.
    ///
    /// # Errors
    ///
    /// They do not tell of a bring-up, or one of them is broken.
    pub fn of(machine: &Machine, records: &Records) -> Result<Self> {
        Ok(Self {
            schema: SCHEMA,
            machine: machine.clone(),
            failed: false,
            chart: BootChart::of(records)?,
            ipi: None,
        })
    }
}

impl Calls {
    /// What the records of a boot with `ipi=matrix` tell; `None` where they tell of no pair.
    ///
    /// # Errors
    ///
    /// One of them is broken.
    pub fn of(records: &Records) -> Result<Option<Self>> {
        let ipis = records.ipis()?;
        let pair = |ipi: &Ipi| {
            let times = ipi.round_trip_ns.as_ref().map(|times| &times.spread);
            Pair {
                from: ipi.from.0,
                to: ipi.to.0,
                p50_ns: times.map(|it| it.p50),
                p99_ns: times.map(|it| it.p99),
                max_ns: times.map(|it| it.max),
            }
        };
        let samples = ipis.first().map(|ipi| ipi.samples);
        Ok(samples.map(|samples| Self {
            samples,
            pairs: ipis.iter().map(pair).collect(),
        }))
    }
}

impl Charts {
    /// Those beside a file of results, or in a folder with one.
    pub fn beside(results: &Path) -> Self {
        let path = path_beside(results);
        let mut charts = Self {
            path,
            ..Self::default()
        };
        match fs::read(&charts.path) {
            Ok(bytes) => charts.take(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                charts.is_foreign = true;
                charts.problem = Some(format!("cannot be read: {error}"));
            }
        }
        charts
    }

    fn take(&mut self, bytes: &[u8]) {
        #[derive(Deserialize)]
        struct Kind {
            schema: u32,
        }
        let text = String::from_utf8_lossy(bytes);
        let (mut broken, mut is_ours) = (0, text.is_empty());
        for line in text.lines().filter(|line| !line.is_empty()) {
            match serde_json::from_str::<Kind>(line) {
                Ok(Kind { schema }) if schema != SCHEMA => {
                    self.is_foreign = true;
                    self.problem = Some(format!(
                        "is of schema {schema}, and this program reads schema {SCHEMA}"
                    ));
                    return;
                }
                _ => {}
            }
            // A line that is cut off is ours, too.
            is_ours |= line.starts_with(START);
            match serde_json::from_str(line) {
                Ok(Line::Chart(kept)) => self.add(kept),
                Err(_) => broken += 1,
            }
        }
        self.is_foreign = !is_ours;
        self.problem = match broken {
            _ if self.is_foreign => Some("has no line of a boot, and is another file".to_owned()),
            0 => None,
            1 => Some("has a line that is cut off or broken, which is left out".to_owned()),
            lines => Some(format!("has {lines} lines that are broken and left out")),
        };
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The boot of a machine.
    pub fn find(&self, machine: &Machine) -> Option<&Kept> {
        self.kept.iter().find(|kept| kept.machine == *machine)
    }

    /// Adds a boot, unless there is one of that machine.
    pub fn add(&mut self, kept: Kept) {
        if self.find(&kept.machine).is_none() {
            self.kept.push(kept);
        }
    }

    /// Adds a boot, in the place of one of that machine.
    pub fn replace(&mut self, kept: Kept) {
        match self.kept.iter_mut().find(|it| it.machine == kept.machine) {
            Some(old) => *old = kept,
            None => self.kept.push(kept),
        }
    }

    /// Whether the file may be written.
    ///
    /// # Errors
    ///
    /// There is one of another program, or one that cannot be read.
    pub fn check(&self) -> Result<()> {
        if self.is_foreign {
            bail!(
                "{} stays as it is, as it {}: move it away, or choose another folder",
                self.path.display(),
                self.problem.as_deref().unwrap_or_default()
            );
        }
        Ok(())
    }

    /// Writes them all. The file is there as a whole, or as it was before.
    ///
    /// # Errors
    ///
    /// The folder takes no file, or there is one of another program, which stays.
    pub fn write(&self) -> Result<()> {
        self.check()?;
        let write = || -> Result<()> {
            let folder = self.path.parent().context("it is in no folder")?;
            let mut file = tempfile::Builder::new()
                .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
                .tempfile_in(folder)?;
            for kept in &self.kept {
                let line = serde_json::to_string(&Line::Chart(kept.clone()))?;
                writeln!(file, "{line}")?;
            }
            file.as_file().sync_all()?;
            file.persist(&self.path)?;
            Ok(())
        };
        write().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// `charts.jsonl` beside `results.jsonl`; beside another `NAME.jsonl` it is `NAME-charts.jsonl`.
fn path_beside(results: &Path) -> PathBuf {
    if results.is_dir() {
        return results.join(NAME);
    }
    match (results.file_name(), results.file_stem()) {
        (Some(name), Some(stem)) if name != FILE => {
            results.with_file_name(format!("{}-{NAME}", stem.to_string_lossy()))
        }
        _ => results.with_file_name(NAME),
    }
}

#[cfg(test)]
pub(super) mod tests;
