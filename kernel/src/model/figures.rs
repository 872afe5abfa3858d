//! What a model takes: a machine's shape, and the time of each part of a CPU's way up on it.
//!
//! The parts are the simulator's (`tests/src/sim/model/`), as far as a model needs them that the kernel has.

#![forbid(unsafe_code)]

use core::time::Duration;

use reveille_smp::step::{Mode, Section};

use super::log_uniform::LogUniform;

/// All figures of a model.
#[derive(Clone, Debug)]
pub struct Figures {
    /// What it stands for, in a line.
    pub title: &'static str,
    /// Its packages.
    pub packages: u32,
    /// Cores of a package.
    pub cores: u32,
    /// Threads of a core.
    pub threads: u32,
    /// What the BSP takes for an INIT.
    pub init: Duration,
    /// What it takes for a SIPI.
    pub sipi: Duration,
    /// From there until the first thread of a core answers.
    pub first_threads_answer: Duration,
    /// The same of the core's other threads.
    pub other_threads_answer: LogUniform,
    /// What is done for each CPU, in the ladder's order.
    pub steps: &'static [Step],
}

/// A step that takes time.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name. It is that of none of the kernel's own.
    pub name: &'static str,
    /// Where it runs.
    pub section: Section,
    /// Its place among the kernel's own steps of that section.
    pub rank: u16,
    /// Whether it may run on several CPUs at once.
    pub mode: Mode,
    /// Whether the first thread of a core passes it before the others are kicked.
    pub primaries_first: bool,
    /// What it takes upwards, one after the other. The way down takes nothing.
    pub up: &'static [Piece],
}

/// Some time that passes for some CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Whom it occupies.
    pub on: On,
    /// For which CPUs it is done at all.
    pub who: Who,
    /// How long it takes.
    pub time: Duration,
}

/// Whom a piece of work occupies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The BSP.
    Bsp,
    /// The CPU that is on its way.
    Ap,
    /// That CPU together with one of the BSP's package that is online, the BSP where there is none.
    Pair,
}

/// For which CPUs something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// All of them.
    Every,
    /// The first thread of each core.
    FirstThreads,
    /// The other threads.
    OtherThreads,
    /// The lowest CPU of each package but the BSP's.
    FirstOfPackage,
}

impl Figures {
    /// CPUs of the machine.
    pub const fn cpus(&self) -> u32 {
        self.packages * self.cores * self.threads
    }
}

impl Piece {
    /// Of the BSP's time, for every CPU.
    pub const fn bsp(time: Duration) -> Self {
        Self {
            on: On::Bsp,
            who: Who::Every,
            time,
        }
    }

    /// Of each AP's own time.
    pub const fn ap(time: Duration) -> Self {
        Self {
            on: On::Ap,
            who: Who::Every,
            time,
        }
    }

    /// The same for these alone.
    #[must_use]
    pub const fn of(self, who: Who) -> Self {
        Self { who, ..self }
    }
}
