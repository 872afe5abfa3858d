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
    /// One bit a slot that may take a task; none until the block has its place, so that an unused
    /// block is all zeros and takes no room in an image.
    vacant: Cell<u64>,
    /// Its place among the blocks of the executor.
    number: usize,
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
                vacant: Cell::new(0),
                number: 0,
                tasks: [const { Cell::new(None) }; TASKS_PER_BLOCK],
            }
        }
    }

    /// Gives a block, which is still empty, its place, and leaves only the first `slots` in use.
    pub(crate) fn place(&mut self, number: usize, slots: usize) {
        let unused = u64::MAX.checked_shl(slots as u32).unwrap_or(0);
        self.vacant.set(!unused);
        self.number = number;
    }
}

/// A slot: a block, and a bit of its words.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    block: &'static Block,
    bit: u32,
}

impl Slot {
    #[inline]
    pub(crate) fn new(block: &'static Block, bit: u32) -> Self {
        Self { block, bit }
    }

    /// Its place among all of the executor.
    #[inline]
    pub(crate) fn number(self) -> usize {
        self.block.number * TASKS_PER_BLOCK + self.bit as usize
    }

    #[inline]
    fn cell(self) -> &'static Cell<Option<Task>> {
        &self.block.tasks[self.bit as usize % TASKS_PER_BLOCK]
    }

    /// The task in it.
    #[inline]
    pub(crate) fn task(self) -> Option<Task> {
        self.cell().get()
    }
}

/// All slots of an executor.
pub(crate) struct Slots {
    pub(crate) blocks: &'static [Block],
    /// No block below this one has a vacant slot.
    first_vacant: Cell<usize>,
    /// The task that is being polled.
    polled: Cell<Option<Task>>,
    /// It is to end with that poll.
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

    pub(crate) fn is_open(&self) -> bool {
        self.open.get()
    }

    /// From now on no task can be put in.
    pub(crate) fn close(&self) {
        self.open.set(false);
    }

    /// Whether no task is in any slot.
    pub(crate) fn are_all_vacant(&self) -> bool {
        let has_task = |cell: &Cell<Option<Task>>| cell.get().is_some();
        !self
            .blocks
            .iter()
            .any(|block| block.tasks.iter().any(has_task))
    }

    /// The lowest vacant slot.
    pub(crate) fn vacant(&self) -> Option<Slot> {
        let first = self.first_vacant.get();
        let has_vacant = |block: &&Block| block.vacant.get() != 0;
        let block = self.blocks[first..].iter().find(has_vacant);
        let first = block.map_or(self.blocks.len(), |block| block.number);
        self.first_vacant.set(first);
        block.map(|block| Slot::new(block, block.vacant.get().trailing_zeros()))
    }

    /// Puts a task into a vacant slot and makes it ready.
    pub(crate) fn put(&self, slot: Slot, task: Task) {
        let Slot { block, bit } = slot;
        block.vacant.set(block.vacant.get() & !(1 << bit));
        slot.cell().set(Some(task));
        block.leaf.insert(1 << bit);
    }

    /// Vacates the slot.
    fn take(&self, slot: Slot) -> Option<Task> {
        let task = slot.cell().take()?;
        let Slot { block, bit } = slot;
        block.vacant.set(block.vacant.get() | 1 << bit);
        self.first_vacant
            .set(self.first_vacant.get().min(block.number));
        Some(task)
    }

    /// Ends `task` if it still is in its slot: at once, or with its present poll.
    pub(crate) fn abort(&self, slot: Slot, task: Task) {
        if slot.task() != Some(task) {
            return;
        }
        if self.polled.get() == Some(task) {
            self.abort_polled.set(true);
        } else if let Some(task) = self.take(slot) {
            task.abort();
        }
    }

    /// Polls the task in a slot, and ends it if it is done, has been aborted, or panics.
    #[inline]
    pub(crate) fn poll(&self, slot: Slot, task: Task, context: &mut Context<'_>) {
        /// Ends a task whose future panics.
        struct Panicked<'a>(&'a Slots, Slot);
        impl Drop for Panicked<'_> {
            #[inline]
            fn drop(&mut self) {
                self.0.end_emptied(self.1);
            }
        }

        self.polled.set(Some(task));
        let panicked = Panicked(self, slot);
        let done = task.poll(context).is_ready();
        forget(panicked);
        self.polled.set(None);
        if done || self.abort_polled.get() {
            self.end(slot, done);
        }
    }

    /// Ends a task after its poll.
    fn end(&self, slot: Slot, done: bool) {
        let aborted = self.abort_polled.replace(false);
        match self.take(slot) {
            Some(task) if !done => task.abort(),
            Some(task) if aborted => task.discard(),
            Some(task) => task.complete(),
            None => {}
        }
    }

    /// Ends a task whose poll has panicked.
    #[cold]
    fn end_emptied(&self, slot: Slot) {
        self.polled.set(None);
        self.abort_polled.set(false);
        if let Some(task) = self.take(slot) {
            task.emptied();
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

        /// Goes on where the drop of a task has panicked.
        struct Rest<'a>(&'a Slots);
        impl Drop for Rest<'_> {
            fn drop(&mut self) {
                self.0.abort_all();
            }
        }

        let _reopen = Reopen(self, self.open.replace(false));
        let rest = Rest(self);
        self.abort_all();
        forget(rest);
    }

    fn abort_all(&self) {
        for block in self.blocks {
            for bit in 0..u64::BITS {
                if let Some(task) = self.take(Slot::new(block, bit)) {
                    task.abort();
                }
            }
        }
    }
}
