//! The words of the ACPI multiprocessor wakeup mailbox (ACPI 6.6, section 5.2.12.19), by which
//! firmware and kernel agree on who starts where.
//!
//! ```text
//!              1 request                      2 take
//!  NOOP ────────────────────▶ WAKEUP ──────────────────────▶ NOOP
//!       ◀──────────────────── 3 retract
//! ```
//!
//! The kernel makes the transitions 1 and 3, an AP in the firmware's loop makes 2: it reads whom the
//! request is for and where to go, writes NOOP, and goes. That store is a plain one, so only the
//! kernel's side can tell who was first: a retraction that finds NOOP has come too late. One that
//! succeeds may still be followed by the AP, which had read the request before and is about to take
//! it; its store then strikes NOOP, or a request for somebody else, which is lost. Whoever waits for
//! an answer must expect both (`bringup/kick/mailbox.rs`).
//!
//! # Memory ordering
//!
//! The request is a release store behind id and vector, so the AP that reads WAKEUP reads those of
//! this request. The look for NOOP, and the retraction, acquire: what the AP read it read before it
//! wrote NOOP, and id and vector are written anew only behind that. The firmware's plain accesses
//! are as strong on x86. Words on either side of the page are never compared, so nothing stronger is
//! needed.

use crate::{
    cpu::ApicId,
    sync::{AtomicU16, AtomicU32, AtomicU64, Ordering},
};

/// The part of the mailbox's page that the kernel writes, as it lies there.
#[derive(Debug)]
#[repr(C)]
pub struct Words {
    command: AtomicU16,
    flags: AtomicU16,
    apic_id: AtomicU32,
    wakeup_vector: AtomicU64,
}

/// Nobody is asked.
const NOOP: u16 = 0;
/// The CPU with the id is to go to the vector.
const WAKEUP: u16 = 1;

#[cfg(not(any(loom, feature = "preemption")))]
const _: () = assert!(
    core::mem::size_of::<Words>() == 16
        && core::mem::offset_of!(Words, apic_id) == 4
        && core::mem::offset_of!(Words, wakeup_vector) == 8
);

impl Words {
    /// A mailbox in which nothing is, for machines that are simulated.
    pub fn new() -> Self {
        Self {
            command: AtomicU16::new(NOOP),
            flags: AtomicU16::new(0),
            apic_id: AtomicU32::new(0),
            wakeup_vector: AtomicU64::new(0),
        }
    }

    /// 1, kernel: asks a CPU to go to a physical address. The mailbox must be free.
    pub fn request(&self, target: ApicId, vector: u64) {
        self.apic_id.store(target.0, Ordering::Relaxed);
        self.wakeup_vector.store(vector, Ordering::Relaxed);
        self.command.store(WAKEUP, Ordering::Release);
    }

    /// Kernel: whether the last request has been taken, or retracted.
    pub fn is_free(&self) -> bool {
        self.command.load(Ordering::Acquire) == NOOP
    }

    /// 3, kernel: takes the request back. `false` when it has been taken first.
    pub fn retract(&self) -> bool {
        self.command
            .compare_exchange(WAKEUP, NOOP, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Firmware, for machines that are simulated: whom the request is for, and where it is to go.
    pub fn look(&self) -> Option<(ApicId, u64)> {
        (self.command.load(Ordering::Acquire) == WAKEUP).then(|| {
            let target = ApicId(self.apic_id.load(Ordering::Relaxed));
            (target, self.wakeup_vector.load(Ordering::Relaxed))
        })
    }

    /// 2, firmware, for machines that are simulated: the CPU that has looked takes the request.
    pub fn take(&self) {
        self.command.store(NOOP, Ordering::Release);
    }
}

impl Default for Words {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_or_retracted_and_the_mailbox_is_free_behind_either() {
        let words = Words::new();
        assert!(words.is_free() && words.look().is_none() && !words.retract());
        words.request(ApicId(7), 0x9_d000);
        assert!(!words.is_free());
        assert_eq!(words.look(), Some((ApicId(7), 0x9_d000)));
        words.take();
        assert!(words.is_free() && !words.retract());
        words.request(ApicId(8), 0x9_d000);
        assert!(words.retract() && words.is_free());
        assert_eq!(words.look(), None);
    }
}
