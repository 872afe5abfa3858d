//! Where kernel stacks lie: an area of virtual addresses that holds nothing else.
//!
//! Every stack has a slot of its own, found by CPU and purpose. The stack fills the upper part of
//! the slot; the rest is never mapped, so a stack that overflows faults before it reaches anything.

#![forbid(unsafe_code)]

use core::fmt;
use core::ops::Range;

use reveille_smp::cpu::CpuIndex;

/// The first address of the upper half. The kernel maps nothing else up to the window (`window.rs`).
const AREA_START: u64 = 0xffff_8000_0000_0000;
/// Bytes of a slot: the largest stack and as much again for the guard.
const SLOT_SIZE: u64 = 128 << 10;
/// More CPUs than any machine has; it bounds the area.
const MOST_CPUS: u64 = 1 << 16;

/// What a stack is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackPurpose {
    /// Everything but what follows.
    Main,
    /// The double fault, which is what the overflow of another stack becomes.
    DoubleFault,
    /// The NMI, which can interrupt anything.
    Nmi,
    /// The machine check, which can interrupt even that.
    MachineCheck,
}

const PURPOSES: [StackPurpose; 4] = [
    StackPurpose::Main,
    StackPurpose::DoubleFault,
    StackPurpose::Nmi,
    StackPurpose::MachineCheck,
];

impl StackPurpose {
    /// Bytes of such a stack.
    pub const fn size(self) -> u64 {
        match self {
            Self::Main => 64 << 10,
            // Each holds one handler, which prints and does not return.
            Self::DoubleFault | Self::Nmi | Self::MachineCheck => 16 << 10,
        }
    }
}

impl fmt::Display for StackPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Main => "main",
            Self::DoubleFault => "double fault",
            Self::Nmi => "NMI",
            Self::MachineCheck => "machine check",
        })
    }
}

/// The addresses of a CPU's stack; `None` for a CPU beyond the area.
pub fn place(cpu: CpuIndex, purpose: StackPurpose) -> Option<Range<u64>> {
    let cpu = u64::from(cpu.0);
    if cpu >= MOST_CPUS {
        return None;
    }
    let slot = cpu * PURPOSES.len() as u64 + purpose as u64;
    let end = AREA_START + (slot + 1) * SLOT_SIZE;
    Some(end - purpose.size()..end)
}

#[cfg(test)]
mod tests {
    use reveille_smp::cpu::CpuIndex;

    use super::super::map::PAGE_SIZE;
    use super::{AREA_START, PURPOSES, StackPurpose, place};

    #[test]
    fn stacks_of_all_cpus_and_purposes_are_apart_by_at_least_a_page() {
        let mut end_before = AREA_START;
        for cpu in (0..600).map(CpuIndex) {
            for purpose in PURPOSES {
                let stack = place(cpu, purpose).unwrap();
                assert!(
                    stack.start - end_before >= PAGE_SIZE,
                    "CPU {cpu}, {purpose}"
                );
                assert_eq!(stack.end - stack.start, purpose.size());
                assert!(stack.start.is_multiple_of(PAGE_SIZE));
                end_before = stack.end;
            }
        }
    }

    #[test]
    fn a_cpu_beyond_the_area_has_no_stack() {
        assert!(place(CpuIndex(65_535), StackPurpose::MachineCheck).is_some());
        assert_eq!(place(CpuIndex(65_536), StackPurpose::Main), None);
    }
}
