//! Which task is in which slot. Owner CPU only.
//!
//! A new task takes the lowest vacant slot. A slot is vacant again the moment its task ends: a
//! waker of that task may then make the next one in the slot ready, once for each of its wakes,
//! and for nothing.

use core::cell::Cell;
use core::mem::forget;
use core::task::Context;

use crate::ready::{Leaf, TASKS_PER_BLOCK};
use crate::sync::const_unless_loom;
use crate::task::Task;

/// Slots and ready bits for 64 tasks.
pub(crate) struct Block {
    pub(crate) leaf: Leaf,
    /// One bit a slot that may take a task.
    vacant: Cell<u64>,
    tasks: [Cell<Option<Task>>; TASKS_PER_BLOCK],
}

// SAFETY: a block leaves the CPU of its maker empty. It gets its first task from an executor, which
// has it for good and stays on one CPU.
unsafe impl Send for Block {}

impl Block {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self {
                leaf: Leaf::new(),
                vacant: Cell::new(u64::MAX),
                tasks: [const { Cell::new(None) }; TASKS_PER_BLOCK],
            }
        }
    }

    /// Leaves only the first `slots` slots in use; for a block that is still empty.
    pub(crate) fn limit(&self, slots: usize) {
        let unused = u64::MAX.checked_shl(slots as u32).unwrap_or(0);
        self.vacant.set(!unused);
    }
}

/// The number of a slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotIndex {
    block: u16,
    bit: u8,
}

impl SlotIndex {
    pub(crate) fn new(block: usize, bit: u32) -> Self {
        Self {
            block: block as u16,
            bit: bit as u8,
        }
    }
}

/// All slots of an executor.
pub(crate) struct Slots {
    pub(crate) blocks: &'static [Block],
    /// No block below this one has a vacant slot.
    first_vacant: Cell<usize>,
    /// The slot whose task is being polled.
    polled: Cell<Option<SlotIndex>>,
    /// The task that is being polled is to end with this poll.
    abort_polled: Cell<bool>,
    /// Whether tasks may be put in.
    open: Cell<bool>,
}

impl Slots {
    pub(crate) fn new(blocks: &'static [Block]) -> Self {
        Self {
            blocks,
            first_vacant: Cell::new(0),
            polled: Cell::new(None),
            abort_polled: Cell::new(false),
            open: Cell::new(true),
        }
    }

    fn slot(&self, index: SlotIndex) -> &Cell<Option<Task>> {
        &self.blocks[index.block as usize].tasks[index.bit as usize]
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.get()
    }

    /// From now on no task can be put in.
    pub(crate) fn close(&self) {
        self.open.set(false);
    }

    /// The lowest vacant slot.
    pub(crate) fn vacant(&self) -> Option<SlotIndex> {
        let first = self.first_vacant.get();
        let has_vacant = |block: &Block| block.vacant.get() != 0;
        let found = self.blocks[first..].iter().position(has_vacant);
        let block = found.map_or(self.blocks.len(), |distance| first + distance);
        self.first_vacant.set(block);
        let bit = self.blocks.get(block)?.vacant.get().trailing_zeros();
        Some(SlotIndex::new(block, bit))
    }

    /// Puts a task into a vacant slot and makes it ready.
    pub(crate) fn put(&self, index: SlotIndex, task: Task) {
        let block = &self.blocks[index.block as usize];
        block.vacant.set(block.vacant.get() & !(1 << index.bit));
        self.slot(index).set(Some(task));
        block.leaf.insert(1 << index.bit);
    }

    pub(crate) fn get(&self, index: SlotIndex) -> Option<Task> {
        self.slot(index).get()
    }

    /// Vacates the slot.
    fn take(&self, index: SlotIndex) -> Option<Task> {
        let task = self.slot(index).take()?;
        let block = &self.blocks[index.block as usize];
        block.vacant.set(block.vacant.get() | 1 << index.bit);
        self.first_vacant
            .set(self.first_vacant.get().min(index.block as usize));
        Some(task)
    }

    /// Ends `task` if it still is in its slot: at once, or with its present poll.
    pub(crate) fn abort(&self, index: SlotIndex, task: Task) {
        if self.get(index) != Some(task) {
            return;
        }
        if self.polled.get() == Some(index) {
            self.abort_polled.set(true);
        } else if let Some(task) = self.take(index) {
            task.abort();
        }
    }

    /// Polls the task in a slot, and ends it if it is done, has been aborted, or panics.
    pub(crate) fn poll(&self, index: SlotIndex, task: Task, context: &mut Context<'_>) {
        /// Ends a task whose future panics.
        struct Panicked<'a>(&'a Slots, SlotIndex);
        impl Drop for Panicked<'_> {
            fn drop(&mut self) {
                self.0.polled.set(None);
                self.0.abort_polled.set(false);
                if let Some(task) = self.0.take(self.1) {
                    task.emptied();
                }
            }
        }

        self.polled.set(Some(index));
        let panicked = Panicked(self, index);
        let done = task.poll(context).is_ready();
        forget(panicked);
        self.polled.set(None);
        let aborted = self.abort_polled.replace(false);
        if !done && !aborted {
            return;
        }
        self.take(index);
        match (done, aborted) {
            (true, false) => task.complete(),
            (true, true) => task.discard(),
            (false, _) => task.abort(),
        }
    }

    /// Aborts all tasks, lowest slot first. Until it returns none can be put in.
    pub(crate) fn clear(&self) {
        struct Reopen<'a>(&'a Slots, bool);
        impl Drop for Reopen<'_> {
            fn drop(&mut self) {
                self.0.open.set(self.1);
            }
        }

        let _reopen = Reopen(self, self.open.replace(false));
        for block in 0..self.blocks.len() {
            for bit in 0..u64::BITS {
                if let Some(task) = self.take(SlotIndex::new(block, bit)) {
                    task.abort();
                }
            }
        }
    }
}
