//! The registers that all CPUs must have alike, and sets of them.

use alloc::{format, string::String};

/// One of them, by its place in an [`Account`](super::account::Account).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Register(u8);

/// The fixed-range MTRRs: MSR and what of memory they are about (SDM volume 3, "Fixed Range MTRRs").
const FIXED: [(u32, &str); 11] = [
    (0x250, "64k-00000"),
    (0x258, "16k-80000"),
    (0x259, "16k-a0000"),
    (0x268, "4k-c0000"),
    (0x269, "4k-c8000"),
    (0x26a, "4k-d0000"),
    (0x26b, "4k-d8000"),
    (0x26c, "4k-e0000"),
    (0x26d, "4k-e8000"),
    (0x26e, "4k-f0000"),
    (0x26f, "4k-f8000"),
];

const FIRST_FIXED: u8 = 5;
const FIRST_VARIABLE: u8 = FIRST_FIXED + FIXED.len() as u8;

impl Register {
    pub(super) const CR0: Self = Self(0);
    pub(super) const CR4: Self = Self(1);
    pub(super) const EFER: Self = Self(2);
    pub(super) const PAT: Self = Self(3);
    pub(super) const DEF_TYPE: Self = Self(4);

    /// The one for the video memory below 1 MiB, which is no RAM.
    pub(super) const FIXED_A0000: Self = Self(FIRST_FIXED + 2);

    /// As many pairs of variable MTRRs are looked at; no processor is known to have more than 10.
    pub(super) const MOST_PAIRS: u8 = 16;
    /// How many registers there are.
    pub(super) const COUNT: usize = FIRST_VARIABLE as usize + 2 * Self::MOST_PAIRS as usize;

    /// All fixed-range MTRRs.
    pub(super) fn fixed() -> impl Iterator<Item = Self> {
        (FIRST_FIXED..FIRST_VARIABLE).map(Self)
    }

    /// The base of a pair of variable-range MTRRs.
    pub(super) const fn base(pair: u8) -> Self {
        assert!(pair < Self::MOST_PAIRS);
        Self(FIRST_VARIABLE + 2 * pair)
    }

    /// The mask of a pair, in which is said whether the pair is in use.
    pub(super) const fn mask(pair: u8) -> Self {
        Self(Self::base(pair).0 + 1)
    }

    /// The place in an account.
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    /// Whether it is one of the MTRRs.
    pub(super) const fn is_mtrr(self) -> bool {
        self.0 >= Self::DEF_TYPE.0
    }

    /// Whether it says how memory is cached. Then it is not changed while others use memory.
    pub(super) const fn is_memory_type(self) -> bool {
        self.0 >= Self::PAT.0
    }

    /// Its number among the MSRs; CR0 and CR4 have none (SDM volume 4, "Architectural MSRs").
    pub(super) fn msr(self) -> Option<u32> {
        Some(match self {
            Self::CR0 | Self::CR4 => return None,
            Self::EFER => 0xc000_0080,
            Self::PAT => 0x277,
            Self::DEF_TYPE => 0x2ff,
            Self(fixed) if fixed < FIRST_VARIABLE => FIXED[usize::from(fixed - FIRST_FIXED)].0,
            Self(variable) => 0x200 + u32::from(variable - FIRST_VARIABLE),
        })
    }

    /// Its name in records.
    pub(super) fn name(self) -> String {
        match self {
            Self::CR0 => "cr0".into(),
            Self::CR4 => "cr4".into(),
            Self::EFER => "efer".into(),
            Self::PAT => "pat".into(),
            Self::DEF_TYPE => "mtrr-def-type".into(),
            Self(fixed) if fixed < FIRST_VARIABLE => {
                format!("mtrr-fix{}", FIXED[usize::from(fixed - FIRST_FIXED)].1)
            }
            Self(variable) => {
                let number = variable - FIRST_VARIABLE;
                let part = ["base", "mask"][usize::from(number % 2)];
                format!("mtrr-phys-{part}{}", number / 2)
            }
        }
    }
}

/// A set of registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Set(pub(super) u64);

const _: () = assert!(Register::COUNT <= u64::BITS as usize);

impl Set {
    pub(super) fn insert(&mut self, register: Register) {
        self.0 |= 1 << register.0;
    }

    pub(super) fn contains(self, register: Register) -> bool {
        self.0 & 1 << register.0 != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Register> {
        let all = (0..Register::COUNT as u8).map(Register);
        all.filter(move |&register| self.contains(register))
    }
}

impl FromIterator<Register> for Set {
    fn from_iter<T: IntoIterator<Item = Register>>(registers: T) -> Self {
        let mut set = Self::default();
        registers
            .into_iter()
            .for_each(|register| set.insert(register));
        set
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, string::ToString, vec::Vec};

    use super::*;

    #[test]
    fn each_register_has_a_name_and_a_number_of_its_own() {
        let all: Vec<_> = Set(u64::MAX).iter().collect();
        assert_eq!(all.len(), Register::COUNT);
        let names: BTreeSet<_> = all.iter().map(|register| register.name()).collect();
        assert_eq!(names.len(), all.len());
        let numbers: BTreeSet<_> = all.iter().filter_map(|register| register.msr()).collect();
        assert_eq!(numbers.len(), all.len() - 2);
        let named = |register: Register| (register.name(), register.msr());
        assert_eq!(
            named(Register::mask(3)),
            ("mtrr-phys-mask3".to_string(), Some(0x207))
        );
        assert_eq!(
            named(Register::FIXED_A0000),
            ("mtrr-fix16k-a0000".to_string(), Some(0x259))
        );
    }

    #[test]
    fn a_set_has_what_was_put_into_it() {
        let some = [Register::CR4, Register::PAT, Register::base(15)];
        let set: Set = some.into_iter().collect();
        assert!(set.iter().eq(some));
        assert!(!set.contains(Register::CR0) && !set.is_empty());
    }
}
