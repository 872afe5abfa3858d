//! The BSP's side: the bring-up of every AP as a future, driven by one of the strategies.
//!
//! One AP's way up, in `way.rs`: what comes before the kick in `prepare.rs`, the kick and the wait in
//! `kick/`, and the rest, once it is alive, in `climb.rs`:
//!
//! ```text
//! INIT ─▶ delay ─▶ KICKED, SIPI ─▶ alive? ──no trace──▶ SIPI, later INIT again ─▶ alive? ──deadline──▶ outcome
//!                                    │ woken by the AP                              │
//!                                    ▼                                              ▼
//!                             call, and the turn where needed ─▶ steps on the AP ─▶ online, or outcome
//! ```
//!
//! Where the firmware keeps the APs, a request in its mailbox takes the place of INIT and SIPI.
//!
//! Every wait for the AP has a deadline, and every end has an [`Outcome`](crate::outcome::Outcome).

mod attempt;
mod climb;
mod instances;
mod kick;
mod moved;
mod polls;
mod prepare;
mod primaries;
mod report;
mod tasks;
mod way;

use core::time::Duration;

use alloc::{rc::Rc, sync::Arc, vec::Vec};

use reveille_executor::{Spawner, Timer};

pub(crate) use attempt::Attempt;
pub use instances::InstanceError;
pub(crate) use kick::{LONG_INIT_DELAY, LONG_SIPI_DELAY};
pub use moved::{Failure, Moved, NotDown};
pub use report::{ClockSkew, Report, Round};

use self::primaries::Primaries;
use crate::{
    cpu::{ApicId, CpuIndex, Place},
    gate::Gate,
    ladder::{Ladder, Rung},
    machine::{Machine, Strangers},
    order::{Order, Precedence},
    slot::Slot,
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

    /// Where it is on the ladder.
    pub fn rung(&self) -> Rung {
        self.slot.progress().rung
    }
}

/// How long the bring-up waits, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long [`Strategy::Parallel`] lets the lowest AP go ahead of all others: until its outcome is known,
    /// and never longer than this. Nothing where processors run code as it is. An emulator translates what a
    /// CPU first comes to, and where all come to it at once, each translates it for itself while the rest
    /// spin for a lock.
    pub head_start: Duration,
    /// Between INIT and SIPI. Processors before Intel's family 6 and AMD's family 0xF need 10 ms,
    /// later ones and virtual ones none (Linux, `smpboot.c`).
    pub init_delay: Duration,
    /// When the second SIPI is sent, from the first on.
    pub second_sipi: SecondSipi,
    /// From the first SIPI until a CPU that has left no evidence is sent INIT again, and both SIPIs
    /// with the long delays of old.
    pub init_repeat: Duration,
    /// From a request in the mailbox, where that is the way of waking, until an AP that has not taken
    /// it is passed over and asked again later.
    pub answer_timeout: Duration,
    /// From the first SIPI, or the first request, until the AP must be alive.
    pub alive_timeout: Duration,
    /// From the call until the AP must be at the end of the leg that it was called to go, beside what its
    /// steps have as deadlines of their own.
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
            answer_timeout: self.answer_timeout.min(alive_timeout / 4),
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
            head_start: Duration::ZERO,
            init_delay: Duration::ZERO,
            second_sipi: SecondSipi::IfUnseen(Duration::from_millis(50)),
            init_repeat: Duration::from_millis(500),
            answer_timeout: Duration::from_millis(50),
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
    /// What is done for each AP on its way.
    pub ladder: &'static Ladder,
    /// How long to wait.
    pub timing: Timing,
    /// Who may go through the serialised steps when.
    pub order: Order,
}

impl<M: Machine> BringUp<M> {
    /// Brings up all APs and tells how each of them ended; one that fails is taken back to where it
    /// was. It ends when every outcome is known, which the deadlines bound.
    ///
    /// # Cancellation
    ///
    /// The APs' tasks that were spawned live on and finish on their own; their reports are lost. An AP
    /// whose turn to be kicked had not come is left as it is.
    pub async fn run(&self, spawner: &Spawner, strategy: Strategy) -> Round {
        let top = self.ladder.top();
        let everybody = (0..self.aps.len()).map(|index| (index, top));
        let shared = Rc::new(Shared::new(self, strategy, everybody));
        let before = self.machine.strangers().count;
        let mut reports = strategy.drive(&shared, spawner).await;
        reports.sort_unstable_by_key(|report| report.cpu);
        let mut round = Round::new(strategy, reports, self.machine.now());
        let strangers = self.machine.strangers();
        round.strangers = Strangers {
            count: strangers.count.wrapping_sub(before),
            ..strangers
        };
        round
    }
}

/// What the tasks of one operation share.
pub(crate) struct Shared<M> {
    pub(crate) bring_up: BringUp<M>,
    /// As the strategy wants it.
    timing: Timing,
    /// Which APs are to go where, those that go first before the others.
    targets: Vec<(usize, Rung)>,
    precedence: Precedence,
    primaries: Primaries,
    /// For serialised steps of the first section.
    gate: Gate,
    /// For the mailbox, where APs are woken by one.
    mailbox: Gate,
    turns: Turns,
}

impl<M: Machine> Shared<M> {
    /// Nobody has begun. `targets` has each AP once, by its index.
    fn new(
        bring_up: &BringUp<M>,
        strategy: Strategy,
        targets: impl IntoIterator<Item = (usize, Rung)>,
    ) -> Self {
        let ladder = bring_up.ladder;
        let mut targets: Vec<_> = targets.into_iter().collect();
        let place = |&(index, _): &(usize, Rung)| bring_up.aps[index].place;
        let primaries = Primaries::new(ladder.primaries(), targets.iter().map(place));
        targets.sort_by_key(|target| {
            let is_behind = primaries.come_first() && place(target).thread > 0;
            (is_behind, target.0)
        });
        let order = strategy.order(bring_up.order);
        Self {
            bring_up: bring_up.clone(),
            timing: strategy.timing(bring_up.timing),
            precedence: Precedence::new(order, targets.len(), ladder.turns()),
            targets,
            primaries,
            gate: Gate::default(),
            mailbox: Gate::default(),
            turns: Turns::new(Arc::clone(&bring_up.aps)),
        }
    }

    /// Whether the first threads of cores are to come before the others.
    pub(crate) fn primaries_come_first(&self) -> bool {
        self.primaries.come_first()
    }

    /// An attempt for each AP; none of them has begun.
    pub(crate) fn attempts(self: &Rc<Self>) -> impl Iterator<Item = Attempt<M>> + use<M> {
        let shared = Rc::clone(self);
        (0..self.targets.len()).map(move |position| Attempt::new(&shared, position))
    }
}
