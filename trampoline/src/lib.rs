//! The two low pages on which an application processor (AP) starts.
//!
//! A SIPI starts an AP in real mode at the beginning of a page below 1 MiB (SDM volume 3, "MP
//! Initialization Protocol Algorithm"). The first page here is code, copied there once and only
//! read and executed; the second is the mailbox, only read and written. The AP goes
//!
//! ```text
//! real mode ──▶ long mode ──▶ own APIC id ──▶ its landing ──▶ claim ──▶ own stack ──▶ Rust
//!     │             │                            │ none         │ lost
//!     ▼             ▼                            ▼              ▼
//!  evidence      evidence                       park           park
//! ```
//!
//! Firmware that keeps the APs itself lets them go in long mode, by its mailbox (ACPI 6.6, section
//! 5.2.12.19). Such an AP comes in at the [wakeup vector](Trampoline::wakeup_vector), on the same page,
//! and joins the way where the other one has come to long mode.
//!
//! **The rule that it keeps:** until an AP has won the claim of its slot by compare-and-swap, it
//! writes to the mailbox page and to that one state word and to nothing else, and it holds no
//! lock. An AP that nobody waits for any longer therefore parks on the code page and does no
//! harm, however late it comes. Wherever it is in long mode, a machine check finds it ready: before it
//! has tables of its own, and once it has parked, by the one of these pages (`idt.rs`).
#![no_std]

mod code;
mod fault;
mod idt;
mod landing;
mod mailbox;

use core::{
    mem::size_of,
    ptr,
    sync::atomic::{AtomicU32, Ordering},
};

pub use fault::{Fault, FaultError};
pub use landing::{Directory, DirectoryError, Landing};
use mailbox::{EVIDENCE_LEN, Mailbox};

/// Size of each of the two pages, in bytes.
pub const PAGE_SIZE: usize = 4096;

/// A SIPI's vector is the number of a page below this physical address.
pub const LIMIT: u64 = 0x10_0000;

/// What an AP finds in Rust: the argument of its landing and its time stamp counter as it was in
/// real mode and in long mode. The stack is the landing's; interrupts are off; the GDT is the code
/// page's.
pub type Entry = extern "sysv64" fn(argument: u64, real_tsc: u64, long_tsc: u64) -> !;

/// What all APs share on their way.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The page table root. It is loaded before long mode and so lies below 4 GiB.
    pub cr3: u32,
    /// Whether an AP switches its APIC to x2APIC mode before it reads its id.
    pub x2apic: bool,
    /// Where the page tables map the xAPIC's registers.
    pub xapic_base: u64,
    /// Whether an AP takes machine checks as soon as it is in long mode. The CPUs must have them, and
    /// `IA32_MCG_STATUS` (SDM volume 2, CPUID.01H:EDX, bits 7 and 14).
    pub machine_checks: bool,
    /// Which of SMEP, SMAP and UMIP an AP that comes by SIPI turns on, as bits of CR4, if it has them itself;
    /// others are not looked at. No page that the page tables lead to is a user's.
    pub protections: u32,
    /// How a slot's state word is read and claimed.
    pub claim: Claim,
    /// Where APs come in.
    pub start: Start,
}

/// The mode in which APs come to the trampoline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Real mode, at the code page's start: by SIPI.
    RealMode,
    /// Long mode, at the [wakeup vector](Trampoline::wakeup_vector): from the firmware's loop.
    LongMode,
}

/// How a slot is claimed: a state word whose bits under `mask` equal `kicked` is moved on by
/// adding `delta`, in one compare-and-swap. Where they equal `given_up`, the AP leaves word of
/// having come by adding `late_delta` in the same manner, and parks.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Selects the bits that name the state.
    pub mask: u32,
    /// Their value while the slot may be claimed.
    pub kicked: u32,
    /// What leads from the kicked state to the claimed one.
    pub delta: u32,
    /// Their value when nobody waits for the AP any more.
    pub given_up: u32,
    /// What leads from there to the state that tells of a late AP.
    pub late_delta: u32,
}

/// How far an AP came before its claim, as found by an id hint. It serves reports and the
/// decision to send a SIPI again, and proves nothing: a CPU without a landing may leave it, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// No AP with this hint has run, or the hint is also that of another landing.
    None,
    /// One has run in real mode.
    RealMode,
    /// One has run in long mode.
    LongMode,
}

/// What a started AP does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Mode {
    /// It goes into Rust.
    BringUp = 0,
    /// It adds one to a counter in real mode and halts: the floor of what starting costs.
    Count = 1,
}

/// The installed pages.
#[derive(Clone, Copy)]
pub struct Trampoline {
    mailbox: &'static Mailbox,
    base: u32,
    start: Start,
}

impl Trampoline {
    /// Copies the code to the page at `base` and prepares the mailbox on the page behind it.
    ///
    /// # Safety
    ///
    /// `base` is page-aligned, below 1 MiB, and the first of two adjacent pages of RAM that from
    /// now on belong to the trampoline alone. Both are mapped at their physical addresses and are
    /// writable now; in the tables of `config.cr3` the first is executable, the second writable.
    ///
    /// # Panics
    ///
    /// When `base` is not the address of a page that a SIPI can name.
    pub unsafe fn install(base: u64, config: Config) -> Self {
        assert!(
            base != 0
                && base.is_multiple_of(PAGE_SIZE as u64)
                && base + 2 * PAGE_SIZE as u64 <= LIMIT,
            "no SIPI can name the page at {base:#x}"
        );
        let code = code::bytes();
        let page = ptr::with_exposed_provenance_mut::<u8>(base as usize);
        // SAFETY: the caller gives us the two pages; `code` fits one, and the IDT lies inside (checked
        // where they are defined), and the mailbox the other (checked at compile time), whose address is page-aligned.
        let mailbox = unsafe {
            ptr::copy_nonoverlapping(code.as_ptr(), page, code.len());
            page.add(code::cr3_offset()).cast::<u32>().write(config.cr3);
            let handler = |offset: usize| base as u32 + offset as u32;
            let gates = idt::gates(
                handler(code::halt_offset()),
                handler(code::machine_check_offset()),
            );
            ptr::copy_nonoverlapping(gates.as_ptr(), page.add(code::idt_offset()), gates.len());
            let mailbox = page.add(PAGE_SIZE).cast::<Mailbox>();
            mailbox.write(Mailbox::new(base as u32, &config));
            &*mailbox
        };
        Self {
            mailbox,
            base: base as u32,
            start: config.start,
        }
    }

    /// The physical address of the code page.
    pub fn base(&self) -> u32 {
        self.base
    }

    /// Where the firmware is to let APs go: a physical address on the code page.
    pub fn wakeup_vector(&self) -> u64 {
        u64::from(self.base) + code::woken_offset() as u64
    }

    /// Tells the APs where each of them lands.
    ///
    /// # Safety
    ///
    /// No AP is on its way that has still to look for its landing. Every CPU that claims one runs with
    /// the page tables of [`install`](Self::install), in which its stack is mapped.
    pub unsafe fn set_landings(&self, directory: Directory) {
        self.mailbox.set_landings(directory.landings());
    }

    /// Chooses what a started AP does, and sets the counter to zero.
    pub fn set_mode(&self, mode: Mode) {
        self.mailbox.count.store(0, Ordering::Relaxed);
        self.mailbox.mode.store(mode as u32, Ordering::Release);
    }

    /// How many APs have counted since [`set_mode`](Self::set_mode).
    pub fn count(&self) -> u32 {
        self.mailbox.count.load(Ordering::Acquire)
    }

    /// How far an AP with this id seems to have come since [`forget`](Self::forget).
    pub fn evidence(&self, apic_id: u32) -> Evidence {
        let byte = self.mailbox.evidence(apic_id).load(Ordering::Acquire);
        if byte & mailbox::SHARED != 0 {
            Evidence::None
        } else if byte & code::LONG_MODE != 0 {
            Evidence::LongMode
        } else if byte & code::REAL_MODE != 0 {
            Evidence::RealMode
        } else {
            Evidence::None
        }
    }

    /// What the AP with this id went no further for the lack of, by the names of CPUID's bits; `None`
    /// when it lacks nothing, or has not come.
    pub fn lacks(&self, apic_id: u32) -> Option<&'static str> {
        let byte = self.mailbox.evidence(apic_id).load(Ordering::Acquire);
        if byte & mailbox::SHARED != 0 {
            None
        } else if byte & code::NO_NX != 0 {
            Some("nx")
        } else if byte & code::NO_X2APIC != 0 {
            Some("x2apic")
        } else {
            None
        }
    }

    /// Wipes the evidence that an AP with this id left.
    pub fn forget(&self, apic_id: u32) {
        self.mailbox
            .evidence(apic_id)
            .fetch_and(!code::EVIDENCE, Ordering::Relaxed);
    }

    /// Lets the AP with this id fail whenever it comes, from its next start on, or no more. One
    /// that is on its way meanwhile does the one or the other.
    ///
    /// # Errors
    ///
    /// [`FaultError`] when `directory`, in which the AP is to land, makes the fault impossible.
    pub fn set_fault(
        &self,
        directory: Directory,
        apic_id: u32,
        fault: Option<Fault>,
    ) -> Result<(), FaultError> {
        let landing = directory
            .find(apic_id)
            .ok_or(FaultError::NoLanding { apic_id })?;
        if fault == Some(Fault::WrongId) && directory.find(!apic_id).is_some() {
            return Err(FaultError::ComplementIsTaken { apic_id });
        }
        if fault == Some(Fault::RealMode) && self.start == Start::LongMode {
            return Err(FaultError::NoRealMode { apic_id });
        }
        let byte = fault.map_or(0, Fault::in_real_mode);
        let word = fault.map_or(0, Fault::in_long_mode);
        let same_byte = |other: &&Landing| {
            other.apic_id as usize % EVIDENCE_LEN == apic_id as usize % EVIDENCE_LEN
        };
        let sharing = directory.landings().iter().filter(same_byte).count();
        if byte != 0 && sharing > 1 {
            return Err(FaultError::SharesItsByte { apic_id });
        }
        let evidence = self.mailbox.evidence(apic_id);
        evidence.fetch_and(!fault::IN_REAL_MODE, Ordering::Relaxed);
        evidence.fetch_or(byte, Ordering::Relaxed);
        landing.fault.store(word, Ordering::Relaxed);
        Ok(())
    }

    /// How many APs arrived for whose id there is no landing, and the id of the last of them.
    pub fn strangers(&self) -> (u32, u32) {
        (
            self.mailbox.strangers.load(Ordering::Acquire),
            self.mailbox.last_stranger.load(Ordering::Acquire),
        )
    }

    /// Parks the calling CPU on the code page for good; only an INIT brings it back. `parked` is
    /// written to `word` as the very last thing: from then on the CPU uses neither its stack nor
    /// any other memory but the trampoline's pages, so the word's reader may reset it.
    ///
    /// # Safety
    ///
    /// The page tables in use map the trampoline's pages, and no other CPU relies on anything that the
    /// calling CPU's stack holds.
    pub unsafe fn park(&self, word: &AtomicU32, parked: u32) -> ! {
        let target = self.base as usize + code::park_offset();
        // SAFETY: the target is the parking place on the installed code page, which the caller
        // says is mapped; it needs no stack and never comes back.
        unsafe {
            core::arch::asm!(
                "cli",
                "jmp {target}",
                target = in(reg) target,
                in("rdi") word.as_ptr(),
                in("esi") parked,
                options(noreturn),
            )
        }
    }

    /// Gives the calling CPU back to the firmware, which lets it go again by its mailbox. `parked` is
    /// written to `word` first, and from then on the CPU uses neither its stack nor any other memory
    /// of ours but these instructions, as in [`park`](Self::park).
    ///
    /// # Safety
    ///
    /// As for `park`; `reset_vector` is what the firmware names as its reset vector in the mailbox's
    /// entry (ACPI 6.6, section 5.2.12.19), and the page tables in use map it at its own address,
    /// executable.
    pub unsafe fn return_to_firmware(word: &AtomicU32, parked: u32, reset_vector: u64) -> ! {
        // SAFETY: by the caller's word the firmware takes over there. It expects what is so here:
        // 64-bit mode, interrupts off, flat segments, no stack.
        unsafe {
            core::arch::asm!(
                "cli",
                "mov dword ptr [rdi], esi",
                "jmp {target}",
                target = in(reg) reset_vector,
                in("rdi") word.as_ptr(),
                in("esi") parked,
                options(noreturn),
            )
        }
    }
}

const _: () = assert!(size_of::<Mailbox>() <= PAGE_SIZE);

#[cfg(test)]
mod tests {
    extern crate std;
    use std::{boxed::Box, vec::Vec};

    use super::*;

    fn trampoline() -> Trampoline {
        starting_in(Start::RealMode)
    }

    fn starting_in(start: Start) -> Trampoline {
        let config = Config {
            cr3: 0x1000,
            x2apic: false,
            xapic_base: 0xfee0_0000,
            machine_checks: true,
            protections: u32::MAX,
            claim: Claim {
                mask: 0xff,
                kicked: 1,
                delta: 1,
                given_up: 8,
                late_delta: 1,
            },
            start,
        };
        Trampoline {
            mailbox: Box::leak(Box::new(Mailbox::new(0x8000, &config))),
            base: 0x8000,
            start,
        }
    }

    extern "sysv64" fn enter(_: u64, _: u64, _: u64) -> ! {
        unreachable!("no AP runs")
    }

    fn directory(ids: &[u32]) -> Directory {
        static WORD: AtomicU32 = AtomicU32::new(0);
        // SAFETY: nobody ever claims the word.
        let landing = |&apic_id| unsafe { Landing::new(apic_id, &WORD, 0x1000, enter, 0) };
        let list: Vec<_> = ids.iter().map(landing).collect();
        Directory::new(Box::leak(list.into_boxed_slice())).unwrap()
    }

    #[test]
    fn of_cr4_no_bit_is_turned_on_that_the_code_does_not_ask_cpuid_for() {
        const UMIP_SMEP_SMAP: u32 = 1 << 11 | 1 << 20 | 1 << 21;
        assert_eq!(trampoline().mailbox.protections, UMIP_SMEP_SMAP);
    }

    #[test]
    fn a_fault_in_real_mode_is_no_evidence_and_outlives_what_is_forgotten() {
        let (trampoline, directory) = (trampoline(), directory(&[1, 5]));
        let byte = trampoline.mailbox.evidence(5);
        for fault in [Fault::Silent, Fault::RealMode] {
            trampoline.set_fault(directory, 5, Some(fault)).unwrap();
            assert_eq!(trampoline.evidence(5), Evidence::None);
            byte.fetch_or(code::REAL_MODE, Ordering::Relaxed);
            assert_eq!(trampoline.evidence(5), Evidence::RealMode);
            byte.fetch_or(code::LONG_MODE, Ordering::Relaxed);
            assert_eq!(trampoline.evidence(5), Evidence::LongMode);
            trampoline.forget(5);
            assert_eq!(trampoline.evidence(5), Evidence::None);
            assert_eq!(byte.load(Ordering::Relaxed), fault.in_real_mode());
        }
        trampoline.set_fault(directory, 5, None).unwrap();
        assert_eq!(byte.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_fault_in_long_mode_stands_in_the_landing_of_its_ap_alone() {
        let (trampoline, directory) = (trampoline(), directory(&[1, 5, 9]));
        trampoline
            .set_fault(directory, 5, Some(Fault::Twice))
            .unwrap();
        let words = || {
            let landings = directory.landings().iter();
            landings.map(|landing| landing.fault.load(Ordering::Relaxed))
        };
        assert!(words().eq([0, fault::TWICE, 0]));
        trampoline.set_fault(directory, 5, None).unwrap();
        assert!(words().all(|word| word == 0));
    }

    #[test]
    fn an_ap_that_does_not_land_here_or_whose_complement_is_taken_is_refused() {
        let (trampoline, directory) = (trampoline(), directory(&[1, !1, 5]));
        let set = |apic_id| trampoline.set_fault(directory, apic_id, Some(Fault::WrongId));
        assert_eq!(set(7), Err(FaultError::NoLanding { apic_id: 7 }));
        assert_eq!(set(1), Err(FaultError::ComplementIsTaken { apic_id: 1 }));
        assert_eq!(set(5), Ok(()));
    }

    #[test]
    fn an_ap_that_comes_in_long_mode_cannot_halt_in_real_mode_and_can_be_silent() {
        let (trampoline, directory) = (starting_in(Start::LongMode), directory(&[1, 5]));
        let set = |fault| trampoline.set_fault(directory, 5, Some(fault));
        let refused = FaultError::NoRealMode { apic_id: 5 };
        assert_eq!(set(Fault::RealMode), Err(refused));
        assert_eq!(set(Fault::Silent), Ok(()));
        let page = 0x8000..0x8000 + PAGE_SIZE as u64;
        assert!(page.contains(&trampoline.wakeup_vector()));
    }

    #[test]
    fn a_byte_that_two_landings_share_tells_of_neither_and_takes_no_fault() {
        let (trampoline, shared) = (trampoline(), directory(&[1, 5, 5 + 2048, 9]));
        let seen = |apic_id| {
            let byte = trampoline.mailbox.evidence(apic_id);
            byte.fetch_or(code::REAL_MODE, Ordering::Relaxed);
            trampoline.evidence(apic_id)
        };
        // SAFETY: no AP ever runs.
        unsafe { trampoline.set_landings(shared) };
        let (none, real_mode) = (Evidence::None, Evidence::RealMode);
        assert_eq!([1, 5, 5 + 2048].map(seen), [real_mode, none, none]);
        trampoline.forget(5);
        assert_eq!(seen(5), none);
        let set = |apic_id, fault| trampoline.set_fault(shared, apic_id, Some(fault));
        assert_eq!(
            set(5, Fault::Silent),
            Err(FaultError::SharesItsByte { apic_id: 5 })
        );
        assert_eq!(set(5, Fault::LongMode), Ok(()));
        assert_eq!(set(9, Fault::Silent), Ok(()));
        // SAFETY: as above.
        unsafe { trampoline.set_landings(directory(&[1, 5])) };
        assert_eq!(seen(5), real_mode);
    }
}
