//! The code page: `trampoline.S`, assembled into read-only data with the offsets of the Rust
//! structures it shares.

use core::{arch::global_asm, mem::offset_of, slice};

use crate::{
    Mode, PAGE_SIZE, fault, idt,
    landing::{LANDING_SHIFT, Landing},
    mailbox::{EVIDENCE_LEN, Mailbox, SCRATCH_LEN},
};

/// The bit of evidence that an AP sets in real mode.
pub(crate) const REAL_MODE: u8 = 1 << 0;
/// The one that it sets in long mode.
pub(crate) const LONG_MODE: u8 = 1 << 1;
/// Those of an AP that goes no further, for it lacks what would be used next.
pub(crate) const NO_NX: u8 = 1 << 2;
pub(crate) const NO_X2APIC: u8 = 1 << 3;
/// All of them.
pub(crate) const EVIDENCE: u8 = REAL_MODE | LONG_MODE | NO_NX | NO_X2APIC;

/// Selector of the 64-bit code segment in the code page's GDT.
pub(crate) const CODE_SELECTOR: u16 = 0x08;

global_asm!(
    include_str!("trampoline.S"),
    PAGE_SIZE = const PAGE_SIZE,
    PAGE_PARAGRAPHS = const PAGE_SIZE / 16,
    COUNT_MODE = const Mode::Count as u32,
    MODE = const offset_of!(Mailbox, mode),
    COUNT = const offset_of!(Mailbox, count),
    GDT_POINTER = const offset_of!(Mailbox, gdt_pointer),
    IDT_POINTER = const offset_of!(Mailbox, idt_pointer),
    IDT_SIZE = const idt::SIZE,
    SCRATCH_END = const offset_of!(Mailbox, scratch) + SCRATCH_LEN,
    MCG_STATUS = const idt::MCG_STATUS,
    MCE_AND_MCA = const 1 << 7 | 1 << 14,
    FAR_POINTER = const offset_of!(Mailbox, far_pointer),
    WOKEN_POINTER = const offset_of!(Mailbox, woken_pointer),
    LA57 = const 1 << 12,
    CR4 = const offset_of!(Mailbox, cr4),
    PROTECTIONS = const offset_of!(Mailbox, protections),
    CR3 = const offset_of!(Mailbox, cr3),
    X2APIC = const offset_of!(Mailbox, x2apic),
    XAPIC_BASE = const offset_of!(Mailbox, xapic_base),
    LANDINGS = const offset_of!(Mailbox, landings),
    LANDINGS_LEN = const offset_of!(Mailbox, landings_len),
    CLAIM_MASK = const offset_of!(Mailbox, claim_mask),
    CLAIM_KICKED = const offset_of!(Mailbox, claim_kicked),
    CLAIM_DELTA = const offset_of!(Mailbox, claim_delta),
    CLAIM_GIVEN_UP = const offset_of!(Mailbox, claim_given_up),
    CLAIM_LATE_DELTA = const offset_of!(Mailbox, claim_late_delta),
    STRANGERS = const offset_of!(Mailbox, strangers),
    LAST_STRANGER = const offset_of!(Mailbox, last_stranger),
    EVIDENCE = const offset_of!(Mailbox, evidence),
    EVIDENCE_MASK = const EVIDENCE_LEN - 1,
    REAL_MODE = const REAL_MODE,
    LONG_MODE = const LONG_MODE,
    NO_NX = const NO_NX,
    NO_X2APIC = const NO_X2APIC,
    FAULT_SILENT = const fault::SILENT,
    FAULT_REAL_MODE = const fault::REAL_MODE,
    FAULT_LONG_MODE = const fault::LONG_MODE,
    FAULT_TWICE = const fault::TWICE,
    FAULT_WRONG_ID = const fault::WRONG_ID,
    FAULT_LATE = const fault::LATE,
    FAULT_KIND_BITS = const fault::KIND_BITS,
    FAULT_DELAY_SHIFT = const fault::DELAY_SHIFT,
    FAULT_TURNS_A_LOOK = const fault::TURNS_A_LOOK,
    LANDING_SHIFT = const LANDING_SHIFT,
    LANDING_APIC_ID = const offset_of!(Landing, apic_id),
    LANDING_FAULT = const offset_of!(Landing, fault),
    LANDING_STATE = const offset_of!(Landing, state),
    LANDING_STACK_TOP = const offset_of!(Landing, stack_top),
    LANDING_ENTRY = const offset_of!(Landing, entry),
    LANDING_ARGUMENT = const offset_of!(Landing, argument),
);

unsafe extern "C" {
    static reveille_trampoline_start: u8;
    static reveille_trampoline_long_mode: u8;
    static reveille_trampoline_woken: u8;
    static reveille_trampoline_woken_flat: u8;
    static reveille_trampoline_cr3: u8;
    static reveille_trampoline_gdt: u8;
    static reveille_trampoline_park: u8;
    static reveille_trampoline_halt: u8;
    static reveille_trampoline_machine_check: u8;
    static reveille_trampoline_idt: u8;
    static reveille_trampoline_end: u8;
}

/// The bytes of the code page.
pub(crate) fn bytes() -> &'static [u8] {
    let len = offset(&raw const reveille_trampoline_end);
    assert!(len <= PAGE_SIZE);
    // SAFETY: the two symbols enclose the assembled code, which is read-only data.
    unsafe { slice::from_raw_parts(&raw const reveille_trampoline_start, len) }
}

/// Where an AP arrives in long mode, from the start of the page.
pub(crate) fn long_mode_offset() -> usize {
    offset(&raw const reveille_trampoline_long_mode)
}

/// Where an AP arrives that the firmware has let go, from the start of the page.
pub(crate) fn woken_offset() -> usize {
    offset(&raw const reveille_trampoline_woken)
}

/// Where it goes on with the page's own code segment.
pub(crate) fn woken_flat_offset() -> usize {
    offset(&raw const reveille_trampoline_woken_flat)
}

/// Where the page table root is to be written, four bytes, from the start of the page.
pub(crate) fn cr3_offset() -> usize {
    offset(&raw const reveille_trampoline_cr3)
}

/// Where the GDT lies, from the start of the page.
pub(crate) fn gdt_offset() -> usize {
    offset(&raw const reveille_trampoline_gdt)
}

/// Size of the GDT in bytes: null, code.
pub(crate) const GDT_SIZE: u16 = 16;

/// Where a CPU parks, from the start of the page.
pub(crate) fn park_offset() -> usize {
    offset(&raw const reveille_trampoline_park)
}

/// Where the IDT lies, from the start of the page.
pub(crate) fn idt_offset() -> usize {
    offset(&raw const reveille_trampoline_idt)
}

/// Where a CPU that has parked halts, from the start of the page.
pub(crate) fn halt_offset() -> usize {
    offset(&raw const reveille_trampoline_halt)
}

/// Where a machine check leads, from the start of the page.
pub(crate) fn machine_check_offset() -> usize {
    offset(&raw const reveille_trampoline_machine_check)
}

fn offset(symbol: *const u8) -> usize {
    symbol.addr() - (&raw const reveille_trampoline_start).addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_fits_one_page_and_its_parts_lie_inside() {
        let len = bytes().len();
        assert!((64..=PAGE_SIZE).contains(&len), "{len} bytes of code");
        let parts = [
            long_mode_offset(),
            woken_offset(),
            woken_flat_offset(),
            cr3_offset(),
            gdt_offset(),
            park_offset(),
            halt_offset(),
            machine_check_offset(),
            idt_offset(),
        ];
        for part in parts {
            assert!(part > 0 && part < len);
        }
        assert!(cr3_offset().is_multiple_of(4));
        assert!(idt_offset() + idt::SIZE <= len);
    }

    #[test]
    fn both_ways_in_start_by_switching_interrupts_off() {
        const CLI: u8 = 0xfa;
        assert_eq!(bytes()[0], CLI);
        assert_eq!(bytes()[woken_offset()], CLI);
    }

    #[test]
    fn the_gdt_is_marked_accessed_because_the_page_is_read_only() {
        let gdt = gdt_offset();
        let code = u64::from_le_bytes(bytes()[gdt + 8..gdt + 16].try_into().unwrap());
        const ACCESSED: u64 = 1 << 40;
        const LONG: u64 = 1 << 53;
        const PRESENT: u64 = 1 << 47;
        assert_eq!(
            code & (ACCESSED | LONG | PRESENT),
            ACCESSED | LONG | PRESENT
        );
    }
}
