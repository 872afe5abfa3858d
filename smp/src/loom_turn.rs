//! Every interleaving of APs that pass on the turn for serialised steps, by loom.

use alloc::sync::Arc;
use core::pin::pin;

use loom::{cell::UnsafeCell, future::block_on, thread};

use crate::{
    ap::pass_on,
    bringup::Ap,
    cpu::{ApicId, CpuIndex, Place},
    loom_slot::{BOTTOM, MIDDLE, TOP, is_online, is_ready, make_alive},
    turn::Turns,
};

/// Three APs that are alive, and what their serialised steps touch: loom reports two that have the
/// turn at once.
struct Queue {
    aps: Arc<[Ap]>,
    turns: Turns,
    list: UnsafeCell<u32>,
}

// SAFETY: `Turns` is used by the thread that plays the BSP alone.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

impl Queue {
    fn new(aps: u32) -> Arc<Self> {
        let ap = |n| Ap::new(CpuIndex(n), ApicId(n), Place::default());
        let aps: Arc<[Ap]> = (0..aps).map(ap).collect();
        for ap in aps.iter() {
            ap.slot.kick(BOTTOM).unwrap();
            make_alive(&ap.slot);
        }
        Arc::new(Self {
            turns: Turns::new(Arc::clone(&aps)),
            aps,
            list: UnsafeCell::new(0),
        })
    }

    fn queue(&self, index: usize) {
        self.aps[index].slot.call_with_the_turn(MIDDLE);
        self.turns.queue(index);
    }

    /// What the AP does: waits for its turn, runs its section, passes the turn on.
    fn run_section(&self, index: usize) {
        block_on(self.aps[index].slot.until_called(BOTTOM, TOP));
        self.touch_list();
        pass_on(&self.aps, index);
    }

    fn touch_list(&self) {
        // SAFETY: loom checks that no other thread is here at the same time.
        self.list.with_mut(|list| unsafe { *list += 1 });
    }

    /// Lets an AP run its section beside the BSP.
    fn spawn(this: &Arc<Self>, index: usize) -> thread::JoinHandle<()> {
        let queue = Arc::clone(this);
        thread::spawn(move || queue.run_section(index))
    }
}

#[test]
fn the_turn_reaches_whoever_queues_as_it_is_passed_on_and_one_has_it_at_a_time() {
    loom::model(|| {
        let queue = Queue::new(2);
        queue.queue(1);
        let first = Queue::spawn(&queue, 1);
        // It links to the first, or finds that this has passed on and is granted the turn.
        queue.queue(0);
        // A turn that never comes is a deadlock, which loom reports.
        queue.run_section(0);
        first.join().unwrap();
    });
}

#[test]
fn a_cpu_that_queues_between_two_others_gets_the_turn_and_keeps_nobody_from_it() {
    loom::model(|| {
        let queue = Queue::new(3);
        queue.queue(0);
        queue.queue(2);
        let first = Queue::spawn(&queue, 0);
        queue.queue(1);
        first.join().unwrap();
        // The second has it before the newcomer if it had come to it already.
        let order = match queue.aps[1].slot.permission().goal() {
            Some(_) => [1, 2],
            None => [2, 1],
        };
        for index in order {
            queue.run_section(index);
        }
    });
}

#[test]
fn the_turn_of_an_abandoned_cpu_goes_on_once_whoever_passes_it_on() {
    loom::model(|| {
        let queue = Queue::new(2);
        queue.queue(0);
        queue.queue(1);
        let slow = {
            let queue = Arc::clone(&queue);
            // It comes out of its step at the moment at which it is abandoned.
            thread::spawn(move || pass_on(&queue.aps, 0))
        };
        queue.aps[0].slot.abandon(is_online).unwrap();
        queue.turns.take_back(0);
        queue.run_section(1);
        slow.join().unwrap();
        assert!(queue.aps.iter().all(|ap| ap.slot.baton().has_passed()));
    });
}

#[test]
fn a_grant_that_comes_after_all_is_over_gives_nobody_a_later_turn() {
    loom::model(|| {
        let queue = Queue::new(3);
        queue.queue(0);
        queue.queue(1);
        let slow = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || pass_on(&queue.aps, 0))
        };
        // Both are abandoned meanwhile, and the second is brought up again and waits for its turn.
        for index in [0, 1] {
            queue.aps[index].slot.abandon(is_online).unwrap();
            queue.turns.take_back(index);
        }
        let slot = &queue.aps[1].slot;
        slot.state().park().unwrap();
        slot.kick(BOTTOM).unwrap();
        make_alive(slot);
        queue.queue(2);
        queue.queue(1);
        slow.join().unwrap();
        assert_eq!(slot.permission().goal(), None);
    });
}

#[test]
fn a_cpu_that_dies_before_it_says_whose_turn_it_is_keeps_the_turn_from_nobody() {
    loom::model(|| {
        let queue = Queue::new(2);
        queue.queue(0);
        queue.queue(1);
        // It passes on and is never seen again.
        queue.aps[0].slot.baton().pass_on(|_| ());
        queue.aps[0].slot.abandon(is_online).unwrap();
        queue.turns.take_back(0);
        assert_eq!(queue.aps[1].slot.permission().goal(), Some(MIDDLE));
        block_on(queue.turns.granted(1));
    });
}

#[test]
fn nobody_counts_as_granted_before_it_can_run() {
    loom::model(|| {
        let queue = Queue::new(2);
        queue.queue(0);
        queue.queue(1);
        // The first has passed on and not come to its grant.
        let look = |next: usize| queue.aps[next].slot.permission().awaited();
        let (next, awaited) = queue.aps[0].slot.baton().pass_on(look).unwrap();
        let mut granted = pin!(queue.turns.granted(1));
        assert!(!is_ready(granted.as_mut()));
        queue.aps[next].slot.grant_to_peer(awaited);
        assert!(is_ready(granted.as_mut()));
    });
}
