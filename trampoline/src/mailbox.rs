//! The mailbox page: what the BSP tells the APs and what they leave behind, shared with
//! `trampoline.S`, which takes every offset from here. (The firmware's mailbox, where there is one, is
//! another.)

use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::{
    Config, Mode, PAGE_SIZE,
    code::{self, CODE_SELECTOR},
    idt,
    landing::Landing,
};

/// Bytes of evidence: an AP's is found by its initial APIC id modulo this. An AP sets the low bits;
/// the high ones are the BSP's: one for a byte that is [`SHARED`], the others for the faults that
/// strike in real mode.
pub(crate) const EVIDENCE_LEN: usize = 2048;

/// The bit of a byte of evidence that several landings share: it tells of none of them.
pub(crate) const SHARED: u8 = 1 << 5;

/// Where CPUs without a stack of their own may push: a frame is 40 bytes, on a multiple of 16 (SDM
/// volume 3, "64-Bit Mode Stack Frame"). All share it, as nobody reads it.
pub(crate) const SCRATCH_LEN: usize = 64;

/// The operand of LGDT and LIDT: in long mode with all of its base, in real mode with the low part of
/// it.
#[repr(C, packed)]
pub(crate) struct TablePointer {
    limit: u16,
    base: u64,
}

/// The operand of a far jump with a 32-bit offset.
#[repr(C, packed)]
pub(crate) struct FarPointer {
    offset: u32,
    selector: u16,
}

/// Only ever written, by CPUs that push a frame.
#[repr(C, align(16))]
pub(crate) struct Scratch([u8; SCRATCH_LEN]);

/// CR4: a machine check raises #MC.
const CR4_MCE: u64 = 1 << 6;

/// The bits of CR4 that `trampoline.S` knows how to ask for: UMIP, SMEP and SMAP.
const PROTECTIONS: u32 = 1 << 11 | 1 << 20 | 1 << 21;

/// The mailbox. The BSP changes what it tells only while no AP is on its way, so the publication
/// of a slot's kicked state, which each AP acquires by its SIPI or request and its claim, orders these words
/// too; what the APs write are counters and hints.
#[repr(C)]
pub(crate) struct Mailbox {
    pub(crate) mode: AtomicU32,
    pub(crate) count: AtomicU32,
    pub(crate) cr3: u32,
    pub(crate) x2apic: u32,
    pub(crate) protections: u32,
    pub(crate) claim_mask: u32,
    pub(crate) claim_kicked: u32,
    pub(crate) claim_delta: u32,
    pub(crate) claim_given_up: u32,
    pub(crate) claim_late_delta: u32,
    pub(crate) strangers: AtomicU32,
    pub(crate) last_stranger: AtomicU32,
    pub(crate) gdt_pointer: TablePointer,
    pub(crate) far_pointer: FarPointer,
    pub(crate) woken_pointer: FarPointer,
    pub(crate) idt_pointer: TablePointer,
    pub(crate) cr4: u64,
    pub(crate) scratch: Scratch,
    pub(crate) xapic_base: u64,
    pub(crate) landings: AtomicU64,
    pub(crate) landings_len: AtomicU64,
    pub(crate) evidence: [AtomicU8; EVIDENCE_LEN],
}

impl Mailbox {
    /// A mailbox for code at `base` without landings: whoever arrives parks.
    pub(crate) fn new(base: u32, config: &Config) -> Self {
        Self {
            mode: AtomicU32::new(Mode::BringUp as u32),
            count: AtomicU32::new(0),
            cr3: config.cr3,
            x2apic: u32::from(config.x2apic),
            protections: config.protections & PROTECTIONS,
            claim_mask: config.claim.mask,
            claim_kicked: config.claim.kicked,
            claim_delta: config.claim.delta,
            claim_given_up: config.claim.given_up,
            claim_late_delta: config.claim.late_delta,
            strangers: AtomicU32::new(0),
            last_stranger: AtomicU32::new(0),
            gdt_pointer: TablePointer {
                limit: code::GDT_SIZE - 1,
                base: u64::from(base) + code::gdt_offset() as u64,
            },
            far_pointer: FarPointer {
                offset: base + code::long_mode_offset() as u32,
                selector: CODE_SELECTOR,
            },
            woken_pointer: FarPointer {
                offset: base + code::woken_flat_offset() as u32,
                selector: CODE_SELECTOR,
            },
            idt_pointer: TablePointer {
                limit: idt::SIZE as u16 - 1,
                base: u64::from(base) + code::idt_offset() as u64,
            },
            cr4: if config.machine_checks { CR4_MCE } else { 0 },
            scratch: Scratch([0; SCRATCH_LEN]),
            xapic_base: config.xapic_base,
            landings: AtomicU64::new(0),
            landings_len: AtomicU64::new(0),
            evidence: [const { AtomicU8::new(0) }; EVIDENCE_LEN],
        }
    }

    pub(crate) fn set_landings(&self, landings: &'static [Landing]) {
        self.mark_shared_evidence(landings);
        self.landings.store(
            landings.as_ptr().expose_provenance() as u64,
            Ordering::Relaxed,
        );
        self.landings_len
            .store(landings.len() as u64, Ordering::Release);
    }

    fn mark_shared_evidence(&self, landings: &[Landing]) {
        for byte in &self.evidence {
            byte.fetch_and(!SHARED, Ordering::Relaxed);
        }
        let mut has_owner = [false; EVIDENCE_LEN];
        for landing in landings {
            let owned = &mut has_owner[landing.apic_id as usize % EVIDENCE_LEN];
            if *owned {
                self.evidence(landing.apic_id)
                    .fetch_or(SHARED, Ordering::Relaxed);
            }
            *owned = true;
        }
    }

    pub(crate) fn evidence(&self, apic_id: u32) -> &AtomicU8 {
        &self.evidence[apic_id as usize % EVIDENCE_LEN]
    }
}

const _: () = assert!(EVIDENCE_LEN.is_power_of_two() && EVIDENCE_LEN < PAGE_SIZE);
