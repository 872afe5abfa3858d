//! The IDT of a CPU that has none of its own, because it is on its way or parked: what no CPU can hold
//! off has a gate, and nothing else has.
//!
//! That is a machine check, and an NMI that somebody sent before the CPU said that it parks. The table
//! lies on the code page, behind the code, and is as read-only as that. Its gates have no stacks of
//! their own, as there is no TSS: whoever loads it has a stack pointer that may be pushed to.

use crate::code::CODE_SELECTOR;

/// The vector of NMIs.
const NMI: usize = 2;

/// The vector of #MC.
const MACHINE_CHECK: usize = 18;

/// A gate of 64-bit mode, in bytes.
const GATE: usize = 16;

/// All gates up to that of #MC, in bytes.
pub(crate) const SIZE: usize = (MACHINE_CHECK + 1) * GATE;

/// `IA32_MCG_STATUS`.
pub(crate) const MCG_STATUS: u32 = 0x17a;

/// Present, ring 0, a 64-bit interrupt gate (SDM volume 3, "64-Bit IDT Gate Descriptors").
const INTERRUPT_GATE: u8 = 0x8e;

/// The table whose NMIs and machine checks lead to these addresses.
pub(crate) fn gates(nmi: u32, machine_check: u32) -> [u8; SIZE] {
    let mut table = [0; SIZE];
    for (vector, handler) in [(NMI, nmi), (MACHINE_CHECK, machine_check)] {
        let gate = &mut table[vector * GATE..];
        let (low, high) = (handler as u16, (handler >> 16) as u16);
        gate[0..2].copy_from_slice(&low.to_le_bytes());
        gate[2..4].copy_from_slice(&CODE_SELECTOR.to_le_bytes());
        gate[5] = INTERRUPT_GATE;
        gate[6..8].copy_from_slice(&high.to_le_bytes());
    }
    table
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn only_what_cannot_be_held_off_has_a_gate_and_each_leads_to_its_handler() {
        let table = gates(0x9_f280, 0x9_f2a4);
        let gate = |vector: usize| {
            let bytes = &table[vector * GATE..(vector + 1) * GATE];
            u128::from_le_bytes(bytes.try_into().unwrap())
        };
        let present: std::vec::Vec<_> = (0..=MACHINE_CHECK).filter(|&it| gate(it) != 0).collect();
        assert_eq!(present, [NMI, MACHINE_CHECK]);
        for (vector, expected) in [(NMI, 0x9_f280), (MACHINE_CHECK, 0x9_f2a4)] {
            let gate = gate(vector);
            let low = gate & 0xffff | gate >> 32 & 0xffff_0000;
            assert_eq!(low | (gate >> 64 & 0xffff_ffff) << 32, expected);
            assert_eq!(gate >> 16 & 0xffff, u128::from(CODE_SELECTOR));
            assert_eq!(gate >> 32 & 0b111, 0, "it has no stack of its own");
            assert_eq!(gate >> 40 & 0xff, 0x8e);
        }
    }
}
