//! The firmware's wakeup mailbox as this machine has it: its page mapped, and the way back to the
//! firmware where it offers one.
//!
//! The page is ordinary memory that the firmware keeps for itself, so it is in no range of RAM that
//! the kernel may use, and mapped here for reading and writing; the page of the reset vector for
//! reading and executing. Neither is both.

use core::{num::NonZero, ptr, sync::atomic::AtomicU32};

use reveille_smp::{
    cpu::ApicId,
    machine::WakeMailbox,
    madt::Mailbox,
    mailbox::Words,
    trace::event::{Event, Target},
};
use reveille_trampoline::Trampoline;

use super::waking::Unusable;
use crate::{
    cpuid::{Cpuid, ThisCpu},
    memory::{self, paging::Access},
    trace,
};

/// The mailbox, mapped.
#[derive(Clone, Copy)]
pub struct MappedMailbox {
    words: &'static Words,
    reset_vector: Option<NonZero<u64>>,
}

impl MappedMailbox {
    /// Maps what the firmware lists.
    ///
    /// # Errors
    ///
    /// [`Unusable`] when no memory can be where the firmware says, or when that memory is the
    /// kernel's own.
    pub fn map(listed: Mailbox) -> Result<Self, Unusable> {
        map(listed.address, Access::Data)?;
        if let Some(vector) = listed.reset_vector {
            map(vector.get(), Access::Text)?;
        }
        let words = ptr::with_exposed_provenance::<Words>(listed.address as usize);
        Ok(Self {
            // SAFETY: the page was mapped by the line above and stays so; it begins with the words,
            // which are atomics, so it does not matter that the firmware writes them too.
            words: unsafe { &*words },
            reset_vector: listed.reset_vector,
        })
    }

    /// Whether the firmware takes CPUs back.
    pub fn takes_back(self) -> bool {
        self.reset_vector.is_some()
    }

    /// Gives the calling CPU back to the firmware, if that takes it; `word` becomes `parked` first.
    ///
    /// # Safety
    ///
    /// As for [`Trampoline::park`].
    pub(super) unsafe fn give_back(self, word: &AtomicU32, parked: u32) {
        if let Some(vector) = self.reset_vector {
            // SAFETY: the vector is the firmware's, and mapped for good; the rest is the caller's
            // promise.
            unsafe { Trampoline::return_to_firmware(word, parked, vector.get()) }
        }
    }

    /// The mailbox as the bring-up sees it, with where APs are to go.
    pub(super) fn to(self, vector: u64) -> Requests {
        Requests {
            mailbox: self,
            vector,
        }
    }
}

/// Maps the page of an address, as this CPU can name it.
fn map(address: u64, access: Access) -> Result<(), Unusable> {
    let bits = ThisCpu.physical_address_bits();
    if address >> bits != 0 {
        return Err(Unusable::NoSuchAddress { address, bits });
    }
    memory::map_firmware(address, access).map_err(|cause| Unusable::Map { address, cause })
}

/// Requests that all lead to the same place.
#[derive(Clone, Copy)]
pub(super) struct Requests {
    pub(super) mailbox: MappedMailbox,
    vector: u64,
}

impl WakeMailbox for Requests {
    fn request(&self, target: ApicId) {
        trace::note(Event::WakeRequest {
            to: Target::One(target),
        });
        self.mailbox.words.request(target, self.vector);
    }

    fn is_free(&self) -> bool {
        self.mailbox.words.is_free()
    }

    fn retract(&self) -> bool {
        self.mailbox.words.retract()
    }

    fn takes_back(&self) -> bool {
        self.mailbox.takes_back()
    }
}
