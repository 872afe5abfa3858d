//! What was told of calls that were not answered, until nothing is measured any more.
//!
//! Any CPU may keep a record; the one that gives the verdict writes them, right before it. Where a run ends
//! in a panic they are lost, for that takes no locks: the console has had its lines (`stuck.rs`).

use alloc::vec::Vec;

use reveille_smp::record::{Record, StuckCall};
use spin::Mutex;
use x86_64::instructions::interrupts::without_interrupts;

use crate::{println, report};

/// So many are kept, the first ones: a machine that is silent again and again is known by then.
const MOST: usize = 64;

static KEPT: Mutex<Kept> = Mutex::new(Kept::new());

/// The first reports of a run.
struct Kept {
    calls: Vec<StuckCall>,
    /// How many came when there was no room.
    more: usize,
}

impl Kept {
    const fn new() -> Self {
        Self {
            calls: Vec::new(),
            more: 0,
        }
    }

    fn add(&mut self, call: StuckCall) {
        if self.calls.len() < MOST {
            self.calls.push(call);
        } else {
            self.more += 1;
        }
    }
}

/// Keeps them to be written. From any context but an NMI: the lock is held with interrupts off.
pub(super) fn keep(calls: impl Iterator<Item = StuckCall>) {
    without_interrupts(|| {
        let mut kept = KEPT.lock();
        calls.for_each(|call| kept.add(call));
    });
}

/// Writes what was kept, once nothing is measured any more.
pub fn write() {
    let kept = without_interrupts(|| core::mem::replace(&mut *KEPT.lock(), Kept::new()));
    for call in kept.calls {
        report::write(&Record::StuckCall(call));
    }
    if kept.more > 0 {
        println!("calls: {} more were late, without a record", kept.more);
    }
}

#[cfg(test)]
mod tests {
    use reveille_smp::cpu::CpuIndex;

    use super::*;

    #[test]
    fn the_first_are_kept_and_the_others_counted() {
        let mut kept = Kept::new();
        for cpu in 0..MOST as u32 + 2 {
            kept.add(StuckCall {
                from: CpuIndex::BSP,
                to: CpuIndex(cpu),
                since_ns: 0,
                begun: false,
                reminded: true,
                seen: None,
                reason: None,
            });
        }
        assert!(kept.calls.iter().map(|call| call.to.0).eq(0..MOST as u32));
        assert_eq!(kept.more, 2);
    }
}
