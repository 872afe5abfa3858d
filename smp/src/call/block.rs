//! Calls for which the caller waits without an executor, and whose closures may borrow from its stack.
//!
//! The caller has interrupts off, and looks at its own queue while it waits: two CPUs that call each
//! other run each other's calls. It polls for a moment where that pays (`habit.rs`), during which nobody
//! needs to interrupt it, and then halts, until the last CPU that it waits for interrupts it.
//!
//! At the deadline it takes back what has not begun. What runs then it cannot leave, for the closure
//! borrows; but a closure may not wait, so it ends, or its CPU is beyond help: that is told
//! ([`Carrier::overdue`]), and the caller waits on.

use alloc::{sync::Arc, task::Wake, vec::Vec};
use core::{
    hint::spin_loop,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    task::Waker,
    time::Duration,
};

use reveille_executor::Instant;

use super::{
    CallError, CallQueue, Carrier,
    entry::Job,
    lent::{Errand, Lendable, Lent},
};
use crate::{cpu::CpuIndex, sync::Mutex};

/// A closure on the stack of its caller, and what it gave.
pub(super) struct Borrowed<F, T> {
    closure: Mutex<Option<F>>,
    answer: Mutex<Option<T>>,
    /// Relaxed: it decides nothing but who is told of, so no model sees it. What orders the answer is the
    /// caller's own word (`answer.rs`).
    is_over: AtomicBool,
}

impl<F, T> Borrowed<F, T> {
    pub(super) fn new(closure: F) -> Self {
        Self {
            closure: Mutex::new(Some(closure)),
            answer: Mutex::new(None),
            is_over: AtomicBool::new(false),
        }
    }

    /// What it gave, when it is over.
    pub(super) fn answer(&self) -> Option<T> {
        self.answer.try_lock().and_then(|mut answer| answer.take())
    }
}

impl<F: FnOnce() -> T + Send, T: Send> Job for Borrowed<F, T> {
    fn run(&self, _: CpuIndex) {
        let closure = self.closure.try_lock().and_then(|mut it| it.take());
        if let Some(closure) = closure {
            let given = closure();
            if let Some(mut answer) = self.answer.try_lock() {
                *answer = Some(given);
            }
        }
    }

    fn over(&self, _: CpuIndex) {
        self.is_over.store(true, Relaxed);
    }
}

impl<F: FnOnce() -> T + Send, T: Send> Lendable for Borrowed<F, T> {
    fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }
}

/// Lets each CPU run its errand, and waits until that is settled.
///
/// # Errors
///
/// [`CallError::InCall`], and nothing was sent. What came of each errand is for it to say.
pub(super) fn block<C: Carrier>(
    carrier: C,
    errands: &mut [Errand<'_>],
    within: Duration,
) -> Result<(), CallError> {
    carrier.masked(|| {
        let caller = carrier.this_cpu();
        let own = carrier.queue(caller).ok_or(CallError::Offline)?;
        let _asking = own.ask().ok_or(CallError::InCall)?;
        let deadline = carrier.now().saturating_add(within);
        let mut wait = Wait {
            carrier,
            own,
            lent: Lent::new(carrier, caller, own, errands),
            patience: Patience::Until(deadline),
        };
        wait.send();
        let habit = own.habit(wait.lent.are_looking());
        if habit.decide() && !wait.look() {
            habit.has_not_paid();
        }
        while !wait.lent.is_over() {
            wait.lose_patience();
            wait.halt();
            wait.send();
        }
        Ok(())
    })
}

/// A CPU that waits. Interrupts are off.
struct Wait<'e, 'a, C: Carrier> {
    carrier: C,
    own: &'static CallQueue,
    lent: Lent<'e, 'a, C>,
    patience: Patience,
}

/// How long the caller goes on as it does.
enum Patience {
    /// Until its deadline.
    Until(Instant),
    /// What has begun is told of then.
    TellAt(Instant),
    /// All has been told.
    Endless,
}

impl Patience {
    fn ends(&self) -> Option<Instant> {
        match self {
            Self::Until(instant) | Self::TellAt(instant) => Some(*instant),
            Self::Endless => None,
        }
    }
}

/// How often a CPU looks whose patience is endless: an interrupt ends its halt, and this is a second
/// net.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl<C: Carrier> Wait<'_, '_, C> {
    fn send(&mut self) {
        if self.lent.has_unsent() {
            self.lent.send();
        }
    }

    /// Polls for a moment, and runs what others send, without an interrupt. `true` if all is over.
    fn look(&self) -> bool {
        // Nobody else serves the queue of a CPU that asks, but the handlers of interrupts, which are off.
        let Some(looking) = self.own.look(self.carrier) else {
            return self.lent.is_over();
        };
        let mut until = None;
        let is_over = loop {
            looking.pass();
            if self.lent.is_over() {
                break true;
            }
            let now = self.carrier.now();
            let until = until.get_or_insert_with(|| {
                let until = now.saturating_add(self.carrier.look());
                self.patience.ends().map_or(until, |end| end.min(until))
            });
            if now >= *until {
                break false;
            }
            spin_loop();
        };
        looking.end();
        is_over
    }

    fn halt(&mut self) {
        let look_again = || self.carrier.now().saturating_add(LOOK_AGAIN);
        let until = self.patience.ends().unwrap_or_else(look_again);
        let waits_for_calls = self.own.answer().begin_halt();
        let waits_for_room = self.lent.has_unsent() && self.waits_for_room();
        let is_to_halt = match self.lent.has_unsent() {
            true => waits_for_room,
            false => waits_for_calls,
        };
        if is_to_halt {
            self.carrier.halt(until);
        }
        if waits_for_calls {
            self.own.answer().end_halt();
        }
    }

    fn waits_for_room(&mut self) -> bool {
        let carrier = self.carrier;
        let ring = self.own.ring(|| ring(carrier, carrier.this_cpu()));
        self.lent.wait_for_room(&ring)
    }

    fn lose_patience(&mut self) {
        let now = self.carrier.now();
        match self.patience {
            Patience::Until(deadline) if now >= deadline => {
                self.lent.expire();
                self.patience = Patience::TellAt(deadline.saturating_add(self.carrier.stuck()));
            }
            Patience::TellAt(instant) if now >= instant => {
                let pending: Vec<_> = self.lent.pending().collect();
                if !pending.is_empty() {
                    self.carrier.overdue(&pending);
                }
                self.patience = Patience::Endless;
            }
            _ => {}
        }
    }
}

/// What interrupts a CPU that halts for room in the queue of another.
pub(super) fn ring<C: Carrier>(carrier: C, cpu: CpuIndex) -> Waker {
    Waker::from(Arc::new(Ring { carrier, cpu }))
}

/// Interrupts a CPU that halts.
struct Ring<C> {
    carrier: C,
    cpu: CpuIndex,
}

impl<C: Carrier> Ring<C> {
    fn interrupt(&self) {
        if let Some(own) = self.carrier.queue(self.cpu) {
            // As for an answer.
            let _ = own.interrupt(self.carrier, self.cpu);
        }
    }
}

impl<C: Carrier> Wake for Ring<C> {
    fn wake(self: Arc<Self>) {
        self.interrupt();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.interrupt();
    }
}
