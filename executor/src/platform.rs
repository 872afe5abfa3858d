//! What the executor asks of the machine it runs on: the time, a doorbell, a way to sleep.

use crate::{Instant, SleepGate};

/// Tells the time. Read on the CPU that owns the executor only.
pub trait Clock {
    /// The present moment; never earlier than what an earlier call gave.
    fn now(&self) -> Instant;
}

/// Ends the sleep of the CPU that runs the executor.
pub trait Doorbell {
    /// Makes a sleep that has been announced end soon, also one that has not begun yet: the ring
    /// must stay pending until the CPU sleeps (an IPI held back by a cleared interrupt flag does,
    /// and so does the token of a host thread).
    ///
    /// Called from any CPU, from interrupts and NMIs, and from the owner CPU itself (an NMI that
    /// wakes a task just before `hlt`), by several at once. It must not allocate, take a lock or
    /// wait.
    fn ring(&self);
}

/// Passes the time while no task is ready.
pub trait Idle {
    /// Sleeps until the doorbell rings or `until` has come; returning earlier is allowed.
    ///
    /// A sleep that a doorbell has to end begins with [`SleepGate::enter`]:
    ///
    /// | way | what `idle` does |
    /// |---|---|
    /// | halt | `cli`; arm a timer for `until`; `if gate.enter() { sti; hlt } else { sti }` |
    /// | mwait | arm a timer for `until`; `if gate.enter_monitored(monitor) { mwait }`; `ring` may do nothing: its mark is what is monitored |
    /// | park | `if gate.enter() { park, at most until }` |
    /// | pause | `pause`, and return: nobody sleeps, so nobody has to ring |
    ///
    /// `until` lies in the future when this is called, and may have passed a moment later: a timer
    /// that is armed for the past must fire at once.
    fn idle(&self, gate: &SleepGate<'_>, until: Option<Instant>);
}

/// The machine under an executor; implemented for all that can be shared and has the three parts.
///
/// The least there can be: it counts time instead of reading it, and never sleeps, so that nobody
/// has to ring.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// use core::time::Duration;
/// use reveille_executor::{Clock, Doorbell, Executor, Idle, Instant, NoMetrics, SleepGate};
///
/// struct Machine {
///     now_ns: AtomicU64,
/// }
///
/// impl Clock for Machine {
///     fn now(&self) -> Instant {
///         Instant::from_nanos(self.now_ns.load(Relaxed))
///     }
/// }
///
/// impl Doorbell for Machine {
///     fn ring(&self) {}
/// }
///
/// impl Idle for Machine {
///     fn idle(&self, _: &SleepGate<'_>, _: Option<Instant>) {
///         core::hint::spin_loop();
///         self.now_ns.fetch_add(10, Relaxed);
///     }
/// }
///
/// static MACHINE: Machine = Machine { now_ns: AtomicU64::new(0) };
///
/// let mut executor = Executor::with_capacity(0, &MACHINE, NoMetrics);
/// let timer = executor.timer();
/// executor.block_on(timer.sleep(Duration::from_micros(1)));
/// assert_eq!(MACHINE.now(), Instant::from_nanos(1_000));
/// ```
pub trait Platform: Clock + Doorbell + Idle + Sync {}

impl<T: Clock + Doorbell + Idle + Sync + ?Sized> Platform for T {}
