//! The list of CPUs that are online, in the order in which they came.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU32, Ordering};

use reveille_smp::cpu::CpuIndex;

/// The CPUs that are online. One CPU at a time may join, which is why joining is a serialised step;
/// anybody may read.
///
/// # Memory ordering
///
/// An entry is written before the length that covers it, which is a release store; a reader's
/// acquire load of the length thus sees every entry below it.
pub struct OnlineList {
    entries: Box<[AtomicU32]>,
    len: AtomicU32,
}

impl OnlineList {
    /// An empty list for so many CPUs.
    pub fn with_capacity(cpus: usize) -> Self {
        Self {
            entries: (0..cpus).map(|_| AtomicU32::new(0)).collect(),
            len: AtomicU32::new(0),
        }
    }

    /// Adds a CPU; `false` when the list is full.
    pub(super) fn join(&self, cpu: CpuIndex) -> bool {
        let len = self.len.load(Ordering::Relaxed);
        let Some(entry) = self.entries.get(len as usize) else {
            return false;
        };
        entry.store(cpu.0, Ordering::Relaxed);
        self.len.store(len + 1, Ordering::Release);
        true
    }

    /// Empties the list, when all its CPUs have parked.
    pub fn clear(&self) {
        self.len.store(0, Ordering::Release);
    }

    /// The CPUs in the list.
    pub fn iter(&self) -> impl Iterator<Item = CpuIndex> {
        let len = self.len.load(Ordering::Acquire) as usize;
        self.entries[..len]
            .iter()
            .map(|entry| CpuIndex(entry.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_the_order_of_arrival_and_refuses_more_than_it_has_room_for() {
        let list = OnlineList::with_capacity(2);
        assert!(list.join(CpuIndex(3)) && list.join(CpuIndex(1)));
        assert!(!list.join(CpuIndex(2)));
        assert!(list.iter().eq([CpuIndex(3), CpuIndex(1)]));
        list.clear();
        assert_eq!(list.iter().count(), 0);
    }
}
