//! What somebody measured on the real machine, beside which a simulation can be held.

use std::time::Duration;

use reveille_smp::strategy::Strategy;
use serde::Deserialize;
use strum::Display;

/// A measured time.
#[derive(Clone, Debug, PartialEq)]
pub struct Total {
    /// The strategy of ours that does the same as what was measured.
    pub strategy: Strategy,
    /// What of the bring-up it is.
    pub part: Part,
    /// Which one it is, where there are several.
    pub name: Option<String>,
    /// How many CPUs the machine had.
    pub cpus: usize,
    /// The time.
    pub published: Duration,
    /// What it is good for.
    pub role: Use,
    /// By how many percent a simulation may miss it, where that was asked.
    pub within_percent: Option<f64>,
    /// Where it is from.
    pub source: String,
}

/// A part of a bring-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, Deserialize)]
#[strum(serialize_all = "kebab-case")]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// From the beginning until the last CPU is online.
    All,
    /// Until the last first thread of a core is online.
    FirstThreads,
    /// From there on, until the last of the other threads is.
    OtherThreads,
    /// What keeps the BSP busy before the CPUs are kicked, and the kicks.
    Prepare,
    /// All but that.
    Online,
}

/// What a measured time is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Display, Deserialize)]
#[strum(serialize_all = "kebab-case")]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// The model's costs come from it, so that agreement proves nothing.
    Calibrated,
    /// Nothing in the model comes from it: the simulation has to predict it.
    Validated,
    /// It is no prediction of ours, and shown to compare.
    Context,
}
