//! What an executor on a simulated CPU runs on: the CPU's clock, its doorbell, and its sleep.

use std::{cell::RefCell, collections::BTreeMap};

use reveille_executor::{
    Clock, Counters, Doorbell, Executor, Idle, Instant, Metrics, SleepGate, Snapshot, Spawner,
    Timer,
};

use super::{model::At, world::World};

/// The place of one executor: that of the CPU which is listed with this number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seat(usize);

impl Seat {
    pub(super) fn of(number: usize) -> Self {
        Self(number)
    }
}

impl Clock for Seat {
    fn now(&self) -> Instant {
        World::current().map_or(super::EPOCH, |world| world.local_now())
    }
}

impl Doorbell for Seat {
    fn ring(&self) {
        if let Some(world) = World::current() {
            world.ring(self.0);
        }
    }
}

impl Idle for Seat {
    fn idle(&self, gate: &SleepGate<'_>, until: Option<Instant>) {
        if let Some(world) = World::current()
            && gate.enter()
        {
            world.halt(until);
        }
    }
}

/// Counts, and lets each poll take its time.
#[derive(Debug, Default)]
pub(super) struct Meter(Counters);

impl Metrics for Meter {
    const MEASURES_SLEEP: bool = false;

    fn polled(&self, task: Option<usize>) {
        self.0.polled(task);
        if let Some(world) = World::current()
            && let Some(here) = world.here()
        {
            world.has_polled(here);
            world.take_time(At::Poll, here);
        }
    }

    fn doorbell(&self, sent: bool) {
        self.0.doorbell(sent);
    }
}

/// Executors that nobody is in, each with the tasks that it has room for.
type Vacant = Vec<(usize, Executor<Meter>)>;

thread_local! {
    /// By seat. An executor that is made stays for good, and there are millions of simulations.
    static VACANT: RefCell<BTreeMap<usize, Vacant>> = const { RefCell::new(BTreeMap::new()) };
}

/// An executor at a seat; vacated when this is dropped.
pub(super) struct Resident {
    seat: Seat,
    capacity: usize,
    executor: Option<Executor<Meter>>,
}

impl Resident {
    /// With room for so many tasks at least.
    pub(super) fn at(seat: Seat, tasks: usize) -> Self {
        let vacant = VACANT.with_borrow_mut(|vacant| vacant.entry(seat.0).or_default().pop());
        let vacant = vacant.filter(|(capacity, _)| *capacity >= tasks);
        let (capacity, executor) = vacant.unwrap_or_else(|| {
            let platform = Box::leak(Box::new(seat));
            let executor = Executor::with_capacity(tasks, platform, Meter::default());
            (tasks, executor)
        });
        Self {
            seat,
            capacity,
            executor: Some(executor),
        }
    }

    fn executor(&self) -> &Executor<Meter> {
        self.executor
            .as_ref()
            .expect("it is taken in the drop only")
    }

    pub(super) fn timer(&self) -> Timer {
        self.executor().timer()
    }

    pub(super) fn spawner(&self) -> Spawner {
        self.executor().spawner()
    }

    pub(super) fn counted(&self) -> Snapshot {
        self.executor().metrics().0.snapshot()
    }

    pub(super) fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let executor = self.executor.as_mut();
        executor
            .expect("it is taken in the drop only")
            .block_on(future)
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        if let Some(mut executor) = self.executor.take() {
            executor.reset();
            VACANT.with_borrow_mut(|vacant| {
                let here = vacant.entry(self.seat.0).or_default();
                here.push((self.capacity, executor));
            });
        }
    }
}
