//! The names of a CPU: by its APIC, by our numbering, by its place in the machine.

use core::fmt;

/// The id of a local APIC: 8 bits in xAPIC mode, 32 bits in x2APIC mode (SDM volume 3, "Local
/// APIC ID"). Ids may have holes, so an id is no index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct ApicId(pub u32);

impl fmt::Display for ApicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Our number of a CPU: 0 is the BSP, the others follow in MADT order without the disabled ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct CpuIndex(pub u32);

impl CpuIndex {
    /// The boot processor.
    pub const BSP: Self = Self(0);

    /// The number as an index into a list that has one element a CPU.
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for CpuIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a CPU sits: its package, its core in the package, its thread in the core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Number of the package (socket).
    pub package: u32,
    /// Number of the core within its package.
    pub core: u32,
    /// Number of the thread within its core.
    pub thread: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Through `pad`, so that a width in the format applies to the whole.
        f.pad(&alloc::format!(
            "{}/{}/{}",
            self.package,
            self.core,
            self.thread
        ))
    }
}
