//! Models: every interleaving of wakers and owner, under every memory order that the orderings in
//! the code allow. Run with `RUSTFLAGS="--cfg loom"`; the mutation check in `tests/` proves that they can fail.
//!
//! What a waker publishes is written with relaxed stores throughout, so that only the executor's
//! own orderings carry it to the poll. A lost wake shows as a deadlock.
#![cfg(loom)]

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::task::{Poll, Waker};

use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use reveille_executor::*;

/// Explores a model up to two preemptions, which find every bug that the mutation check knows of, or
/// up to `LOOM_MAX_PREEMPTIONS`.
fn model(test: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(test);
}

/// A machine whose doorbell stays pending until the sleep, as an interrupt does.
struct Machine {
    rung: Mutex<bool>,
    ring: Condvar,
    rings: AtomicUsize,
    /// Touched by the owner only.
    now: std::sync::atomic::AtomicU64,
    on_idle: std::sync::Mutex<Option<OnIdle>>,
}

/// What to do in place of the first sleep.
type OnIdle = Box<dyn FnOnce(&SleepGate<'_>) + Send>;

impl Machine {
    fn new() -> &'static Self {
        Box::leak(Box::new(Self {
            rung: Mutex::new(false),
            ring: Condvar::new(),
            rings: AtomicUsize::new(0),
            now: 0.into(),
            on_idle: None.into(),
        }))
    }
}

impl Clock for Machine {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.now.load(Relaxed))
    }
}

impl Doorbell for Machine {
    fn ring(&self) {
        self.rings.fetch_add(1, Relaxed);
        *self.rung.lock().unwrap() = true;
        self.ring.notify_one();
    }
}

impl Idle for Machine {
    fn idle(&self, gate: &SleepGate<'_>, until: Option<Instant>) {
        if let Some(on_idle) = self.on_idle.lock().unwrap().take() {
            return on_idle(gate);
        }
        if !gate.enter() {
            return;
        }
        let mut rung = self.rung.lock().unwrap();
        if let (false, Some(until)) = (*rung, until) {
            // Nobody has rung so far: the deadline comes first.
            self.now.store(until.as_nanos(), Relaxed);
            return;
        }
        while !*rung {
            rung = self.ring.wait(rung).unwrap();
        }
        *rung = false;
    }
}

/// A task that is done when its flag is set, and what is known of it.
struct Probe {
    flag: Arc<AtomicBool>,
    waker: Waker,
    polls: Rc<Cell<usize>>,
    handle: JoinHandle<()>,
}

impl Probe {
    /// Spawns the task and polls it once; nothing is ready then, on any level.
    fn spawn(executor: &mut Executor) -> Self {
        let flag = Arc::new(AtomicBool::new(false));
        let polls = Rc::new(Cell::new(0));
        let waker = Rc::new(Cell::new(None));
        let task = {
            let (flag, polls, waker) = (flag.clone(), polls.clone(), waker.clone());
            poll_fn(move |context| {
                polls.set(polls.get() + 1);
                waker.set(Some(context.waker().clone()));
                if flag.load(Relaxed) {
                    return Poll::Ready(());
                }
                Poll::Pending
            })
        };
        let handle = executor.spawner().spawn(task).unwrap();
        assert_eq!((executor.poll_ready(), executor.poll_ready()), (1, 0));
        Self {
            flag,
            polls,
            waker: waker.take().unwrap(),
            handle,
        }
    }

    /// A thread that sets the flag and wakes the task.
    fn finish_elsewhere(&self) -> thread::JoinHandle<()> {
        let (flag, waker) = (self.flag.clone(), self.waker.clone());
        thread::spawn(move || {
            flag.store(true, Relaxed);
            waker.wake();
        })
    }

    /// A thread that wakes the task for nothing.
    fn wake_elsewhere(&self) -> thread::JoinHandle<()> {
        let waker = self.waker.clone();
        thread::spawn(move || waker.wake())
    }
}

/// Slots for a ready set of one leaf, of two, and of two levels.
const LEVELS: [usize; 3] = [4, 65, 513];

fn executor(capacity: usize) -> (Executor, &'static Machine) {
    let machine = Machine::new();
    (
        Executor::with_capacity(capacity, machine, NoMetrics),
        machine,
    )
}

fn two_wakers_against_a_sleeper(capacity: usize, slots_between: usize) {
    model(move || {
        let (mut executor, _) = executor(capacity);
        let first = Probe::spawn(&mut executor);
        for _ in 0..slots_between {
            drop(executor.spawner().spawn(pending::<()>()).unwrap());
        }
        executor.poll_ready();
        let second = Probe::spawn(&mut executor);
        first.finish_elsewhere();
        second.finish_elsewhere();
        executor.block_on(async {
            first.handle.await.unwrap();
            second.handle.await.unwrap();
        });
        // The first poll, and no more than one for the wake: there are no spurious polls.
        assert_eq!((first.polls.get(), second.polls.get()), (2, 2));
    });
}

#[test]
fn two_wakers_against_a_sleeper_in_one_level() {
    two_wakers_against_a_sleeper(LEVELS[0], 0);
}

#[test]
fn two_wakers_against_a_sleeper_in_one_level_two_leaves() {
    two_wakers_against_a_sleeper(LEVELS[1], 63);
}

#[test]
fn two_wakers_against_a_sleeper_in_two_levels_one_leaf() {
    two_wakers_against_a_sleeper(LEVELS[2], 0);
}

#[test]
fn two_wakers_against_a_sleeper_in_two_levels_two_leaves() {
    two_wakers_against_a_sleeper(LEVELS[2], 63);
}

#[test]
fn a_waker_against_the_sleep_of_block_on_itself() {
    model(|| {
        let (mut executor, _) = executor(0);
        let flag = Arc::new(AtomicBool::new(false));
        let started = Cell::new(false);
        executor.block_on(poll_fn(|context| {
            if !started.replace(true) {
                let (flag, waker) = (flag.clone(), context.waker().clone());
                thread::spawn(move || {
                    flag.store(true, Relaxed);
                    waker.wake();
                });
            }
            if flag.load(Relaxed) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
    });
}

#[test]
fn a_wake_during_the_poll_is_not_lost() {
    for capacity in LEVELS {
        model(move || {
            let (mut executor, _) = executor(capacity);
            let probe = Probe::spawn(&mut executor);
            probe.waker.wake_by_ref();
            probe.finish_elsewhere();
            executor.block_on(probe.handle).unwrap();
            assert!(
                probe.polls.get() <= 3,
                "two wakes, so two more polls at most"
            );
        });
    }
}

#[test]
fn a_wake_that_has_returned_does_not_depend_on_one_that_has_not() {
    for capacity in LEVELS {
        model(move || {
            let (mut executor, _) = executor(capacity);
            let probe = Probe::spawn(&mut executor);
            // Never joined: this one may stop anywhere.
            probe.wake_elsewhere();
            probe.finish_elsewhere().join().unwrap();
            executor.poll_ready();
            assert!(probe.handle.is_finished());
        });
    }
}

#[test]
fn a_wake_that_has_returned_has_rung_even_if_another_has_not() {
    for capacity in LEVELS {
        model(move || {
            let (mut executor, machine) = executor(capacity);
            let stalled = Probe::spawn(&mut executor);
            let probe = Probe::spawn(&mut executor);
            stalled.wake_elsewhere();
            let thread = probe.finish_elsewhere();
            *machine.on_idle.lock().unwrap() = Some(Box::new(move |gate| {
                let asleep = gate.enter();
                thread.join().unwrap();
                assert!(!asleep || machine.rings.load(Relaxed) > 0);
            }));
            // As block_on has it, `probe` may be done before the first sleep.
            executor.block_on(probe.handle).unwrap();
        });
    }
}

#[test]
fn a_panic_loses_no_wake_that_was_taken_with_its_own() {
    for capacity in LEVELS {
        model(move || {
            let (mut executor, _) = executor(capacity);
            let polls = [(); 2].map(|()| Rc::new(Cell::new(0)));
            let wakers = [(); 2].map(|()| Rc::new(Cell::new(None)));
            for number in 0..2 {
                let (polls, waker) = (polls[number].clone(), wakers[number].clone());
                let task = poll_fn(move |context| {
                    polls.set(polls.get() + 1);
                    waker.set(Some(context.waker().clone()));
                    if (number, polls.get()) == (0, 2) {
                        // Unlike `panic!`, without a message.
                        resume_unwind(Box::new("the first task panics at its second poll"));
                    }
                    Poll::<()>::Pending
                });
                drop(executor.spawner().spawn(task).unwrap());
            }
            // Once: their leaf is empty then, but the summary still has its bit.
            assert_eq!(executor.poll_ready(), 2);
            let wakers = wakers.map(|waker| waker.take().unwrap());
            let thread = thread::spawn(move || wakers.into_iter().for_each(Waker::wake));
            let _ = catch_unwind(AssertUnwindSafe(|| executor.poll_ready()));
            thread.join().unwrap();
            while catch_unwind(AssertUnwindSafe(|| executor.poll_ready())).unwrap_or(1) != 0 {}
            assert_eq!(polls[0].get(), 2);
            assert!(polls[1].get() >= 2, "the second wake is lost");
        });
    }
}

/// What a task leaves behind when it ends, one way or another, while somebody still wakes it.
fn a_stale_wake_costs_one_poll_at_most(
    end: impl Fn(&mut Executor, &Probe) + Send + Sync + Copy + 'static,
) {
    for capacity in LEVELS {
        model(move || {
            let (mut executor, _) = executor(capacity);
            let old = Probe::spawn(&mut executor);
            let thread = old.wake_elsewhere();
            end(&mut executor, &old);
            assert!(old.handle.is_finished());
            let polls_of_old = old.polls.get();
            let polls = Rc::new(Cell::new(0));
            let waker = Rc::new(RefCell::new(None));
            let task = {
                let (polls, waker) = (polls.clone(), waker.clone());
                poll_fn(move |context| {
                    polls.set(polls.get() + 1);
                    *waker.borrow_mut() = Some(context.waker().clone());
                    Poll::<()>::Pending
                })
            };
            let _new = executor.spawner().spawn(task).unwrap();
            executor.poll_ready();
            thread.join().unwrap();
            executor.poll_ready();
            assert!((1..=2).contains(&polls.get()), "{} polls", polls.get());
            assert_eq!(executor.poll_ready(), 0);
            assert_eq!(old.polls.get(), polls_of_old, "polled after its end");
            // The slot still works.
            waker.borrow().as_ref().unwrap().wake_by_ref();
            assert_eq!(executor.poll_ready(), 1);
        });
    }
}

#[test]
fn a_wake_racing_completion_and_slot_reuse_costs_one_poll_at_most() {
    a_stale_wake_costs_one_poll_at_most(|executor, old| {
        old.flag.store(true, Relaxed);
        old.waker.wake_by_ref();
        executor.poll_ready();
        assert_eq!(old.polls.get(), 2);
    });
}

#[test]
fn a_wake_racing_cancellation_costs_one_poll_at_most() {
    a_stale_wake_costs_one_poll_at_most(|_, old| old.handle.abort());
}

#[test]
fn a_wake_racing_a_reset_costs_one_poll_at_most() {
    a_stale_wake_costs_one_poll_at_most(|executor, _| executor.reset());
}

#[test]
fn cancellation_against_a_wake_has_one_outcome_and_no_poll_after_it() {
    model(|| {
        let (mut executor, _) = executor(1);
        let probe = Probe::spawn(&mut executor);
        let thread = probe.finish_elsewhere();
        executor.poll_ready();
        probe.handle.abort();
        let polls = probe.polls.get();
        thread.join().unwrap();
        assert_eq!(executor.poll_ready(), 0);
        assert_eq!(probe.polls.get(), polls);
        let completed = executor.block_on(probe.handle).is_ok();
        assert_eq!(completed, polls == 2);
    });
}

#[test]
fn a_timeout_against_completion_always_ends_and_the_late_wake_is_harmless() {
    model(|| {
        let (mut executor, machine) = executor(1);
        let timer = executor.timer();
        let polls = Rc::new(Cell::new(0));
        let flag = Arc::new(AtomicBool::new(false));
        let finisher = Rc::new(Cell::new(None));
        let task = {
            let (polls, flag, finisher) = (polls.clone(), flag.clone(), finisher.clone());
            let completion = poll_fn(move |context| {
                polls.set(polls.get() + 1);
                if polls.get() == 1 {
                    let (flag, waker) = (flag.clone(), context.waker().clone());
                    finisher.set(Some(thread::spawn(move || {
                        flag.store(true, Relaxed);
                        waker.wake();
                    })));
                }
                if flag.load(Relaxed) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            });
            timer.timeout_at(Instant::from_nanos(10), completion)
        };
        let handle = executor.spawner().spawn(task).unwrap();
        let outcome = executor.block_on(handle).unwrap();
        if outcome == Err(Elapsed) {
            assert!(machine.now() >= Instant::from_nanos(10));
        }
        finisher.take().unwrap().join().unwrap();
        assert!(polls.get() <= 3, "the first poll, the wake, the deadline");
        assert_eq!(executor.poll_ready(), 0, "the task is gone");
    });
}

#[test]
fn registering_against_a_wake_is_safe_if_the_flag_is_read_afterwards() {
    model(|| {
        let (mut executor, _) = executor(1);
        let flag = Arc::new(AtomicBool::new(false));
        let registered = Arc::new(Mutex::new(None::<Waker>));
        {
            let (flag, registered) = (flag.clone(), registered.clone());
            thread::spawn(move || {
                flag.store(true, Relaxed);
                let waker = registered.lock().unwrap().take();
                if let Some(waker) = waker {
                    waker.wake();
                }
            });
        }
        let task = poll_fn(move |context| {
            *registered.lock().unwrap() = Some(context.waker().clone());
            if flag.load(Relaxed) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        let handle = executor.spawner().spawn(task).unwrap();
        executor.block_on(handle).unwrap();
    });
}
