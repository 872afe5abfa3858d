//! A model: a machine that can be simulated. Its shape, what each thing costs on it and where that
//! is known from, the steps of its ladder, and what somebody measured on the real one.
//!
//! Models are data: a TOML file each, in `tests/models/`, or a user's own. Every time in them is in
//! microseconds, but for the measured totals, which are in milliseconds. A model that was read is
//! consistent: `file.rs` has refused all others.

mod delay;
mod file;
mod named;
mod shape;
mod stream;
mod total;
mod who;
mod work;

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result};
use reveille_smp::bringup::Timing;

pub use delay::Delay;
pub use shape::{Numbering, Shape};
pub use stream::Stream;
pub use total::{Part, Total, Use};
pub use who::Who;
pub use work::{At, Basis, Cost, On, Piece, Step};

/// A machine that can be simulated.
#[derive(Clone, Debug)]
pub struct Model {
    /// What it is asked for by.
    pub name: String,
    /// What it stands for, in a line.
    pub title: String,
    /// Its CPUs.
    pub shape: Shape,
    /// How long the bring-up waits on it.
    pub timing: Timing,
    /// Where its CPUs are threads of a host: that host.
    pub host: Option<Host>,
    /// What CPUs have to share.
    pub resources: Vec<Resource>,
    /// What the hardware and the bring-up itself take.
    pub costs: Vec<Cost>,
    /// What is done for each CPU, in the ladder's order within each section.
    pub steps: Vec<Step>,
    /// What was measured on the real machine.
    pub totals: Vec<Total>,
}

/// A host whose threads the CPUs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// Cores: so many CPUs run at once.
    pub cores: usize,
    /// The longest that a CPU keeps a core while others wait for one.
    pub slice: Duration,
}

/// Something that a few CPUs can use at once, and the others wait for in the order in which they
/// came: a lock, the bandwidth of a memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// What pieces of work name it by.
    pub name: String,
    /// How many can use it at once.
    pub capacity: usize,
}

impl Model {
    /// One of the models that come with Reveille.
    pub fn named(name: &str) -> Result<Self> {
        Self::from_toml(name, named::text(name)?)
    }

    /// The models that come with Reveille.
    pub fn names() -> impl Iterator<Item = &'static str> {
        named::NAMED.iter().map(|(name, _)| *name)
    }

    /// A user's own model. Its name is that of the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the model {}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        file::parse(&name, &text).with_context(|| format!("the model {}", path.display()))
    }

    /// A model by its text.
    pub fn from_toml(name: &str, text: &str) -> Result<Self> {
        file::parse(name, text).with_context(|| format!("the model {name}"))
    }

    /// The same machine with so many CPUs, the BSP among them.
    pub fn with_cpus(self, cpus: usize) -> Result<Self> {
        let shape = self.shape.with_cpus(cpus)?;
        Ok(Self { shape, ..self })
    }

    /// What was measured on a machine of just as many CPUs.
    pub fn fitting_totals(&self) -> impl Iterator<Item = &Total> {
        let cpus = self.shape.cpus();
        self.totals.iter().filter(move |total| total.cpus == cpus)
    }
}
