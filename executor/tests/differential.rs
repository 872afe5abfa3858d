//! Random programs, run here and on `FuturesUnordered`: the same outputs, and after every step the
//! same set of tasks has been polled.
//!
//! `FuturesUnordered` counts references and queues nodes, which this executor may not do; for
//! wakes from one thread it is an oracle that many programs lean on.

#![cfg(not(loom))]

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, Stream};
use proptest::prelude::*;
use reveille_executor::*;

/// What a task does, one after the other.
#[derive(Clone, Debug)]
enum Op {
    /// Waits for one more signal from outside.
    AwaitSignal,
    /// Waits for one more message from a task. Never for a limited time: whether a message of the
    /// same moment is in time depends on the order of polls, in which the two sides may differ.
    AwaitMessage,
    Sleep {
        span_ns: u64,
    },
    Yield,
    /// Sends a message to a task, by number of spawning.
    Send {
        which: usize,
    },
    /// Wakes another task for nothing.
    Wake {
        which: usize,
    },
    /// Waits for a signal, for a limited time.
    AwaitSignalFor {
        span_ns: u64,
    },
}

/// What happens from outside.
#[derive(Clone, Debug)]
enum Step {
    Spawn(Vec<Op>),
    Signal { which: usize },
    Wake { which: usize },
    Cancel { which: usize },
    Advance { by_ns: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        Just(Op::AwaitSignal),
        Just(Op::AwaitMessage),
        (0..20_u64).prop_map(|span_ns| Op::Sleep { span_ns }),
        Just(Op::Yield),
        any::<usize>().prop_map(|which| Op::Send { which }),
        any::<usize>().prop_map(|which| Op::Wake { which }),
        (0..20_u64).prop_map(|span_ns| Op::AwaitSignalFor { span_ns }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(op(), 0..8).prop_map(Step::Spawn),
        4 => any::<usize>().prop_map(|which| Step::Signal { which }),
        2 => any::<usize>().prop_map(|which| Step::Wake { which }),
        1 => any::<usize>().prop_map(|which| Step::Cancel { which }),
        3 => (0..15_u64).prop_map(|by_ns| Step::Advance { by_ns }),
    ]
}

/// One task as both sides know it.
#[derive(Default)]
struct Mailbox {
    signals: Cell<usize>,
    messages: Cell<usize>,
    waker: RefCell<Option<Waker>>,
    /// Completed or cancelled: nobody wakes it any more. (What a stale wake does, `loom.rs` says.)
    ended: Cell<bool>,
}

impl Mailbox {
    fn wake(&self) {
        if let (false, Some(waker)) = (self.ended.get(), &*self.waker.borrow()) {
            waker.wake_by_ref();
        }
    }

    fn deliver(&self, to: &Cell<usize>) {
        to.set(to.get() + 1);
        self.wake();
    }

    /// Takes one from `from`, as soon as there is one.
    fn take(from: &Cell<usize>) -> Poll<()> {
        match from.get() {
            0 => Poll::Pending,
            waiting => {
                from.set(waiting - 1);
                Poll::Ready(())
            }
        }
    }
}

type Sleeping = Pin<Box<dyn Future<Output = ()>>>;

/// One side: its tasks, its clock's sleeps, and who was polled.
struct Side {
    mailboxes: RefCell<Vec<Rc<Mailbox>>>,
    polled: RefCell<BTreeSet<usize>>,
    outputs: RefCell<Vec<(usize, u64)>>,
    sleep: Box<dyn Fn(Duration) -> Sleeping>,
}

impl Side {
    fn new(sleep: impl Fn(Duration) -> Sleeping + 'static) -> Rc<Self> {
        Rc::new(Self {
            mailboxes: RefCell::default(),
            polled: RefCell::default(),
            outputs: RefCell::default(),
            sleep: Box::new(sleep),
        })
    }

    fn mailbox(&self, which: usize) -> Option<Rc<Mailbox>> {
        let mailboxes = self.mailboxes.borrow();
        let which = which.checked_rem(mailboxes.len())?;
        Some(mailboxes[which].clone())
    }

    /// The next task: its number, and its future.
    fn task(self: &Rc<Self>, program: Vec<Op>) -> (usize, impl Future<Output = ()> + use<>) {
        let mailbox = Rc::new(Mailbox::default());
        let number = self.mailboxes.borrow().len();
        self.mailboxes.borrow_mut().push(mailbox.clone());
        let (side, this) = (self.clone(), self.clone());
        let mut program = Box::pin(async move {
            let mut output = 0;
            for op in program {
                output = output * 31 + side.execute(number, op).await;
            }
            side.mailboxes.borrow()[number].ended.set(true);
            side.outputs.borrow_mut().push((number, output));
        });
        let task = poll_fn(move |context| {
            this.polled.borrow_mut().insert(number);
            *mailbox.waker.borrow_mut() = Some(context.waker().clone());
            program.as_mut().poll(context)
        });
        (number, task)
    }

    async fn execute(&self, number: usize, op: Op) -> u64 {
        let own = self.mailboxes.borrow()[number].clone();
        let theirs = own.clone();
        let signal = poll_fn(move |_| Mailbox::take(&own.signals));
        let message = poll_fn(move |_| Mailbox::take(&theirs.messages));
        match op {
            Op::AwaitSignal => signal.await,
            Op::AwaitMessage => message.await,
            Op::Sleep { span_ns } => (self.sleep)(Duration::from_nanos(span_ns)).await,
            Op::Yield => {
                let mut yielded = false;
                poll_fn(move |context| {
                    if std::mem::replace(&mut yielded, true) {
                        return Poll::Ready(());
                    }
                    context.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
            }
            Op::Send { which } => {
                let mailbox = self.mailbox(which);
                mailbox
                    .iter()
                    .for_each(|mailbox| mailbox.deliver(&mailbox.messages));
            }
            Op::Wake { which } => self
                .mailbox(which)
                .iter()
                .for_each(|mailbox| mailbox.wake()),
            Op::AwaitSignalFor { span_ns } => {
                let mut signal = Box::pin(signal);
                let mut limit = (self.sleep)(Duration::from_nanos(span_ns));
                return poll_fn(move |context| {
                    if signal.as_mut().poll(context).is_ready() {
                        return Poll::Ready(1);
                    }
                    limit.as_mut().poll(context).map(|()| 2)
                })
                .await;
            }
        }
        3
    }
}

/// The oracle's clock: sleeps in a list, from which a sleep that is dropped takes itself.
#[derive(Default)]
struct OracleClock {
    now_ns: Cell<u64>,
    last_id: Cell<usize>,
    waiting: RefCell<Vec<Waiting>>,
}

struct Waiting {
    id: usize,
    deadline_ns: u64,
    waker: Waker,
}

struct Leaves {
    clock: Rc<OracleClock>,
    id: usize,
}

impl Drop for Leaves {
    fn drop(&mut self) {
        let mut waiting = self.clock.waiting.borrow_mut();
        waiting.retain(|waiting| waiting.id != self.id);
    }
}

impl OracleClock {
    async fn sleep(self: Rc<Self>, span: Duration) {
        let deadline_ns = self.now_ns.get() + span.as_nanos() as u64;
        let id = self.last_id.get() + 1;
        self.last_id.set(id);
        let clock = self.clone();
        let _leaves = Leaves { clock: self, id };
        poll_fn(|context| {
            if clock.now_ns.get() >= deadline_ns {
                return Poll::Ready(());
            }
            let mut waiting = clock.waiting.borrow_mut();
            if waiting.iter().all(|waiting| waiting.id != id) {
                let waker = context.waker().clone();
                waiting.push(Waiting {
                    id,
                    deadline_ns,
                    waker,
                });
            }
            Poll::Pending
        })
        .await;
    }

    fn advance(&self, by_ns: u64) {
        let now_ns = self.now_ns.get() + by_ns;
        self.now_ns.set(now_ns);
        let due = |waiting: &mut Waiting| waiting.deadline_ns <= now_ns;
        let due: Vec<_> = self.waiting.borrow_mut().extract_if(.., due).collect();
        due.into_iter().for_each(|waiting| waiting.waker.wake());
    }
}

/// A machine whose clock the test moves.
struct Manual(AtomicU64);

impl Clock for Manual {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Relaxed))
    }
}

impl Doorbell for Manual {
    fn ring(&self) {}
}

impl Idle for Manual {
    fn idle(&self, _: &SleepGate<'_>, _: Option<Instant>) {}
}

/// A future that can be taken out of its place.
type Cancellable = Rc<RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>>;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 3 } else { 400 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_programs_run_as_on_futures_unordered(
        // Slots taken beforehand: both levels of the ready set, and the border between leaves.
        taken in prop::sample::select(vec![0, 60, 600]),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let machine: &Manual = Box::leak(Box::new(Manual(0.into())));
        let capacity = if taken == 0 { 64 } else { taken + 64 };
        let mut executor = Executor::with_capacity(capacity, machine, NoMetrics);
        for _ in 0..taken {
            drop(executor.spawner().spawn(pending::<()>()).unwrap());
        }
        executor.poll_ready();
        let timer = executor.timer();
        let ours = Side::new(move |span| Box::pin(timer.sleep(span)));
        let mut handles = Vec::new();

        let clock = Rc::new(OracleClock::default());
        let oracle_clock = clock.clone();
        let theirs = Side::new(move |span| Box::pin(oracle_clock.clone().sleep(span)));
        let mut unordered = FuturesUnordered::new();
        let mut cancellable: Vec<Cancellable> = Vec::new();

        for step in steps {
            match step {
                Step::Spawn(program) => {
                    let (_, task) = ours.task(program.clone());
                    handles.push(executor.spawner().spawn(task).unwrap());
                    let (_, task) = theirs.task(program);
                    let cell: Cancellable = Rc::new(RefCell::new(Some(Box::pin(task))));
                    cancellable.push(cell.clone());
                    unordered.push(poll_fn(move |context| match &mut *cell.borrow_mut() {
                        Some(future) => future.as_mut().poll(context),
                        None => Poll::Ready(()),
                    }));
                }
                Step::Signal { which } => {
                    for side in [&ours, &theirs] {
                        side.mailbox(which).iter().for_each(|mailbox| mailbox.deliver(&mailbox.signals));
                    }
                }
                Step::Wake { which } => {
                    for side in [&ours, &theirs] {
                        side.mailbox(which).iter().for_each(|mailbox| mailbox.wake());
                    }
                }
                Step::Cancel { which } if !handles.is_empty() => {
                    let which = which % handles.len();
                    handles[which].abort();
                    *cancellable[which].borrow_mut() = None;
                    theirs.mailboxes.borrow()[which].wake();
                    for side in [&ours, &theirs] {
                        side.mailboxes.borrow()[which].ended.set(true);
                    }
                }
                Step::Cancel { .. } => {}
                Step::Advance { by_ns } => {
                    machine.0.fetch_add(by_ns, Relaxed);
                    clock.advance(by_ns);
                }
            }
            while executor.poll_ready() > 0 {}
            let mut context = Context::from_waker(Waker::noop());
            loop {
                // Polls at most a number of tasks, then yields: it is done when nothing is polled.
                let polled = theirs.polled.take();
                let next = Pin::new(&mut unordered).poll_next(&mut context);
                let more = !theirs.polled.borrow().is_empty() || matches!(next, Poll::Ready(Some(())));
                theirs.polled.borrow_mut().extend(polled);
                if !more {
                    break;
                }
            }
            prop_assert_eq!(ours.polled.take(), theirs.polled.take());
            let sorted = |side: &Side| {
                let mut outputs = side.outputs.borrow().clone();
                outputs.sort();
                outputs
            };
            prop_assert_eq!(sorted(&ours), sorted(&theirs));
        }
        // The tasks hold their side, which holds the clock: end them.
        executor.reset();
        cancellable.iter().for_each(|cell| drop(cell.take()));
    }
}
