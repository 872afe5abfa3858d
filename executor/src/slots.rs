//! Who holds which slot. Owner CPU only.
//!
//! A new task takes the lowest vacant slot. A slot is vacant again the moment its task ends; an
//! old waker may then make the next task in it ready once for nothing.

use core::cell::Cell;

use crate::ready::{Leaf, TASKS_PER_BLOCK};
use crate::task::Task;

/// Slots and ready bits for 64 tasks.
pub(crate) struct Block {
    pub(crate) leaf: Leaf,
    tasks: [Cell<Option<Task>>; TASKS_PER_BLOCK],
}

// SAFETY: a block leaves the hands of its maker empty, and holds tasks only once an executor,
// which stays on one CPU, has it for good.
unsafe impl Send for Block {}

impl Block {
    pub(crate) const fn new() -> Self {
        Self {
            leaf: Leaf::new(),
            tasks: [const { Cell::new(None) }; TASKS_PER_BLOCK],
        }
    }
}

/// The number of a slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotIndex(u32);

impl SlotIndex {
    pub(crate) fn new(block: usize, bit: u32) -> Self {
        Self((block * TASKS_PER_BLOCK) as u32 + bit)
    }

    pub(crate) fn block(self) -> usize {
        self.0 as usize / TASKS_PER_BLOCK
    }

    pub(crate) fn bit(self) -> u32 {
        self.0 % TASKS_PER_BLOCK as u32
    }
}

/// All slots of an executor.
pub(crate) struct Slots {
    pub(crate) blocks: &'static [Block],
    capacity: usize,
    /// No slot below this one is vacant.
    lowest_vacant: Cell<usize>,
    /// The slot whose task is being polled.
    polled: Cell<Option<SlotIndex>>,
    /// The task being polled is to end with this poll.
    abort_polled: Cell<bool>,
    /// Whether tasks may be put in.
    pub(crate) open: Cell<bool>,
}

impl Slots {
    pub(crate) fn new(blocks: &'static [Block], capacity: usize) -> Self {
        assert!(capacity <= blocks.len() * TASKS_PER_BLOCK);
        Self {
            blocks,
            capacity,
            lowest_vacant: Cell::new(0),
            polled: Cell::new(None),
            abort_polled: Cell::new(false),
            open: Cell::new(true),
        }
    }

    fn slot(&self, index: SlotIndex) -> &Cell<Option<Task>> {
        &self.blocks[index.block()].tasks[index.bit() as usize]
    }

    /// The lowest vacant slot.
    pub(crate) fn vacant(&self) -> Option<SlotIndex> {
        let vacant = (self.lowest_vacant.get()..self.capacity)
            .map(|number| SlotIndex(number as u32))
            .find(|&index| self.slot(index).get().is_none());
        self.lowest_vacant
            .set(vacant.map_or(self.capacity, |index| index.0 as usize));
        vacant
    }

    /// Puts a task into a vacant slot and makes it ready.
    pub(crate) fn put(&self, index: SlotIndex, task: Task) {
        self.slot(index).set(Some(task));
        self.blocks[index.block()].leaf.insert(1 << index.bit());
    }

    pub(crate) fn get(&self, index: SlotIndex) -> Option<Task> {
        self.slot(index).get()
    }

    /// Vacates the slot.
    pub(crate) fn take(&self, index: SlotIndex) -> Option<Task> {
        let lowest = self.lowest_vacant.get().min(index.0 as usize);
        self.lowest_vacant.set(lowest);
        self.slot(index).take()
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

    /// Polls the task of a slot and ends it if it is done, was aborted meanwhile, or panics.
    pub(crate) fn poll(&self, index: SlotIndex, task: Task, context: &mut core::task::Context<'_>) {
        /// Ends a task that panics.
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
        let done = task.poll(context);
        core::mem::forget(panicked);
        self.polled.set(None);
        let aborted = self.abort_polled.replace(false);
        if !done && !aborted {
            return;
        }
        self.take(index);
        match (done, aborted) {
            (true, false) => task.completed(),
            (true, true) => task.abort_completed(),
            (false, _) => task.abort(),
        }
    }

    /// Ends all tasks. Until it returns none can be put in.
    pub(crate) fn clear(&self) {
        struct Reopen<'a>(&'a Cell<bool>, bool);
        impl Drop for Reopen<'_> {
            fn drop(&mut self) {
                self.0.set(self.1);
            }
        }
        let _reopen = Reopen(&self.open, self.open.replace(false));
        for number in 0..self.capacity {
            if let Some(task) = self.take(SlotIndex(number as u32)) {
                task.abort();
            }
        }
    }
}
