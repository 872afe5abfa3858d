//! What one CPU has noted of its registers.
//!
//! # Memory ordering
//!
//! Relaxed, for other words order it. The CPU writes on its way up, before it says that it is alive,
//! which releases; the BSP reads when it has seen the outcome of that, which acquires. What is to be set
//! right is written before a rendezvous, which orders it. What that came to is read by the BSP perhaps
//! while the CPU is still at it, if the rendezvous was ended: the mark that it is done is released behind
//! the values, and acquired before they are read.

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
    /// Its `IA32_MTRRCAP`, with [`HAS_MTRRS`] if there is one, and its physical addresses' bits; noted when
    /// something differs for the first time, as neither changes. 0 bits before.
    cap: AtomicU64,
    physical_bits: AtomicU32,
    /// What the BSP wants set right.
    to_set: AtomicU64,
    /// What the CPU has set since it was asked, and read back.
    done: AtomicU64,
    /// The CPU's state word when it was missing in the last rendezvous that failed, else [`CAME`]. The BSP
    /// alone touches it.
    missed: AtomicU64,
    /// Whether the CPU was at work still when the last rendezvous was ended. The BSP alone touches it.
    is_not_done: AtomicBool,
    /// How often it had looked when what it found last was dealt with. The BSP alone touches it.
    settled: AtomicU32,
    /// The faults on demand have struck.
    is_flawed: AtomicBool,
}

/// No state word.
const CAME: u64 = u64::MAX;

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
            done: AtomicU64::new(0),
            missed: AtomicU64::new(CAME),
            is_not_done: AtomicBool::new(false),
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

    /// Its MTRRs, if it has some, where that has been noted.
    pub(super) fn noted_cap(&self) -> Option<Option<Cap>> {
        let is_noted = self.physical_bits.load(Ordering::Relaxed) != 0;
        is_noted.then(|| Self::cap(self.cap.load(Ordering::Relaxed)))
    }

    fn cap(word: u64) -> Option<Cap> {
        (word & HAS_MTRRS != 0).then_some(Cap(word & !HAS_MTRRS))
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

    /// It has set these, and noted what they are now.
    pub(super) fn finish(&self, set: Set) {
        self.done.store(set.0, Ordering::Release);
    }

    // ---- the BSP ----

    /// Forgets what the CPU has found and is able to take, as it is gone: another one may come in its place. To be called
    /// while it is down, by whoever drives it.
    pub fn forget(&self) {
        self.physical_bits.store(0, Ordering::Relaxed);
        self.looks.store(0, Ordering::Relaxed);
        self.settled.store(0, Ordering::Relaxed);
    }

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
        Differing {
            differs: Set(load(&self.differs)),
            lacks: Set(load(&self.lacks)),
            cap: Self::cap(load(&self.cap)),
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
        self.done.store(0, Ordering::Relaxed);
        self.to_set.store(set.0, Ordering::Relaxed);
    }

    /// The rendezvous is over: a CPU that has not begun finds nothing to do.
    pub(super) fn take_back(&self) {
        self.to_set.store(0, Ordering::Relaxed);
    }

    /// What the CPU has done of that: the values of these are what the registers are now.
    pub(super) fn done(&self) -> Set {
        Set(self.done.load(Ordering::Acquire))
    }

    /// Whether the CPU was missing in a rendezvous, with its state word.
    pub(super) fn miss(&self, missing_at: Option<u32>) {
        let word = missing_at.map_or(CAME, u64::from);
        self.missed.store(word, Ordering::Relaxed);
    }

    /// The state word with which it was missing in the last rendezvous, if it was.
    pub(super) fn missed(&self) -> Option<u32> {
        u32::try_from(self.missed.load(Ordering::Relaxed)).ok()
    }

    /// Notes whether the CPU was at work still when a rendezvous was ended.
    pub(super) fn leave_at_work(&self, is_not_done: bool) {
        self.is_not_done.store(is_not_done, Ordering::Relaxed);
    }

    /// Whether it was in the last one.
    pub(super) fn was_left_at_work(&self) -> bool {
        self.is_not_done.load(Ordering::Relaxed)
    }
}

impl Default for Account {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_known_of_each_register_whenever_the_rendezvous_ended() {
        let (account, pat) = (Account::new(), [Register::PAT].into_iter().collect::<Set>());
        account.ask(pat);
        account.take_back();
        assert!(account.to_set().is_empty());
        assert!(account.done().is_empty());
        // One that had begun comes to its end behind that.
        account.note(Register::PAT, 7);
        account.finish(pat);
        assert!(account.done().contains(Register::PAT));
        assert!(!account.done().contains(Register::DEF_TYPE));
        assert_eq!(account.value(Register::PAT), 7);
        account.ask(pat);
        assert!(account.done().is_empty(), "the next one begins anew");
    }

    #[test]
    fn a_cpu_that_was_missing_is_known_by_its_state_word_until_it_comes() {
        let account = Account::new();
        assert_eq!(account.missed(), None);
        account.miss(Some(u32::MAX));
        assert_eq!(account.missed(), Some(u32::MAX));
        account.miss(None);
        assert_eq!(account.missed(), None);
    }

    #[test]
    fn a_cpu_that_was_left_at_work_is_known_until_the_next_rendezvous() {
        let account = Account::new();
        assert!(!account.was_left_at_work());
        account.leave_at_work(true);
        assert!(account.was_left_at_work());
        account.leave_at_work(false);
        assert!(!account.was_left_at_work());
    }
}
