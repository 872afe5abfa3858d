//! The record `stuck-call`: a call that a CPU has not answered for long.

use alloc::{string::String, vec::Vec};

use crate::cpu::CpuIndex;

/// A call that was not answered within the limit. Whoever awaits it waits on.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StuckCall {
    /// The CPU that awaits it.
    pub from: CpuIndex,
    /// The CPU that is to run it.
    pub to: CpuIndex,
    /// How long it had been in that CPU's queue.
    pub since_ns: u64,
    /// Whether the CPU had begun to run it.
    pub begun: bool,
    /// Whether the CPU's interrupt was sent once more.
    pub reminded: bool,
    /// What the CPU did; `null` where it could not be asked.
    pub seen: Option<SeenCpu>,
    /// Why it could not.
    pub reason: Option<String>,
}

/// What a CPU did when it was asked by NMI. Addresses are in hexadecimal.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SeenCpu {
    /// The instruction that it was to run next.
    pub rip: String,
    /// Its flags.
    pub rflags: String,
    /// Its stack pointer.
    pub rsp: String,
    /// Whether it halted.
    pub halted: bool,
    /// Whether it took interrupts.
    pub interrupts: bool,
    /// Where the functions that it was in return to, innermost first.
    pub returns: Vec<String>,
}
