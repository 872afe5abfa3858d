//! CR0, CR4 and EFER: which of their bits all CPUs must have alike, and what one CPU may set.
//!
//! They concern only the CPU that they are in, so an AP sets them by itself. A bit that it does not
//! have by its own CPUID is never set: that would be an exception.

use alloc::{format, string::String, vec::Vec};

use crate::{
    consistency::features::FeatureSet,
    cpuid::{Cpuid, Leaf},
};

/// CR0 but for TS, which tells of the last task, and ET, which nobody can change (SDM volume 3, "Control
/// Registers").
pub(super) const CR0_COMPARED: u64 = !(1 << 3 | 1 << 4);

/// CR4 but for VMXE and SMXE: whoever runs guests or measured code on a CPU turns them on there, and
/// off behind that.
pub(super) const CR4_COMPARED: u64 = !(1 << 13 | 1 << 14);

/// EFER's SCE, LME, NXE, LMSLE, FFXSR and TCE. LMA follows from others, and SVME is of whoever runs guests on a
/// CPU (APM volume 2, "Extended Feature Enable Register").
pub(super) const EFER_COMPARED: u64 = 1 | 1 << 8 | 1 << 11 | 1 << 13 | 1 << 14 | 1 << 15;

/// CR4.LA57 cannot be changed in long mode.
const CR4_FIXED: u64 = 1 << 12;

/// Where CPUID tells of a feature.
#[derive(Clone, Copy)]
enum Told {
    Leaf1Ecx(u32),
    Leaf1Edx(u32),
    Leaf7Ebx(u32),
    Leaf7Ecx(u32),
    Leaf7Edx(u32),
    /// Every CPU with long mode has it.
    Always,
}

use Told::{Always, Leaf1Ecx, Leaf1Edx, Leaf7Ebx, Leaf7Ecx, Leaf7Edx};

/// The bits of CR4, each with its name and with what tells that it is there (SDM volume 3, "Control
/// Registers"). One that is not in the list is never set.
const CR4_BITS: [(u32, &str, Told); 23] = [
    (0, "vme", Leaf1Edx(1)),
    (1, "pvi", Leaf1Edx(1)),
    (2, "tsd", Leaf1Edx(4)),
    (3, "de", Leaf1Edx(2)),
    (4, "pse", Leaf1Edx(3)),
    (5, "pae", Always),
    (6, "mce", Leaf1Edx(7)),
    (7, "pge", Leaf1Edx(13)),
    (8, "pce", Always),
    (9, "osfxsr", Leaf1Edx(24)),
    (10, "osxmmexcpt", Leaf1Edx(25)),
    (11, "umip", Leaf7Ecx(2)),
    (12, "la57", Leaf7Ecx(16)),
    (16, "fsgsbase", Leaf7Ebx(0)),
    (17, "pcide", Leaf1Ecx(17)),
    (18, "osxsave", Leaf1Ecx(26)),
    (19, "kl", Leaf7Ecx(23)),
    (20, "smep", Leaf7Ebx(7)),
    (21, "smap", Leaf7Ebx(20)),
    (22, "pke", Leaf7Ecx(3)),
    (23, "cet", Leaf7Ecx(7)),
    (24, "pks", Leaf7Ecx(31)),
    (25, "uintr", Leaf7Edx(5)),
];

/// What a CPU says of itself, as far as these registers go. Each leaf is an exit under a hypervisor.
pub(super) struct Own {
    leaf1: Leaf,
    leaf7: Leaf,
}

impl Own {
    /// Asks a CPU.
    pub(super) fn of(cpu: &impl Cpuid) -> Self {
        const STRUCTURED_FEATURES: u32 = 7;
        let none = Leaf {
            eax: 0,
            ebx: 0,
            ecx: 0,
            edx: 0,
        };
        let last = cpu.leaf(0, 0).eax;
        let leaf = |leaf| {
            if leaf <= last {
                cpu.leaf(leaf, 0)
            } else {
                none
            }
        };
        Self {
            leaf1: leaf(1),
            leaf7: leaf(STRUCTURED_FEATURES),
        }
    }

    /// What it has noted of itself before: no further exits, and a feature that is hidden from it on
    /// demand is not there.
    pub(super) fn noted(features: &FeatureSet) -> Self {
        let [ecx, edx, _, seven_ebx, seven_ecx, seven_edx, ..] = features.0;
        Self {
            leaf1: Leaf {
                eax: 0,
                ebx: 0,
                ecx,
                edx,
            },
            leaf7: Leaf {
                eax: 0,
                ebx: seven_ebx,
                ecx: seven_ecx,
                edx: seven_edx,
            },
        }
    }

    /// Whether it has MTRRs.
    pub(super) fn has_mtrrs(&self) -> bool {
        self.leaf1.edx & 1 << 12 != 0
    }

    /// Whether it has a PAT.
    pub(super) fn has_pat(&self) -> bool {
        self.leaf1.edx & 1 << 16 != 0
    }

    /// The bits of CR4 that it has and that may be set in long mode.
    pub(super) fn cr4_settable(&self) -> u64 {
        let has = |told| match told {
            Leaf1Ecx(bit) => self.leaf1.ecx >> bit & 1 != 0,
            Leaf1Edx(bit) => self.leaf1.edx >> bit & 1 != 0,
            Leaf7Ebx(bit) => self.leaf7.ebx >> bit & 1 != 0,
            Leaf7Ecx(bit) => self.leaf7.ecx >> bit & 1 != 0,
            Leaf7Edx(bit) => self.leaf7.edx >> bit & 1 != 0,
            Always => true,
        };
        let bits = CR4_BITS.iter().filter(|(_, _, told)| has(*told));
        bits.fold(0, |set, (bit, ..)| set | 1 << bit) & !CR4_FIXED
    }
}

/// The bits of EFER that a CPU has and that may be set in long mode.
pub(super) fn efer_settable(cpu: &impl Cpuid) -> u64 {
    let Leaf { ecx, edx, .. } = cpu.extended(0x8000_0001, 0);
    let told = [
        (0, edx >> 11 & 1),
        (11, edx >> 20 & 1),
        (14, edx >> 25 & 1),
        (15, ecx >> 17 & 1),
    ];
    told.iter()
        .fold(0, |set, &(bit, is_there)| set | u64::from(is_there) << bit)
}

/// What a register is to be made of what it is: like the BSP's in the bits that are compared, but for
/// those that cannot be set here.
pub(super) fn aim(found: u64, bsp: u64, compared: u64, settable: u64) -> u64 {
    let set = bsp & !found & compared & settable;
    let clear = found & !bsp & compared & !CR4_FIXED;
    found & !clear | set
}

/// Why CR4 could not be made like the BSP's.
pub(super) fn cr4_reason(now: u64, bsp: u64) -> String {
    let wrong = (now ^ bsp) & CR4_COMPARED;
    if wrong & CR4_FIXED != 0 {
        return "la57 cannot be changed in long mode".into();
    }
    let missing: Vec<_> = CR4_BITS
        .iter()
        .filter(|(bit, ..)| (wrong & bsp) >> bit & 1 != 0)
        .map(|(_, name, _)| *name)
        .collect();
    match missing[..] {
        [] => "it did not take what was written to it".into(),
        _ => format!("this CPU does not have {}", missing.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::Recorded;

    const PAE: u64 = 1 << 5;
    const DE: u64 = 1 << 3;
    const SMEP: u64 = 1 << 20;
    const SMAP: u64 = 1 << 21;

    fn cr4_of(found: u64, bsp: u64, cpu: &Recorded<'_>) -> u64 {
        aim(found, bsp, CR4_COMPARED, Own::of(cpu).cr4_settable())
    }

    #[test]
    fn a_bit_that_the_cpu_does_not_have_is_never_set() {
        let cpu = Recorded(&[
            (0, 0, [7, 0, 0, 0]),
            (1, 0, [0, 0, 0, 1 << 2]),
            (7, 0, [0, 1 << 7, 0, 0]),
        ]);
        assert_eq!(cr4_of(PAE, PAE | SMEP | SMAP, &cpu), PAE | SMEP);
        assert_eq!(
            cr4_reason(PAE | SMEP, PAE | SMEP | SMAP),
            "this CPU does not have smap"
        );
        let old = Recorded(&[(0, 0, [6, 0, 0, 0]), (7, 0, [0, u32::MAX, 0, 0])]);
        assert_eq!(cr4_of(PAE, PAE | SMEP, &old), PAE, "leaf 7 is not there");
    }

    #[test]
    fn what_is_set_beyond_the_bsp_is_cleared_and_what_is_missing_set() {
        let cpu = Recorded(&[(0, 0, [1, 0, 0, 0]), (1, 0, [0, 0, 0, 1 << 2])]);
        assert_eq!(cr4_of(PAE | DE, PAE, &cpu), PAE);
        assert_eq!(cr4_of(PAE, PAE | DE, &cpu), PAE | DE);
    }

    #[test]
    fn what_belongs_to_one_cpu_alone_is_left_alone() {
        let cpu = Recorded(&[(0, 0, [7, 0, 0, 0]), (7, 0, [0, 0, 1 << 16, 0])]);
        const VMXE: u64 = 1 << 13;
        const LA57: u64 = 1 << 12;
        assert_eq!(cr4_of(PAE | VMXE, PAE, &cpu), PAE | VMXE);
        assert_eq!(cr4_of(PAE, PAE | VMXE, &cpu), PAE);
        assert_eq!(cr4_of(PAE, PAE | LA57, &cpu), PAE);
        assert_eq!(cr4_of(PAE | LA57, PAE, &cpu), PAE | LA57);
        assert_eq!(
            cr4_reason(PAE, PAE | LA57),
            "la57 cannot be changed in long mode"
        );
    }

    #[test]
    fn efer_is_set_as_far_as_the_cpu_has_it() {
        let cpu = Recorded(&[
            (0x8000_0000, 0, [0x8000_0001, 0, 0, 0]),
            (0x8000_0001, 0, [0, 0, 0, 1 << 11 | 1 << 20]),
        ]);
        let settable = efer_settable(&cpu);
        assert_eq!(aim(0x500, 0xd01 | 1 << 14, EFER_COMPARED, settable), 0xd01);
    }
}
