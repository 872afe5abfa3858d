//! The order in which timers fire, against a sorted list.

#![cfg(not(loom))]

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Wake, Waker};

use proptest::prelude::*;
use reveille_executor::*;

thread_local! {
    /// The wakers that fired, in order.
    static FIRED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

struct Named(usize);

impl Wake for Named {
    fn wake(self: Arc<Self>) {
        FIRED.with_borrow_mut(|fired| fired.push(self.0));
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

#[derive(Clone, Debug)]
enum Step {
    Set { after_ns: u64 },
    Cancel { which: usize },
    Advance { by_ns: u64 },
    Reset,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..20_u64).prop_map(|after_ns| Step::Set { after_ns }),
        3 => any::<usize>().prop_map(|which| Step::Cancel { which }),
        3 => (0..12_u64).prop_map(|by_ns| Step::Advance { by_ns }),
        1 => Just(Step::Reset),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn timers_fire_by_deadline_and_equal_ones_in_the_order_in_which_they_were_set(
        steps in prop::collection::vec(step(), 1..120)
    ) {
        let machine: &Manual = Box::leak(Box::new(Manual(0.into())));
        let mut executor = Executor::with_capacity(0, machine, NoMetrics);
        let timer = executor.timer();
        FIRED.with_borrow_mut(Vec::clear);
        // The oracle: what is set, as (deadline, order of setting); the futures, by that order.
        let mut set: Vec<(Instant, usize)> = Vec::new();
        let mut sleeps: Vec<Option<Pin<Box<Sleep>>>> = Vec::new();
        let mut expected = Vec::new();
        for step in steps {
            match step {
                Step::Set { after_ns } => {
                    let number = sleeps.len();
                    let deadline = timer.now() + core::time::Duration::from_nanos(after_ns);
                    let mut sleep = Box::pin(timer.sleep_until(deadline));
                    let waker = Waker::from(Arc::new(Named(number)));
                    prop_assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                    set.push((deadline, number));
                    sleeps.push(Some(sleep));
                }
                Step::Cancel { which } if !sleeps.is_empty() => {
                    let number = which % sleeps.len();
                    sleeps[number] = None;
                    set.retain(|&(_, set)| set != number);
                }
                Step::Cancel { .. } => {}
                Step::Advance { by_ns } => {
                    machine.0.fetch_add(by_ns, Relaxed);
                    executor.poll_ready();
                    set.sort();
                    let due = set.partition_point(|&(deadline, _)| deadline <= machine.now());
                    expected.extend(set.drain(..due).map(|(_, number)| number));
                }
                Step::Reset => {
                    executor.reset();
                    set.clear();
                }
            }
            let fired = FIRED.with_borrow(Clone::clone);
            prop_assert_eq!(&fired, &expected);
        }
    }
}

#[test]
fn a_sleep_that_has_fired_is_ready_and_one_that_is_polled_again_wakes_the_last_poller() {
    let machine: &Manual = Box::leak(Box::new(Manual(0.into())));
    let mut executor = Executor::with_capacity(0, machine, NoMetrics);
    FIRED.with_borrow_mut(Vec::clear);
    let mut sleep = Box::pin(executor.timer().sleep_until(Instant::from_nanos(5)));
    for name in [1, 2] {
        let waker = Waker::from(Arc::new(Named(name)));
        let poll = sleep.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(poll.is_pending());
    }
    machine.0.store(5, Relaxed);
    executor.poll_ready();
    assert_eq!(FIRED.take(), [2]);
    let poll = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_ready());
}
