//! The timers that are set: a pairing heap of nodes inside the sleeping futures. Owner CPU only.
//!
//! Equal deadlines fire in the order in which they were set. Setting a timer takes constant time,
//! firing or cancelling one logarithmic time (amortised), and none of them memory.
//!
//! **Node Invariant**: a node that is set lies in one heap, is pinned, and leaves the heap before
//! its memory goes. Nodes are reached through `Cell`s only, so no exclusive reference is needed.
//!
//! ```text
//!   child   the first child; the heap's order holds from each node to its children
//!   next    the next sibling
//!   prev    the sibling before, or the parent for a first child; null for the heap's root
//! ```

use core::cell::Cell;
use core::ptr;
use core::task::Waker;

use crate::{Instant, Platform};

/// A timer, in the future that waits for it.
pub(crate) struct Node {
    deadline: Cell<Instant>,
    /// The order in which timers of one deadline were set.
    sequence: Cell<u64>,
    waker: Cell<Option<Waker>>,
    state: Cell<State>,
    child: Cell<*const Node>,
    next: Cell<*const Node>,
    prev: Cell<*const Node>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Not in the heap.
    Unset,
    /// In the heap.
    Set,
    /// Taken out of the heap because its deadline has come.
    Fired,
}

pub(crate) struct TimerHeap {
    root: Cell<*const Node>,
    next_sequence: Cell<u64>,
}

impl Node {
    pub(crate) const fn new() -> Self {
        Self {
            deadline: Cell::new(Instant::MAX),
            sequence: Cell::new(0),
            waker: Cell::new(None),
            state: Cell::new(State::Unset),
            child: Cell::new(ptr::null()),
            next: Cell::new(ptr::null()),
            prev: Cell::new(ptr::null()),
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state.get()
    }

    /// Whom firing wakes. A waker that would do the same is kept.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        let kept = self.waker.take();
        let is_same = kept.as_ref().is_some_and(|kept| kept.will_wake(waker));
        self.waker.set(kept);
        if !is_same {
            // Clone and drop may panic or fire this timer: it has the one waker or the other then.
            let waker = waker.clone();
            drop(self.waker.replace(Some(waker)));
        }
    }

    fn fires_before(&self, other: &Self) -> bool {
        (self.deadline.get(), self.sequence.get()) < (other.deadline.get(), other.sequence.get())
    }
}

/// The node at `node`.
fn at<'a>(node: *const Node) -> Option<&'a Node> {
    // SAFETY: Node Invariant: every pointer in a heap is null or leads to a node that is set. The
    // references made here live no longer than one operation on the heap, which drops no node.
    unsafe { node.as_ref() }
}

impl TimerHeap {
    pub(crate) const fn new() -> Self {
        Self {
            root: Cell::new(ptr::null()),
            next_sequence: Cell::new(0),
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        at(self.root.get()).map(|node| node.deadline.get())
    }

    /// Puts a node into the heap.
    ///
    /// # Safety
    ///
    /// `node` is not set; it stays where it is until it has fired or [`cancel`](Self::cancel) has
    /// been called for it.
    pub(crate) unsafe fn set(&self, node: &Node, deadline: Instant) {
        node.deadline.set(deadline);
        let sequence = self.next_sequence.get();
        self.next_sequence.set(sequence + 1);
        node.sequence.set(sequence);
        node.state.set(State::Set);
        self.root.set(meld(self.root.get(), node));
    }

    /// Takes a node out of the heap, if it is set.
    pub(crate) fn cancel(&self, node: &Node) {
        if node.state.get() != State::Set {
            return;
        }
        let rest = merge_pairs(node.child.replace(ptr::null()));
        let next = node.next.replace(ptr::null());
        let prev = node.prev.replace(ptr::null());
        if let Some(next) = at(next) {
            next.prev.set(prev);
        }
        match at(prev) {
            None => self.root.set(rest),
            Some(prev) => {
                if ptr::eq(prev.child.get(), node) {
                    prev.child.set(next);
                } else {
                    prev.next.set(next);
                }
                self.root.set(meld(self.root.get(), rest));
            }
        }
        node.state.set(State::Unset);
    }

    /// Fires all timers that are due. The clock is read once, and not at all without timers.
    #[inline]
    pub(crate) fn fire(&self, platform: &dyn Platform) {
        if !self.root.get().is_null() {
            self.fire_until(platform.now());
        }
    }

    fn fire_until(&self, now: Instant) {
        while let Some(first) = at(self.root.get()).filter(|first| first.deadline.get() <= now) {
            self.cancel(first);
            first.state.set(State::Fired);
            // The last use of `first`: waking may drop it.
            let waker = first.waker.take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Takes all nodes out without waking anybody.
    pub(crate) fn clear(&self) {
        while let Some(first) = at(self.root.get()) {
            self.cancel(first);
        }
    }
}

/// Melds two heaps into one.
fn meld(a: *const Node, b: *const Node) -> *const Node {
    let (Some(first), Some(second)) = (at(a), at(b)) else {
        return if a.is_null() { b } else { a };
    };
    let (parent, child) = if second.fires_before(first) {
        (second, first)
    } else {
        (first, second)
    };
    child.prev.set(parent);
    child.next.set(parent.child.get());
    if let Some(sibling) = at(parent.child.get()) {
        sibling.prev.set(child);
    }
    parent.child.set(child);
    parent
}

/// Melds a list of siblings into one heap: in pairs from the left, then the pairs from the right.
fn merge_pairs(mut siblings: *const Node) -> *const Node {
    let mut pairs: *const Node = ptr::null();
    while let Some(first) = at(siblings) {
        let second = first.next.replace(ptr::null());
        siblings = at(second).map_or(ptr::null(), |second| second.next.replace(ptr::null()));
        let pair = meld(first, second);
        if let Some(pair) = at(pair) {
            pair.next.set(pairs);
        }
        pairs = pair;
    }
    let mut heap = ptr::null();
    while let Some(pair) = at(pairs) {
        pairs = pair.next.replace(ptr::null());
        heap = meld(heap, pair);
    }
    if let Some(root) = at(heap) {
        root.prev.set(ptr::null());
    }
    heap
}
