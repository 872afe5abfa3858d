//! When the executor sleeps, until when, and who rings it.

#![cfg(not(loom))]

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Poll, Waker};
use std::thread::JoinHandle as JoinThread;
use std::time::Duration;

use reveille_executor::*;

/// What a machine does in a sleep.
type OnIdle = Box<dyn FnMut(&SleepGate<'_>, Option<Instant>) + Send>;

/// A machine whose sleep is a function of the test's.
struct Machine {
    now: AtomicU64,
    rings: AtomicUsize,
    on_idle: Mutex<OnIdle>,
}

impl Machine {
    fn new(on_idle: impl FnMut(&SleepGate<'_>, Option<Instant>) + Send + 'static) -> &'static Self {
        Box::leak(Box::new(Self {
            now: AtomicU64::new(0),
            rings: AtomicUsize::new(0),
            on_idle: Mutex::new(Box::new(on_idle)),
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
    }
}

impl Idle for Machine {
    fn idle(&self, gate: &SleepGate<'_>, until: Option<Instant>) {
        (self.on_idle.lock().unwrap())(gate, until);
    }
}

/// A task of `executor` that is done at its second wake, polled once; and its waker.
fn woken_twice<M: Metrics>(executor: &mut Executor<M>) -> (JoinHandle<()>, Waker) {
    let waker = std::rc::Rc::new(Cell::new(None));
    let theirs = waker.clone();
    let mut polls = 0;
    let task = poll_fn(move |context| {
        theirs.set(Some(context.waker().clone()));
        polls += 1;
        if polls == 3 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    let handle = executor.spawner().spawn(task).unwrap();
    executor.poll_ready();
    (handle, waker.take().unwrap())
}

#[test]
fn only_a_sleeping_executor_is_rung_and_once_a_sleep() {
    static WAKER: Mutex<Option<Waker>> = Mutex::new(None);
    let machine = Machine::new(|gate, _| {
        assert!(gate.enter());
        let waker = WAKER.lock().unwrap();
        waker.as_ref().unwrap().wake_by_ref();
        waker.as_ref().unwrap().wake_by_ref();
    });
    let mut executor = Executor::with_capacity(1, machine, Counters::new());
    let (handle, waker) = woken_twice(&mut executor);
    *WAKER.lock().unwrap() = Some(waker.clone());
    waker.wake_by_ref();
    assert_eq!(machine.rings.load(Relaxed), 0, "awake");
    executor.block_on(handle).unwrap();
    assert_eq!(machine.rings.load(Relaxed), 1, "asleep, and two wakes");
    waker.wake();
    assert_eq!(machine.rings.load(Relaxed), 1, "awake again");

    let (handle, waker) = woken_twice(&mut executor);
    *WAKER.lock().unwrap() = Some(waker);
    executor.block_on(handle).unwrap();
    assert_eq!(machine.rings.load(Relaxed), 3, "two more sleeps");
    let counted = executor.metrics().snapshot();
    assert_eq!(counted.doorbells_sent, 3);
    assert_eq!(counted.doorbells_saved, counted.wakes - 3);
}

#[test]
fn a_wake_from_another_thread_ends_the_sleep_of_the_executor() {
    let park = Box::leak(Box::new(Park::new()));
    let mut executor = Executor::with_capacity(1, park, Counters::new());
    let shared = Arc::new(Mutex::new((false, None::<Waker>)));
    let theirs = shared.clone();
    let thread = std::thread::spawn(move || {
        loop {
            let mut shared = theirs.lock().unwrap();
            if let Some(waker) = shared.1.take() {
                shared.0 = true;
                waker.wake();
                return;
            }
        }
    });
    executor.block_on(poll_fn(|context| {
        let mut shared = shared.lock().unwrap();
        if shared.0 {
            return Poll::Ready(());
        }
        shared.1 = Some(context.waker().clone());
        Poll::Pending
    }));
    thread.join().unwrap();
    assert_eq!(executor.metrics().snapshot().wakes, 1);
}

#[test]
fn the_gate_is_shut_while_there_is_work() {
    static WAKER: Mutex<Option<Waker>> = Mutex::new(None);
    let machine = Machine::new(|gate, _| {
        // An interrupt before the sleep wakes a task.
        WAKER.lock().unwrap().as_ref().unwrap().wake_by_ref();
        assert!(!gate.enter());
        assert!(!gate.enter(), "asking again changes nothing");
    });
    let mut executor = Executor::with_capacity(1, machine, Counters::new());
    let (handle, waker) = woken_twice(&mut executor);
    *WAKER.lock().unwrap() = Some(waker);
    executor.block_on(handle).unwrap();
    assert_eq!(machine.rings.load(Relaxed), 0);
}

#[test]
fn the_gate_is_shut_while_there_is_work_in_the_last_slot() {
    static WAKER: Mutex<Option<Waker>> = Mutex::new(None);
    // The last of two leaves, of eight leaves, of two summary words.
    for capacity in [65, 512, 4097] {
        if cfg!(miri) && capacity > 65 {
            continue;
        }
        let machine = Machine::new(|gate, _| {
            WAKER.lock().unwrap().as_ref().unwrap().wake_by_ref();
            assert!(!gate.enter());
        });
        let mut executor = Executor::with_capacity(capacity, machine, Counters::new());
        for _ in 1..capacity {
            let pending = std::future::pending::<()>();
            drop(executor.spawner().spawn(pending).unwrap());
        }
        let (handle, waker) = woken_twice(&mut executor);
        *WAKER.lock().unwrap() = Some(waker);
        executor.block_on(handle).unwrap();
        assert_eq!(machine.rings.load(Relaxed), 0, "{capacity} slots");
    }
}

#[test]
fn a_shut_gate_is_no_time_asleep() {
    static NOW: AtomicU64 = AtomicU64::new(0);
    static WAKER: Mutex<Option<Waker>> = Mutex::new(None);
    struct Ticks;
    impl Clock for Ticks {
        fn now(&self) -> Instant {
            Instant::from_nanos(NOW.fetch_add(1, Relaxed))
        }
    }
    impl Doorbell for Ticks {
        fn ring(&self) {}
    }
    impl Idle for Ticks {
        fn idle(&self, gate: &SleepGate<'_>, _: Option<Instant>) {
            WAKER.lock().unwrap().as_ref().unwrap().wake_by_ref();
            assert!(!gate.enter());
        }
    }
    let mut executor = Executor::with_capacity(1, &Ticks, Counters::new());
    let (handle, waker) = woken_twice(&mut executor);
    *WAKER.lock().unwrap() = Some(waker);
    executor.block_on(handle).unwrap();
    let asleep = executor.metrics().snapshot().asleep;
    assert_eq!(asleep.until(Instant::MAX), Duration::ZERO);
}

#[test]
fn idle_is_told_the_next_deadline_and_time_asleep_is_counted() {
    static NOW: AtomicU64 = AtomicU64::new(0);
    struct Skips;
    impl Clock for Skips {
        fn now(&self) -> Instant {
            Instant::from_nanos(NOW.load(Relaxed))
        }
    }
    impl Doorbell for Skips {
        fn ring(&self) {
            unreachable!("timers fire on the owner CPU, awake");
        }
    }
    impl Idle for Skips {
        fn idle(&self, gate: &SleepGate<'_>, until: Option<Instant>) {
            assert!(gate.enter());
            NOW.store(until.expect("a timer is set").as_nanos(), Relaxed);
        }
    }
    let mut executor = Executor::with_capacity(0, &Skips, Counters::new());
    let timer = executor.timer();
    executor.block_on(async {
        timer.sleep(Duration::from_nanos(700)).await;
        assert_eq!(timer.now(), Instant::from_nanos(700));
        timer.sleep_until(Instant::from_nanos(900)).await;
        assert_eq!(timer.now(), Instant::from_nanos(900));
    });
    let asleep = executor.metrics().snapshot().asleep;
    assert_eq!(asleep.until(Instant::MAX), Duration::from_nanos(900));
}

#[test]
fn a_monitor_is_armed_after_the_announcement_and_written_by_every_ring() {
    static WAKER: Mutex<Option<Waker>> = Mutex::new(None);
    let machine = Machine::new(|gate, _| {
        let mut armed_at = (core::ptr::null::<u64>(), 0);
        // SAFETY: the address of a word that lives as long as the executor's storage; the test has
        // one thread.
        let read = |word: *const u64| unsafe { word.read_volatile() };
        assert!(gate.enter_monitored(|word| armed_at = (word, read(word))));
        assert_eq!(
            read(armed_at.0),
            armed_at.1,
            "nothing is written until a wake"
        );
        WAKER.lock().unwrap().as_ref().unwrap().wake_by_ref();
        assert_ne!(read(armed_at.0), armed_at.1);
    });
    let mut executor = Executor::with_capacity(1, machine, Counters::new());
    let (handle, waker) = woken_twice(&mut executor);
    *WAKER.lock().unwrap() = Some(waker);
    executor.block_on(handle).unwrap();
}

/// Stops the first waker between its bit and its look at the sleep word.
struct Stall {
    stalls: AtomicBool,
    inserted: Barrier,
    goes_on: Barrier,
}

impl Metrics for Stall {
    fn woken(&self, _: bool) {
        if self.stalls.swap(false, Relaxed) {
            self.inserted.wait();
            self.goes_on.wait();
        }
    }
}

/// Lets `on_idle` see a waker whose bit has been taken, but that has not rung yet; it goes on, and
/// has returned, when the second argument is called. The third wakes the task again.
fn with_a_waker_that_rings_late(
    mut on_idle: impl FnMut(&SleepGate<'_>, &mut dyn FnMut(), &Waker) + Send + 'static,
) {
    let stall: &Stall = Box::leak(Box::new(Stall {
        stalls: AtomicBool::new(true),
        inserted: Barrier::new(2),
        goes_on: Barrier::new(2),
    }));
    let late: &Mutex<Option<(JoinThread<()>, Waker)>> = Box::leak(Box::default());
    let machine = Machine::new(move |gate, _| {
        let (thread, waker) = late.lock().unwrap().take().expect("one sleep");
        let mut thread = Some(thread);
        let mut ring = || {
            stall.goes_on.wait();
            thread.take().unwrap().join().unwrap();
        };
        on_idle(gate, &mut ring, &waker);
    });
    let mut executor = Executor::with_capacity(1, machine, stall);
    let (handle, waker) = woken_twice(&mut executor);
    let theirs = waker.clone();
    let thread = std::thread::spawn(move || theirs.wake());
    stall.inserted.wait();
    assert_eq!(executor.poll_ready(), 1, "its bit is taken");
    *late.lock().unwrap() = Some((thread, waker));
    executor.block_on(handle).unwrap();
}

#[test]
fn a_ring_that_comes_before_the_monitor_is_armed_shuts_the_gate() {
    with_a_waker_that_rings_late(|gate, ring, waker| {
        let open = gate.enter_monitored(|_| ring());
        assert!(!open, "the next wake would write nothing to the monitor");
        waker.wake_by_ref();
    });
}

#[test]
fn a_ring_of_the_last_entry_does_not_silence_the_next() {
    with_a_waker_that_rings_late(|gate, ring, waker| {
        assert!(gate.enter());
        ring();
        let mut armed_at = (core::ptr::null::<u64>(), 0);
        // SAFETY: the address of a word that lives as long as the executor's storage; the late
        // waker has returned, so no other thread writes.
        let read = |word: *const u64| unsafe { word.read_volatile() };
        assert!(gate.enter_monitored(|word| armed_at = (word, read(word))));
        waker.wake_by_ref();
        assert_ne!(read(armed_at.0), armed_at.1);
    });
}
