//! What must not happen, and what happens instead.

#![cfg(not(loom))]

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::thread;
use std::time::Duration;

use reveille_executor::*;

fn executor(capacity: usize) -> Executor<Counters> {
    Executor::with_capacity(capacity, Box::leak(Box::new(Park::new())), Counters::new())
}

/// Polls a future once, for nobody.
fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A machine that sleeps by letting the time pass.
struct Machine(AtomicU64);

impl Clock for Machine {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Relaxed))
    }
}

impl Doorbell for Machine {
    fn ring(&self) {}
}

impl Idle for Machine {
    fn idle(&self, gate: &SleepGate<'_>, until: Option<Instant>) {
        assert!(gate.enter());
        self.0
            .store(until.expect("the sleep is set again").as_nanos(), Relaxed);
    }
}

/// Panics when it is polled, and counts its drops.
struct Bomb(Rc<Cell<usize>>);

impl Future for Bomb {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        panic!("a future panics, as the test wants");
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn a_full_executor_refuses_with_an_error_and_drops_the_future() {
    for capacity in [1, 63, 64, 65, 200, 600] {
        let executor = executor(capacity);
        let spawner = executor.spawner();
        for _ in 0..capacity {
            drop(spawner.spawn(pending::<()>()).unwrap());
        }
        let drops = Rc::new(Cell::new(0));
        let refused = spawner.spawn(Bomb(drops.clone())).unwrap_err();
        assert_eq!(refused, SpawnError::Full);
        assert_eq!(drops.get(), 1);
        assert_eq!(refused.to_string(), "all slots of the executor hold tasks");
        let cell = Box::leak(Box::new(TaskCell::new(Bomb(drops.clone()))));
        assert_eq!(spawner.spawn_in(cell).unwrap_err(), SpawnError::Full);
        assert_eq!(drops.get(), 2);
    }
}

#[test]
fn a_zero_slot_executor_runs_block_on_and_refuses_tasks() {
    let mut executor = executor(0);
    assert_eq!(
        executor.spawner().spawn(async {}).unwrap_err(),
        SpawnError::Full
    );
    assert_eq!(executor.poll_ready(), 0);
    let timer = executor.timer();
    let slept = async { timer.sleep(Duration::from_micros(10)).await };
    executor.block_on(slept);
}

#[test]
#[should_panic(expected = "at most 32768 tasks")]
fn a_capacity_beyond_the_largest_is_refused_at_once() {
    executor(MAX_CAPACITY + 1);
}

#[test]
#[cfg_attr(miri, ignore = "hours")]
fn the_largest_executor_polls_its_last_slot() {
    let mut executor = executor(MAX_CAPACITY);
    for _ in 1..MAX_CAPACITY {
        drop(executor.spawner().spawn(pending::<()>()).unwrap());
    }
    let last = executor.spawner().spawn(async { 42 }).unwrap();
    assert_eq!(
        executor.spawner().spawn(async {}).unwrap_err(),
        SpawnError::Full
    );
    assert_eq!(executor.poll_ready(), MAX_CAPACITY);
    assert_eq!(executor.block_on(last), Ok(42));
}

#[test]
fn a_deadline_in_the_past_is_ready_at_the_first_poll() {
    let mut executor = executor(0);
    let timer = executor.timer();
    assert!(poll_once(pin!(timer.sleep_until(Instant::ZERO))).is_ready());
    assert!(poll_once(pin!(timer.sleep(Duration::ZERO))).is_ready());
    let late = timer.timeout_at(Instant::ZERO, pending::<()>());
    assert_eq!(executor.block_on(late), Err(Elapsed));
}

#[test]
fn what_is_ready_at_the_first_poll_beats_a_deadline_in_the_past() {
    let mut executor = executor(0);
    let timer = executor.timer();
    assert_eq!(
        executor.block_on(timer.timeout_at(Instant::ZERO, ready(1))),
        Ok(1)
    );
}

#[test]
fn instants_saturate_and_a_sleep_without_end_sets_no_timer() {
    let late = Instant::from_nanos(u64::MAX - 1);
    assert_eq!(late.checked_add(Duration::from_nanos(2)), None);
    assert_eq!(late.checked_add(Duration::MAX), None);
    assert_eq!(late + Duration::from_nanos(1), Instant::MAX);
    assert_eq!(late + Duration::MAX, Instant::MAX);
    assert_eq!(Instant::ZERO - late, Duration::ZERO);

    let mut executor = executor(0);
    let timer = executor.timer();
    let mut endless = pin!(timer.sleep(Duration::MAX));
    assert_eq!(endless.deadline(), Instant::MAX);
    assert!(poll_once(endless.as_mut()).is_pending());
    executor.poll_ready();
    assert!(poll_once(endless).is_pending());
}

#[test]
fn what_belongs_to_an_executor_outlives_it_and_says_so() {
    let waker = Rc::new(Cell::new(None));
    let kept = waker.clone();
    let mut executor = executor(1);
    let (spawner, timer) = (executor.spawner(), executor.timer());
    let handle = spawner.spawn(poll_fn(move |context| {
        kept.set(Some(context.waker().clone()));
        Poll::<()>::Pending
    }));
    executor.poll_ready();
    let mut sleep = Box::pin(timer.sleep(Duration::from_secs(1)));
    assert!(poll_once(sleep.as_mut()).is_pending());
    drop(executor);
    waker.take().unwrap().wake();
    assert_eq!(poll_once(pin!(handle.unwrap())), Poll::Ready(Err(Aborted)));
    assert_eq!(spawner.spawn(async {}).unwrap_err(), SpawnError::Closed);
    drop(sleep);
}

#[test]
fn a_task_that_panics_ends_and_all_others_go_on() {
    for capacity in [3, 200, 600] {
        let mut executor = executor(capacity);
        let spawner = executor.spawner();
        let drops = Rc::new(Cell::new(0));
        // One before, one in the same leaf, and where there are more leaves one in the last.
        let before = spawner.spawn(async { 1 }).unwrap();
        let bomb = spawner.spawn(Bomb(drops.clone())).unwrap();
        let mut after = Vec::new();
        for _ in 2..capacity {
            after.push(spawner.spawn(async { 2 }).unwrap());
        }
        let caught = catch_unwind(AssertUnwindSafe(|| executor.poll_ready()));
        assert!(caught.is_err());
        assert_eq!(drops.get(), 1);
        assert_eq!(executor.poll_ready(), after.len(), "no wake is lost");
        assert_eq!(executor.block_on(before), Ok(1));
        assert_eq!(executor.block_on(bomb), Err(Aborted));
        for handle in after {
            assert_eq!(executor.block_on(handle), Ok(2));
        }
        drop(spawner.spawn(async {}).unwrap());
    }
}

#[test]
fn a_future_whose_drop_panics_is_dropped_once_and_leaves_its_slot() {
    struct Explodes(Rc<Cell<usize>>);
    impl Drop for Explodes {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            panic!("a drop panics, as the test wants");
        }
    }
    let mut executor = executor(1);
    let drops = Rc::new(Cell::new(0));
    for poll in [false, true] {
        let explodes = Explodes(drops.clone());
        let task = async move {
            let _explodes = explodes;
            if !poll {
                pending::<()>().await;
            }
        };
        let handle = executor.spawner().spawn(task).unwrap();
        let caught = if poll {
            catch_unwind(AssertUnwindSafe(|| executor.poll_ready())).is_err()
        } else {
            catch_unwind(AssertUnwindSafe(|| handle.abort())).is_err()
        };
        assert!(caught);
        assert_eq!(executor.block_on(handle), Err(Aborted));
    }
    assert_eq!(drops.get(), 2);
}

/// A task that never ends, and whose drop counts, then panics if it `explodes`.
fn dropped(drops: &Rc<Cell<usize>>, explodes: bool) -> impl Future<Output = ()> + use<> {
    struct Counts(Rc<Cell<usize>>, bool);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            assert!(!self.1, "a drop panics, as the test wants");
        }
    }
    let counts = Counts(drops.clone(), explodes);
    async move {
        let _counts = counts;
        pending().await
    }
}

#[test]
fn a_drop_that_panics_in_a_reset_stops_nothing_of_it() {
    let machine: &Machine = Box::leak(Box::new(Machine(AtomicU64::new(0))));
    let mut executor = Executor::with_capacity(65, machine, Counters::new());
    let drops = Rc::new(Cell::new(0));
    for slot in 0..65 {
        let task = dropped(&drops, slot == 1);
        drop(executor.spawner().spawn(task).unwrap());
    }
    let woken = Arc::new(AtomicBool::new(false));
    let mut sleep = Box::pin(executor.timer().sleep(Duration::from_nanos(1)));
    assert!(poll_with_flag(sleep.as_mut(), &woken).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| executor.reset())).is_err());
    assert_eq!(drops.get(), 65);
    machine.0.store(1, Relaxed);
    assert_eq!(executor.poll_ready(), 0);
    assert!(!woken.load(Relaxed), "the timer is forgotten");
    let counted = executor.metrics().snapshot();
    assert_eq!(counted.spurious_polls, 0, "the wakes are forgotten");
    let handle = executor.spawner().spawn(async { 4 }).unwrap();
    assert_eq!(executor.block_on(handle), Ok(4));
}

#[test]
fn a_drop_that_panics_in_the_drop_of_an_executor_leaves_no_task() {
    let executor = executor(65);
    let spawner = executor.spawner();
    let drops = Rc::new(Cell::new(0));
    for slot in 0..65 {
        drop(spawner.spawn(dropped(&drops, slot == 1)).unwrap());
    }
    assert!(catch_unwind(AssertUnwindSafe(|| drop(executor))).is_err());
    assert_eq!(drops.get(), 65);
    assert_eq!(spawner.spawn(async {}).unwrap_err(), SpawnError::Closed);
}

#[test]
fn a_reset_forgets_the_wakes_of_tasks_and_of_block_on() {
    let mut executor = executor(1);
    let root = executor.block_on(poll_fn(|context| Poll::Ready(context.waker().clone())));
    drop(executor.spawner().spawn(pending::<()>()).unwrap());
    root.wake_by_ref();
    executor.reset();
    executor.poll_ready();
    root.wake();
    let counted = executor.metrics().snapshot();
    assert_eq!(counted.spurious_polls, 0);
    assert_eq!((counted.wakes, counted.duplicate_wakes), (2, 0));
}

#[test]
fn a_task_that_aborts_itself_and_panics_ends_no_other() {
    let mut executor = executor(2);
    let own = Rc::new(RefCell::new(None::<JoinHandle<()>>));
    let theirs = own.clone();
    let task = poll_fn(move |_| {
        theirs.borrow().as_ref().unwrap().abort();
        panic!("a future panics, as the test wants");
    });
    *own.borrow_mut() = Some(executor.spawner().spawn(task).unwrap());
    let other = executor.spawner().spawn(pending::<()>()).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| executor.poll_ready())).is_err());
    assert_eq!(executor.poll_ready(), 1);
    assert!(own.take().unwrap().is_finished());
    assert!(!other.is_finished());
}

#[test]
#[should_panic(expected = "for the thread that made it")]
fn a_park_of_another_thread_panics_rather_than_hangs() {
    let park = thread::spawn(Park::new).join().unwrap();
    let mut executor = Executor::with_capacity(0, Box::leak(Box::new(park)), NoMetrics);
    executor.block_on(pending::<()>());
}

thread_local! {
    /// What the next clone of [`HOOKED`] does first.
    static ON_CLONE: Cell<Option<Box<dyn FnOnce()>>> = const { Cell::new(None) };
}

/// A waker that wakes nobody, and whose clone runs [`ON_CLONE`].
fn hooked() -> Waker {
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            if let Some(on_clone) = ON_CLONE.take() {
                on_clone();
            }
            RawWaker::new(data, &TABLE)
        },
        |_| {},
        |_| {},
        |_| {},
    );
    // SAFETY: nothing is kept behind the pointer, and all functions may be called from any thread.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &TABLE)) }
}

/// Polls a future once; `woken` tells whether it was woken.
fn poll_with_flag<F: Future>(future: Pin<&mut F>, woken: &Arc<AtomicBool>) -> Poll<F::Output> {
    struct Flag(Arc<AtomicBool>);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Relaxed);
        }
    }
    let waker = Waker::from(Arc::new(Flag(woken.clone())));
    future.poll(&mut Context::from_waker(&waker))
}

#[test]
fn a_waker_whose_clone_panics_costs_a_join_handle_nothing() {
    let mut executor = executor(1);
    let mut handle = Box::pin(executor.spawner().spawn(async { 6 }).unwrap());
    ON_CLONE.set(Some(Box::new(|| panic!("as the test wants"))));
    let waker = hooked();
    let mut context = Context::from_waker(&waker);
    assert!(catch_unwind(AssertUnwindSafe(|| handle.as_mut().poll(&mut context))).is_err());
    assert_eq!(executor.block_on(handle), Ok(6));
}

#[test]
fn a_waker_whose_clone_ends_the_task_finds_the_join_handle_ready() {
    let mut executor = executor(1);
    let mut handle = Box::pin(executor.spawner().spawn(pending::<()>()).unwrap());
    ON_CLONE.set(Some(Box::new(move || executor.reset())));
    let poll = handle.as_mut().poll(&mut Context::from_waker(&hooked()));
    assert_eq!(poll, Poll::Ready(Err(Aborted)));
}

#[test]
fn a_waker_whose_clone_panics_leaves_a_timer_the_old_one() {
    let machine: &Machine = Box::leak(Box::new(Machine(AtomicU64::new(0))));
    let mut executor = Executor::with_capacity(0, machine, NoMetrics);
    let woken = Arc::new(AtomicBool::new(false));
    let mut sleep = Box::pin(executor.timer().sleep(Duration::from_nanos(1)));
    assert!(poll_with_flag(sleep.as_mut(), &woken).is_pending());
    ON_CLONE.set(Some(Box::new(|| panic!("as the test wants"))));
    let waker = hooked();
    let mut context = Context::from_waker(&waker);
    assert!(catch_unwind(AssertUnwindSafe(|| sleep.as_mut().poll(&mut context))).is_err());
    machine.0.store(1, Relaxed);
    executor.poll_ready();
    assert!(woken.load(Relaxed));
}

#[test]
fn a_waker_whose_clone_lets_the_timer_fire_finds_the_sleep_ready() {
    let machine: &Machine = Box::leak(Box::new(Machine(AtomicU64::new(0))));
    let mut executor = Executor::with_capacity(0, machine, NoMetrics);
    let mut sleep = Box::pin(executor.timer().sleep(Duration::from_nanos(1)));
    ON_CLONE.set(Some(Box::new(move || {
        machine.0.store(1, Relaxed);
        executor.poll_ready();
    })));
    let poll = sleep.as_mut().poll(&mut Context::from_waker(&hooked()));
    assert!(poll.is_ready(), "nobody would wake it again");
}

#[test]
fn a_panic_in_block_on_leaves_the_tasks() {
    let mut executor = executor(1);
    let handle = executor.spawner().spawn(async { 3 }).unwrap();
    let drops = Rc::new(Cell::new(0));
    let bomb = Bomb(drops.clone());
    assert!(catch_unwind(AssertUnwindSafe(|| executor.block_on(bomb))).is_err());
    assert_eq!(drops.get(), 1);
    assert_eq!(executor.block_on(handle), Ok(3));
}

#[test]
fn a_task_that_aborts_itself_ends_with_its_present_poll() {
    for ready in [false, true] {
        let mut executor = executor(1);
        let own = Rc::new(RefCell::new(None::<JoinHandle<Rc<()>>>));
        let (theirs, guard) = (own.clone(), Rc::new(()));
        let output = guard.clone();
        let task = poll_fn(move |_| {
            theirs.borrow().as_ref().unwrap().abort();
            if ready {
                Poll::Ready(output.clone())
            } else {
                Poll::Pending
            }
        });
        *own.borrow_mut() = Some(executor.spawner().spawn(task).unwrap());
        assert_eq!(executor.poll_ready(), 1);
        let handle = own.take().unwrap();
        assert!(handle.is_finished());
        assert_eq!(executor.block_on(handle), Err(Aborted));
        assert_eq!(Rc::strong_count(&guard), 1, "future and output are dropped");
    }
}

#[test]
fn a_task_may_be_detached_by_its_own_future() {
    let mut executor = executor(1);
    let own = Rc::new(RefCell::new(None));
    let (theirs, guard) = (own.clone(), Rc::new(()));
    let output = guard.clone();
    let task = poll_fn(move |_| {
        drop(theirs.borrow_mut().take());
        Poll::Ready(output.clone())
    });
    *own.borrow_mut() = Some(executor.spawner().spawn(task).unwrap());
    executor.poll_ready();
    assert_eq!(Rc::strong_count(&guard), 1);
}

#[test]
fn an_output_that_nobody_takes_is_dropped_with_the_handle() {
    let mut executor = executor(1);
    let guard = Rc::new(());
    let output = guard.clone();
    let handle = executor.spawner().spawn(async move { output }).unwrap();
    executor.poll_ready();
    assert_eq!(Rc::strong_count(&guard), 2);
    handle.abort();
    assert_eq!(Rc::strong_count(&guard), 2, "it had completed");
    drop(handle);
    assert_eq!(Rc::strong_count(&guard), 1);
}

#[test]
fn a_late_abort_does_not_hit_the_next_task_in_the_slot() {
    let mut executor = executor(1);
    let first = executor.spawner().spawn(async { 1 }).unwrap();
    executor.poll_ready();
    let second = executor.spawner().spawn(async { 2 }).unwrap();
    first.abort();
    assert_eq!(executor.block_on(second), Ok(2));
    assert_eq!(executor.block_on(first), Ok(1));
}

#[test]
#[should_panic(expected = "polled after it was ready")]
fn a_join_handle_polled_after_it_was_ready_panics() {
    let mut executor = executor(1);
    let mut handle = pin!(executor.spawner().spawn(async {}).unwrap());
    executor.poll_ready();
    assert!(poll_once(handle.as_mut()).is_ready());
    let _ = poll_once(handle);
}

#[test]
fn tasks_that_spawn_while_they_are_dropped_by_a_reset_are_refused() {
    struct SpawnsOnDrop(Spawner, Rc<Cell<Option<SpawnError>>>);
    impl Drop for SpawnsOnDrop {
        fn drop(&mut self) {
            self.1.set(self.0.spawn(async {}).err());
        }
    }
    let mut executor = executor(2);
    let refused = Rc::new(Cell::new(None));
    let spawns = SpawnsOnDrop(executor.spawner(), refused.clone());
    let task = async move {
        let _spawns = spawns;
        pending::<()>().await;
    };
    drop(executor.spawner().spawn(task).unwrap());
    executor.reset();
    assert_eq!(refused.get(), Some(SpawnError::Closed));
    drop(executor.spawner().spawn(async {}).unwrap());
    assert_eq!(executor.poll_ready(), 1);
}

#[test]
fn a_task_may_abort_and_spawn_others_while_it_is_polled() {
    let mut executor = executor(3);
    let spawner = executor.spawner();
    let victim = Rc::new(Cell::new(None));
    let (their_spawner, their_victim) = (spawner.clone(), victim.clone());
    let task = async move {
        let victim: JoinHandle<()> = their_victim.take().unwrap();
        victim.abort();
        assert_eq!(victim.await, Err(Aborted));
        their_spawner.spawn(async { 5 }).unwrap().await
    };
    let handle = spawner.spawn(task).unwrap();
    victim.set(Some(spawner.spawn(pending::<()>()).unwrap()));
    assert_eq!(executor.block_on(handle), Ok(Ok(5)));
}

#[test]
fn a_sleep_outlives_a_reset_and_can_be_set_again() {
    static MACHINE: Machine = Machine(AtomicU64::new(0));
    let mut executor = Executor::with_capacity(0, &MACHINE, NoMetrics);
    let mut sleep = Box::pin(executor.timer().sleep(Duration::from_nanos(9)));
    assert!(poll_once(sleep.as_mut()).is_pending());
    executor.reset();
    executor.block_on(sleep);
    assert_eq!(MACHINE.now(), Instant::from_nanos(9));
}
