//! Every interleaving of those who call a CPU with that CPU, by loom.
//!
//! A CPU takes its interrupts where it waits for one. So a call that nobody finds, and of which nobody
//! hears, is a deadlock, which loom reports. Time stands still: who polls looks once and halts.

use alloc::{boxed::Box, sync::Arc};
use core::{
    ptr::NonNull,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_util::FutureExt;
use loom::{
    cell::UnsafeCell,
    future::block_on,
    sync::{
        Notify,
        atomic::{Ordering::SeqCst, fence},
    },
    thread,
};
use reveille_executor::{Clock, Instant};

use crate::{
    call::{CallError, CallQueue, Calls, Carrier, Refused},
    cpu::CpuIndex,
};

/// Longer than any model: it has no time.
const LONG: Duration = Duration::from_secs(1);
const NO_TIME: Duration = Duration::ZERO;

const CPUS: usize = 2;

/// A machine of two CPUs.
struct Machine {
    cpus: [Cpu; CPUS],
}

struct Cpu {
    queue: CallQueue,
    interrupt: Notify,
    /// Calls that this CPU has run. Loom does not see it, so nothing is ordered by it.
    runs: AtomicU32,
    /// What they touch: loom reports two of them at once, or one that does not see the other.
    touched: UnsafeCell<u32>,
}

// SAFETY: loom checks who touches the cells.
unsafe impl Sync for Cpu {}
// SAFETY: as above.
unsafe impl Send for Cpu {}

/// One CPU of a machine, or somebody who calls from outside.
#[derive(Clone, Copy)]
pub(crate) struct OnCpu {
    machine: NonNull<Machine>,
    cpu: u32,
}

// SAFETY: stands for a reference to the machine, which outlives its model's threads.
unsafe impl Send for OnCpu {}
// SAFETY: as above.
unsafe impl Sync for OnCpu {}

const OUTSIDE: u32 = 9;
const CPU_0: CpuIndex = CpuIndex(0);
pub(crate) const CPU_1: CpuIndex = CpuIndex(1);

impl OnCpu {
    fn machine(&self) -> &'static Machine {
        // SAFETY: it is freed when all threads of its model have ended.
        unsafe { self.machine.as_ref() }
    }

    fn cpu(&self, cpu: CpuIndex) -> &'static Cpu {
        &self.machine().cpus[cpu.as_usize()]
    }

    fn own(&self) -> &'static Cpu {
        self.cpu(CpuIndex(self.cpu))
    }

    /// Its own queue.
    pub(crate) fn queue(&self) -> &'static CallQueue {
        &self.own().queue
    }

    pub(crate) fn calls(self) -> Calls<Self> {
        Calls::new(self)
    }

    /// What a closure does on a CPU.
    fn work(self, cpu: CpuIndex) -> impl Fn() + Send + Sync + Copy {
        move || {
            let cpu = self.cpu(cpu);
            // SAFETY: loom checks that no other thread is here at the same time.
            cpu.touched.with_mut(|touched| unsafe { *touched += 1 });
            cpu.runs.fetch_add(1, Relaxed);
        }
    }

    fn runs(&self) -> u32 {
        self.own().runs.load(Relaxed)
    }

    /// Takes interrupts until this CPU has run so many calls.
    fn serve(&self, calls: u64) {
        while self.own().queue.traffic().run < calls {
            self.halt(Instant::MAX);
        }
    }

    /// The handler of an interrupt that comes from anywhere.
    pub(crate) fn handle(&self) {
        self.own().queue.serve(*self);
    }

    /// Posts `work` to CPU 1; `false` if that takes no calls.
    fn post(&self) -> bool {
        match self.calls().try_post(CPU_1, self.work(CPU_1)) {
            Ok(()) => true,
            Err(Refused::Offline(_)) => false,
            Err(Refused::Full(_)) => panic!("there is room for all"),
        }
    }
}

impl Clock for OnCpu {
    fn now(&self) -> Instant {
        Instant::ZERO
    }
}

impl Carrier for OnCpu {
    fn this_cpu(&self) -> CpuIndex {
        CpuIndex(self.cpu)
    }

    fn queue(&self, cpu: CpuIndex) -> Option<&'static CallQueue> {
        self.machine()
            .cpus
            .get(cpu.as_usize())
            .map(|cpu| &cpu.queue)
    }

    fn interrupt(&self, cpu: CpuIndex) -> bool {
        self.cpu(cpu).interrupt.notify();
        true
    }

    fn masked<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }

    fn halt(&self, _: Instant) {
        self.own().interrupt.wait();
        self.handle();
    }

    fn look(&self) -> Duration {
        NO_TIME
    }
}

/// Checks a model with so many preemptions as it takes to lose a call; all of them take hours. The
/// model gets CPU 0, CPU 1 and somebody outside; the queues of both are open.
pub(crate) fn check(
    preemptions: usize,
    model: impl Fn(OnCpu, OnCpu, OnCpu) + Send + Sync + 'static,
) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.check(move || {
        let cpu = || Cpu {
            queue: CallQueue::new(),
            interrupt: Notify::new(),
            runs: AtomicU32::new(0),
            touched: UnsafeCell::new(0),
        };
        let machine = Machine {
            cpus: core::array::from_fn(|_| cpu()),
        };
        let machine = NonNull::from(Box::leak(Box::new(machine)));
        let on = |cpu| OnCpu { machine, cpu };
        on(0).own().queue.open();
        on(1).own().queue.open();
        model(on(0), on(1), on(OUTSIDE));
        // SAFETY: the model has joined its threads.
        drop(unsafe { Box::from_raw(machine.as_ptr()) });
    });
}

#[test]
fn a_call_is_seen_by_a_cpu_that_looks_or_interrupts_one_that_does_not() {
    check(3, |_, one, outside| {
        let sender = thread::spawn(move || {
            assert!(outside.post());
        });
        // An interrupt for something else: the CPU looks, and stops.
        one.handle();
        one.serve(1);
        sender.join().unwrap();
    });
}

#[test]
fn of_two_senders_neither_relies_on_an_interrupt_that_is_not_sent() {
    check(2, |zero, one, outside| {
        let senders = [zero, outside].map(|sender| thread::spawn(move || assert!(sender.post())));
        one.serve(2);
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

#[test]
fn a_call_that_is_sent_as_the_queue_closes_is_run_or_refused() {
    check(3, |_, one, outside| {
        let sender = thread::spawn(move || outside.post());
        one.own().queue.close(one);
        let was_taken = sender.join().unwrap();
        assert_eq!(one.runs(), u32::from(was_taken));
        assert_eq!(one.own().queue.backlog().waiting, 0);
    });
}

#[test]
fn a_sender_that_meets_two_lives_of_a_queue_is_served_in_the_next_or_refused() {
    check(3, |_, one, outside| {
        let sender = thread::spawn(move || outside.post());
        one.own().queue.close(one);
        one.own().queue.open();
        let was_taken = sender.join().unwrap();
        one.serve(u64::from(was_taken));
        // All places are free again.
        assert!(outside.post() && outside.post());
    });
}

#[test]
fn who_may_call_sees_what_the_cpu_did_before_it_opened() {
    check(3, |zero, one, outside| {
        one.own().queue.close(one);
        let sender = thread::spawn(move || {
            // On this CPU, so that nothing but the opening orders it.
            if outside.post() {
                zero.work(CPU_0)();
            }
        });
        zero.work(CPU_0)();
        one.own().queue.open();
        sender.join().unwrap();
    });
}

#[test]
fn what_a_call_gives_is_seen_by_who_awaits_it() {
    check(3, |_, one, outside| {
        let caller = thread::spawn(move || {
            let work = outside.work(CPU_1);
            let answer = block_on(outside.calls().call(CPU_1, move || {
                work();
                5
            }));
            assert_eq!(answer, Ok(5));
            // It sees what the call did.
            work();
        });
        one.serve(1);
        caller.join().unwrap();
    });
}

#[test]
fn a_call_that_is_taken_back_as_it_begins_is_run_or_dropped_and_never_both() {
    check(3, |_, one, outside| {
        let token = Arc::new(());
        let kept = Arc::clone(&token);
        let caller = thread::spawn(move || {
            let work = outside.work(CPU_1);
            let mut call = outside.calls().call(CPU_1, move || {
                work();
                kept
            });
            let polled = call.poll_unpin(&mut Context::from_waker(Waker::noop()));
            match polled {
                Poll::Pending => {
                    let may_run = call.pending().is_none_or(|pending| pending.has_begun());
                    drop(call);
                    may_run
                }
                Poll::Ready(answer) => answer.is_ok(),
            }
        });
        one.handle();
        let may_have_run = caller.join().unwrap();
        one.handle();
        assert!(one.runs() <= 1);
        assert!(!may_have_run || one.runs() == 1);
        assert_eq!(one.own().queue.backlog().waiting, 0);
        assert_eq!(Arc::strong_count(&token), 1);
    });
}

#[test]
fn who_waits_for_room_is_woken_when_there_is_some() {
    check(2, |_, one, outside| {
        assert!(outside.post() && outside.post());
        let waiter = thread::spawn(move || {
            let post = outside.calls().post(CPU_1, outside.work(CPU_1));
            assert!(block_on(post).is_ok());
        });
        one.serve(3);
        waiter.join().unwrap();
    });
}

#[test]
fn who_waits_for_room_in_a_queue_that_closes_is_woken() {
    check(3, |_, one, outside| {
        assert!(outside.post() && outside.post());
        let waiter = thread::spawn(move || {
            let post = outside.calls().post(CPU_1, outside.work(CPU_1));
            block_on(post).is_ok()
        });
        one.own().queue.close(one);
        let was_taken = waiter.join().unwrap();
        assert_eq!(one.runs(), 2 + u32::from(was_taken));
    });
}

#[test]
fn who_waits_for_a_place_that_a_refused_sender_gives_back_is_woken() {
    check(3, |_, one, outside| {
        // They have all places from an earlier life of the queue, and nobody fills one.
        let slow = [(); 2].map(|()| one.own().queue.refused_sender());
        let waiter = thread::spawn(move || {
            let post = outside.calls().post(CPU_1, outside.work(CPU_1));
            assert!(block_on(post).is_ok());
        });
        slow.into_iter().for_each(|give_back| give_back());
        one.serve(1);
        waiter.join().unwrap();
    });
}

#[test]
fn who_sits_down_to_wait_for_room_sees_what_the_seats_last_owner_did() {
    check(3, |_, one, outside| {
        let sit = move || {
            let (number, seat) = one.own().queue.seat();
            outside.work(CpuIndex(number as u32))();
            drop(seat);
        };
        let other = thread::spawn(sit);
        sit();
        other.join().unwrap();
    });
}

#[test]
fn a_caller_that_blocks_is_interrupted_when_its_call_is_over_and_sees_what_it_did() {
    check(3, |zero, one, _| {
        let target = thread::spawn(move || one.serve(1));
        let work = zero.work(CPU_1);
        let answer = zero.calls().call_blocking(CPU_1, LONG, || {
            work();
            5
        });
        assert_eq!(answer, Ok(5));
        work();
        target.join().unwrap();
    });
}

#[test]
fn two_cpus_that_block_for_each_other_run_each_others_calls() {
    check(2, |zero, one, _| {
        let life = |on: OnCpu, other| {
            let answer = {
                let work = on.work(other);
                on.calls().call_blocking(other, LONG, work)
            };
            assert_eq!(answer, Ok(()));
            // The other's may come later.
            on.serve(1);
        };
        let other = thread::spawn(move || life(one, CPU_0));
        life(zero, CPU_1);
        other.join().unwrap();
        assert_eq!((zero.runs(), one.runs()), (1, 1));
    });
}

#[test]
fn a_call_that_times_out_as_it_begins_has_been_run_to_its_end_or_never_will_be() {
    check(3, |zero, one, _| {
        let target = thread::spawn(move || {
            one.handle();
            one.handle();
        });
        let work = zero.work(CPU_1);
        // What it borrows is gone behind it, and loom sees who touches that too late.
        let borrowed = UnsafeCell::new(0);
        let borrowed = Borrowed(&borrowed);
        let answer = zero.calls().call_blocking(CPU_1, NO_TIME, || {
            borrowed.touch();
            work();
        });
        borrowed.touch();
        let runs = match answer {
            Ok(()) => 1,
            Err(CallError::TimedOut) => 0,
            Err(other) => panic!("{other}"),
        };
        assert_eq!(one.runs(), runs);
        target.join().unwrap();
        one.handle();
        assert_eq!(one.runs(), runs);
    });
}

struct Borrowed<'a>(&'a UnsafeCell<u32>);

// SAFETY: loom checks who touches the cell.
unsafe impl Sync for Borrowed<'_> {}

impl Borrowed<'_> {
    fn touch(&self) {
        // SAFETY: as above.
        self.0.with_mut(|cell| unsafe { *cell += 1 });
    }
}

#[test]
fn a_caller_that_blocks_for_room_is_interrupted_when_there_is_some() {
    check(2, |zero, one, outside| {
        assert!(outside.post() && outside.post());
        let target = thread::spawn(move || one.serve(3));
        let answer = zero.calls().call_blocking(CPU_1, LONG, zero.work(CPU_1));
        assert_eq!(answer, Ok(()));
        target.join().unwrap();
    });
}

#[test]
fn a_call_to_many_is_over_when_the_last_has_run_it_and_sees_what_all_did() {
    check(2, |zero, one, outside| {
        let cpus = [zero, one].map(|on| thread::spawn(move || on.serve(1)));
        let works = [CPU_0, CPU_1].map(|cpu| outside.work(cpu));
        // Which of the two works is whose does not matter, as each is done once.
        let next = AtomicU32::new(0);
        let closure = move || works[next.fetch_add(1, Relaxed) as usize]();
        let many = outside.calls().call_many([CPU_0, CPU_1], closure);
        assert_eq!(block_on(many), Ok(()));
        works.iter().for_each(|work| work());
        cpus.into_iter().for_each(|cpu| cpu.join().unwrap());
    });
}

/// For whoever changes page tables (`shoot_down.rs` of the kernel): the fences stand for the instructions by
/// which each drops its own translations.
#[test]
fn a_cpu_that_is_seen_to_take_no_calls_finds_behind_its_opening_what_was_changed_before() {
    check(3, |_, one, outside| {
        one.own().queue.close(one);
        let tables = Arc::new(loom::sync::atomic::AtomicU32::new(0));
        let changed = Arc::clone(&tables);
        let changer = thread::spawn(move || {
            changed.swap(1, Relaxed);
            fence(SeqCst);
            outside.post()
        });
        one.own().queue.open();
        fence(SeqCst);
        let found = tables.load(Relaxed);
        if changer.join().unwrap() {
            one.serve(1);
        } else {
            assert_eq!(found, 1, "it keeps a translation of what is gone");
        }
    });
}
