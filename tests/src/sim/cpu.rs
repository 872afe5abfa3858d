//! One simulated CPU: what moves it, what it waits for, and what is wrong with it.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use reveille_executor::Instant;
use reveille_smp::cpu::ApicId;

use super::{fault::Fault, fiber::Fiber, share::Claim};

/// Whether a CPU runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    /// As the firmware left it: it takes no SIPI before an INIT.
    Off,
    /// It was reset.
    WaitsForSipi,
    /// It was started and has not come to Rust.
    Starts,
    /// It runs in Rust, on the stack of the AP with this index; `None` is the BSP.
    Runs(Option<usize>),
    /// It halts on the trampoline's page.
    Parks,
    /// It has stopped for good; with what it held when it did.
    Dead(Option<usize>),
}

impl Power {
    /// Whether INIT may hit it.
    pub(super) fn may_be_reset(self) -> bool {
        !matches!(self, Self::Runs(_) | Self::Dead(Some(_)))
    }
}

/// A simulated CPU.
pub(super) struct Cpu {
    /// What INIT, SIPI and doorbells name it by.
    pub(super) apic_id: ApicId,
    /// What its APIC tells it.
    pub(super) arrives_as: ApicId,
    pub(super) faults: Vec<Fault>,
    pub(super) power: Cell<Power>,
    pub(super) fiber: RefCell<Option<Fiber>>,
    /// The number of its present wait: what was planned for an earlier one is void.
    pub(super) ticket: Cell<u64>,
    /// It halts, and an interrupt wakes it.
    pub(super) is_halted: Cell<bool>,
    /// An interrupt has come that has not ended a halt yet.
    pub(super) is_pending: Cell<bool>,
    /// An interrupt for calls has come that was not let in yet.
    pub(super) is_called: Cell<bool>,
    /// It has interrupts off, for it serves its queue or waits for calls of its own.
    pub(super) is_masked: Cell<bool>,
    /// It waits for calls that borrow from its stack.
    pub(super) lends: Cell<bool>,
    /// It stops for good as soon as nobody's call is in its hands.
    pub(super) is_doomed: Cell<bool>,
    /// Until when its processor is taken.
    pub(super) ready_at: Cell<Instant>,
    /// How long it has been taken in all by what its own code knows nothing of.
    pub(super) stolen: Cell<Duration>,
    /// What it has still to do on a core of its host.
    pub(super) left: Cell<Duration>,
    pub(super) is_on_core: Cell<bool>,
    /// The resource that it holds.
    pub(super) holds: Cell<Option<usize>>,
    /// Places that it has passed since it was last started.
    pub(super) places: Cell<u32>,
    /// Those that it has passed at this moment.
    pub(super) places_now: Cell<u32>,
    /// Polls since it halted last.
    pub(super) polls_awake: Cell<u32>,
    /// It has passed its starting steps, so that it survives a machine check.
    pub(super) has_handlers: Cell<bool>,
    pub(super) starts: Cell<u32>,
    pub(super) inits: Cell<u32>,
    pub(super) sipis: Cell<u32>,
    pub(super) doorbells: Cell<u32>,
    /// What came while its host held it up: INIT, and SIPI behind that.
    pub(super) held: Cell<(bool, bool)>,
}

impl Cpu {
    pub(super) fn new(apic_id: ApicId, arrives_as: ApicId, faults: Vec<Fault>) -> Self {
        Self {
            apic_id,
            arrives_as,
            faults,
            power: Cell::new(Power::Off),
            fiber: RefCell::new(None),
            ticket: Cell::new(0),
            is_halted: Cell::new(false),
            is_pending: Cell::new(false),
            is_called: Cell::new(false),
            is_masked: Cell::new(false),
            lends: Cell::new(false),
            is_doomed: Cell::new(false),
            ready_at: Cell::new(Instant::ZERO),
            stolen: Cell::new(Duration::ZERO),
            left: Cell::new(Duration::ZERO),
            is_on_core: Cell::new(false),
            holds: Cell::new(None),
            places: Cell::new(0),
            places_now: Cell::new(0),
            polls_awake: Cell::new(0),
            has_handlers: Cell::new(false),
            starts: Cell::new(0),
            inits: Cell::new(0),
            sipis: Cell::new(0),
            doorbells: Cell::new(0),
            held: Cell::default(),
        }
    }

    /// Begins another wait, or another life: what was planned for it is void.
    pub(super) fn renew(&self) -> u64 {
        let ticket = self.ticket.get() + 1;
        self.ticket.set(ticket);
        self.is_halted.set(false);
        ticket
    }

    /// Its claim to something shared, for this wait.
    pub(super) fn claim(&self, cpu: usize) -> Claim {
        let ticket = self.ticket.get();
        Claim { cpu, ticket }
    }

    /// From when on its processor is free.
    pub(super) fn free_at(&self, now: Instant) -> Instant {
        self.ready_at.get().max(now)
    }

    /// Takes its processor for so long, behind whatever it does already; when that is over.
    pub(super) fn take(&self, now: Instant, span: Duration) -> Instant {
        let ready_at = self.free_at(now).saturating_add(span);
        self.ready_at.set(ready_at);
        ready_at
    }

    /// The same for something that its own code knows nothing of. Where it does something on a core of
    /// its host, it keeps that core for as much longer.
    pub(super) fn steal(&self, now: Instant, span: Duration) -> Instant {
        self.stolen.set(self.stolen.get() + span);
        let left = self.left.get();
        if !left.is_zero() {
            self.left.set(left + span);
        }
        self.take(now, span)
    }

    /// How far its clock is ahead, in nanoseconds.
    pub(super) fn skew_ns(&self) -> i64 {
        let skew = |fault: &Fault| match fault {
            Fault::Skew(us) => i64::from(*us) * 1_000,
            _ => 0,
        };
        self.faults.iter().map(skew).sum()
    }

    pub(super) fn has(&self, fault: &Fault) -> bool {
        self.faults.contains(fault)
    }

    /// Until when its host holds it up.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.faults.iter().find_map(|fault| match fault {
            Fault::HeldUp(us) => Some(super::EPOCH + Duration::from_micros(u64::from(*us))),
            _ => None,
        })
    }
}

/// Counts one more, and tells which one it is, from 1.
pub(super) fn count(counter: &Cell<u32>) -> u32 {
    counter.set(counter.get() + 1);
    counter.get()
}
