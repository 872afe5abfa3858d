//! The interrupts that are sent for calls, for whoever measures some: how many to whom, and when the
//! first was.
//!
//! One task at a time measures, and nobody else calls meanwhile. While nobody does, an interrupt costs
//! a look at a word more.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use reveille_executor::{Clock, Instant};
use reveille_smp::cpu::CpuIndex;

use crate::{percpu::PerCpu, time::TscClock};

/// What was sent since somebody began to watch.
///
/// Relaxed: the CPU that measures sends by itself, or has the answer of the one that sent.
struct Watch {
    is_on: AtomicBool,
    /// To the CPU that measures.
    to_caller: AtomicU64,
    /// To others.
    to_called: AtomicU64,
    /// When the first of these was sent, by its sender's clock in nanoseconds, or [`NEVER`].
    first: AtomicU64,
    caller: AtomicU64,
}

const NEVER: u64 = u64::MAX;

static WATCH: Watch = Watch {
    is_on: AtomicBool::new(false),
    to_caller: AtomicU64::new(0),
    to_called: AtomicU64::new(0),
    first: AtomicU64::new(NEVER),
    caller: AtomicU64::new(0),
};

/// What was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// Interrupts to the CPU that measures.
    pub(super) to_caller: u64,
    /// Interrupts to others.
    pub(super) to_called: u64,
    /// When the first of these was about to be sent, by the clock of the CPU that did.
    pub(super) first: Option<Instant>,
}

/// Begins to watch, on the CPU that is to call.
pub(super) fn begin(caller: CpuIndex) {
    WATCH.caller.store(caller.0.into(), Ordering::Relaxed);
    WATCH.to_caller.store(0, Ordering::Relaxed);
    WATCH.to_called.store(0, Ordering::Relaxed);
    WATCH.first.store(NEVER, Ordering::Relaxed);
    WATCH.is_on.store(true, Ordering::Relaxed);
}

/// Ends it, behind the answer.
pub(super) fn end() -> Sent {
    WATCH.is_on.store(false, Ordering::Relaxed);
    Sent {
        to_caller: WATCH.to_caller.load(Ordering::Relaxed),
        to_called: WATCH.to_called.load(Ordering::Relaxed),
        first: match WATCH.first.load(Ordering::Relaxed) {
            NEVER => None,
            nanos => Some(Instant::from_nanos(nanos)),
        },
    }
}

/// An interrupt is about to be sent to a CPU for a call. Neither locks nor allocates.
pub(crate) fn about_to_send(to: CpuIndex) {
    if !WATCH.is_on.load(Ordering::Relaxed) {
        return;
    }
    if u64::from(to.0) == WATCH.caller.load(Ordering::Relaxed) {
        WATCH.to_caller.fetch_add(1, Ordering::Relaxed);
    } else if WATCH.to_called.fetch_add(1, Ordering::Relaxed) == 0 {
        // As this CPU's clock shows it, whatever a fault on demand does to that.
        let clock = TscClock::get().map(|clock| PerCpu::current().clock().on_this_cpu(clock));
        let now = clock.map_or(NEVER, |clock| clock.now().as_nanos());
        WATCH.first.store(now, Ordering::Relaxed);
    }
}
