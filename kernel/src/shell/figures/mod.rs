//! What all CPUs show at a moment: where each is, what it has counted, how long it slept.
//!
//! The tables and the live view are functions of one moment, or of two; nothing else reads the CPUs
//! for them. Each figure is what its CPU had counted when it was read, so figures of one moment may
//! be a few events apart.

#![forbid(unsafe_code)]

use alloc::vec::Vec;

use reveille_executor::{Instant, Snapshot};
use reveille_smp::{
    call::Traffic,
    cpu::{ApicId, CpuIndex, Place},
};

use crate::cpus::idle::IdleTime;

mod rates;
#[cfg(target_os = "none")]
mod sample;
mod state;

pub(in crate::shell) use rates::share;
pub use rates::{Rates, RatesOfAll};
pub use state::CpuState;

/// All CPUs at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When that was.
    pub at: Instant,
    /// The CPUs, the BSP first, then those with numbers, lowest first, then the others that the
    /// firmware lists.
    pub cpus: Vec<CpuFigures>,
    /// What memory was in use.
    pub memory: MemoryFigures,
}

impl Moment {
    /// The CPU with this number.
    pub fn of(&self, cpu: CpuIndex) -> Option<&CpuFigures> {
        // Where all before it have numbers, a number is a place in the list.
        let likely = self.cpus.get(cpu.as_usize());
        let is_it = |it: &&CpuFigures| it.cpu == Some(cpu);
        likely
            .filter(is_it)
            .or_else(|| self.cpus.iter().find(is_it))
    }

    /// The CPUs that are there: not those that may be added, or that have no place to come to.
    pub fn present(&self) -> impl Iterator<Item = &CpuFigures> {
        self.cpus.iter().filter(|it| it.state.is_present())
    }
}

/// One CPU at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuFigures {
    /// Its number, if it has one.
    pub cpu: Option<CpuIndex>,
    /// Its APIC's id.
    pub apic_id: ApicId,
    /// Where it sits.
    pub place: Place,
    /// Where it is on the ladder, or why it is not there.
    pub state: CpuState,
    /// Since when it is online, or is not any more; `None` if it never was.
    pub since: Option<Instant>,
    /// What it has counted in all its lives.
    pub counts: Counts,
    /// How long it has been online in all of them, and slept.
    pub time: IdleTime,
}

/// What a CPU has counted since the boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// By its executor.
    pub executor: Snapshot,
    /// By its queue of calls.
    pub calls: Traffic,
}

impl Counts {
    /// Interrupts that were sent to the CPU: by wakes of its tasks, and for calls.
    pub fn ipis(&self) -> u64 {
        self.executor
            .doorbells_sent
            .saturating_add(self.calls.interrupts)
    }

    /// Interrupts that wakes of its tasks did without, because it was awake.
    pub fn saved(&self) -> u64 {
        self.executor.doorbells_saved
    }
}

/// What memory is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryFigures {
    /// Bytes of the heap that are allocated.
    pub heap_in_use: u64,
    /// Bytes of the heap that are free.
    pub heap_free: u64,
    /// Frames that somebody owns, the heap's among them.
    pub frames_in_use: u64,
    /// Frames that are free.
    pub frames_free: u64,
}

#[cfg(test)]
pub(super) mod for_tests;
