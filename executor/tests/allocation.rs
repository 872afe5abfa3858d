//! Nothing allocates or frees after spawn, and nothing is leaked by a reset.

#![cfg(not(loom))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Poll, Waker};
use std::time::Duration;

use reveille_executor::*;

/// Notes what the present thread does. (It must not panic itself: unwinding out of an allocator
/// is undefined.)
struct Watched;

thread_local! {
    /// Calls that would have come while none may come.
    static OBJECTIONS: Cell<usize> = const { Cell::new(0) };
    static ARMED: Cell<bool> = const { Cell::new(false) };
    /// Allocations that have not been freed.
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

fn note(live: isize) {
    LIVE.set(LIVE.get() + live);
    if ARMED.get() {
        OBJECTIONS.set(OBJECTIONS.get() + 1);
    }
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        note(-1);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static WATCHED: Watched = Watched;

/// Runs `work`, in which this thread may neither allocate nor free.
fn without_allocation<T>(work: impl FnOnce() -> T) -> T {
    let before = OBJECTIONS.get();
    ARMED.set(true);
    let output = work();
    ARMED.set(false);
    assert_eq!(OBJECTIONS.get(), before, "allocated or freed");
    output
}

/// A machine that sleeps by letting the time pass.
struct Machine(AtomicU64);

impl Machine {
    fn new() -> &'static Self {
        Box::leak(Box::new(Self(AtomicU64::new(0))))
    }
}

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
        if gate.enter() {
            self.0.store(
                until.expect("somebody waits for something").as_nanos(),
                Relaxed,
            );
        }
    }
}

const SPAN: Duration = Duration::from_nanos(10);

#[test]
fn the_allocator_does_object_when_something_allocates() {
    let before = OBJECTIONS.get();
    ARMED.set(true);
    drop(std::hint::black_box(Box::new(1)));
    ARMED.set(false);
    assert_eq!(OBJECTIONS.get(), before + 2);
}

#[test]
fn wake_poll_sleep_and_timeout_neither_allocate_nor_free() {
    for tasks in if cfg!(miri) {
        vec![1, 65]
    } else {
        vec![1, 64, 65, 600]
    } {
        let mut executor = Executor::with_capacity(tasks, Machine::new(), Counters::new());
        for _ in 0..tasks {
            let timer = executor.timer();
            let task = async move {
                for _ in 0..3 {
                    timer.sleep(SPAN).await;
                    let mut woken = false;
                    let yields = poll_fn(|context| {
                        if std::mem::replace(&mut woken, true) {
                            return Poll::Ready(());
                        }
                        context.waker().wake_by_ref();
                        Poll::Pending
                    });
                    assert_eq!(timer.timeout(SPAN, yields).await, Ok(()));
                    assert_eq!(timer.timeout(SPAN, pending::<()>()).await, Err(Elapsed));
                }
            };
            // Detached, its end frees its memory, which `pending` puts beyond the measured part.
            let endless = async move {
                task.await;
                pending::<()>().await;
            };
            drop(executor.spawner().spawn(endless).unwrap());
        }
        let timer = executor.timer();
        without_allocation(|| executor.block_on(timer.sleep(SPAN * 20)));
        assert!(executor.metrics().snapshot().polls >= 10 * tasks as u64);
    }
}

#[test]
fn a_wake_from_another_thread_neither_allocates_nor_frees_and_ignores_the_task_s_end() {
    let mut executor = Executor::with_capacity(600, Machine::new(), NoMetrics);
    let waker = Rc::new(Cell::new(None::<Waker>));
    let theirs = waker.clone();
    let task = poll_fn(move |context| {
        theirs.set(Some(context.waker().clone()));
        Poll::<()>::Pending
    });
    let handle = executor.spawner().spawn(task).unwrap();
    executor.poll_ready();
    let waker = waker.take().unwrap();
    let wakes = || {
        without_allocation(|| {
            let other = waker.clone();
            other.wake_by_ref();
            other.wake();
        });
    };
    std::thread::scope(|scope| drop(scope.spawn(wakes)));
    without_allocation(|| assert_eq!(executor.poll_ready(), 1));
    handle.abort();
    drop(executor);
    wakes();
}

#[test]
fn a_task_in_memory_of_the_owner_allocates_nothing_at_all() {
    let storage = Box::leak(Box::new(Storage::<2>::new()));
    let cell = Box::leak(Box::new(TaskCell::new(async { [5_u64; 100] })));
    let machine = Machine::new();
    without_allocation(|| {
        let mut executor = Executor::in_storage(storage, machine, NoMetrics);
        let handle = executor.spawner().spawn_in(cell).unwrap();
        assert_eq!(executor.block_on(handle), Ok([5; 100]));
    });
}

#[test]
fn nothing_is_left_after_a_reset() {
    let mut executor = Executor::with_capacity(100, Machine::new(), NoMetrics);
    let mut run = || {
        let before = LIVE.get();
        for number in 0..100 {
            let timer = executor.timer();
            let kept = Box::new(number);
            let task = async move {
                timer.sleep(SPAN * *kept).await;
                Box::new(*kept)
            };
            let handle = executor.spawner().spawn(task).unwrap();
            match number % 3 {
                0 => drop(handle),
                1 => handle.abort(),
                _ => drop(executor.block_on(std::pin::pin!(handle))),
            }
        }
        executor.reset();
        assert_eq!(LIVE.get(), before);
    };
    for _ in 0..if cfg!(miri) { 2 } else { 50 } {
        run();
    }
}

#[test]
fn the_overhead_is_at_most_32_bytes_a_task() {
    // The cell: what it needs beyond the future that it holds.
    type Bytes = std::future::Ready<[u64; 8]>;
    let cell = size_of::<TaskCell<Bytes>>() - size_of::<Bytes>();
    // The slot, in storage for a usual number of tasks, with all that the executor itself needs.
    for (storage, tasks) in [
        (size_of::<Storage<1>>(), 64),
        (size_of::<Storage<4>>(), 256),
        (size_of::<Storage<256>>(), 16_384),
    ] {
        let overhead = cell as f64 + storage as f64 / tasks as f64;
        assert!(
            overhead <= 32.0,
            "{overhead} bytes a task with {tasks} tasks"
        );
    }
}

/// An output larger than its future does not make the cell larger than the larger of the two.
#[test]
fn the_output_lies_where_the_future_was() {
    fn cell_of<F: Future>(_: &F) -> usize {
        size_of::<TaskCell<F>>()
    }
    let future = async {
        let bytes = [1_u8; 256];
        std::future::ready(()).await;
        bytes
    };
    let larger = size_of_val(&future).max(256).next_multiple_of(8);
    assert_eq!(cell_of(&future), larger + 16);
}
