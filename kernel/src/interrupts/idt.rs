//! The one interrupt descriptor table, which all CPUs share.
//!
//! It is made once, by the BSP, before anything else can go wrong, and never changes: an AP loads
//! it without asking anybody.

use conquer_once::spin::OnceCell;
use x86_64::{
    VirtAddr,
    structures::idt::{Entry, EntryOptions, InterruptDescriptorTable},
};

use super::{exceptions, gdt::KERNEL_CODE, vectors};

static IDT: OnceCell<InterruptDescriptorTable> = OnceCell::uninit();

/// Makes the table; later calls do nothing. To be called on the BSP, first of all.
pub fn set_up() {
    IDT.init_once(table);
}

fn table() -> InterruptDescriptorTable {
    let mut table = InterruptDescriptorTable::new();
    exceptions::install(&mut table);
    vectors::install(&mut table);
    table
}

/// Makes this CPU use the table.
///
/// The exceptions with a stack of their own work only once the CPU has its TSS too; all others
/// from here on.
///
/// # Panics
///
/// If [`set_up`] has not been called.
pub fn load() {
    IDT.try_get()
        .expect("the BSP makes the IDT before any CPU loads it")
        .load();
}

/// Lets a vector lead to the code at `entry`, with interrupts off.
pub(super) fn set_gate<F>(gate: &mut Entry<F>, entry: *const ()) -> &mut EntryOptions {
    // SAFETY: the callers give entry stubs that end in `iretq` or never return, and the code
    // segment is in the boot GDT and in each CPU's own.
    unsafe {
        gate.set_handler_addr(VirtAddr::from_ptr(entry))
            .set_code_selector(KERNEL_CODE)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, vec::Vec};

    use super::*;
    use crate::interrupts::vectors::Vector;

    /// A gate as the CPU reads it (SDM volume 3, "64-Bit IDT Gate Descriptors").
    #[derive(Clone, Copy)]
    struct Gate(u128);

    impl Gate {
        fn is_present(self) -> bool {
            self.0 >> 47 & 1 == 1
        }

        fn interrupt_stack(self) -> u128 {
            self.0 >> 32 & 0b111
        }

        fn keeps_interrupts_off(self) -> bool {
            self.0 >> 40 & 0xf == 0b1110
        }

        fn selector(self) -> u128 {
            self.0 >> 16 & 0xffff
        }

        fn entry(self) -> u128 {
            self.0 & 0xffff | self.0 >> 32 & 0xffff_0000 | (self.0 >> 64 & 0xffff_ffff) << 32
        }
    }

    fn gates() -> [Gate; 256] {
        // SAFETY: the table is 256 gates of 16 bytes, as the CPU defines it.
        unsafe { core::mem::transmute(table()) }
    }

    const EXCEPTIONS: [u8; 23] = [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 28, 29, 30,
    ];

    #[test]
    fn every_vector_that_can_come_has_a_gate_and_no_other_has() {
        let mut expected = BTreeSet::from(EXCEPTIONS);
        expected.extend([Vector::TIMER, Vector::DOORBELL].map(Vector::as_u8));
        expected.extend([Vector::CLOCK_ASKED, Vector::CLOCK_GIVEN].map(Vector::as_u8));
        expected.extend([Vector::CALL, Vector::PING, Vector::PONG].map(Vector::as_u8));
        expected.insert(Vector::TIMED_PING.as_u8());
        expected.extend([Vector::SCI, Vector::UART].map(Vector::as_u8));
        expected.extend([Vector::STOP, Vector::RELEASE].map(Vector::as_u8));
        expected.extend([Vector::APIC_ERROR, Vector::SPURIOUS].map(Vector::as_u8));
        expected.extend([0x27, 0x2f]);
        let present = (0..=255_u8).filter(|&vector| gates()[usize::from(vector)].is_present());
        assert_eq!(present.collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn only_the_exceptions_that_may_find_a_bad_stack_switch_to_one_of_their_own() {
        let switching: Vec<_> = (0..256)
            .map(|vector| (vector, gates()[vector].interrupt_stack()))
            .filter(|(_, stack)| *stack != 0)
            .collect();
        // #DF, NMI and #MC; the CPU counts the stacks from 1.
        assert_eq!(switching, [(2, 2), (8, 1), (18, 3)]);
    }

    #[test]
    fn each_exception_has_an_entry_of_its_own_and_interrupts_stay_off() {
        let entries = EXCEPTIONS.map(|vector| gates()[usize::from(vector)].entry());
        assert_eq!(
            BTreeSet::from(entries).len(),
            BTreeSet::from(EXCEPTIONS).len()
        );
        for gate in gates().into_iter().filter(|gate| gate.is_present()) {
            assert!(gate.keeps_interrupts_off());
            assert_eq!(gate.selector(), u128::from(KERNEL_CODE.0));
        }
    }
}
