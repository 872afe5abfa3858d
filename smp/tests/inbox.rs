//! Tasks that CPUs send each other, where a CPU is a thread with an executor, or, where the order of
//! events matters, one of several executors on one thread.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    future::{poll_fn, ready},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
    thread::{self, Scope},
};

use futures_util::{
    FutureExt,
    future::{Either, select},
};
use proptest::prelude::*;
use reveille_executor::{Executor, NoMetrics, Park};
use reveille_smp::{
    inbox::{Inbox, MAX_TASKS, NotSent},
    remote::{RemoteError, RemoteHandle},
};

/// Counts what the present thread has allocated and not freed.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.set(LIVE.get() + 1);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - 1);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// As many tasks lie in an inbox.
const PLACES: usize = 16;

fn executor(capacity: usize) -> Executor {
    Executor::with_capacity(capacity, Box::leak(Box::new(Park::new())), NoMetrics)
}

/// What futures wait for, and how many of these there are.
#[derive(Clone, Default)]
struct Signal(Arc<Mutex<(bool, Vec<Waker>)>>);

impl Signal {
    fn give(&self) {
        let mut state = self.0.lock().unwrap();
        state.0 = true;
        state.1.drain(..).for_each(Waker::wake);
    }

    /// A future of the signal.
    fn given(&self) -> impl Future<Output = ()> + Send + use<> {
        let signal = self.clone();
        poll_fn(move |context| {
            let mut state = signal.0.lock().unwrap();
            if state.0 {
                return Poll::Ready(());
            }
            state.1.push(context.waker().clone());
            Poll::Pending
        })
    }

    /// Futures of it that have not been dropped.
    fn futures(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// A CPU on the thread that makes it.
struct Cpu {
    inbox: &'static Inbox,
    executor: Executor,
}

impl Cpu {
    /// Open and served, with room for so many tasks.
    fn online(tasks: usize) -> Self {
        let inbox: &Inbox = Box::leak(Box::new(Inbox::new()));
        inbox.open();
        let executor = executor(tasks + 1);
        let spawner = executor.spawner();
        let server = async move { inbox.serve(&spawner).await };
        executor.spawner().spawn(server).unwrap();
        Self { inbox, executor }
    }

    /// Runs whatever is ready, until nothing is.
    fn run(&mut self) {
        while self.executor.poll_ready() > 0 {}
    }

    fn close(&mut self) {
        self.executor.block_on(self.inbox.close());
    }

    fn send<F>(&self, future: F) -> RemoteHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.inbox.spawn(future).unwrap()
    }
}

/// Starts a CPU on a thread of its own, which serves the inbox as long as `life` lasts.
fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    inbox: &'scope Inbox,
    life: impl AsyncFnOnce() + Send + 'scope,
) {
    scope.spawn(move || {
        let mut executor = executor(MAX_TASKS);
        let spawner = executor.spawner();
        executor.block_on(async {
            match select(pin!(life()), pin!(inbox.serve(&spawner))).await {
                Either::Left(((), _)) => {}
                Either::Right((never, _)) => match never {},
            }
        });
    });
}

#[test]
fn around_a_ring_every_cpu_asks_its_neighbour_and_a_third_one_hears_of_it() {
    const CPUS: usize = 4;
    let inboxes: Arc<[Inbox]> = (0..CPUS).map(|_| Inbox::new()).collect();
    inboxes.iter().for_each(Inbox::open);
    let over = Signal::default();
    thread::scope(|scope| {
        for inbox in inboxes.iter() {
            let over = over.given();
            start(scope, inbox, async move || over.await);
        }
        let handles: Vec<_> = (0..CPUS)
            .map(|cpu| {
                let others = Arc::clone(&inboxes);
                let ask = async move {
                    let neighbour =
                        others[(cpu + 1) % CPUS].spawn(async { thread::current().id() });
                    (thread::current().id(), neighbour.unwrap().await.unwrap())
                };
                inboxes[cpu].spawn(ask).unwrap()
            })
            .collect();
        // CPU 0 awaits the answers in the place of the thread that asked.
        let answers = inboxes[0].spawn(async move {
            let mut answers = Vec::new();
            for handle in handles {
                answers.push(handle.await.unwrap());
            }
            answers
        });
        let answers = executor(0).block_on(answers.unwrap()).unwrap();
        over.give();
        for (cpu, (own, of_neighbour)) in answers.iter().enumerate() {
            assert_eq!(*of_neighbour, answers[(cpu + 1) % CPUS].0);
            assert_ne!(own, of_neighbour);
            assert_ne!(*own, thread::current().id());
        }
    });
}

#[test]
fn whatever_the_moment_at_which_cpus_go_down_every_task_is_run_or_reported_and_nothing_is_kept() {
    /// Of either end a task must have come to so many, for each of the senders.
    const ENDS: usize = if cfg!(miri) { 2 } else { 100 };
    const CPUS: usize = 2;
    let inboxes: Arc<[Inbox]> = (0..CPUS).map(|_| Inbox::new()).collect();
    let token = Arc::new(());
    let senders = AtomicUsize::new(CPUS);
    thread::scope(|scope| {
        for inbox in inboxes.iter() {
            let senders = &senders;
            start(scope, inbox, async move || {
                for life in 0.. {
                    if senders.load(Ordering::Relaxed) == 0 {
                        break;
                    }
                    inbox.open();
                    for _ in 0..life % 7 {
                        yield_now().await;
                    }
                    inbox.close().await;
                }
            });
        }
        for own in 0..CPUS {
            let (inboxes, senders, token) = (&inboxes, &senders, &token);
            scope.spawn(move || {
                let mut executor = executor(0);
                let (mut done, mut went_down) = (0, 0);
                while done < ENDS || went_down < ENDS {
                    let (token, others) = (Arc::clone(token), Arc::clone(inboxes));
                    let task = async move {
                        // On to the other CPU, if that is up.
                        match others[1 - own].spawn(ready(token)) {
                            Ok(answer) => drop(answer.await),
                            Err(refused) => drop(refused),
                        }
                    };
                    let Ok(handle) = inboxes[own].spawn(task) else {
                        continue;
                    };
                    match executor.block_on(handle) {
                        Ok(()) => done += 1,
                        Err(RemoteError::WentDown) => went_down += 1,
                        Err(other) => panic!("{other}"),
                    }
                }
                senders.fetch_sub(1, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(Arc::strong_count(&token), 1);
}

/// Lets all others on this CPU have a turn.
async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn a_closed_inbox_and_a_full_one_give_the_future_back() {
    let inbox = Inbox::new();
    let Err(NotSent::Closed(future)) = inbox.spawn(ready(5)) else {
        panic!("it is closed");
    };
    inbox.open();
    let mut handles = Vec::new();
    let refused = loop {
        match inbox.spawn(future.clone()) {
            Ok(handle) => handles.push(handle),
            Err(refused) => break refused,
        }
    };
    assert_eq!(handles.len(), PLACES);
    assert!(matches!(refused, NotSent::Full(_)));
    assert_eq!(refused.into_future().now_or_never(), Some(5));
}

#[test]
fn what_lies_in_the_inbox_and_what_runs_has_gone_when_it_is_closed_and_the_next_life_knows_nothing_of_it()
 {
    let signal = Signal::default();
    let mut cpu = Cpu::online(4);
    let running = cpu.send(signal.given());
    cpu.run();
    let waiting = cpu.send(signal.given());
    let done = cpu.send(ready(1));
    assert_eq!(signal.futures(), 2);
    cpu.close();
    assert_eq!(signal.futures(), 0);
    assert!(matches!(cpu.inbox.spawn(ready(2)), Err(NotSent::Closed(_))));
    cpu.inbox.open();
    signal.give();
    cpu.run();
    assert_eq!(running.now_or_never(), Some(Err(RemoteError::WentDown)));
    assert_eq!(waiting.now_or_never(), Some(Err(RemoteError::WentDown)));
    assert_eq!(done.now_or_never(), Some(Err(RemoteError::WentDown)));
    let next = cpu.send(ready(3));
    cpu.run();
    assert_eq!(next.now_or_never(), Some(Ok(3)));
}

#[test]
fn a_task_that_was_done_before_its_cpu_went_down_keeps_its_output() {
    let mut cpu = Cpu::online(1);
    let done = cpu.send(ready(1));
    cpu.run();
    cpu.close();
    assert_eq!(done.now_or_never(), Some(Ok(1)));
}

#[test]
fn a_server_that_is_dropped_closes_the_inbox_even_if_it_was_never_polled() {
    let signal = Signal::default();
    let executor = executor(1);
    let (inbox, spawner) = (Inbox::new(), executor.spawner());
    inbox.open();
    let server = inbox.serve(&spawner);
    let task = inbox.spawn(signal.given()).unwrap();
    drop(server);
    assert_eq!(task.now_or_never(), Some(Err(RemoteError::WentDown)));
    assert_eq!(signal.futures(), 0);
    assert!(matches!(inbox.spawn(ready(())), Err(NotSent::Closed(_))));
    // There is nothing to wait for.
    assert_eq!(inbox.close().now_or_never(), Some(()));
}

#[test]
fn a_close_that_is_dropped_before_the_tasks_have_ended_has_not_happened() {
    let signal = Signal::default();
    let mut cpu = Cpu::online(2);
    let running = cpu.send(signal.given());
    cpu.run();
    let mut close = Box::pin(cpu.inbox.close());
    assert_eq!(close.as_mut().now_or_never(), None);
    assert!(matches!(
        cpu.inbox.spawn(ready(())),
        Err(NotSent::Closed(_))
    ));
    drop(close);
    let waiting = cpu.send(signal.given());
    cpu.run();
    signal.give();
    cpu.run();
    assert_eq!(running.now_or_never(), Some(Ok(())));
    assert_eq!(waiting.now_or_never(), Some(Ok(())));
}

#[test]
fn an_executor_whose_slots_are_taken_has_no_room_and_says_so() {
    let signal = Signal::default();
    let mut cpu = Cpu::online(2);
    let mut first = cpu.send(signal.given());
    let _second = cpu.send(signal.given());
    let third = cpu.send(signal.given());
    cpu.run();
    assert_eq!(third.now_or_never(), Some(Err(RemoteError::NoRoom)));
    assert_eq!(signal.futures(), 2);
    assert_eq!((&mut first).now_or_never(), None);
    first.abort();
    cpu.run();
    let third = cpu.send(ready(3));
    cpu.run();
    assert_eq!(third.now_or_never(), Some(Ok(3)));
}

#[test]
fn tasks_of_others_leave_the_cpu_the_slots_that_are_its_own() {
    let signal = Signal::default();
    let mut cpu = Cpu::online(MAX_TASKS + 1);
    let handles: Vec<_> = (0..MAX_TASKS)
        .map(|_| {
            let handle = cpu.send(signal.given());
            cpu.run();
            handle
        })
        .collect();
    let one_more = cpu.send(ready(()));
    cpu.run();
    assert_eq!(one_more.now_or_never(), Some(Err(RemoteError::NoRoom)));
    assert_eq!(cpu.executor.spawner().room(), Ok(()));
    handles[0].abort();
    // The server hears of the end and of the next task at once.
    assert_eq!(cpu.executor.poll_ready(), 1);
    let one_more = cpu.send(ready(()));
    cpu.run();
    assert_eq!(one_more.now_or_never(), Some(Ok(())));
}

#[test]
fn an_aborted_task_is_dropped_by_its_cpu_and_says_so_wherever_it_is() {
    let signal = Signal::default();
    let mut cpu = Cpu::online(3);
    let (running, waiting) = (cpu.send(signal.given()), cpu.send(signal.given()));
    cpu.run();
    let in_the_inbox = cpu.send(signal.given());
    running.abort();
    in_the_inbox.abort();
    assert_eq!(signal.futures(), 3);
    cpu.run();
    assert_eq!(signal.futures(), 1);
    assert_eq!(running.now_or_never(), Some(Err(RemoteError::Aborted)));
    assert_eq!(in_the_inbox.now_or_never(), Some(Err(RemoteError::Aborted)));
    signal.give();
    cpu.run();
    waiting.abort();
    assert_eq!(waiting.now_or_never(), Some(Ok(())));
}

#[test]
fn a_task_whose_handle_is_dropped_goes_on() {
    let signal = Signal::default();
    let runs = Arc::new(AtomicUsize::new(0));
    let mut cpu = Cpu::online(1);
    let (given, counted) = (signal.given(), Arc::clone(&runs));
    drop(cpu.send(async move {
        given.await;
        counted.fetch_add(1, Ordering::Relaxed);
    }));
    cpu.run();
    signal.give();
    cpu.run();
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    assert_eq!(Arc::strong_count(&runs), 1);
}

#[test]
fn a_future_is_dropped_before_its_handle_is_ready() {
    let signal = Signal::default();
    let mut cpu = Cpu::online(4);
    let given = signal.clone();
    // The task asks for as long as it lives, the watcher is told when it ends.
    let watched = cpu.send(async move {
        given.given().await;
        drop(given);
    });
    let (futures, state) = (signal.futures(), signal.clone());
    let watcher = cpu.send(async move {
        watched.await.unwrap();
        state.futures()
    });
    cpu.run();
    signal.give();
    cpu.run();
    // The watcher's own took the place of the task's.
    assert_eq!(watcher.now_or_never(), Some(Ok(futures)));
}

#[test]
fn tasks_that_have_ended_leave_no_memory_behind() {
    let mut cpu = Cpu::online(MAX_TASKS);
    cpu.run();
    let before = LIVE.get();
    for round in 0..40 {
        let handles: [_; 8] = std::array::from_fn(|task| cpu.send(async move { task }));
        match round % 4 {
            0 => handles[3].abort(),
            1 => cpu.run(),
            2 => cpu.close(),
            _ => {}
        }
        drop(handles);
        cpu.run();
        cpu.inbox.open();
        assert_eq!(LIVE.get(), before);
    }
}

/// What may happen to one of a few tasks, or to their CPU.
#[derive(Clone, Copy, Debug)]
enum Event {
    Send,
    Run,
    End(usize),
    Abort(usize),
    Drop(usize),
    Close,
    Open,
}

fn event() -> impl Strategy<Value = Event> {
    let task = 0..12_usize;
    prop_oneof![
        4 => Just(Event::Send),
        4 => Just(Event::Run),
        2 => task.clone().prop_map(Event::End),
        1 => task.clone().prop_map(Event::Abort),
        1 => task.prop_map(Event::Drop),
        1 => Just(Event::Close),
        2 => Just(Event::Open),
    ]
}

/// A task, and what must become of it.
struct Expected {
    handle: RemoteHandle<()>,
    signal: Signal,
    is_told: bool,
    is_aborted: bool,
    comes_to: Option<Result<(), RemoteError>>,
}

impl Expected {
    fn end(&mut self, end: Result<(), RemoteError>) {
        self.comes_to.get_or_insert(end);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 256 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_each_handle_gives_what_became_of_its_task(
        events in prop::collection::vec(event(), 1..MAX_TASKS),
    ) {
        let mut cpu = Cpu::online(MAX_TASKS);
        let (mut is_open, mut lying) = (true, 0);
        let mut tasks: Vec<Expected> = Vec::new();
        for event in events {
            match event {
                Event::Send => {
                    let signal = Signal::default();
                    let sent = cpu.inbox.spawn(signal.given());
                    prop_assert_eq!(sent.is_ok(), is_open && lying < PLACES);
                    if let Ok(handle) = sent {
                        lying += 1;
                        tasks.push(Expected {
                            handle,
                            signal,
                            is_told: false,
                            is_aborted: false,
                            comes_to: None,
                        });
                    }
                }
                Event::Run => {
                    cpu.run();
                    lying = 0;
                    for task in &mut tasks {
                        if task.is_aborted {
                            task.end(Err(RemoteError::Aborted));
                        } else if task.is_told {
                            task.end(Ok(()));
                        }
                    }
                }
                Event::End(task) => {
                    if let Some(task) = tasks.get_mut(task) {
                        task.signal.give();
                        task.is_told = true;
                    }
                }
                Event::Abort(task) => {
                    if let Some(task) = tasks.get_mut(task) {
                        task.handle.abort();
                        task.is_aborted = true;
                    }
                }
                Event::Drop(task) => {
                    if task < tasks.len() {
                        tasks.remove(task);
                    }
                }
                Event::Close => {
                    cpu.close();
                    (is_open, lying) = (false, 0);
                    tasks.iter_mut().for_each(|task| task.end(Err(RemoteError::WentDown)));
                }
                Event::Open => {
                    cpu.inbox.open();
                    is_open = true;
                }
            }
        }
        for mut task in tasks {
            prop_assert_eq!((&mut task.handle).now_or_never(), task.comes_to);
            let futures = usize::from(task.comes_to.is_none());
            prop_assert_eq!(task.signal.futures(), futures);
        }
    }
}
