//! What keeps the kernel from its own mistakes: pages that cannot be executed or written, and no use of
//! a user's pages. There are no users, so whoever touches one of their pages is lost.
//!
//! NX and WP are on from the entry on, on each CPU. The others are turned on on the BSP here. An AP that comes
//! by SIPI has them from its first page tables on (`trampoline.S`), any other gets them with the rest of the BSP's
//! CR4 (`consistency/registers`).

use alloc::{string::String, vec::Vec};

use x86_64::registers::control::{Cr4, Cr4Flags};

use crate::cpuid::{Cpuid, ThisCpu};

/// CR0.WP (SDM volume 3, "Control Registers").
const WP: u64 = 1 << 16;
/// `IA32_EFER`.NXE.
const NXE: u64 = 1 << 11;

/// Turns on what the BSP has of SMEP, SMAP and UMIP (SDM volume 3, "Access Rights" and CR4.UMIP). To be
/// called once the final page tables are in use: they have no page of a user's.
pub fn turn_on() {
    let wanted = of_structured_features(&ThisCpu);
    // SAFETY: the CPU has them, and no code or data of the kernel is on a page of a user's.
    unsafe { Cr4::update(|flags| flags.insert(wanted)) };
}

/// What CPUID says of them (SDM volume 2, CPUID.07H).
fn of_structured_features(cpu: &impl Cpuid) -> Cr4Flags {
    let features = cpu.basic(7, 0);
    let mut flags = Cr4Flags::empty();
    let mut add = |flag, is_there| flags.set(flag, is_there);
    add(
        Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION,
        features.ebx & 1 << 7 != 0,
    );
    add(
        Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION,
        features.ebx & 1 << 20 != 0,
    );
    add(
        Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION,
        features.ecx & 1 << 2 != 0,
    );
    flags
}

/// The names of those that are on in a CPU with these registers.
pub fn names(cr0: u64, cr4: u64, efer: u64) -> Vec<String> {
    let has = |flag: Cr4Flags| cr4 & flag.bits() != 0;
    let all = [
        ("nx", efer & NXE != 0),
        ("wp", cr0 & WP != 0),
        ("smep", has(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION)),
        ("smap", has(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION)),
        ("umip", has(Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION)),
    ];
    let on = all.into_iter().filter(|(_, is_on)| *is_on);
    on.map(|(name, _)| name.into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::Recorded;

    #[test]
    fn what_a_cpu_has_is_what_its_cpuid_says() {
        let of = |ebx, ecx| {
            of_structured_features(&Recorded(&[(0, 0, [7, 0, 0, 0]), (7, 0, [0, ebx, ecx, 0])]))
        };
        assert_eq!(of(0, 0).bits(), 0);
        assert_eq!(of(1 << 7, 0).bits(), 1 << 20);
        assert_eq!(of(1 << 20, 1 << 2).bits(), 1 << 21 | 1 << 11);
        let old = Recorded(&[(0, 0, [6, 0, 0, 0]), (7, 0, [0, u32::MAX, u32::MAX, 0])]);
        assert_eq!(
            of_structured_features(&old).bits(),
            0,
            "leaf 7 is not there"
        );
    }

    #[test]
    fn what_is_on_is_named() {
        assert_eq!(
            names(1 << 16, 1 << 20 | 1 << 11, 1 << 11),
            ["nx", "wp", "smep", "umip"]
        );
        assert!(names(0, 0, 0).is_empty());
    }
}
