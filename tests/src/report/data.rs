//! What a report shows, as the page gets it.
//!
//! **A figure that is not there is null, and a sentence in [`Report::missing`] says so.** None of them is computed
//! here: they are those of the summaries that the tables on the terminal are made from.
//!
//! Times are integers in nanoseconds, and their names end in `_ns`.

use serde::{Deserialize, Serialize};

use crate::{bench::host::Host, bootchart::BootChart};

/// All that a report shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What stands at its head.
    pub title: String,
    /// The files of results that it is made from.
    pub origins: Vec<Origin>,
    /// Who took how long, machine by machine.
    pub cells: Vec<Cell>,
    /// What more CPUs cost, size by size.
    pub growth: Vec<GrowthPoint>,
    /// Ours beside Linux, where that was measured.
    pub linux: Option<Linux>,
    /// Boots to look at.
    pub boots: Vec<Boot>,
    /// What calls between CPUs took.
    pub heat: Vec<Heat>,
    /// What is not there, and which command would make it: a sentence each.
    pub missing: Vec<String>,
}

/// A file of results: how it came to be. What the file does not tell is null, or in words `unknown`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// Its name, or that of its folder, and nothing of where that is.
    pub file: String,
    /// When, as RFC 3339 has it.
    pub started: Option<String>,
    /// The command.
    pub command: Option<String>,
    /// Our version and commit.
    pub reveille: String,
    /// The version of QEMU.
    pub qemu: String,
    /// The version of the compiler that built the kernel.
    pub rustc: String,
    /// What tells the kernel's image from another build.
    pub kernel: String,
    /// The hosts, of which a file that was joined may have several.
    pub hosts: Vec<Host>,
    /// Boots of each machine that were asked for.
    pub runs: Option<u32>,
    /// Warm rounds of each boot.
    pub rounds: Option<u32>,
    /// Boots that did all that was asked for.
    pub boots_ok: u32,
    /// Boots that did not.
    pub boots_failed: u32,
    /// Of those that did, on a host that was busy otherwise; null where one of them does not tell.
    pub busy_boots: Option<u32>,
}

/// One strategy or yardstick of ours on one machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The machine, as a person tells it by.
    pub machine: String,
    /// Its CPUs.
    pub cpus: u32,
    /// Who, such as `parallel` or `bare`.
    pub contender: String,
    /// Whether it measures what is possible, and is no way to boot.
    pub is_yardstick: bool,
    /// Boots that did all that was asked for.
    pub boots: u32,
    /// Boots that did not.
    pub failed: u32,
    /// Why, a sentence each.
    pub failures: Vec<String>,
    /// Of those that did, on a host that was busy otherwise; null where one of them does not tell.
    pub busy: Option<u32>,
    /// The median of boots, each of which is the median of its rounds.
    pub median_ns: Option<u64>,
    /// The lower end of where that median lies.
    pub low_ns: Option<u64>,
    /// The upper end.
    pub high_ns: Option<u64>,
    /// So many rounds were measured in all boots.
    pub rounds: u32,
    /// The shortest of all rounds, the quartiles and the longest.
    pub five_ns: Option<[u64; 5]>,
    /// All rounds, to be drawn; of very many, quantiles at equal distances.
    pub samples_ns: Vec<u64>,
    /// How many times longer than `parallel`, within a boot: the median of boots.
    pub ratio: Option<f64>,
    /// The lower end of where that median lies.
    pub ratio_low: Option<f64>,
    /// The upper end.
    pub ratio_high: Option<f64>,
    /// What the intervals are worth, of that of the time and that of the ratio the lower: in this share of all
    /// benchmarks of as many boots such an interval has the median inside. Of few boots that is little.
    pub level: Option<f64>,
}

/// What a number of CPUs costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GrowthPoint {
    /// The machine, as a person tells it by.
    pub machine: String,
    /// CPUs, the boot processor among them.
    pub cpus: u32,
    /// What: a time, or bytes.
    pub what: Quantity,
    /// The median of boots.
    pub median: Option<f64>,
    /// The lower end of where that lies.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// What the interval is worth, as [`Cell::level`] says.
    pub level: Option<f64>,
    /// Of so many boots, which are those that stand in it.
    pub boots: u32,
}

/// What is measured as machines grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// Nanoseconds until all are online, warm.
    Online,
    /// Nanoseconds until all are online, in the boot's own bring-up.
    Cold,
    /// Bytes of the guest's memory that APs take.
    GuestMemory,
    /// Nanoseconds of the host's CPUs that APs take.
    HostCpu,
    /// Bytes that QEMU had resident.
    QemuMemory,
}

/// Ours beside Linux.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Linux {
    /// Machine by machine, ours first.
    pub rows: Vec<LinuxRow>,
}

/// A system on a machine: until all its CPUs were online.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinuxRow {
    /// The machine, as a person tells it by.
    pub machine: String,
    /// Its CPUs.
    pub cpus: u32,
    /// Whom it measured.
    pub system: String,
    /// Whether it is the first bring-up of a boot, as Linux's always is.
    pub is_cold: bool,
    /// Boots that gave times that stand.
    pub boots: u32,
    /// Whether the host was busy otherwise in all of these, so that they are not alike with those of a quiet one.
    pub busy: bool,
    /// Boots on a busy host that are in no figure, as there are others.
    pub left_out: u32,
    /// Boots that did not: they broke, were late, or were not tried.
    pub failed: u32,
    /// The median.
    pub median_ns: Option<u64>,
    /// The shortest.
    pub low_ns: Option<u64>,
    /// The longest; none if that was not up within the limit.
    pub high_ns: Option<u64>,
}

/// A boot to look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Boot {
    /// The machine, as a person tells it by.
    pub machine: String,
    /// Its CPUs.
    pub cpus: u32,
    /// What there is to draw.
    pub chart: BootChart,
}

/// Calls between all pairs of CPUs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heat {
    /// The machine, as a person tells it by.
    pub machine: String,
    /// The CPUs that called or were called.
    pub cpus: Vec<u32>,
    /// Calls of each pair.
    pub samples: u32,
    /// What they took.
    pub pairs: Vec<Pair>,
}

/// Calls from one CPU to another, there and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Who called.
    pub from: u32,
    /// Who answered.
    pub to: u32,
    /// The median.
    pub p50_ns: Option<u64>,
    /// Of a hundred the last but one.
    pub p99_ns: Option<u64>,
    /// The longest.
    pub max_ns: Option<u64>,
}
