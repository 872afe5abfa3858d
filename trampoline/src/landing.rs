//! Where each AP lands: a directory sorted by APIC id, searched by halving without a lock.

use core::{fmt, mem::size_of, sync::atomic::AtomicU32};

use crate::Entry;

/// Where one AP lands once it has claimed its slot.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Landing {
    /// The id that the AP reads from its APIC.
    pub(crate) apic_id: u32,
    /// The fault on demand that strikes here, or zero (`fault.rs`).
    pub(crate) fault: AtomicU32,
    /// The word through which the slot is claimed.
    pub(crate) state: &'static AtomicU32,
    /// The end of its stack.
    pub(crate) stack_top: u64,
    /// Where it enters Rust. It stands beside what it takes, so that a CPU that has found one directory
    /// never enters with the argument of another.
    pub(crate) entry: Entry,
    /// Handed to the entry function.
    pub(crate) argument: u64,
}

impl Landing {
    /// A landing for the CPU whose APIC has this id.
    ///
    /// # Safety
    ///
    /// From each claim of `state` until the CPU that won it has parked, the stack that ends at
    /// `stack_top`, and all that `argument` stands for, belong to that CPU. The argument is what `entry`
    /// takes.
    pub const unsafe fn new(
        apic_id: u32,
        state: &'static AtomicU32,
        stack_top: u64,
        entry: Entry,
        argument: u64,
    ) -> Self {
        Self {
            apic_id,
            fault: AtomicU32::new(0),
            state,
            stack_top,
            entry,
            argument,
        }
    }
}

/// The size of a [`Landing`] is two to this power, for the search in assembly.
pub(crate) const LANDING_SHIFT: u32 = size_of::<Landing>().trailing_zeros();
const _: () = assert!(size_of::<Landing>().is_power_of_two());

/// Landings in ascending order of their ids, each id once: what a search by halving needs.
#[derive(Clone, Copy, Debug)]
pub struct Directory(&'static [Landing]);

/// Why a list of landings is no directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Two landings have this id.
    Twice {
        /// The id.
        apic_id: u32,
    },
    /// The stack of the landing with this id does not end at a multiple of 16 bytes.
    UnalignedStack {
        /// The id of the landing.
        apic_id: u32,
    },
}

impl fmt::Display for DirectoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice { apic_id } => write!(f, "APIC {apic_id} has two landings"),
            Self::UnalignedStack { apic_id } => {
                write!(
                    f,
                    "the stack of APIC {apic_id} does not end at a multiple of 16 bytes"
                )
            }
        }
    }
}

impl core::error::Error for DirectoryError {}

impl Directory {
    /// Puts the landings in order, and checks that each id is there once and that the stacks are
    /// aligned (System V ABI: 16 bytes before a call).
    pub fn new(landings: &'static mut [Landing]) -> Result<Self, DirectoryError> {
        landings.sort_unstable_by_key(|landing| landing.apic_id);
        for pair in landings.windows(2) {
            if pair[0].apic_id == pair[1].apic_id {
                return Err(DirectoryError::Twice {
                    apic_id: pair[1].apic_id,
                });
            }
        }
        for landing in landings.iter() {
            if !landing.stack_top.is_multiple_of(16) {
                return Err(DirectoryError::UnalignedStack {
                    apic_id: landing.apic_id,
                });
            }
        }
        Ok(Self(landings))
    }

    pub(crate) fn landings(self) -> &'static [Landing] {
        self.0
    }

    pub(crate) fn find(self, apic_id: u32) -> Option<&'static Landing> {
        let index = self
            .0
            .binary_search_by_key(&apic_id, |landing| landing.apic_id);
        self.0.get(index.ok()?)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::{boxed::Box, vec::Vec};

    use super::*;

    fn landings(ids: &[u32], stack_top: u64) -> &'static mut [Landing] {
        static WORD: AtomicU32 = AtomicU32::new(0);
        extern "sysv64" fn enter(_: u64, _: u64, _: u64) -> ! {
            unreachable!("no AP runs")
        }
        // SAFETY: nobody ever claims the word.
        let landing = |&apic_id| unsafe { Landing::new(apic_id, &WORD, stack_top, enter, 0) };
        let list: Vec<_> = ids.iter().map(landing).collect();
        Box::leak(list.into_boxed_slice())
    }

    #[test]
    fn a_directory_is_in_the_order_that_a_search_needs() {
        let directory = Directory::new(landings(&[300, 2, 7, 1], 0x1000)).unwrap();
        let ids = directory.landings().iter().map(|landing| landing.apic_id);
        assert!(ids.eq([1, 2, 7, 300]));
        assert!(Directory::new(landings(&[], 0x1000)).is_ok());
    }

    #[test]
    fn a_directory_refuses_an_id_of_which_a_search_would_miss_one() {
        let twice = Directory::new(landings(&[1, 4, 1], 0x1000));
        assert_eq!(twice.unwrap_err(), DirectoryError::Twice { apic_id: 1 });
    }

    #[test]
    fn a_directory_refuses_a_stack_that_breaks_the_calling_convention() {
        let unaligned = Directory::new(landings(&[4], 0x1008));
        assert_eq!(
            unaligned.unwrap_err(),
            DirectoryError::UnalignedStack { apic_id: 4 }
        );
    }
}
