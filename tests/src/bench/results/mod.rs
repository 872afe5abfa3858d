//! `results.jsonl`: a line that says what was measured where, and a line for each boot.
//!
//! Times are integers in nanoseconds, and their names end in `_ns`. A line stands or is not there: the
//! [`Writer`] takes back what it could not write whole, and the [`Results`] that are read drop a last
//! line that was cut off. What has another schema is refused.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::{
    cell::{Machine, REVEILLE},
    host::{Host, Load},
    shard::Shard,
};

mod merge;
mod read;
mod write;

pub use self::{
    merge::{Differs, Merged, merge},
    read::{ReadError, Results},
    write::{Unwritten, Writer},
};

/// The file's name in its folder.
pub const FILE: &str = "results.jsonl";

/// The schema that is written and read. A field more that an old reader may miss is none; one that
/// means something else is.
pub const SCHEMA: u32 = 1;

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Line {
    /// The first one.
    Bench(Header),
    /// Any other.
    Run(Run),
}

/// What was to be measured, with what, on which host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`SCHEMA`].
    pub schema: u32,
    /// When, as RFC 3339 has it.
    pub started: String,
    /// The command, so that anybody can run it again.
    pub command: String,
    /// Our version and commit, and `dirty` if something was not committed.
    pub reveille: String,
    /// What tells the kernel's image from another build, on this host.
    pub kernel: String,
    /// The version of QEMU.
    pub qemu: String,
    /// The version of the compiler that built the kernel.
    pub rustc: String,
    /// The machine under QEMU.
    pub host: Host,
    /// Whom the runs measure: ours as a rule, others beside us.
    #[serde(default = "ours")]
    pub systems: Vec<String>,
    /// The machines, of all shards.
    pub plan: Vec<Machine>,
    /// The names under which the runs have samples.
    pub strategies: Vec<String>,
    /// Boots of each machine.
    pub runs: u32,
    /// Warm rounds of each boot.
    pub rounds: u32,
    /// The part of the plan that was measured, if it was not the whole.
    pub shard: Option<Shard>,
}

fn ours() -> Vec<String> {
    vec![REVEILLE.to_owned()]
}

/// A boot, and what it gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Whom it measured; [`REVEILLE`] is us.
    #[serde(default = "us")]
    pub system: String,
    /// The machine.
    pub machine: Machine,
    /// Which boot of this machine, from 1.
    pub run: u32,
    /// What came of it.
    pub outcome: Outcome,
    /// From the start of QEMU to its end.
    pub elapsed_ns: u64,
    /// The boot's own bring-up, round 0, which is cold: from the first INIT to the last CPU online.
    pub boot_online_ns: Option<u64>,
    /// What it cost the host, and what else the host did meanwhile.
    pub load: Load,
    /// The host, where it is not the header's: in files that were joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Box<Host>>,
    /// What each contender took, by its name. Empty where the boot failed before it told.
    #[serde(default)]
    pub samples: BTreeMap<String, Samples>,
}

fn us() -> String {
    REVEILLE.to_owned()
}

/// How a boot ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It did all that was asked for.
    Ok,
    /// It did not, and why.
    Failed(String),
}

/// What one contender took in the warm rounds of one boot: a value a round, in their order. A list is
/// empty, and not written, where nothing of the kind is measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Samples {
    /// From the first INIT to the last CPU online: the headline.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub online_ns: Vec<u64>,
    /// To the last CPU alive: it runs in Rust.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alive_ns: Vec<u64>,
    /// To the last first SIPI.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kick_ns: Vec<u64>,
    /// Until every outcome was known; of the floor, until all had counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub total_ns: Vec<u64>,
    /// Polls of the APs' tasks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub polls: Vec<u64>,
}

/// What tells a run from all others in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// Whom it measures.
    pub system: &'a str,
    /// On what.
    pub machine: &'a Machine,
    /// Which boot, from 1.
    pub run: u32,
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            system,
            machine,
            run,
        } = self;
        match *system {
            REVEILLE => write!(f, "{machine}, run {run}"),
            system => write!(f, "{machine}, {system}, run {run}"),
        }
    }
}

impl Run {
    /// What tells it from the others.
    pub fn key(&self) -> Key<'_> {
        Key {
            system: &self.system,
            machine: &self.machine,
            run: self.run,
        }
    }

    /// Whether it did all that was asked for.
    pub fn is_ok(&self) -> bool {
        self.outcome == Outcome::Ok
    }
}

impl Samples {
    /// The times of its headline: until all are online, or of the floor until all have counted.
    pub fn headline_ns(&self) -> &[u64] {
        match self.online_ns.is_empty() {
            true => &self.total_ns,
            false => &self.online_ns,
        }
    }
}
