//! The registers of one I/O APIC: two words in memory, of which the first chooses what the second is.
//!
//! **One CPU drives them, the BSP, with interrupts off.** So nothing comes between choice and access: no
//! handler of the BSP's, no other CPU, and an NMI does not touch an I/O APIC. That is why there is no lock,
//! and why a handler may mask an input.

use core::ptr;

use reveille_smp::cpu::CpuIndex;
use x86_64::instructions::interrupts::without_interrupts;

use super::entry::{Entry, MASKED};
use crate::percpu::PerCpu;

/// Where they are, mapped uncached for good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers {
    base: usize,
}

/// Bytes that the two words take up, from the first of one to the last of the other.
pub(super) const SIZE: u64 = 0x14;

const SELECT: usize = 0;
const WINDOW: usize = 0x10;

const VERSION: u8 = 0x01;
const REDIRECTION_TABLE: u8 = 0x10;

/// What nobody answers reads as.
const NOTHING: u32 = u32::MAX;

impl Registers {
    /// The registers at a virtual address, which stays mapped, uncached, for good.
    pub(super) const fn at(base: usize) -> Self {
        Self { base }
    }

    /// How many inputs there are; 0 if nobody answers.
    pub(super) fn inputs(self) -> u32 {
        match self.read(VERSION) {
            NOTHING => 0,
            // The number of the last one.
            version => (version >> 16 & 0xff) + 1,
        }
    }

    /// Sets an input up, masked from the first write to the last.
    pub(super) fn set(self, input: u8, entry: Entry) {
        let low = low_of(input);
        self.write(low, MASKED);
        self.write(low + 1, entry.high);
        self.write(low, entry.low | MASKED);
    }

    /// Writes an input's lower word.
    pub(super) fn set_low(self, input: u8, low: u32) {
        self.write(low_of(input), low);
    }

    fn read(self, register: u8) -> u32 {
        self.with_selected(register, |window| {
            // SAFETY: it is one of the two words, which are mapped; reading it touches no memory.
            unsafe { window.read_volatile() }
        })
    }

    fn write(self, register: u8, value: u32) {
        self.with_selected(register, |window| {
            // SAFETY: it is one of the two words, which are mapped; an interrupt that this lets through
            // has a handler, as `Entry` takes vectors of the map alone.
            unsafe { window.write_volatile(value) }
        });
    }

    fn with_selected<R>(self, register: u8, access: impl FnOnce(*mut u32) -> R) -> R {
        let is_bsp = PerCpu::try_current().is_some_and(|cpu| cpu.index() == CpuIndex::BSP);
        assert!(is_bsp, "the BSP alone drives the I/O APICs");
        let word = |offset| ptr::with_exposed_provenance_mut::<u32>(self.base + offset);
        without_interrupts(|| {
            // SAFETY: as for the other word.
            unsafe { word(SELECT).write_volatile(register.into()) };
            access(word(WINDOW))
        })
    }
}

fn low_of(input: u8) -> u8 {
    // An I/O APIC has 120 inputs at the most, by this arithmetic; `IoApics` lets no other through.
    REDIRECTION_TABLE + 2 * input
}
