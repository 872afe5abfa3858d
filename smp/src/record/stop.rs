//! The record `stop`: the machine was stopped, so many times.

use alloc::{string::String, vec::Vec};

use crate::{cpu::CpuIndex, spread::Spread};

/// The machine was stopped from CPUs chosen at random, so many times, and what ran meanwhile was watched.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Stop {
    /// Stops that were asked for.
    pub asked: u32,
    /// CPUs that were online, the BSP among them.
    pub cpus: u32,
    /// Stops after which all was as it should be.
    pub done: u32,
    /// Those after which it was not.
    pub failed: u32,
    /// Those of all that were called while another CPU called too.
    pub together: u32,
    /// Why the first one failed.
    pub reason: Option<String>,
    /// The CPUs that did not come, to any of them.
    pub missing: Vec<CpuIndex>,
    /// Those in which the caller alone ran something.
    pub one: Option<StopTimes>,
    /// Those in which all did.
    pub all: Option<StopTimes>,
    /// Whether it was ended before all that was asked for was done.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "super::is_false")
    )]
    pub interrupted: bool,
    /// All stops together.
    pub duration_ns: u64,
}

/// How long the machine was stopped, of those stops that were done.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StopTimes {
    /// How many there were.
    pub samples: u32,
    /// From the first interrupt until all stood.
    pub gathering_ns: Spread,
    /// From the first interrupt until all could go on.
    pub total_ns: Spread,
}

impl StopTimes {
    /// The times of some stops; `None` when there are none.
    pub fn of(gathering: &mut [u64], total: &mut [u64]) -> Option<Self> {
        Some(Self {
            samples: total.len() as u32,
            gathering_ns: Spread::of(gathering)?,
            total_ns: Spread::of(total)?,
        })
    }
}
