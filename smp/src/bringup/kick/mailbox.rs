//! The kick by the ACPI wakeup mailbox (ACPI 6.6, section 5.2.12.19), and what can be done for an AP
//! that does not answer.
//!
//! The firmware keeps the APs in a loop in which they look into the mailbox. It has room for one
//! request, so APs are asked one after the other; but who has taken its request makes room for the
//! next long before it is alive, and all that follows overlaps.
//!
//! **Nobody is told that a request has been taken**, so the BSP looks again after growing pauses. It is
//! the second place where it looks without having been woken; the first is parking (`way.rs`).
//!
//! # How long to wait, and why giving up is safe
//!
//! ACPI knows no way to cancel a request and no bound for the answer, and Linux waits for ever. Here an
//! AP that does not answer within its patience is passed over: its request is retracted by
//! compare-and-swap, the others are asked, and it is asked again behind them while its deadline
//! lasts. So silent APs cost the others one patience each, and all together one deadline.
//!
//! The compare-and-swap cannot stop an AP that has read its request and not yet answered. Three
//! things can come of that, and none of them does harm:
//!
//! - It starts though its request is retracted. The vector is the same for all, so it comes to the
//!   trampoline, and the claim decides: it finds its slot open and comes up, or given up and parks.
//! - It starts by a request for another AP, whose id it had read too late: the same. It finds the slot
//!   by its own id, and not by whose request it took. Slots are opened before their APs are in turn to
//!   be asked, so that even one that comes too early finds its own open.
//! - Its answer strikes the request for another AP, which is lost, and which looks as if it had been
//!   taken. That AP leaves no evidence, so it is asked again as one that fell silent is. For that a
//!   pause follows each retraction, in which a late answer strikes nobody.

use core::time::Duration;

use reveille_executor::Instant;

use crate::{
    bringup::attempt::Attempt,
    machine::{Evidence, Machine},
    outcome::Outcome,
    state::Stage,
    step::Direction,
};

/// The firmware's loop has nothing else to do: this is the first pause before the BSP looks whether a
/// request has been taken, doubled each time.
const FIRST_LOOK: Duration = Duration::from_micros(5);

/// While there is patience no pause is longer than this share of it, as somebody else may wait for the
/// mailbox; behind that none is longer than all of it.
const LOOKS: u32 = 8;

/// Behind a retraction, how long an AP that had read the request has to answer it. It is a few
/// instructions.
const LATE_ANSWER: Duration = Duration::from_micros(200);

/// Why an AP never started, and what of it was seen.
const SILENT: &str = "it did not take its request from the firmware's mailbox";
const TAKEN: &str = "its request was taken from the mailbox, and it did not come";

/// Why an AP cannot be woken, or not be let go.
const HALTS: &str = "it came too late and halts, where no mailbox reaches it";
const WAKES_ONCE: &str = "the firmware's mailbox wakes a CPU once, so one that parks is lost";

impl<M: Machine> Attempt<M> {
    /// Opens the slot, and asks the AP when it is its turn to be. The wait for that is bounded by the
    /// patience with all who are asked before.
    pub(super) async fn kick_by_mailbox(&mut self) -> Result<(), Outcome> {
        match self.stage() {
            Stage::Late => {
                self.report.reason = Some(HALTS);
                return Err(Outcome::Late);
            }
            Stage::Parked if !self.can_come_back() => return Err(self.is_lost()),
            // It has left the firmware and was given up on its way. There is no INIT to reset it; it
            // may still come, and no request would reach it.
            Stage::GivenUp if self.evidence() != Evidence::None => {
                self.open()?;
                self.note_kick(self.now());
                return Ok(());
            }
            _ => {}
        }
        self.machine().forget_evidence(self.apic_id());
        self.open()?;
        let shared = self.shared();
        let _turn = shared.mailbox.enter(self.index()).await;
        self.progress();
        if !self.is_unseen() {
            // It has come by the request for another AP, and has its time from here on.
            let now = self.now();
            self.kicked.get_or_insert(now);
            return Ok(());
        }
        let now = self.now();
        self.note_kick(now);
        let deadline = now.saturating_add(self.timing().alive_timeout);
        self.ask(deadline, || false).await;
        Ok(())
    }

    /// Asks an AP of which nothing is seen again, and again after growing pauses, and says whether it
    /// has come.
    pub(super) async fn repeat_requests(&mut self, deadline: Instant) -> bool {
        let shared = self.shared();
        // Behind all that are asked for the first time.
        let place = self.index() + shared.bring_up.aps.len();
        let mut pause = self.timing().answer_timeout;
        loop {
            let again = self.now().saturating_add(pause);
            if self.has_come_by(again.min(deadline)).await {
                return true;
            }
            if again >= deadline || !self.is_unseen() {
                return false;
            }
            let turn = shared.mailbox.enter(place);
            let turn = shared.bring_up.timer.timeout_at(deadline, turn).await;
            self.progress();
            if turn.is_ok() && self.is_unseen() {
                // Nobody needs the mailbox more than this AP until somebody else waits for it.
                self.ask(deadline, || !shared.mailbox.is_wanted()).await;
            }
            pause = pause.saturating_mul(2);
        }
    }

    /// Puts a request into the mailbox, which is this AP's alone meanwhile, and takes it back when
    /// it has not been taken in time: at the deadline, or when patience ends and `may_stay` does not
    /// hold.
    async fn ask(&mut self, deadline: Instant, may_stay: impl Fn() -> bool) {
        let shared = self.shared();
        let Some(mailbox) = shared.bring_up.machine.mailbox() else {
            return;
        };
        mailbox.request(self.apic_id());
        self.report.sipis += 1;
        let patience = self.timing().answer_timeout;
        let impatient = self.now().saturating_add(patience);
        let mut pause = FIRST_LOOK;
        while !mailbox.is_free() {
            let now = self.now();
            let has_time = now < deadline && (now < impatient || may_stay());
            // One that has left evidence has come by an earlier request.
            if !(has_time && self.is_unseen()) {
                if mailbox.retract() {
                    self.pause(LATE_ANSWER).await;
                    return;
                }
                break;
            }
            let longest = if now < impatient {
                patience / LOOKS
            } else {
                patience
            };
            let look = now.saturating_add(pause.min(longest).max(FIRST_LOOK));
            self.has_come_by(look.min(deadline)).await;
            pause = pause.saturating_mul(2);
        }
        self.has_answered = true;
    }

    /// The outcome of an AP of which nothing was seen until its deadline.
    pub(super) fn never_started(&mut self) -> Outcome {
        if self.is_woken_by_mailbox() {
            self.report.reason = Some(if self.has_answered { TAKEN } else { SILENT });
        }
        Outcome::NeverStarted
    }

    /// Whether the AP can be woken again when it has parked.
    pub(in crate::bringup) fn can_come_back(&self) -> bool {
        let mailbox = self.machine().mailbox();
        mailbox.is_none_or(|mailbox| mailbox.takes_back())
    }

    /// The AP has parked, or would, and nothing wakes it again.
    pub(in crate::bringup) fn is_lost(&mut self) -> Outcome {
        let parked = self.shared.bring_up.ladder.prepared();
        self.fail_at(parked.step_towards(Direction::Up), WAKES_ONCE)
    }
}
