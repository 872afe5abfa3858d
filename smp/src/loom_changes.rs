//! Every interleaving of whoever makes a change that all CPUs follow with a CPU that comes and goes, by loom.
//! The CPU is called by its own queue, as it is in a boot.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU32 as Unseen, Ordering::Relaxed};

use loom::{sync::atomic::AtomicU32, thread};

use crate::{
    changes::{Changes, Seen},
    loom_call::{CPU_1, OnCpu, check},
};

/// What changes, and a copy that a CPU has of it: a table, and its translations.
struct Memory {
    changes: Changes,
    table: AtomicU32,
    /// Only the CPU touches it. Loom does not see it, so nothing is ordered by it.
    copy: Unseen,
}

impl Memory {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            changes: Changes::new(),
            table: AtomicU32::new(0),
            copy: Unseen::new(0),
        })
    }

    /// What the CPU does to follow: it takes what is there now.
    fn follow(&self) {
        self.copy.store(self.table.load(Relaxed), Relaxed);
    }

    /// The CPU takes calls, and catches up.
    fn come(&self, cpu: OnCpu, seen: &Seen) {
        cpu.queue().open();
        self.changes.catch_up(seen, || self.follow());
    }

    /// Somebody else makes the change.
    fn change(self: &Arc<Self>, from: OnCpu) {
        self.table.store(1, Relaxed);
        self.changes.count();
        let memory = Arc::clone(self);
        // A CPU that takes no calls will catch up.
        let _ = from.calls().try_post(CPU_1, move || memory.follow());
    }
}

/// The CPU comes so many times while somebody makes a change.
fn comes(times: u32) {
    check(3, move |_, one, outside| {
        one.queue().close(one);
        let (memory, seen) = (Memory::new(), Seen::none());
        // An earlier one, so that it has to follow in any case.
        memory.changes.count();
        let changer = {
            let memory = Arc::clone(&memory);
            thread::spawn(move || memory.change(outside))
        };
        memory.come(one, &seen);
        for _ in 1..times {
            one.queue().close(one);
            memory.come(one, &seen);
        }
        changer.join().unwrap();
        one.handle();
        assert_eq!(memory.copy.load(Relaxed), 1, "the CPU has not followed");
        // Seen or not, nothing is left to be followed twice over.
        memory.changes.catch_up(&seen, || memory.follow());
        memory.changes.catch_up(&seen, || panic!("it has followed"));
        drop(memory);
    });
}

#[test]
fn a_cpu_that_comes_as_a_change_is_made_is_called_or_catches_up() {
    comes(1);
}

#[test]
fn a_cpu_that_comes_twice_as_a_change_is_made_has_followed_in_the_end() {
    comes(2);
}
