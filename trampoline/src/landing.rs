//! Where each AP lands: a directory sorted by APIC id, searched by halving without a lock.

use core::{fmt, mem::size_of, sync::atomic::AtomicU32};

/// Where one AP lands once it has claimed its slot.
#[repr(C)]
#[derive(Debug)]
pub struct Landing {
    /// The id that the AP reads from its APIC.
    pub apic_id: u32,
    /// The word through which the slot is claimed.
    pub state: &'static AtomicU32,
    /// The end of its stack; 16-byte aligned.
    pub stack_top: u64,
    /// Handed to the entry function.
    pub argument: u64,
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
    /// The landing with this id does not come after a smaller one.
    NotAscending {
        /// The id out of place.
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
            Self::NotAscending { apic_id } => {
                write!(
                    f,
                    "the landing of APIC {apic_id} stands behind one that is not smaller"
                )
            }
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
    /// Checks the order and the stacks' alignment (System V ABI: 16 bytes before a call).
    pub fn new(landings: &'static [Landing]) -> Result<Self, DirectoryError> {
        for pair in landings.windows(2) {
            if pair[0].apic_id >= pair[1].apic_id {
                return Err(DirectoryError::NotAscending {
                    apic_id: pair[1].apic_id,
                });
            }
        }
        for landing in landings {
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
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::{boxed::Box, vec::Vec};

    use super::*;

    fn landings(ids: &[u32]) -> &'static [Landing] {
        static WORD: AtomicU32 = AtomicU32::new(0);
        let list: Vec<_> = ids
            .iter()
            .map(|&apic_id| Landing {
                apic_id,
                state: &WORD,
                stack_top: 0x1000,
                argument: 0,
            })
            .collect();
        Box::leak(list.into_boxed_slice())
    }

    #[test]
    fn a_directory_takes_ascending_ids_with_holes() {
        assert!(Directory::new(landings(&[])).is_ok());
        assert!(Directory::new(landings(&[1, 2, 7, 300])).is_ok());
    }

    #[test]
    fn a_directory_refuses_an_id_that_a_search_would_miss() {
        let swapped = Directory::new(landings(&[2, 1]));
        assert_eq!(
            swapped.unwrap_err(),
            DirectoryError::NotAscending { apic_id: 1 }
        );
        let twice = Directory::new(landings(&[1, 1]));
        assert_eq!(
            twice.unwrap_err(),
            DirectoryError::NotAscending { apic_id: 1 }
        );
    }

    #[test]
    fn a_directory_refuses_a_stack_that_breaks_the_calling_convention() {
        static WORD: AtomicU32 = AtomicU32::new(0);
        let list = Box::leak(Box::new([Landing {
            apic_id: 4,
            state: &WORD,
            stack_top: 0x1008,
            argument: 0,
        }]));
        assert_eq!(
            Directory::new(list).unwrap_err(),
            DirectoryError::UnalignedStack { apic_id: 4 }
        );
    }
}
