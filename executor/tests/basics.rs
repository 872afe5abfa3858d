//! The public API in ordinary use, on one thread.

#![cfg(not(loom))]

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Mutex;
use std::task::Poll;
use std::time::Duration;

use reveille_executor::*;

fn executor(capacity: usize) -> Executor<Counters> {
    Executor::with_capacity(capacity, Box::leak(Box::new(Park::new())), Counters::new())
}

fn yield_once() -> impl Future<Output = ()> {
    let mut yielded = false;
    poll_fn(move |context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

#[test]
fn a_spawner_says_whether_it_would_take_a_task() {
    let executor = executor(1);
    let spawner = executor.spawner();
    assert_eq!(spawner.room(), Ok(()));
    let task = spawner.spawn(pending::<()>()).unwrap();
    assert_eq!(spawner.room(), Err(SpawnError::Full));
    task.abort();
    assert_eq!(spawner.room(), Ok(()));
    drop(executor);
    assert_eq!(spawner.room(), Err(SpawnError::Closed));
}

#[test]
fn a_join_handle_yields_the_output() {
    let mut executor = executor(4);
    let spawner = executor.spawner();
    let output = executor.block_on(async move {
        let handle = spawner.spawn(async {
            yield_once().await;
            String::from("done")
        });
        handle.unwrap().await
    });
    assert_eq!(output.as_deref(), Ok("done"));
}

#[test]
fn tasks_of_a_round_are_polled_lowest_slot_first() {
    for tasks in [3, 64, 65, 300, 700] {
        let mut executor = executor(tasks);
        let order = Rc::new(RefCell::new(Vec::new()));
        for number in 0..tasks {
            let order = order.clone();
            let task = async move {
                order.borrow_mut().push(number);
                yield_once().await;
            };
            drop(executor.spawner().spawn(task).unwrap());
        }
        assert_eq!(executor.poll_ready(), tasks);
        assert!(order.borrow().iter().copied().eq(0..tasks));
        assert_eq!(executor.poll_ready(), tasks);
        assert_eq!(executor.poll_ready(), 0);
    }
}

#[test]
fn a_full_executor_says_so_and_has_room_again_when_a_task_has_ended() {
    let mut executor = executor(2);
    let spawner = executor.spawner();
    let first = spawner.spawn(pending::<()>()).unwrap();
    spawner.spawn(async {}).unwrap();
    assert_eq!(spawner.spawn(async {}).unwrap_err(), SpawnError::Full);
    executor.poll_ready();
    spawner.spawn(async {}).unwrap();
    assert_eq!(spawner.spawn(async {}).unwrap_err(), SpawnError::Full);
    first.abort();
    spawner.spawn(async {}).unwrap();
}

#[test]
fn an_aborted_task_is_dropped_at_once_and_its_handle_says_aborted() {
    let mut executor = executor(1);
    let guard = Rc::new(());
    let held = guard.clone();
    let task = async move {
        let _held = held;
        pending::<()>().await;
    };
    let handle = executor.spawner().spawn(task).unwrap();
    executor.poll_ready();
    assert_eq!(Rc::strong_count(&guard), 2);
    handle.abort();
    assert_eq!(Rc::strong_count(&guard), 1);
    assert_eq!(executor.block_on(handle), Err(Aborted));
}

#[test]
fn a_sleep_ends_after_its_span_and_a_timeout_cuts_off() {
    let mut executor = executor(1);
    let timer = executor.timer();
    let span = Duration::from_millis(5);
    executor.block_on(async {
        let before = timer.now();
        timer.sleep(span).await;
        assert!(timer.now() - before >= span);
        assert_eq!(timer.timeout(span, pending::<()>()).await, Err(Elapsed));
        assert_eq!(timer.timeout(span, async { 7 }).await, Ok(7));
    });
}

#[test]
fn each_poll_is_heard_of_with_the_slot_of_its_task_and_so_is_its_end() {
    /// The polls, and `END` behind each.
    #[derive(Default)]
    struct Heard(Mutex<Vec<Option<usize>>>);
    const END: Option<usize> = Some(usize::MAX);

    impl Metrics for Heard {
        const MEASURES_SLEEP: bool = false;

        fn polled(&self, task: Option<usize>) {
            self.0.lock().unwrap().push(task);
        }

        fn poll_ended(&self) {
            self.0.lock().unwrap().push(END);
        }
    }

    static HEARD: Heard = Heard(Mutex::new(Vec::new()));
    let mut executor = Executor::with_capacity(70, Box::leak(Box::new(Park::new())), &HEARD);
    let polls = || {
        let heard = std::mem::take(&mut *HEARD.0.lock().unwrap());
        let pairs = heard.chunks(2).map(|pair| (pair[0], pair[1]));
        let (polls, ends): (Vec<_>, Vec<_>) = pairs.unzip();
        assert!(ends.iter().all(|end| *end == END), "{heard:?}");
        polls
    };
    for _ in 0..66 {
        executor.spawner().spawn(pending::<()>()).unwrap();
    }
    executor.poll_ready();
    assert!(polls().into_iter().eq((0..66).map(Some)));
    executor.block_on(async {});
    assert_eq!(polls(), [None]);
}

#[test]
fn a_reset_executor_is_as_new_and_an_old_waker_costs_one_look_at_most() {
    let mut executor = executor(1);
    let waker = Rc::new(Cell::new(None));
    let kept = waker.clone();
    let task = poll_fn(move |context| {
        kept.set(Some(context.waker().clone()));
        Poll::<()>::Pending
    });
    let handle = executor.spawner().spawn(task).unwrap();
    executor.poll_ready();
    executor.reset();
    let old = waker.take().unwrap();
    old.wake_by_ref();
    assert_eq!(executor.poll_ready(), 0);
    assert_eq!(executor.metrics().snapshot().spurious_polls, 1);
    executor.spawner().spawn(pending::<()>()).unwrap();
    assert_eq!(executor.poll_ready(), 1);
    old.wake();
    assert_eq!((executor.poll_ready(), executor.poll_ready()), (1, 0));
    assert!(executor.block_on(pin!(handle)).is_err());
}

#[test]
#[cfg(all(target_os = "linux", not(miri)))]
fn unused_storage_takes_no_room_in_the_image() {
    unsafe extern "C" {
        /// Where the part of the image that is all zeros begins and ends: the linker's.
        safe static __bss_start: u8;
        safe static _end: u8;
    }
    static mut STORAGE: Storage<256> = Storage::new();
    let zeros = (&raw const __bss_start).addr()..(&raw const _end).addr();
    assert!(zeros.contains(&(&raw const STORAGE).addr()));
}
