//! The executor: takes the ready set, polls its tasks, sleeps when there is nothing to do.

use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;

use crate::ready::{BLOCKS_PER_SUMMARY, Leaf, ReadyWord};
use crate::sleep::{SleepGate, Tops};
use crate::slots::{Block, Slot};
use crate::storage::{Core, Local, Storage};
use crate::waker::waker;
use crate::{Metrics, NoMetrics, Platform, Spawner, Timer};

/// Runs tasks on the CPU that made it. A value: there may be one a CPU, or many on one.
///
/// Neither `Send` nor `Sync`, as its tasks need not be `Send` (`tests/one_cpu.rs`): to prepare an
/// executor for another CPU, send the [`Storage`] and make the executor there.
///
/// Dropping it drops all tasks. Its memory stays: wakers may still point there. So keep an executor
/// and [`reset`](Self::reset) it, rather than make many.
///
/// # Panics of a task
///
/// Where panics unwind, one of a task's future goes through [`block_on`](Self::block_on) or
/// [`poll_ready`](Self::poll_ready) to the caller. The future is dropped, its join handle gives
/// [`Aborted`](crate::Aborted), and all other tasks go on with the next call: no wake is lost.
///
/// A second panic while the first unwinds aborts the program, as always in Rust: when a future
/// whose poll has panicked panics in its drop too, or when the drops of two tasks do in one
/// [`reset`](Self::reset) or in the drop of the executor.
pub struct Executor<M: Metrics = NoMetrics> {
    core: &'static Core<M>,
}

impl<M: Metrics> Executor<M> {
    /// An executor of `capacity` slots, from the heap, where it stays for good. With no slots at
    /// all, [`block_on`](Self::block_on) still works.
    ///
    /// # Panics
    ///
    /// If `capacity` is above [`MAX_CAPACITY`](crate::MAX_CAPACITY).
    #[cfg(feature = "alloc")]
    pub fn with_capacity(capacity: usize, platform: &'static dyn Platform, metrics: M) -> Self {
        Self {
            core: crate::storage::build_on_heap(capacity, platform, metrics),
        }
    }

    /// An executor of `64 * BLOCKS` slots, in memory that the owner gives for good.
    ///
    /// Without a heap, storage and tasks lie in statics, and whatever gives each of them away once
    /// will do, such as a lock that is never opened again:
    ///
    /// ```
    /// use core::pin::Pin;
    /// use core::task::{Context, Poll};
    /// use reveille_executor::{Executor, NoMetrics, Storage, TaskCell};
    /// use spin::{Mutex, MutexGuard};
    /// # let machine = Box::leak(Box::new(reveille_executor::Park::new()));
    ///
    /// struct Answer;
    ///
    /// impl Future for Answer {
    ///     type Output = u32;
    ///
    ///     fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
    ///         Poll::Ready(42)
    ///     }
    /// }
    ///
    /// static STORAGE: Mutex<Storage<1>> = Mutex::new(Storage::new());
    /// static ANSWER: Mutex<TaskCell<Answer>> = Mutex::new(TaskCell::new(Answer));
    ///
    /// /// What only the first caller gets.
    /// fn take<T>(place: &'static Mutex<T>) -> Option<&'static mut T> {
    ///     place.try_lock().map(MutexGuard::leak)
    /// }
    ///
    /// let storage = take(&STORAGE).expect("one executor is made there");
    /// let mut executor = Executor::in_storage(storage, machine, NoMetrics);
    /// let answer = take(&ANSWER).expect("it is spawned once");
    /// let handle = executor.spawner().spawn_in(answer)?;
    /// assert_eq!(executor.block_on(handle), Ok(42));
    /// # Ok::<(), reveille_executor::SpawnError>(())
    /// ```
    ///
    /// A static names the type of its future, which an `async` block does not have: without a heap
    /// such a future runs in [`block_on`](Self::block_on), which needs no memory for it.
    ///
    /// More slots than [`MAX_CAPACITY`](crate::MAX_CAPACITY) do not compile:
    ///
    /// ```compile_fail,E0080
    /// # use reveille_executor::{Executor, NoMetrics, Park, Storage};
    /// # let machine = Box::leak(Box::new(Park::new()));
    /// let storage = Box::leak(Box::new(Storage::<513>::new()));
    /// let executor = Executor::in_storage(storage, machine, NoMetrics);
    /// ```
    pub fn in_storage<const BLOCKS: usize>(
        storage: &'static mut Storage<BLOCKS, M>,
        platform: &'static dyn Platform,
        metrics: M,
    ) -> Self {
        Self {
            core: storage.build(platform, metrics),
        }
    }

    /// What spawns tasks here.
    pub fn spawner(&self) -> Spawner {
        Spawner::new(&self.core.local)
    }

    /// What makes timers here.
    pub fn timer(&self) -> Timer {
        Timer::new(&self.core.local)
    }

    /// The metrics it was made with.
    pub fn metrics(&self) -> &M {
        &self.core.metrics
    }

    /// Whether no task is left.
    pub fn is_empty(&self) -> bool {
        self.core.local.slots.are_all_vacant()
    }

    /// Runs `future` and all tasks until `future` is done. Tasks that are not done then stay, and
    /// go on with the next call.
    ///
    /// `future` is polled first, before the tasks of a round. If it panics, it is dropped and the
    /// tasks stay.
    ///
    /// `future` may borrow; it is dropped before this returns.
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        self.core.shared.root.insert(1);
        loop {
            self.fire_timers();
            if let Poll::Ready(output) = self.poll_root(future.as_mut()) {
                return output;
            }
            if self.poll_round() == 0 && !self.core.shared.root.word().is_ready() {
                self.idle();
            }
        }
    }

    /// Fires the timers that are due and polls each task that is ready, once, lowest slot first.
    /// A task that becomes ready meanwhile is polled in this round or in the next. Returns the
    /// number of polls. Never sleeps.
    pub fn poll_ready(&mut self) -> usize {
        self.fire_timers();
        self.poll_round()
    }

    /// Drops all tasks, lowest slot first, and forgets all timers; the executor is as new. Wakers
    /// of the tasks dropped stay harmless. Meanwhile spawning fails with
    /// [`SpawnError::Closed`](crate::SpawnError::Closed).
    ///
    /// # Panics
    ///
    /// If the drop of a task does; the rest is done all the same.
    pub fn reset(&mut self) {
        let _forget = Forget(&self.core.local);
        self.core.local.slots.clear();
    }

    fn fire_timers(&self) {
        self.core.local.timers.fire(self.core.shared.platform);
    }

    fn poll_root<F: Future>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        let root = &self.core.shared.root;
        if !root.word().is_ready() {
            return Poll::Pending;
        }
        root.word().take();
        self.core.metrics.polled(None);
        // SAFETY: `storage.rs` connects the root's leaf to this core, of type `Core<M>`.
        let waker = unsafe { waker::<M>(root, 0) };
        let poll = future.poll(&mut Context::from_waker(&waker));
        self.core.metrics.poll_ended();
        poll
    }

    #[inline]
    fn poll_round(&self) -> usize {
        match self.core.local.tops {
            Tops::Leaves(blocks) => self.poll_leaves(blocks),
            Tops::Summary(words) => self.poll_summary(words),
        }
    }

    #[inline]
    fn poll_leaves(&self, blocks: &'static [Block]) -> usize {
        let mut polls = 0;
        for block in blocks {
            if block.leaf.word().is_ready() {
                polls += self.poll_block(block);
            }
        }
        polls
    }

    fn poll_summary(&self, words: &[ReadyWord]) -> usize {
        let blocks = self.core.local.slots.blocks;
        let mut polls = 0;
        for (number, word) in words.iter().enumerate() {
            let mut leaves = word.glance();
            while leaves != 0 {
                let bit = leaves.trailing_zeros();
                leaves &= leaves - 1;
                let block = &blocks[number * BLOCKS_PER_SUMMARY + bit as usize];
                // In this order: see `ready.rs`.
                word.clear_if_empty(1 << bit, block.leaf.word());
                polls += self.poll_block(block);
            }
        }
        polls
    }

    /// Not inlined: a frame of its own keeps what the loop needs in registers.
    #[inline(never)]
    fn poll_block(&self, block: &'static Block) -> usize {
        let slots = &self.core.local.slots;
        let mut polls = 0;
        let mut ready = Taken::from(&block.leaf);
        while let Some(bit) = ready.lowest() {
            ready.remove(bit);
            let slot = Slot::new(block, bit);
            let Some(task) = slot.task() else {
                self.core.metrics.spurious_poll();
                continue;
            };
            self.core.metrics.polled(Some(slot.number()));
            polls += 1;
            // SAFETY: `storage.rs` connects all leaves to this core, of type `Core<M>`.
            let waker = unsafe { waker::<M>(&block.leaf, bit) };
            slots.poll(slot, task, &mut Context::from_waker(&waker));
            self.core.metrics.poll_ended();
        }
        polls
    }

    fn idle(&self) {
        let local = &self.core.local;
        let platform = self.core.shared.platform;
        let until = local.timers.next_deadline();
        let asked = (M::MEASURES_SLEEP || until.is_some()).then(|| platform.now());
        if let (Some(until), Some(now)) = (until, asked)
            && until <= now
        {
            return;
        }
        let gate = SleepGate::new(local.shared, local.tops);
        let asked = asked.filter(|_| M::MEASURES_SLEEP);
        if let Some(asked) = asked {
            self.core.metrics.falls_asleep(asked);
        }
        platform.idle(&gate, until);
        if let Some(asked) = asked {
            let slept = match gate.was_open() {
                true => platform.now() - asked,
                false => Duration::ZERO,
            };
            self.core.metrics.slept(slept);
        }
    }
}

impl<M: Metrics> Drop for Executor<M> {
    fn drop(&mut self) {
        self.core.local.slots.close();
        self.reset();
    }
}

/// Forgets all timers and wakes, also when the drop of a task panics.
struct Forget<'a>(&'a Local);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.timers.clear();
        self.0.shared.root.word().take();
        for block in self.0.slots.blocks {
            block.leaf.word().take();
        }
    }
}

/// Bits taken from a leaf. What is left when a task panics goes back, up to the summary: its bit
/// may have been cleared before the take.
struct Taken<'a> {
    leaf: &'a Leaf,
    bits: u64,
}

impl<'a> Taken<'a> {
    #[inline]
    fn from(leaf: &'a Leaf) -> Self {
        let bits = leaf.word().take();
        Self { leaf, bits }
    }

    #[inline]
    fn lowest(&self) -> Option<u32> {
        (self.bits != 0).then(|| self.bits.trailing_zeros())
    }

    #[inline]
    fn remove(&mut self, bit: u32) {
        self.bits &= !(1 << bit);
    }
}

impl Drop for Taken<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.bits != 0 {
            self.leaf.insert(self.bits);
        }
    }
}
