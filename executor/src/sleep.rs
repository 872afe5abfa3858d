//! The sleep of the owner CPU, and the doorbell that ends it: no wake is lost in between.
//!
//! ```text
//!   owner                                      waker
//!   1  sleep word := ASLEEP                    1  set a bit in a top word (read-modify-write)
//!   2  look at every top word                  2  look at the sleep word
//!      (read-modify-write that changes nothing)
//!   3  no bit: sleep                           3  ASLEEP: ring, then mark it RUNG
//! ```
//!
//! The race between the owner's last look (2) and its sleep (3) is closed here: both sides do a
//! read-modify-write on the same top word, so one of the two comes first. If the waker's does, the
//! owner finds the bit and does not sleep. If the owner's does, the waker's one reads from it and
//! thereby acquires what the owner wrote before, which is ASLEEP; so the waker rings, and a ring
//! stays pending until the owner sleeps. No fence is needed, and no sequentially consistent access.
//! A waker that finds its leaf's summary bit set does not write the summary, but acquires it from
//! the one who did: the same argument holds.
//!
//! The owner takes ASLEEP back after each sleep, or before the next announcement, and each sleep
//! has a number of its own in the word. A waker marks RUNG by compare-and-exchange against the
//! number that it saw, after its ring: so a late mark cannot silence the doorbell of the next
//! sleep, and a waker that never comes to ring has not told the others that it did.

use core::cell::Cell;

use crate::Platform;
use crate::ready::{Leaf, ReadyWord, Summary};
use crate::slots::Block;
use crate::sync::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

/// The owner sleeps, or is about to.
const ASLEEP: u64 = 1 << 0;
/// A doorbell has been rung for this sleep.
const RUNG: u64 = 1 << 1;
/// One sleep, in the number above the two flags.
const ONE_SLEEP: u64 = 1 << 2;

/// The top words of a ready set, but for the root's.
#[derive(Clone, Copy)]
pub(crate) enum Tops<'a> {
    Leaves(&'a [Block]),
    Summary(&'a [ReadyWord]),
}

/// What all CPUs see of an executor, besides the leaves of its tasks.
pub(crate) struct Shared {
    pub(crate) sleep: SleepWord,
    pub(crate) platform: &'static dyn Platform,
    /// The ready bit of `block_on`'s own future.
    pub(crate) root: Leaf,
    pub(crate) summary: Summary,
}

/// Whether the owner sleeps. Written by the owner; wakers only add RUNG to what they saw.
///
/// The owner writes by read-modify-write too, though a store would do: loom knows no order between
/// a store and a compare-and-exchange that came before it, and a sleep is not the time to save.
pub(crate) struct SleepWord(AtomicU64);

impl SleepWord {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Waker's steps 2 and 3. Returns whether it rang.
    #[inline]
    pub(crate) fn ring_if_asleep(&self, platform: &dyn Platform) -> bool {
        // Acquire: who finds RUNG relies on a ring that has been made.
        let seen = self.0.load(Acquire);
        if seen & (ASLEEP | RUNG) != ASLEEP {
            return false;
        }
        self.ring(seen, platform);
        true
    }

    #[cold]
    fn ring(&self, seen: u64, platform: &dyn Platform) {
        platform.ring();
        // Failure means that the owner is up again or that another waker marked it: both are fine.
        let _ = self.0.compare_exchange(seen, seen | RUNG, Release, Relaxed);
    }

    /// Owner's step 1, which step 2 publishes.
    fn announce(&self) {
        self.0.fetch_add(ONE_SLEEP | ASLEEP, Relaxed);
    }

    /// Whether a ring is marked. Who finds the mark does not make another: a monitor that is armed
    /// later than the mark would wait for nothing.
    fn is_rung(&self) -> bool {
        // Acquire: as for a waker, the mark comes after the ring. A read-modify-write, so that it is
        // not made from what was read before the monitor.
        self.0.fetch_or(0, Acquire) & RUNG != 0
    }

    /// A waker that still sees ASLEEP afterwards rings once too often, which is harmless.
    fn retract(&self) {
        self.0.fetch_and(!(ASLEEP | RUNG), Relaxed);
    }
}

/// The way into a sleep that a doorbell can end. Given to [`Idle::idle`](crate::Idle::idle).
pub struct SleepGate<'a> {
    sleep: &'a SleepWord,
    root: &'a Leaf,
    tops: Tops<'a>,
    entered: Cell<bool>,
    /// It was found open.
    open: Cell<bool>,
}

impl<'a> SleepGate<'a> {
    pub(crate) fn new(shared: &'a Shared, tops: Tops<'a>) -> Self {
        Self {
            sleep: &shared.sleep,
            root: &shared.root,
            tops,
            entered: Cell::new(false),
            open: Cell::new(false),
        }
    }

    /// Announces a sleep and looks for work once more. `true`: sleep; a wake from now on has the
    /// doorbell rung, until the gate is entered again or `idle` returns. `false`: do not sleep,
    /// there is work, or a ring that came early.
    ///
    /// What a ring does must be held back from before this call until the sleep itself: with
    /// interrupts, they are off here and go on in one piece with `hlt` (`sti; hlt`).
    #[must_use = "there may be work: sleep only if this is true"]
    pub fn enter(&self) -> bool {
        self.enter_monitored(|_| {})
    }

    /// As [`enter`](Self::enter), for a CPU that monitors memory: calls `monitor` with the address
    /// of the word in which a ring is marked, at the moment between announcement and look at which
    /// the monitor must be armed. Only the first ring of a sleep writes there. One that did so
    /// before the monitor was armed shuts the gate.
    #[must_use = "there may be work: sleep only if this is true"]
    pub fn enter_monitored(&self, monitor: impl FnOnce(*const u64)) -> bool {
        if self.entered.replace(true) {
            // A ring of the last sleep is not one of this.
            self.sleep.retract();
        }
        self.sleep.announce();
        monitor(core::ptr::from_ref(&self.sleep.0).cast());
        let open = !self.sleep.is_rung() && self.nothing_is_ready();
        self.open.set(self.open.get() | open);
        open
    }

    /// Whether `idle` has found the gate open, and so may have slept.
    pub(crate) fn was_open(&self) -> bool {
        self.open.get()
    }

    /// Owner's step 2.
    fn nothing_is_ready(&self) -> bool {
        let is_empty = ReadyWord::is_empty_before_sleep;
        is_empty(self.root.word())
            && match self.tops {
                Tops::Leaves(blocks) => blocks.iter().all(|block| is_empty(block.leaf.word())),
                Tops::Summary(words) => words.iter().all(is_empty),
            }
    }
}

impl Drop for SleepGate<'_> {
    /// Takes the announcement back, also when `idle` panics.
    fn drop(&mut self) {
        if self.entered.get() {
            self.sleep.retract();
        }
    }
}
