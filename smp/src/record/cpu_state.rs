//! The record `cpu_state`: where one CPU sits, how far it is in line with the BSP, and what was done
//! about it.

use alloc::{string::String, vec::Vec};

use crate::cpu::{ApicId, CpuIndex};

/// One CPU that is there, as it was found once all outcomes of the bring-up were known. Of a CPU that
/// was not looked at, because it never came so far or nobody was to look, the parts say so.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CpuState {
    /// Our number of it.
    pub cpu: CpuIndex,
    /// Its APIC's id.
    pub apic_id: ApicId,
    /// Where it sits.
    pub topology: Topology,
    /// Its control registers and memory types.
    pub registers: Registers,
    /// What it can do.
    pub features: Features,
    /// Its time stamp counter.
    pub clock: Clock,
}

/// Where a CPU sits, by what it says of itself. A part that no source of this machine tells is `null`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Topology {
    /// The CPUID leaf that it was taken from, in hexadecimal digits, such as `1f`, `b`, `80000026`;
    /// `null` for a CPU that was not looked at.
    pub source: Option<String>,
    /// Its package.
    pub package: Option<u32>,
    /// Its die within the package.
    pub die: Option<u32>,
    /// Its core within the die, or within the package where no die is told.
    pub core: Option<u32>,
    /// Its thread within the core.
    pub thread: Option<u32>,
    /// Its NUMA node: the proximity domain of ACPI's SRAT.
    pub node: Option<u32>,
    /// What the sources contradict each other in, a sentence each. Then none of them is trusted more
    /// than the APIC's own id.
    pub contradictions: Vec<String>,
}

/// The registers that all CPUs of a machine must have alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Registers {
    /// Whether they were looked at.
    pub checked: bool,
    /// What was not as on the BSP.
    pub differences: Vec<Difference>,
    /// The protections that are on: of `nx`, `wp`, `smep`, `smap`, `umip`.
    pub protection: Vec<String>,
    /// Whether the CPU takes machine checks (CR4.MCE).
    pub machine_checks: bool,
}

/// A register that was not as on the BSP. Values are written in hexadecimal, with `0x`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Difference {
    /// Its name, such as `cr4`, `pat`, `mtrr-def-type`, `mtrr-phys-base0`.
    pub register: String,
    /// Its value on the BSP.
    pub bsp: String,
    /// The value that was found.
    pub found: String,
    /// What it is now.
    pub now: String,
    /// What was done.
    pub remedy: Remedy,
    /// Why it was not set right; `null` where it was.
    pub reason: Option<String>,
}

/// What was done about a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Remedy {
    /// It is now as on the BSP.
    SetRight,
    /// It is told of, and left as it is.
    Reported,
}

/// What a CPU can do, compared with the BSP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Features {
    /// Whether they were compared.
    pub compared: bool,
    /// What the BSP has and this CPU lacks: names as in `fault=CPU:feature=NAME`, or leaf, register
    /// and bit where a feature has no name here.
    pub missing: Vec<String>,
    /// What this CPU has and the BSP lacks.
    pub surplus: Vec<String>,
}

/// The time stamp counter of a CPU, compared with the BSP's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Clock {
    /// By how much it is ahead of the BSP's, in nanoseconds; negative where it is behind. `null` where
    /// it was not measured, or cannot be compared.
    pub offset_ns: Option<i64>,
    /// The offset is certain to this many nanoseconds, both ways.
    pub uncertainty_ns: Option<u64>,
    /// Exchanges with the BSP that the offset was found from.
    pub exchanges: u32,
    /// How `IA32_TSC_ADJUST` differed from the BSP's; `null` where it did not, or is not there.
    pub tsc_adjust: Option<Difference>,
    /// Why its times cannot be compared with the BSP's; `null` where they can.
    pub reason: Option<String>,
}
