//! The BSP's side: the bring-up of every AP as a future, driven by one of the strategies.
//!
//! One AP's way, in `attempt.rs` and, from the turn on, in `online.rs`:
//!
//! ```text
//! INIT ─▶ delay ─▶ KICKED, SIPI ─▶ alive? ──no evidence──▶ SIPI again ─▶ alive? ──deadline──▶ outcome
//!                                    │ woken by the AP                     │
//!                                    ▼                                     ▼
//!                        turn, call, steps on the AP ─▶ turn passed on ─▶ online, or outcome
//! ```
//!
//! Every wait for the AP has a deadline, and every end has an [`Outcome`](crate::outcome::Outcome).

mod attempt;
mod down;
mod online;
mod polls;
mod report;

use core::time::Duration;

use alloc::{rc::Rc, sync::Arc, vec::Vec};

use reveille_executor::{Spawner, Timer};

pub use down::{NotParked, take_down};
pub use report::{Report, Round};

use crate::{
    cpu::{ApicId, CpuIndex, Place},
    machine::{Machine, Strangers},
    slot::Slot,
    step::{Section, Steps, sections},
    strategy::Strategy,
    turn::Turnstile,
};

/// One application processor: its names and what the BSP shares with it.
#[derive(Debug)]
pub struct Ap {
    /// Our number of it.
    pub cpu: CpuIndex,
    /// Its APIC's id.
    pub apic_id: ApicId,
    /// Where it sits: which of its core's threads it is decides what wave it is in.
    pub place: Place,
    /// What the BSP shares with it.
    pub slot: Slot,
}

impl Ap {
    /// An AP that was never kicked.
    pub fn new(cpu: CpuIndex, apic_id: ApicId, place: Place) -> Self {
        Self {
            cpu,
            apic_id,
            place,
            slot: Slot::new(),
        }
    }

    /// An AP that may be added to the machine and is not there yet.
    pub fn not_present(cpu: CpuIndex, apic_id: ApicId, place: Place) -> Self {
        Self {
            slot: Slot::not_present(),
            ..Self::new(cpu, apic_id, place)
        }
    }
}

/// How long the bring-up waits, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between INIT and SIPI. Processors before Intel's family 6 and AMD's family 0xF need 10 ms,
    /// later ones and virtual ones none (Linux, `smpboot.c`).
    pub init_delay: Duration,
    /// After which a CPU that left no evidence is sent a second SIPI.
    pub sipi_repeat: Duration,
    /// From the first SIPI until the AP must be alive.
    pub alive_timeout: Duration,
    /// From the call until the AP must have run what it was permitted.
    pub online_timeout: Duration,
}

impl Default for Timing {
    /// For a virtual machine on a crowded host: there a started CPU may wait for a host core many
    /// milliseconds before its first instruction, and a second SIPI would come for nothing.
    fn default() -> Self {
        Self {
            init_delay: Duration::ZERO,
            sipi_repeat: Duration::from_millis(50),
            alive_timeout: Duration::from_secs(2),
            online_timeout: Duration::from_secs(2),
        }
    }
}

/// All that a bring-up needs to know. Clones are cheap and mean the same APs.
#[derive(Clone)]
pub struct BringUp<M> {
    /// The machine that the APs are in.
    pub machine: M,
    /// The timer of the executor that drives the bring-up.
    pub timer: Timer,
    /// The APs, lowest number first.
    pub aps: Arc<[Ap]>,
    /// What each AP runs before it is online.
    pub steps: Steps,
    /// How long to wait.
    pub timing: Timing,
}

impl<M: Machine> BringUp<M> {
    /// Brings up all APs that are down and tells how each of them ended. It ends when every
    /// outcome is known, which the deadlines bound.
    ///
    /// # Cancellation
    ///
    /// The APs' tasks live on and finish on their own; their reports are lost.
    pub async fn run(&self, spawner: &Spawner, strategy: Strategy) -> Round {
        let shared = Rc::new(Shared {
            bring_up: self.clone(),
            turnstile: Turnstile::default(),
            sections: sections(self.steps),
        });
        let before = self.machine.strangers().count;
        let reports = strategy.drive(&shared, spawner).await;
        let mut round = Round::new(strategy, reports, self.machine.now());
        let strangers = self.machine.strangers();
        round.strangers = Strangers {
            count: strangers.count.wrapping_sub(before),
            ..strangers
        };
        round
    }
}

/// What the tasks of one round share.
pub(crate) struct Shared<M> {
    bring_up: BringUp<M>,
    turnstile: Turnstile,
    sections: Vec<Section>,
}

impl<M: Machine> Shared<M> {
    /// The indices of all APs.
    pub(crate) fn aps(&self) -> core::ops::Range<usize> {
        0..self.bring_up.aps.len()
    }

    /// Starts the bring-up of one AP as a task of its own.
    pub(crate) fn spawn(
        self: &Rc<Self>,
        spawner: &Spawner,
        index: usize,
    ) -> impl Future<Output = Report> + use<M> {
        let ap = &self.bring_up.aps[index];
        let unstarted = Report::new(ap.cpu, ap.apic_id);
        let task = spawner.spawn(attempt::attempt(Rc::clone(self), index));
        async move {
            match task {
                Ok(handle) => match handle.await {
                    Ok(report) => report,
                    Err(_) => unstarted.never_started("its task was aborted"),
                },
                Err(_) => unstarted.never_started("the executor has no task left for it"),
            }
        }
    }
}
