//! Every interleaving of a rendezvous of two CPUs, by loom. One has work; the other is the caller's too,
//! which has a seat here as anybody, for three take loom hours.
//!
//! Memory stands for all that CPUs use as they run: loom reports two who touch it at once, or of whom
//! the later one does not see what the earlier one did. An interrupt is a waker.

use alloc::sync::Arc;
use core::{future::poll_fn, task::Poll};

use loom::{
    cell::UnsafeCell,
    future::{AtomicWaker, block_on},
    thread,
};

use crate::rendezvous::{Generation, Rendezvous, Seat, Stage};

struct Machine {
    rendezvous: Rendezvous,
    worker: Cpu,
    caller: Cpu,
    /// What the caller uses as it runs, and the worker as it works.
    memory: UnsafeCell<u32>,
}

struct Cpu {
    seat: Seat,
    waker: AtomicWaker,
}

// SAFETY: loom checks who touches the cell.
unsafe impl Send for Machine {}
// SAFETY: as above.
unsafe impl Sync for Machine {}

impl Cpu {
    fn new() -> Self {
        Self {
            seat: Seat::new(),
            waker: AtomicWaker::new(),
        }
    }
}

/// Halts until the condition holds, and looks each time that somebody wakes it.
fn halt_until(waker: &AtomicWaker, condition: impl Fn() -> bool) {
    block_on(poll_fn(|context| {
        waker.register_by_ref(context.waker());
        if condition() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }));
}

impl Machine {
    /// A machine in which both are called.
    fn called() -> (Arc<Self>, Generation) {
        let machine = Self {
            rendezvous: Rendezvous::new(),
            worker: Cpu::new(),
            caller: Cpu::new(),
            memory: UnsafeCell::new(0),
        };
        let generation = machine.rendezvous.next();
        machine.worker.seat.call(generation, true);
        machine.caller.seat.call(generation, false);
        machine.rendezvous.open(generation, 2, 1);
        (Arc::new(machine), generation)
    }

    fn use_memory(&self) {
        // SAFETY: loom checks that no other thread is here at the same time.
        self.memory.with_mut(|memory| unsafe { *memory += 1 });
    }

    fn memory(&self) -> u32 {
        // SAFETY: as above.
        self.memory.with(|memory| unsafe { *memory })
    }

    /// What the worker does in the handler; whether it stood there, or went right on.
    fn stand(&self) -> bool {
        let Some(arrival) = self.rendezvous.arrive(&self.worker.seat) else {
            return false;
        };
        self.caller.waker.wake();
        let stage = || self.rendezvous.stage(arrival.generation);
        halt_until(&self.worker.waker, || stage() != Stage::Gathering);
        if stage() == Stage::Working {
            self.use_memory();
            self.rendezvous.done(arrival.generation);
            self.caller.waker.wake();
        }
        true
    }
}

fn on_cpu<T: Send + 'static>(
    machine: &Arc<Machine>,
    side: impl FnOnce(&Machine) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let machine = Arc::clone(machine);
    thread::spawn(move || side(&machine))
}

#[test]
fn while_one_works_no_other_uses_memory_and_all_see_what_it_did() {
    // With as many switches as it takes to lose a wake and to see two at once; all of them take hours.
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(|| {
        let (machine, generation) = Machine::called();
        let worker = on_cpu(&machine, Machine::stand);
        machine.use_memory();
        let arrival = machine.rendezvous.arrive(&machine.caller.seat).unwrap();
        if arrival.stage == Stage::Working {
            machine.worker.waker.wake();
        }
        let stage = || machine.rendezvous.stage(generation);
        halt_until(&machine.caller.waker, || stage() != Stage::Gathering);
        machine.worker.waker.wake();
        halt_until(&machine.caller.waker, || stage() == Stage::Over);
        assert_eq!(machine.memory(), 2);
        assert!(worker.join().unwrap());
    });
}

#[test]
fn one_that_is_ended_before_all_have_come_is_one_in_which_nobody_works() {
    loom::model(|| {
        let (machine, generation) = Machine::called();
        let worker = on_cpu(&machine, Machine::stand);
        // Its own seat stays empty: it uses memory all the time.
        machine.use_memory();
        assert_eq!(machine.rendezvous.end(generation), Stage::Gathering);
        machine.worker.waker.wake();
        machine.use_memory();
        worker.join().unwrap();
        assert_eq!(machine.memory(), 2);
    });
}

#[test]
fn an_end_that_meets_the_last_arrival_finds_either_nothing_done_or_work_begun() {
    loom::model(|| {
        let (machine, generation) = Machine::called();
        assert!(machine.rendezvous.arrive(&machine.caller.seat).is_some());
        let worker = on_cpu(&machine, Machine::stand);
        let was = machine.rendezvous.end(generation);
        machine.worker.waker.wake();
        if was == Stage::Over {
            assert_eq!(machine.memory(), 1, "it sees what was done");
        }
        let stood = worker.join().unwrap();
        match was {
            Stage::Gathering => assert!(!stood && machine.memory() == 0),
            Stage::Working | Stage::Over => assert!(stood),
        }
    });
}

#[test]
fn a_cpu_that_comes_as_the_next_one_gathers_is_counted_there_only_if_it_is_called() {
    loom::model(|| {
        let (machine, first) = Machine::called();
        let late = on_cpu(&machine, |machine| {
            machine.rendezvous.arrive(&machine.worker.seat)
        });
        machine.rendezvous.end(first);
        let second = machine.rendezvous.next();
        machine.caller.seat.call(second, true);
        machine.rendezvous.open(second, 1, 1);
        let came = late.join().unwrap();
        assert!(came.is_none_or(|arrival| arrival.generation == first));
        assert_eq!(machine.rendezvous.stage(second), Stage::Gathering);
    });
}
