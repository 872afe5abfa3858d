//! One boot as a chart: a lane a CPU, a colour a stage, and above them what the boot processor did meanwhile.
//!
//! A [`BootChart`] is what there is to draw, whoever draws it. It is made from the records of a boot, those of
//! a trace among them where there is one, and can be kept as JSON.
//!
//! Times are nanoseconds from the first INIT, or the first request in a mailbox, by the boot processor's clock.

pub mod gap;
mod of;
pub mod stage;
pub mod svg;
mod traced;

use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    outcome::Outcome,
};
use serde::{Deserialize, Serialize};

use self::gap::Gap;

/// What there is to draw of a boot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BootChart {
    /// What the kernel calls the machine, and the hypervisor: `BOCHS BXPC`, `TCGTCGTCGTCG`.
    pub machine: String,
    /// The hypervisor's CPUID signature; `none` without one.
    pub hypervisor: String,
    /// The published machine whose times the kernel kept to.
    #[serde(default)]
    pub model: Option<String>,
    /// How the CPUs were started, such as `parallel`.
    pub strategy: String,
    /// APs that were to come up.
    pub aps: u32,
    /// APs that came online.
    pub online: u32,
    /// The last AP online: the headline.
    pub online_ns: Option<u64>,
    /// Until every outcome was known.
    pub total_ns: u64,
    /// The CPUs: the boot processor first, then as the firmware lists them.
    pub lanes: Vec<Lane>,
    /// What the boot processor did meanwhile, in the order of time. `None` where the boot was not traced, or
    /// not from its beginning on.
    #[serde(default)]
    pub bsp: Option<Vec<Span>>,
    /// What had to be done for one CPU at a time, in the order of time. `None` as above.
    #[serde(default)]
    pub serialised: Option<Vec<Turn>>,
    /// What the trace of the boot, if there is one, does not tell of these two.
    #[serde(default)]
    pub gaps: Vec<Gap>,
}

impl BootChart {
    /// The times of each lane that count for the length of an axis. A clock that was not compared with the boot
    /// processor's may be seconds ahead, and would leave the others no room: of it only the kick counts. Where nobody's
    /// was compared there are no others, and all of them count.
    pub fn times_on_axis(&self) -> impl Iterator<Item = stage::Milestones> {
        let known = |lane: &Lane| lane.times.on_one_clock(lane.uncertainty_ns);
        let is_compared = |lane: &Lane| known(lane) != lane.times.of_kick();
        let are_compared = self.lanes.iter().any(is_compared);
        self.lanes.iter().map(move |lane| match are_compared {
            true => known(lane),
            false => lane.times,
        })
    }
}

/// One CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// Our number; `None` for a CPU that the firmware lists as disabled.
    pub cpu: Option<CpuIndex>,
    /// Its APIC's id.
    pub apic_id: ApicId,
    /// Package, core and thread, such as `0/3/1`; `None` where nobody knows.
    #[serde(default)]
    pub place: Option<String>,
    /// How its bring-up ended.
    pub outcome: Outcome,
    /// The step in which it failed.
    #[serde(default)]
    pub step: Option<String>,
    /// Why it failed or was skipped, in words for a person.
    #[serde(default)]
    pub reason: Option<String>,
    /// When it came to where: the beginnings of the stages, in their order, as far as it came.
    pub times: stage::Milestones,
    /// SIPIs that were sent to it, or requests for it.
    pub sipis: u32,
    /// Polls of its task on the boot processor.
    pub polls: u32,
    /// How far its own times can be trusted; `None` where its clock could not be compared.
    pub uncertainty_ns: Option<u64>,
}

/// What the boot processor did for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// What.
    pub doing: Doing,
    /// From when.
    pub began_ns: u64,
    /// Until when.
    pub ended_ns: u64,
}

/// What the boot processor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doing {
    /// Its executor polls a task.
    Poll,
    /// It halts.
    Sleep,
}

/// A step that had to be done for one CPU at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// For whom.
    pub cpu: CpuIndex,
    /// Which step.
    pub step: String,
    /// From when.
    pub began_ns: u64,
    /// Until when.
    pub ended_ns: u64,
}
