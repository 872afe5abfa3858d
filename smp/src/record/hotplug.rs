//! The record `hotplug`: a CPU was added, or was to be removed.

use alloc::string::String;

use crate::{
    cpu::{ApicId, CpuIndex},
    outcome::Outcome,
};

/// What came of a CPU that was added while the system ran, or that was to be removed. Written as soon as that
/// is known.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Hotplug {
    /// What happened.
    pub event: HotplugEvent,
    /// Our number of the CPU; `null` for one that has no slot.
    pub cpu: Option<CpuIndex>,
    /// Its APIC's id.
    pub apic_id: ApicId,
    /// What came of it.
    pub outcome: HotplugOutcome,
    /// The step in which the CPU failed.
    pub step: Option<String>,
    /// Why it failed, or was refused.
    pub reason: Option<String>,
    /// From when its turn came until it was online, or ejected, or the outcome was known otherwise.
    pub duration_ns: u64,
    /// How the kernel learned of it.
    pub source: HotplugSource,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum HotplugEvent {
    /// The CPU was added.
    Add,
    /// The CPU was to be removed.
    Remove,
}

/// What came of it: of an addition the outcome of the bring-up, by its name, of a removal its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(untagged))]
pub enum HotplugOutcome {
    /// Of an addition.
    Added(Outcome),
    /// Of a removal.
    Removal(Removal),
}

/// What came of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Removal {
    /// The CPU went down, if it was up, and was ejected.
    Removed,
    /// It is there still.
    Refused,
}

/// How the kernel learned of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "kebab-case")]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum HotplugSource {
    /// By the machine's system control interrupt.
    Sci,
    /// It looked.
    Poll,
}
