//! The memory of an executor: made once, used for good.
//!
//! Wakers may outlive everything, so the memory they point into is `'static` and never freed. The
//! owner gives it ([`Storage`]), or the heap does, once.

use core::mem::MaybeUninit;
use core::ptr::NonNull;

use crate::ready::{BLOCKS_PER_SUMMARY, FLAT_BLOCKS, Leaf, MAX_CAPACITY, Summary, TASKS_PER_BLOCK};
use crate::sleep::{Shared, SleepWord, Tops};
use crate::slots::{Block, Slots};
use crate::timer_heap::TimerHeap;
use crate::{Metrics, NoMetrics, Platform};

/// All of an executor but its blocks.
#[repr(C)]
pub(crate) struct Core<M> {
    /// First, so that a pointer to it is one to the core: see `waker.rs`.
    pub(crate) shared: Shared,
    pub(crate) metrics: M,
    pub(crate) local: Local,
}

/// What the owner CPU alone uses.
pub(crate) struct Local {
    pub(crate) shared: &'static Shared,
    pub(crate) tops: Tops<'static>,
    pub(crate) slots: Slots,
    pub(crate) timers: TimerHeap,
}

/// Memory for an executor of `64 * BLOCKS` tasks, for an owner that has no heap, or that prepares
/// it for another CPU: `&'static mut Storage` can be sent, an [`Executor`](crate::Executor) not.
pub struct Storage<const BLOCKS: usize, M = NoMetrics> {
    core: MaybeUninit<Core<M>>,
    blocks: [Block; BLOCKS],
}

// SAFETY: until an executor takes it, its blocks are zeros and its core is not initialised; `M` is
// written by the CPU that makes the executor.
unsafe impl<const BLOCKS: usize, M> Send for Storage<BLOCKS, M> {}

impl<const BLOCKS: usize, M: Metrics> Storage<BLOCKS, M> {
    const CAPACITY: usize = BLOCKS * TASKS_PER_BLOCK;

    /// Unused memory.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self {
            core: MaybeUninit::uninit(),
            blocks: [const { Block::new() }; BLOCKS],
        }
    }

    pub(crate) fn build(
        &'static mut self,
        platform: &'static dyn Platform,
        metrics: M,
    ) -> &'static Core<M> {
        const {
            assert!(
                Self::CAPACITY <= MAX_CAPACITY,
                "more slots than MAX_CAPACITY"
            )
        };
        build(
            &mut self.core,
            &mut self.blocks,
            Self::CAPACITY,
            platform,
            metrics,
        )
    }
}

#[cfg(not(loom))]
impl<const BLOCKS: usize, M: Metrics> Default for Storage<BLOCKS, M> {
    fn default() -> Self {
        Self::new()
    }
}

/// A core and blocks for `capacity` tasks from the heap, for good.
#[cfg(feature = "alloc")]
pub(crate) fn build_on_heap<M: Metrics>(
    capacity: usize,
    platform: &'static dyn Platform,
    metrics: M,
) -> &'static Core<M> {
    use alloc::boxed::Box;
    assert!(
        capacity <= MAX_CAPACITY,
        "an executor holds at most {MAX_CAPACITY} tasks"
    );
    let core = Box::leak(Box::new_uninit());
    let blocks = (0..capacity.div_ceil(TASKS_PER_BLOCK)).map(|_| Block::new());
    build(
        core,
        Box::leak(blocks.collect()),
        capacity,
        platform,
        metrics,
    )
}

/// Connects the parts. `capacity` is at most [`MAX_CAPACITY`], and there are blocks for it.
fn build<M: Metrics>(
    core: &'static mut MaybeUninit<Core<M>>,
    blocks: &'static mut [Block],
    capacity: usize,
    platform: &'static dyn Platform,
    metrics: M,
) -> &'static Core<M> {
    let core = core.as_mut_ptr();
    // SAFETY: `core` points to memory for a `Core`, which is ours for good.
    let home: NonNull<Shared> = unsafe { NonNull::new_unchecked(core).cast() };
    let mut shared = Shared {
        sleep: SleepWord::new(),
        platform,
        root: Leaf::new(),
        summary: Summary::new(),
    };
    shared.root.connect(home, None);
    // SAFETY: as above; each field is written before the first reference to it is made.
    let shared: &'static Shared = unsafe {
        (&raw mut (*core).metrics).write(metrics);
        (&raw mut (*core).shared).write(shared);
        &(*core).shared
    };
    let two_levels = blocks.len() > FLAT_BLOCKS;
    for (number, block) in blocks.iter_mut().enumerate() {
        let word = &shared.summary.0[number / BLOCKS_PER_SUMMARY];
        let bit = 1 << (number % BLOCKS_PER_SUMMARY);
        block.leaf.connect(home, two_levels.then_some((word, bit)));
        block.place(number, capacity - number * TASKS_PER_BLOCK);
    }
    let blocks: &'static [Block] = blocks;
    let tops = if two_levels {
        let words = blocks.len().div_ceil(BLOCKS_PER_SUMMARY);
        Tops::Summary(&shared.summary.0[..words])
    } else {
        Tops::Leaves(blocks)
    };
    let local = Local {
        shared,
        tops,
        slots: Slots::new(blocks),
        timers: TimerHeap::new(),
    };
    // SAFETY: `core` is initialised once its last field is written.
    unsafe {
        (&raw mut (*core).local).write(local);
        &*core
    }
}
