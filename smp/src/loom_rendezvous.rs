//! Every interleaving of a rendezvous of two CPUs, by loom. One has work; the other is the caller's too,
//! which has a seat here as anybody, for three take loom hours.
//!
//! Memory stands for all that CPUs use as they run: loom reports two who touch it at once, or of whom
//! the later one does not see what the earlier one did. An interrupt is a waker; one that calls a CPU is a
//! flag beside that, which the CPU looks at where it has interrupts on.

use alloc::sync::Arc;
use core::{future::poll_fn, task::Poll};

use loom::{
    cell::UnsafeCell,
    future::{AtomicWaker, block_on},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use crate::{
    cpu::CpuIndex,
    rendezvous::{Generation, Part, Rendezvous, Seat, Stage, Turn},
};

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
    /// The interrupt that calls it is pending.
    interrupt: AtomicBool,
}

// SAFETY: loom checks who touches the cell.
unsafe impl Send for Machine {}
// SAFETY: as above.
unsafe impl Sync for Machine {}

const CALLER: CpuIndex = CpuIndex(0);
const WORKER: CpuIndex = CpuIndex(1);
const NEXT: CpuIndex = CpuIndex(2);

fn part(works: bool) -> Part {
    Part {
        prepares: false,
        works,
    }
}

impl Cpu {
    fn new() -> Self {
        Self {
            seat: Seat::new(),
            waker: AtomicWaker::new(),
            interrupt: AtomicBool::new(false),
        }
    }

    fn interrupt(&self) {
        // What was written before an interrupt is sent is seen by its handler. A swap, so that loom
        // does not put it before one that takes an interrupt.
        self.interrupt.swap(true, Ordering::AcqRel);
        self.waker.wake();
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
    fn new() -> Self {
        Self {
            rendezvous: Rendezvous::new(),
            worker: Cpu::new(),
            caller: Cpu::new(),
            memory: UnsafeCell::new(0),
        }
    }

    /// Calls both to a meeting in which the worker has work.
    fn call_both(&self, turn: &Turn<'_>) -> Generation {
        let generation = turn.open();
        self.worker.seat.call(generation, part(true));
        self.caller.seat.call(generation, part(false));
        turn.gather(generation, 2, 1);
        generation
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
    fn work(&self) -> bool {
        let Some(arrival) = self.rendezvous.arrive(&self.worker.seat, || ()) else {
            return false;
        };
        self.caller.waker.wake();
        let stage = || self.rendezvous.stage(arrival.generation);
        halt_until(&self.worker.waker, || stage() != Stage::Gathering);
        if stage() == Stage::Working {
            self.use_memory();
            self.rendezvous.done(&self.worker.seat, arrival.generation);
            self.caller.waker.wake();
        }
        true
    }

    /// Stops the other CPU, if it is present, and uses memory meanwhile.
    fn stop(&self, own: &Cpu, other: &Cpu, turn: Turn<'_>) {
        let generation = turn.open();
        let is_called = other.seat.is_present();
        if is_called {
            other.seat.call(generation, part(false));
        }
        turn.gather(generation, u16::from(is_called), 1);
        if is_called {
            other.interrupt();
        }
        let stage = || self.rendezvous.stage(generation);
        halt_until(&own.waker, || stage() != Stage::Gathering);
        self.use_memory();
        self.rendezvous.done(&own.seat, generation);
        assert_eq!(turn.end(generation), Stage::Over);
        drop(turn);
        if other.seat.is_present() {
            other.waker.wake();
        }
    }

    /// What a CPU does that is called by the other one, if it is.
    fn take_interrupt(&self, own: &Cpu, other: &Cpu) {
        if !own.interrupt.swap(false, Ordering::AcqRel) {
            return;
        }
        if let Some(arrival) = self.rendezvous.arrive(&own.seat, || ()) {
            other.waker.wake();
            self.stand(own, arrival.generation);
        }
    }

    /// Halts until a meeting is over.
    fn stand(&self, own: &Cpu, generation: Generation) {
        let stage = || self.rendezvous.stage(generation);
        halt_until(&own.waker, || stage() == Stage::Over);
    }

    /// The same, at the gate: the interrupt may come meanwhile.
    fn stand_at_gate(&self, own: &Cpu, other: &Cpu, generation: Generation) {
        let stage = || self.rendezvous.stage(generation);
        while stage() != Stage::Over {
            let is_called = || own.interrupt.load(Ordering::Relaxed);
            halt_until(&own.waker, || stage() == Stage::Over || is_called());
            self.take_interrupt(own, other);
        }
    }

    /// Comes in, waits for its turn, stops the other one, and goes out.
    fn live(&self, own: &Cpu, other: &Cpu, cpu: CpuIndex) {
        let at_gate = |generation| self.stand_at_gate(own, other, generation);
        self.rendezvous.come_in(&own.seat, at_gate);
        let turn = loop {
            self.take_interrupt(own, other);
            if let Ok(turn) = self.rendezvous.take_turn(cpu) {
                break turn;
            }
            let is_called = || own.interrupt.load(Ordering::Relaxed);
            let is_free = || self.rendezvous.caller().is_none();
            halt_until(&own.waker, || is_called() || is_free());
        };
        self.stop(own, other, turn);
        self.rendezvous.go_out(&own.seat, at_gate);
    }
}

fn on_cpu<T: Send + 'static>(
    machine: &Arc<Machine>,
    side: impl FnOnce(&Machine) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let machine = Arc::clone(machine);
    thread::spawn(move || side(&machine))
}

/// With as many switches as it takes to lose a wake and to see two at once; all of them take hours.
fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(model);
}

#[test]
fn while_one_works_no_other_uses_memory_and_all_see_what_it_did() {
    check(|| {
        let machine = Arc::new(Machine::new());
        let turn = machine.rendezvous.take_turn(CALLER).unwrap();
        let generation = machine.call_both(&turn);
        let worker = on_cpu(&machine, Machine::work);
        machine.use_memory();
        let seat = &machine.caller.seat;
        let arrival = machine.rendezvous.arrive(seat, || ()).unwrap();
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
        let machine = Arc::new(Machine::new());
        let turn = machine.rendezvous.take_turn(CALLER).unwrap();
        let generation = machine.call_both(&turn);
        let worker = on_cpu(&machine, Machine::work);
        // Its own seat stays empty: it uses memory all the time.
        machine.use_memory();
        assert_eq!(turn.end(generation), Stage::Gathering);
        machine.worker.waker.wake();
        machine.use_memory();
        worker.join().unwrap();
        assert_eq!(machine.memory(), 2);
    });
}

#[test]
fn an_end_that_meets_the_last_arrival_finds_either_nothing_done_or_work_begun() {
    loom::model(|| {
        let machine = Arc::new(Machine::new());
        let turn = machine.rendezvous.take_turn(CALLER).unwrap();
        let generation = machine.call_both(&turn);
        let seat = &machine.caller.seat;
        assert!(machine.rendezvous.arrive(seat, || ()).is_some());
        let worker = on_cpu(&machine, Machine::work);
        let was = turn.end(generation);
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

/// Two words that belong to each other, so that a mixture of two shows.
fn words(number: u64) -> [u64; 2] {
    [number; 2]
}

#[test]
fn a_cpu_that_meant_to_work_as_its_meeting_was_ended_does_not_do_the_next_ones_work() {
    check(|| {
        let machine = Arc::new(Machine::new());
        let turn = machine.rendezvous.take_turn(CALLER).unwrap();
        turn.set_work(words(1));
        let first = turn.open();
        machine.worker.seat.call(first, part(true));
        turn.gather(first, 1, 1);
        let worker = on_cpu(&machine, |machine| {
            let arrival = machine.rendezvous.arrive(&machine.worker.seat, || ())?;
            // It has seen that it may work, and the caller goes on before it looks at what it is.
            machine.rendezvous.work(arrival.generation)
        });
        turn.end(first);
        drop(turn);
        // Another one, for which no fence of the first orders anything.
        let next = on_cpu(&machine, |machine| {
            let turn = machine.rendezvous.take_turn(NEXT).unwrap();
            turn.set_work(words(2));
            let second = turn.open();
            turn.gather(second, 0, 1);
            assert_eq!(machine.rendezvous.work(second), Some(words(2)));
        });
        let read = worker.join().unwrap();
        assert!(read.is_none_or(|work| work == words(1)), "{read:?}");
        next.join().unwrap();
    });
}

#[test]
fn a_cpu_that_comes_as_the_next_one_gathers_is_counted_there_only_if_it_is_called() {
    loom::model(|| {
        let machine = Arc::new(Machine::new());
        let turn = machine.rendezvous.take_turn(CALLER).unwrap();
        let first = machine.call_both(&turn);
        let late = on_cpu(&machine, |machine| {
            machine.rendezvous.arrive(&machine.worker.seat, || ())
        });
        turn.end(first);
        let second = turn.open();
        machine.caller.seat.call(second, part(true));
        turn.gather(second, 1, 1);
        let came = late.join().unwrap();
        assert!(came.is_none_or(|arrival| arrival.generation == first));
        assert_eq!(machine.rendezvous.stage(second), Stage::Gathering);
    });
}

#[test]
fn a_cpu_that_comes_in_as_another_stops_all_is_called_or_stands() {
    check(|| {
        let machine = Arc::new(Machine::new());
        let coming = on_cpu(&machine, |machine| {
            let (own, other) = (&machine.worker, &machine.caller);
            let at_gate = |generation| machine.stand_at_gate(own, other, generation);
            machine.rendezvous.come_in(&own.seat, at_gate);
            // As any code that runs with interrupts off.
            machine.use_memory();
            machine.take_interrupt(own, other);
            machine.rendezvous.go_out(&own.seat, at_gate);
        });
        let turn = machine.rendezvous.take_turn(CALLER).unwrap();
        machine.stop(&machine.caller, &machine.worker, turn);
        coming.join().unwrap();
        assert_eq!(machine.memory(), 2);
    });
}

#[test]
fn of_two_cpus_that_stop_each_other_one_goes_first_and_the_other_comes_to_it() {
    check(|| {
        let machine = Arc::new(Machine::new());
        let other = on_cpu(&machine, |machine| {
            machine.live(&machine.worker, &machine.caller, WORKER);
        });
        machine.live(&machine.caller, &machine.worker, CALLER);
        other.join().unwrap();
        assert_eq!(machine.memory(), 2);
    });
}
