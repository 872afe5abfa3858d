//! VMMs that are known by the OEM's name in their ACPI tables.
//!
//! CPUID does not tell: the guests of these see KVM's signature, as those of others do. **The first word is the
//! whole name**, or it is another's.

/// A VMM of which more is known than what its tables say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vmm {
    /// Firecracker, which has tables since 1.8 (`src/vmm/src/acpi/mod.rs`).
    Firecracker,
    /// Cloud Hypervisor (`vmm/src/acpi.rs`).
    CloudHypervisor,
}

impl Vmm {
    /// The one that made tables with these names: the OEM's, and the table's behind it.
    pub fn of_oem(oem: &str) -> Option<Self> {
        match oem.split_whitespace().next()? {
            "FIRECK" => Some(Self::Firecracker),
            "CLOUDH" => Some(Self::CloudHypervisor),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vmm_is_known_by_the_whole_of_its_name_alone() {
        assert_eq!(Vmm::of_oem("FIRECK FCVMMADT"), Some(Vmm::Firecracker));
        assert_eq!(Vmm::of_oem("CLOUDH CHMADT"), Some(Vmm::CloudHypervisor));
        for oem in [
            "BOCHS BXPC",
            "unknown",
            "",
            "FIRECKS FC",
            "FIRECKER X",
            "X FIRECK",
        ] {
            assert_eq!(Vmm::of_oem(oem), None, "{oem}");
        }
    }
}
