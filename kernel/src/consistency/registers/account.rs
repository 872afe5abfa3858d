//! What one CPU has noted of its registers.
//!
//! # Memory ordering
//!
//! Relaxed, for other words order it. The CPU writes on its way up, before it says that it is alive,
//! which releases; the BSP reads when it has seen the outcome of that, which acquires. What is to be set
//! right, and what that came to, is written on either side of a rendezvous, which orders both.

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use super::{
    memory_types::{Cap, Differing},
    register::{Register, Set},
};

/// The account.
#[derive(Debug)]
pub struct Account {
    /// How often the CPU has looked: once on each way up.
    looks: AtomicU32,
    /// What was not like the BSP's when it looked last, and could be, or should be there and is not.
    differs: AtomicU64,
    lacks: AtomicU64,
    /// Their values: as they were found, and once the BSP has taken these away, as they became.
    values: [AtomicU64; Register::COUNT],
    /// CR0, CR4 and EFER as the CPU goes on with them.
    control: [AtomicU64; 3],
    /// Its `IA32_MTRRCAP`, with [`HAS_MTRRS`] if there is one, and its physical addresses' bits; noted
    /// where something differs.
    cap: AtomicU64,
    physical_bits: AtomicU32,
    /// What the BSP wants set right.
    to_set: AtomicU64,
    /// How often it had looked when what it found last was dealt with. The BSP alone touches it.
    settled: AtomicU32,
    /// The faults on demand have struck.
    is_flawed: AtomicBool,
}

/// No bit of `IA32_MTRRCAP`.
const HAS_MTRRS: u64 = 1 << 63;

impl Account {
    /// That of a CPU that has not looked.
    pub const fn new() -> Self {
        Self {
            looks: AtomicU32::new(0),
            differs: AtomicU64::new(0),
            lacks: AtomicU64::new(0),
            values: [const { AtomicU64::new(0) }; Register::COUNT],
            control: [const { AtomicU64::new(0) }; 3],
            cap: AtomicU64::new(0),
            physical_bits: AtomicU32::new(0),
            to_set: AtomicU64::new(0),
            settled: AtomicU32::new(0),
            is_flawed: AtomicBool::new(false),
        }
    }

    // ---- the CPU ----

    /// Whether the faults on demand are to strike now: the first time that somebody asks.
    pub(super) fn takes_flaws(&self) -> bool {
        !self.is_flawed.swap(true, Ordering::Relaxed)
    }

    /// The CPU found something. It says all that it found in one [`close`](Self::close).
    pub(super) fn note(&self, register: Register, value: u64) {
        self.values[register.index()].store(value, Ordering::Relaxed);
    }

    /// Ends a look: what differs and what is not there, and what CR0, CR4 and EFER are now.
    pub(super) fn close(&self, differs: Set, lacks: Set, control: [u64; 3]) {
        self.differs.store(differs.0, Ordering::Relaxed);
        self.lacks.store(lacks.0, Ordering::Relaxed);
        for (word, value) in self.control.iter().zip(control) {
            word.store(value, Ordering::Relaxed);
        }
        self.looks.fetch_add(1, Ordering::Relaxed);
    }

    /// What the CPU is able to take.
    pub(super) fn note_limits(&self, cap: Option<Cap>, physical_bits: u8) {
        let cap = cap.map_or(0, |cap| cap.0 | HAS_MTRRS);
        self.cap.store(cap, Ordering::Relaxed);
        self.physical_bits
            .store(physical_bits.into(), Ordering::Relaxed);
    }

    /// What it is to set right.
    pub(super) fn to_set(&self) -> Set {
        Set(self.to_set.load(Ordering::Relaxed))
    }

    // ---- the BSP ----

    /// Whether the CPU has looked at all.
    pub(super) fn has_looked(&self) -> bool {
        self.looks.load(Ordering::Relaxed) > 0
    }

    /// Whether what the CPU found when it looked last has been dealt with.
    pub(super) fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Relaxed) == self.looks.load(Ordering::Relaxed)
    }

    /// It has.
    pub(super) fn settle(&self) {
        let looks = self.looks.load(Ordering::Relaxed);
        self.settled.store(looks, Ordering::Relaxed);
    }

    /// What differed, and what the CPU can take.
    pub(super) fn differing(&self) -> Differing {
        let load = |word: &AtomicU64| word.load(Ordering::Relaxed);
        let cap = load(&self.cap);
        Differing {
            differs: Set(load(&self.differs)),
            lacks: Set(load(&self.lacks)),
            cap: (cap & HAS_MTRRS != 0).then_some(Cap(cap & !HAS_MTRRS)),
            physical_bits: self.physical_bits.load(Ordering::Relaxed) as u8,
        }
    }

    /// The value of a register that differed.
    pub(super) fn value(&self, register: Register) -> u64 {
        self.values[register.index()].load(Ordering::Relaxed)
    }

    /// CR0, CR4 and EFER as they are now.
    pub(super) fn control(&self) -> [u64; 3] {
        self.control
            .each_ref()
            .map(|word| word.load(Ordering::Relaxed))
    }

    /// Tells the CPU what to set right in the rendezvous to come.
    pub(super) fn ask(&self, set: Set) {
        self.to_set.store(set.0, Ordering::Relaxed);
    }
}

impl Default for Account {
    fn default() -> Self {
        Self::new()
    }
}
