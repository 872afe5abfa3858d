//! `results.jsonl`: a line that says what was measured where, and a line for each boot.
//!
//! Times are integers in nanoseconds, and their names end in `_ns`. A line stands or is not there: the
//! [`Writer`] takes back what it could not write whole, and the [`Results`] that are read drop a last
//! line that was cut off. What has another schema is refused.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    cell::{Machine, REVEILLE},
    host::{Host, Load},
    shard::Shard,
};

mod merge;
mod read;
mod write;

pub use self::{
    merge::{Differs, MAY_DIFFER, Merged, merge},
    read::{Problem, ReadError, Results},
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
    /// The command, so that anybody can run it again: without the options that name folders.
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

impl Header {
    /// The boots of the plan, in the order in which one host would measure them.
    pub fn keys(&self) -> impl Iterator<Item = Key<'_>> {
        (1..=self.runs).flat_map(move |run| {
            self.plan.iter().flat_map(move |machine| {
                let systems = self.systems.iter();
                systems.map(move |system| Key {
                    system,
                    machine,
                    run,
                })
            })
        })
    }

    /// The first field in which another header differs from this one, but for those named.
    pub fn difference(&self, other: &Self, but_for: &[&str]) -> Option<Difference> {
        let fields = |header: &Self| match serde_json::to_value(header) {
            Ok(Value::Object(fields)) => fields,
            _ => unreachable!("a header is an object, and its maps have strings as keys"),
        };
        let (ours, theirs) = (fields(self), fields(other));
        let mut all = ours
            .into_iter()
            .filter(|(field, _)| !but_for.contains(&field.as_str()));
        all.find_map(|(field, here)| {
            let there = theirs.get(&field).cloned().unwrap_or_default();
            (here != there).then_some(Difference { field, here, there })
        })
    }
}

/// Two headers do not agree: what they stand for is not to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field.
    pub field: String,
    /// Its value in one.
    pub here: Value,
    /// And in the other.
    pub there: Value,
}

impl Difference {
    /// What it is here and there, for people.
    pub fn in_words(&self) -> [String; 2] {
        [&self.here, &self.there].map(in_words)
    }
}

/// A machine by its name, and a list one by one.
fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(in_words).collect::<Vec<_>>().join(", "),
        _ => match Machine::deserialize(value) {
            Ok(machine) => machine.to_string(),
            Err(_) => value.to_string(),
        },
    }
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
    /// Bytes that it takes of the guest's memory.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bytes: Vec<u64>,
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Two boots each of two machines.
    pub(crate) fn header() -> Header {
        Header {
            schema: SCHEMA,
            started: "2026-11-22T10:00:00Z".to_owned(),
            command: "cargo xtask bench --smp 2,8 --runs 2".to_owned(),
            reveille: "0.1.0 0123abc".to_owned(),
            kernel: "crc32 0123abcd".to_owned(),
            qemu: "10.0.2".to_owned(),
            rustc: "1.95.0".to_owned(),
            host: Host {
                cpu: "a CPU".to_owned(),
                cpus: 2,
                memory_bytes: 1 << 34,
                system: "Debian 12, Linux 6.12".to_owned(),
            },
            systems: ours(),
            plan: vec![Machine::new(2), Machine::new(8)],
            strategies: vec!["parallel".to_owned(), "bare".to_owned()],
            runs: 2,
            rounds: 3,
            shard: None,
        }
    }

    /// One of them, which is ok.
    pub(crate) fn run(cpus: u32, run: u32) -> Run {
        let times = |times: [u64; 3]| Samples {
            online_ns: times.to_vec(),
            ..Samples::default()
        };
        Run {
            system: us(),
            machine: Machine::new(cpus),
            run,
            outcome: Outcome::Ok,
            elapsed_ns: 1_000_000_000,
            boot_online_ns: Some(5_000_000),
            load: Load::default(),
            host: None,
            samples: BTreeMap::from([
                ("parallel".to_owned(), times([5, 6, 7])),
                ("bare".to_owned(), times([4, 5, 6])),
            ]),
        }
    }

    #[test]
    fn a_line_reads_as_the_documentation_has_it() {
        let line = serde_json::to_string(&Line::Run(run(64, 1))).expect("it can be written");
        let start = r#"{"record":"run","system":"reveille","machine":{"chipset":"q35","accel":"tcg","smp":"64","words":"","model":null},"run":1,"outcome":"ok","elapsed_ns":"#;
        assert!(line.starts_with(start), "{line}");
        let end = r#""samples":{"bare":{"online_ns":[4,5,6]},"parallel":{"online_ns":[5,6,7]}}}"#;
        assert!(line.ends_with(end), "{line}");
        let failed = serde_json::to_string(&Outcome::Failed("no".to_owned()));
        assert_eq!(failed.expect("it can be written"), r#"{"failed":"no"}"#);
        let line = serde_json::to_string(&Line::Bench(header())).expect("it can be written");
        assert!(
            line.starts_with(r#"{"record":"bench","schema":1,"#),
            "{line}"
        );
    }

    #[test]
    fn headers_differ_in_what_was_measured_or_in_when_and_where() {
        let one = header();
        let mut two = header();
        two.started.clear();
        assert_eq!(one.difference(&two, &["started"]), None);
        let differs = one.difference(&two, &[]).expect("the times do");
        assert_eq!(differs.field, "started");
        two.rounds = 4;
        let differs = one.difference(&two, &["started"]).expect("the rounds do");
        assert_eq!((differs.here, differs.there), (3.into(), 4.into()));
    }

    #[test]
    fn the_boots_of_a_plan_take_turns() {
        let header = header();
        let keys: Vec<String> = header.keys().map(|key| key.to_string()).collect();
        assert_eq!(
            keys,
            [
                "q35 tcg 2, run 1",
                "q35 tcg 8, run 1",
                "q35 tcg 2, run 2",
                "q35 tcg 8, run 2"
            ]
        );
    }
}
