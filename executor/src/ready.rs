//! The ready set: which tasks to poll. One bit a task, and above 512 tasks one bit a leaf.
//!
//! ```text
//!   summary   one bit a leaf     only above 8 leaves
//!     leaf    one bit a task     one cache line for 64 tasks
//! ```
//!
//! A waker sets the task's bit in the leaf; then, where there is a summary, the leaf's bit in it,
//! unless it finds it there. The owner takes the tasks' bits of each leaf whose bit is there. It
//! clears a leaf's bit only when it has found the leaf empty, and takes the leaf once more after
//! that. So a waker that finds the leaf's bit need not write it: the owner will look at the leaf.
//! (If the owner had taken the leaf before the waker's bit was there, then the waker's
//! read-modify-write has synchronised with that take, and sees the summary as it was then.)
//!
//! A waker never skips the summary because the *task's* bit was set: the one who set that may have
//! stalled before the summary, or may never go on.
//!
//! The words that a sleeper has to look at are called *top words*: the summary words, or without
//! them the leaves, and the root's leaf. `sleep.rs` says why its look is a read-modify-write.

use core::ptr::NonNull;

use crate::sleep::Shared;
use crate::sync::const_unless_loom;
use crate::sync::{
    AtomicU64, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};

/// Tasks in one block of slots: the bits of a leaf.
pub const TASKS_PER_BLOCK: usize = u64::BITS as usize;

/// Summary words, all in one cache line: an empty run looks at no more than that.
pub(crate) const SUMMARY_WORDS: usize = 8;

/// The most leaves that go without a summary: 512 tasks. Looking at each of them costs a round less
/// than the second read-modify-write costs every wake (BENCHMARKS.md).
pub(crate) const FLAT_BLOCKS: usize = 8;

/// Blocks under one summary word: its bits.
pub(crate) const BLOCKS_PER_SUMMARY: usize = u64::BITS as usize;

/// The largest capacity of an executor: 32,768 tasks.
pub const MAX_CAPACITY: usize = SUMMARY_WORDS * BLOCKS_PER_SUMMARY * TASKS_PER_BLOCK;

/// One word of ready bits: of tasks in a leaf, of leaves in the summary. All that any CPU does to
/// such a word is here.
pub(crate) struct ReadyWord(AtomicU64);

impl ReadyWord {
    const_unless_loom! {
        fn new() -> Self {
            Self(AtomicU64::new(0))
        }
    }

    /// Waker, in a leaf: sets bits. Returns those that were there.
    #[inline]
    fn set(&self, bits: u64) -> u64 {
        // Release: what the waker wrote is there when the task is polled.
        // Acquire: the look at the summary and at the sleep word comes after the owner's last take.
        self.0.fetch_or(bits, AcqRel) & bits
    }

    /// Waker, in the summary: sets a bit unless it is there.
    #[inline]
    fn ensure(&self, bit: u64) {
        // Acquire, as in a leaf. Nothing to release: the owner's take of the leaf decides.
        if self.0.load(Acquire) & bit == 0 {
            self.0.fetch_or(bit, Acquire);
        }
    }

    /// Owner: the bits, as far as they have been heard of. What was set just now may be missed;
    /// the sleeper's look finds it.
    #[inline]
    pub(crate) fn glance(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Owner: whether there is something to take, at a glance.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.glance() != 0
    }

    /// Owner, in a leaf: takes all bits.
    #[inline]
    pub(crate) fn take(&self) -> u64 {
        self.0.swap(0, AcqRel)
    }

    /// Owner, in the summary: clears the bit of a leaf that looks empty. The leaf has to be taken
    /// after this all the same.
    #[inline]
    pub(crate) fn clear_if_empty(&self, bit: u64, leaf: &Self) {
        if !leaf.is_ready() {
            self.0.fetch_and(!bit, Relaxed);
        }
    }

    /// Owner, in a top word: the last look before a sleep that is announced, by a read-modify-write
    /// that changes nothing.
    pub(crate) fn is_empty_before_sleep(&self) -> bool {
        // Release: a waker that comes after this look sees the announcement. What is found is not
        // acquired, as it is not used: the tasks are taken later.
        self.0.fetch_or(0, Release) == 0
    }
}

/// The ready bits of 64 tasks, and the way from them to the executor.
///
/// A waker's data pointer is the leaf's address plus the task's bit number, which is why the leaf
/// is 64 bytes, aligned to 64: one pointer names executor, leaf and bit, and no task needs a word
/// of its own for its waker.
#[repr(C, align(64))]
pub(crate) struct Leaf {
    ready: ReadyWord,
    /// `None` if this leaf is a top word itself.
    summary: Option<&'static ReadyWord>,
    /// This leaf's bit in `summary`.
    summary_bit: u64,
    /// The executor; set before the first waker is made.
    home: Option<NonNull<Shared>>,
}

#[cfg(not(loom))]
const _: () =
    assert!(size_of::<Leaf>() == TASKS_PER_BLOCK && align_of::<Leaf>() == TASKS_PER_BLOCK);

/// The summary words, alone in their cache line.
#[repr(align(64))]
pub(crate) struct Summary(pub(crate) [ReadyWord; SUMMARY_WORDS]);

impl Summary {
    pub(crate) fn new() -> Self {
        Self(core::array::from_fn(|_| ReadyWord::new()))
    }
}

impl Leaf {
    const_unless_loom! {
        pub(crate) fn new() -> Self {
            Self {
                ready: ReadyWord::new(),
                summary: None,
                summary_bit: 0,
                home: None,
            }
        }
    }

    /// Connects the leaf to its executor and, unless it is a top word, to its summary bit.
    pub(crate) fn connect(
        &mut self,
        home: NonNull<Shared>,
        summary: Option<(&'static ReadyWord, u64)>,
    ) {
        self.home = Some(home);
        self.summary = summary.map(|(word, _)| word);
        self.summary_bit = summary.map_or(0, |(_, bit)| bit);
    }

    #[inline]
    pub(crate) fn home(&self) -> Option<NonNull<Shared>> {
        self.home
    }

    /// The tasks' bits.
    #[inline]
    pub(crate) fn word(&self) -> &ReadyWord {
        &self.ready
    }

    /// Makes the tasks of `bits` ready. Returns whether all had been ready before.
    #[inline]
    pub(crate) fn insert(&self, bits: u64) -> bool {
        let before = self.ready.set(bits);
        if let Some(summary) = self.summary {
            summary.ensure(self.summary_bit);
        }
        before == bits
    }
}
