//! The BSP's side: the bring-up of every AP as a future, driven by one of the strategies.
//!
//! One AP's way, in `attempt.rs` and, once it is alive, in `online.rs`:
//!
//! ```text
//! INIT ─▶ delay ─▶ KICKED, SIPI ─▶ alive? ──no trace──▶ SIPI, later INIT again ─▶ alive? ──deadline──▶ outcome
//!                                    │ woken by the AP                              │
//!                                    ▼                                              ▼
//!                        permission, and the turn where needed ─▶ steps on the AP ─▶ online, or outcome
//! ```
//!
//! Every wait for the AP has a deadline, and every end has an [`Outcome`](crate::outcome::Outcome).

mod attempt;
mod down;
mod online;
mod polls;
mod report;
mod tasks;

use core::time::Duration;

use alloc::{rc::Rc, sync::Arc, vec::Vec};

use reveille_executor::{Spawner, Timer};

pub(crate) use attempt::{Attempt, LONG_INIT_DELAY, LONG_SIPI_DELAY};
pub use down::{NotParked, take_down};
pub use report::{Report, Round};

use crate::{
    cpu::{ApicId, CpuIndex, Place},
    machine::{Machine, Strangers},
    order::{Order, Precedence},
    slot::Slot,
    step::{Leg, Steps, legs},
    strategy::Strategy,
    turn::Turns,
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
    /// When the second SIPI is sent, from the first on.
    pub second_sipi: SecondSipi,
    /// From the first SIPI until a CPU that has left no evidence is sent INIT again, and both SIPIs
    /// with the long delays of old.
    pub init_repeat: Duration,
    /// From the first SIPI until the AP must be alive.
    pub alive_timeout: Duration,
    /// From the call until the AP must have run what it was permitted.
    pub online_timeout: Duration,
}

/// To whom a second SIPI is sent, and when, from the first on. None is sent after the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondSipi {
    /// To a CPU that has left no evidence by then.
    IfUnseen(Duration),
    /// To every CPU that is not alive by then.
    Always(Duration),
}

impl Timing {
    /// The same with another deadline for ALIVE; what is done before the deadline is done earlier
    /// where the deadline is short.
    pub fn with_alive_timeout(self, alive_timeout: Duration) -> Self {
        let second_sipi = match self.second_sipi {
            SecondSipi::IfUnseen(after) => SecondSipi::IfUnseen(after.min(alive_timeout / 4)),
            SecondSipi::Always(after) => SecondSipi::Always(after.min(alive_timeout / 4)),
        };
        Self {
            second_sipi,
            init_repeat: self.init_repeat.min(alive_timeout / 2),
            alive_timeout,
            ..self
        }
    }
}

impl Default for Timing {
    /// For a virtual machine on a crowded host: there a started CPU may wait for a host core many
    /// milliseconds before its first instruction, and a second SIPI would come for nothing.
    fn default() -> Self {
        Self {
            init_delay: Duration::ZERO,
            second_sipi: SecondSipi::IfUnseen(Duration::from_millis(50)),
            init_repeat: Duration::from_millis(500),
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
    /// Who may go through the serialised steps when.
    pub order: Order,
}

impl<M: Machine> BringUp<M> {
    /// Brings up all APs that are down and tells how each of them ended. It ends when every
    /// outcome is known, which the deadlines bound.
    ///
    /// # Cancellation
    ///
    /// The APs' tasks live on and finish on their own; their reports are lost.
    pub async fn run(&self, spawner: &Spawner, strategy: Strategy) -> Round {
        let shared = Rc::new(Shared::new(self, strategy));
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
    pub(crate) bring_up: BringUp<M>,
    /// As the strategy wants it.
    timing: Timing,
    legs: Vec<Leg>,
    precedence: Precedence,
    turns: Turns,
}

impl<M: Machine> Shared<M> {
    fn new(bring_up: &BringUp<M>, strategy: Strategy) -> Self {
        let legs = legs(bring_up.steps);
        let turns = legs.iter().filter(|leg| leg.needs_turn).count();
        let order = strategy.order(bring_up.order);
        Self {
            bring_up: bring_up.clone(),
            timing: strategy.timing(bring_up.timing),
            legs,
            precedence: Precedence::new(order, bring_up.aps.len(), turns),
            turns: Turns::new(Arc::clone(&bring_up.aps)),
        }
    }

    /// Attempts for all APs, lowest number first; none of them has begun.
    pub(crate) fn attempts(self: &Rc<Self>) -> impl Iterator<Item = Attempt<M>> + use<M> {
        let shared = Rc::clone(self);
        (0..self.bring_up.aps.len()).map(move |index| Attempt::new(&shared, index))
    }
}
