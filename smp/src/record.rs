//! The machine-readable form of what happened: one JSON object a line, told apart by `record`.
//!
//! Times are integers in nanoseconds, counted from the first INIT of the round unless the name
//! says otherwise; a time that does not exist is `null`. The kernel writes these types and the
//! host reads the same ones, so the two cannot drift apart.

use alloc::string::String;

use crate::{
    cpu::{ApicId, CpuIndex},
    outcome::Outcome,
};

/// The version of the records' format, in the field `schema` of [`Boot`].
pub const SCHEMA: u32 = 1;

/// One line of the record channel.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "record", rename_all = "kebab-case"))]
pub enum Record {
    /// The machine, written once.
    Boot(Boot),
    /// One CPU in round 0.
    Cpu(Cpu),
    /// One round of one strategy.
    Bringup(Bringup),
    /// One round of the floor.
    Floor(Floor),
    /// One round of the bare bring-up.
    Bare(Bare),
    /// The kernel's verdict, written last.
    Exit(Exit),
}

/// The machine as the kernel found it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Boot {
    /// [`SCHEMA`].
    pub schema: u32,
    /// OEM and table ids of the MADT, such as `BOCHS BXPC`; `unknown` where there is none.
    pub machine: String,
    /// The hypervisor's CPUID signature, such as `TCGTCGTCGTCG`; `none` without one.
    pub accel_hint: String,
    /// CPUs in the MADT, the disabled ones included.
    pub cpus_listed: u32,
    /// CPUs in the MADT that are enabled.
    pub cpus_enabled: u32,
    /// `xapic` or `x2apic`.
    pub apic: String,
    /// Frequency of the time stamp counter.
    pub tsc_hz: u64,
    /// What the frequency was taken from.
    pub clock_source: String,
    /// From the kernel's entry to the first INIT; `null` when none was sent.
    pub entry_to_kick_ns: Option<u64>,
}

/// One CPU in round 0.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cpu {
    /// Our number; `null` for a CPU that is disabled.
    pub cpu: Option<CpuIndex>,
    /// Its APIC id.
    pub apic_id: ApicId,
    /// Its package.
    pub package: Option<u32>,
    /// Its core within the package.
    pub core: Option<u32>,
    /// Its thread within the core.
    pub thread: Option<u32>,
    /// How its bring-up ended.
    pub outcome: Outcome,
    /// The online step in which it failed.
    pub step: Option<String>,
    /// Why it failed or was skipped.
    pub reason: Option<String>,
    /// SIPIs sent to it.
    pub sipis: u32,
    /// INIT sent.
    pub init_ns: Option<u64>,
    /// First SIPI sent.
    pub sipi_ns: Option<u64>,
    /// It ran in real mode.
    pub real_ns: Option<u64>,
    /// It ran in long mode.
    pub long_ns: Option<u64>,
    /// It ran in Rust, with its tables and APIC set up.
    pub alive_ns: Option<u64>,
    /// It had run its online steps and polled its executor.
    pub online_ns: Option<u64>,
    /// Polls of its task on the BSP.
    pub polls: u32,
    /// The attempt, from 0, of which this is told.
    #[cfg_attr(feature = "serde", serde(default))]
    pub attempt: u32,
}

impl Cpu {
    /// A record of a CPU that nobody woke: no place, no times, no polls.
    pub fn unwoken(cpu: Option<CpuIndex>, apic_id: ApicId, outcome: Outcome) -> Self {
        Self {
            cpu,
            apic_id,
            package: None,
            core: None,
            thread: None,
            outcome,
            step: None,
            reason: None,
            sipis: 0,
            init_ns: None,
            sipi_ns: None,
            real_ns: None,
            long_ns: None,
            alive_ns: None,
            online_ns: None,
            polls: 0,
            attempt: 0,
        }
    }
}

/// One round of one strategy.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bringup {
    /// The strategy's name.
    pub strategy: String,
    /// 0 is the boot's own bring-up, and cold.
    pub round: u32,
    /// APs planned.
    pub aps: u32,
    /// APs that came online.
    pub online: u32,
    /// APs that did not.
    pub failed: u32,
    /// The last first SIPI.
    pub kick_ns: Option<u64>,
    /// The last AP alive.
    pub alive_ns: Option<u64>,
    /// The last AP online: the headline.
    pub online_ns: Option<u64>,
    /// Until every outcome was known.
    pub total_ns: u64,
    /// Polls of all the APs' tasks.
    pub polls: u32,
    /// Polls that found nothing new.
    pub spurious_polls: u32,
    /// Doorbells that APs rang because the BSP slept.
    pub doorbells: u64,
    /// In round 0 the attempt, from 0: what is missing may be tried again. Else 0.
    #[cfg_attr(feature = "serde", serde(default))]
    pub attempt: u32,
}

/// One round of the floor: one broadcast INIT and SIPI to a stub whose APs count and halt.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Floor {
    /// The round.
    pub round: u32,
    /// CPUs that counted: the APs, and who else a broadcast starts.
    pub aps: u32,
    /// Until the last one had.
    pub total_ns: u64,
}

/// One round of the bare bring-up: the same trampoline into Rust, an IPI in order to each halted
/// AP and its answer, without executor and steps.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bare {
    /// The round.
    pub round: u32,
    /// APs that answered.
    pub aps: u32,
    /// The last AP ran in Rust.
    pub alive_ns: Option<u64>,
    /// The last AP had answered its IPI.
    pub online_ns: Option<u64>,
}

/// The kernel's verdict.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Exit {
    /// How the run ended.
    pub status: ExitStatus,
    /// Why it failed; `null` when it did not.
    pub reason: Option<String>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum ExitStatus {
    /// All that was asked for was done.
    Ok,
    /// It was not.
    Failed,
}

/// What the kernel writes to QEMU's isa-debug-exit device, which turns a value `v` into the
/// process's exit status `v << 1 | 1` (QEMU, `hw/misc/debugexit.c`). Values below 2 would collide
/// with QEMU's own statuses.
pub mod exit_code {
    /// All that was asked for was done: QEMU ends with 0x21.
    pub const OK: u8 = 0x10;
    /// The run failed and said why: QEMU ends with 0x23.
    pub const FAILED: u8 = 0x11;
    /// A CPU panicked or took an exception: QEMU ends with 0x25.
    pub const PANICKED: u8 = 0x12;
}
