//! What the executor counts. [`NoMetrics`], the default, compiles to nothing.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use core::time::Duration;

use crate::{Instant, Reading, Stopwatch};

/// Hears of everything that can be counted. All methods do nothing by default.
///
/// [`woken`](Self::woken) and [`doorbell`](Self::doorbell) are called by wakers, from any CPU,
/// interrupt and NMI: they must not allocate, take a lock or wait.
pub trait Metrics: Send + Sync + 'static {
    /// Whether [`falls_asleep`](Self::falls_asleep) and [`slept`](Self::slept) are wanted; the clock
    /// is read around each sleep if so.
    const MEASURES_SLEEP: bool = true;

    /// A future is about to be polled: that of the task in this slot, or `block_on`'s own.
    fn polled(&self, task: Option<usize>) {
        let _ = task;
    }

    /// That poll has ended, and with it the task if it was done; not called where the future panics.
    fn poll_ended(&self) {}

    /// A ready slot held no task any more: a waker outlived its task. No future was polled.
    fn spurious_poll(&self) {}

    /// A task was woken; `duplicate` if it had been ready already.
    fn woken(&self, duplicate: bool) {
        let _ = duplicate;
    }

    /// A wake rang the doorbell (`sent`), or found that it need not.
    fn doorbell(&self, sent: bool) {
        let _ = sent;
    }

    /// The executor has nothing to do and is about to sleep, at this moment.
    fn falls_asleep(&self, at: Instant) {
        let _ = at;
    }

    /// The executor goes on, having slept for this long; not at all where it found work at the last
    /// look.
    fn slept(&self, time: Duration) {
        let _ = time;
    }
}

/// Counts nothing and costs nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMetrics;

impl Metrics for NoMetrics {
    const MEASURES_SLEEP: bool = false;
}

/// Counts into metrics that somebody else can read, also while the executor runs.
impl<M: Metrics> Metrics for &'static M {
    const MEASURES_SLEEP: bool = M::MEASURES_SLEEP;

    fn polled(&self, task: Option<usize>) {
        M::polled(self, task);
    }

    fn poll_ended(&self) {
        M::poll_ended(self);
    }

    fn spurious_poll(&self) {
        M::spurious_poll(self);
    }

    fn woken(&self, duplicate: bool) {
        M::woken(self, duplicate);
    }

    fn doorbell(&self, sent: bool) {
        M::doorbell(self, sent);
    }

    fn falls_asleep(&self, at: Instant) {
        M::falls_asleep(self, at);
    }

    fn slept(&self, time: Duration) {
        M::slept(self, time);
    }
}

/// Counts everything, in relaxed atomics.
#[derive(Debug)]
pub struct Counters {
    polls: AtomicU64,
    spurious_polls: AtomicU64,
    wakes: AtomicU64,
    duplicate_wakes: AtomicU64,
    doorbells_sent: AtomicU64,
    doorbells_saved: AtomicU64,
    asleep: Stopwatch,
    /// Nanoseconds, or [`AWAKE`]. For who asks whether this is another sleep than the last; what adds up
    /// is in the word above.
    asleep_since: AtomicU64,
}

/// In the place of the instant since which the executor sleeps.
const AWAKE: u64 = u64::MAX;

/// What [`Counters`] had counted at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Polls of futures, those of `block_on`'s own future included.
    pub polls: u64,
    /// Ready slots that held no task any more, so that nothing was polled.
    pub spurious_polls: u64,
    /// Calls of `wake` and `wake_by_ref`.
    pub wakes: u64,
    /// Those of them that found the task ready already.
    pub duplicate_wakes: u64,
    /// Those of them that rang the doorbell.
    pub doorbells_sent: u64,
    /// Those of them that did not: the executor was awake, or had been rung already.
    pub doorbells_saved: u64,
    /// Time spent in [`Idle::idle`](crate::Idle::idle) behind the gate, with the sleep that goes on.
    pub asleep: Reading,
    /// Since when the executor sleeps; `None` while it is awake.
    pub asleep_since: Option<Instant>,
}

impl Counters {
    /// All zero.
    pub const fn new() -> Self {
        Self {
            polls: AtomicU64::new(0),
            spurious_polls: AtomicU64::new(0),
            wakes: AtomicU64::new(0),
            duplicate_wakes: AtomicU64::new(0),
            doorbells_sent: AtomicU64::new(0),
            doorbells_saved: AtomicU64::new(0),
            asleep: Stopwatch::new(),
            asleep_since: AtomicU64::new(AWAKE),
        }
    }

    /// The counts now. While other CPUs wake, the figures may be a few events apart.
    pub fn snapshot(&self) -> Snapshot {
        let asleep_since = self.asleep_since.load(Relaxed);
        Snapshot {
            polls: self.polls.load(Relaxed),
            spurious_polls: self.spurious_polls.load(Relaxed),
            wakes: self.wakes.load(Relaxed),
            duplicate_wakes: self.duplicate_wakes.load(Relaxed),
            doorbells_sent: self.doorbells_sent.load(Relaxed),
            doorbells_saved: self.doorbells_saved.load(Relaxed),
            asleep: self.asleep.read(),
            asleep_since: (asleep_since != AWAKE).then(|| Instant::from_nanos(asleep_since)),
        }
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics for Counters {
    fn polled(&self, _: Option<usize>) {
        self.polls.fetch_add(1, Relaxed);
    }

    fn spurious_poll(&self) {
        self.spurious_polls.fetch_add(1, Relaxed);
    }

    fn woken(&self, duplicate: bool) {
        self.wakes.fetch_add(1, Relaxed);
        if duplicate {
            self.duplicate_wakes.fetch_add(1, Relaxed);
        }
    }

    fn doorbell(&self, sent: bool) {
        if sent {
            self.doorbells_sent.fetch_add(1, Relaxed);
        } else {
            self.doorbells_saved.fetch_add(1, Relaxed);
        }
    }

    fn falls_asleep(&self, at: Instant) {
        self.asleep.start(at);
        self.asleep_since.store(at.as_nanos(), Relaxed);
    }

    fn slept(&self, time: Duration) {
        let since = Instant::from_nanos(self.asleep_since.load(Relaxed));
        self.asleep.stop(since + time);
        self.asleep_since.store(AWAKE, Relaxed);
    }
}
