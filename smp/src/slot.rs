//! What the BSP and one AP share: the state word, the permission to move along the ladder and the
//! progress on it, the baton by which the turn goes from AP to AP, and a waker for each side, all
//! in one cache line; behind it what the AP notes for the report, and the waker for its peers.
//!
//! Three words for one matter: the *turn* is the right to run serialised steps, the *permission*
//! tells the AP where to go and whether it has to wait for its turn, and the *baton* names the AP
//! that the turn goes to next.
//!
//! The words are the truth and the wakers only a hint: whoever is woken looks at the words again,
//! and whoever changes a word wakes the other side afterwards. A waiter registers its waker first
//! and looks second, so a change that it does not see wakes it.
//!
//! What orders the words is said where each is: `state.rs`, `permission.rs`, `progress.rs`,
//! `baton.rs`, `errand.rs`.

use core::{future::poll_fn, task::Poll};

use reveille_executor::Instant;

use crate::{
    baton::Baton,
    errand::Errand,
    injection::Injection,
    ladder::Rung,
    notes::Notes,
    permission::{Awaited, Permission},
    progress::{Progress, ProgressWord},
    state::{Refused, Stage, State, StateWord},
    step::{Direction, StepError},
    sync::AtomicWaker,
};

/// What the BSP and one AP share. Processors fetch lines in pairs, so a slot has pairs of its own: one for
/// what is spoken and the stamps, one for the rest.
#[repr(C, align(128))]
#[derive(Debug)]
pub struct Slot {
    line: Line,
    pub(crate) notes: Notes,
}

/// All that is spoken, in one cache line.
#[repr(C, align(64))]
#[derive(Debug)]
struct Line {
    state: StateWord,
    /// Where the AP may go, and when.
    permission: Permission,
    /// How far it has come.
    progress: ProgressWord,
    /// Who has the turn after this AP.
    baton: Baton,
    /// The AP's task on the BSP.
    control: AtomicWaker,
    /// The task in which the AP itself resides, for the BSP.
    resident: AtomicWaker,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Line>() == 64);

impl Slot {
    /// A slot that nobody has kicked.
    pub fn new() -> Self {
        Self::at(StateWord::new())
    }

    /// A slot whose CPU is not there yet.
    pub fn not_present() -> Self {
        Self::at(StateWord::not_present())
    }

    fn at(state: StateWord) -> Self {
        Self {
            line: Line {
                state,
                permission: Permission::new(),
                progress: ProgressWord::new(),
                baton: Baton::new(),
                control: AtomicWaker::new(),
                resident: AtomicWaker::new(),
            },
            notes: Notes::new(),
        }
    }

    /// The state word.
    pub fn state(&self) -> &StateWord {
        &self.line.state
    }

    /// How far the CPU has come.
    pub fn progress(&self) -> Progress {
        self.line.progress.load()
    }

    /// Whether the CPU was called and waits for its turn to go.
    pub fn waits_for_turn(&self) -> bool {
        self.line.permission.is_held()
    }

    /// Tells a step to fail on this CPU, in the place of what it was told before.
    pub fn inject(&self, injection: Option<Injection>) {
        self.notes.injection.set(injection);
    }

    /// The step that is to fail on this CPU, if it has not struck yet.
    pub fn injection(&self) -> Option<Injection> {
        self.notes.injection.get()
    }

    /// The CPU, which is down and for which nothing is prepared, is about to be taken out of the machine:
    /// nobody kicks it any more, and whatever comes in its place fails in no step that this one was told to.
    /// A step that is to fail each time does so for the next one too.
    ///
    /// # Errors
    ///
    /// Unless it is down.
    pub fn vacate(&self) -> Result<State, Refused> {
        let state = self.line.state.disappear()?;
        self.notes.injection.forget_the_next();
        Ok(state)
    }

    /// When the CPU came online the last time, by its own clock; `None` before it has since it was kicked.
    pub fn online_at(&self) -> Option<Instant> {
        self.notes.online.get()
    }

    /// A fault for tests: the AP goes on writing its flags but fires no waker. What then still
    /// moves the AP's task is a deadline.
    pub fn mute(&self) {
        self.notes.mute();
    }

    /// The stage that the state word tells now.
    pub(crate) fn stage(&self) -> Stage {
        self.line.state.load().stage()
    }

    /// Who has the turn after this AP.
    pub(crate) fn baton(&self) -> &Baton {
        &self.line.baton
    }

    /// Where the AP may go, and when.
    pub(crate) fn permission(&self) -> &Permission {
        &self.line.permission
    }

    /// Grants the AP the turn that it waits for, by the BSP. If the AP that had the turn before has
    /// granted it already, it is only woken.
    pub(crate) fn grant(&self, awaited: Awaited) {
        self.line.permission.grant(awaited);
        self.line.resident.wake();
    }

    /// The same by the AP that had the turn before.
    pub(crate) fn grant_to_peer(&self, awaited: Awaited) {
        self.line.permission.grant(awaited);
        self.notes.peers.wake();
    }

    /// Fails if this step is to fail on this CPU.
    pub(crate) fn strike(&self, step: usize, direction: Direction) -> Result<(), StepError> {
        self.notes.injection.strike(step, direction)
    }

    // ---- whoever drives the CPU ----

    /// Wipes what an earlier attempt left, and kicks: the AP is to go as far as `goal` before it is
    /// alive. Called between INIT and SIPI.
    pub(crate) fn kick(&self, goal: Rung) -> Result<State, Refused> {
        if self.stage().is_down() {
            self.line.permission.direct(goal);
            self.forget_failure();
            self.line.baton.clear();
            self.notes.clear();
        }
        self.line.state.kick()
    }

    /// The CPU, which is down, is on this rung now.
    pub(crate) fn set_rung(&self, rung: Rung) {
        self.line.progress.pass(rung);
    }

    /// No step has failed on the CPU's next way yet.
    fn forget_failure(&self) {
        self.set_rung(self.progress().rung);
    }

    /// Calls the AP, which rests, to go to a rung.
    pub(crate) fn call(&self, goal: Rung) {
        self.forget_failure();
        self.line.permission.call(goal);
        self.line.resident.wake();
    }

    /// The same for the moment at which it is granted the turn.
    pub(crate) fn call_with_the_turn(&self, goal: Rung) {
        self.forget_failure();
        self.line.permission.call_with_the_turn(goal);
    }

    /// Wakes the AP once more, should nobody have done so.
    pub(crate) fn rouse(&self) {
        self.line.resident.wake();
    }

    /// Asks the AP, which rests, to do something where it is.
    pub(crate) fn send(&self, errand: Errand) {
        self.notes.errand.ask(errand);
        self.line.resident.wake();
    }

    /// How that went, when it is done.
    pub(crate) fn answer(&self) -> Option<Result<(), StepError>> {
        self.notes.errand.answered()
    }

    /// Whether the AP, which was called from another rung, rests on this one.
    pub(crate) fn has_come_to(&self, rung: Rung, top: Rung) -> bool {
        // In this order: an AP that is seen on the rung has set out, so it is not its rest of before
        // that is seen behind that.
        let is_there = self.progress().rung == rung;
        let rest = match rung == top {
            true => Stage::Online,
            false => Stage::Alive,
        };
        is_there && self.stage() == rest
    }

    /// Waits no longer for the AP to come to its end, unless it has.
    pub(crate) fn abandon(&self, has_ended: impl Fn(&Self) -> bool) -> Result<State, Refused> {
        // In this order: an AP that sees itself abandoned sees that it has nothing to do.
        self.line.permission.withdraw();
        self.notes.errand.withdraw();
        let state = self.line.state.abandon(|| has_ended(self))?;
        self.line.resident.wake();
        Ok(state)
    }

    /// Waits on the BSP until the condition holds. One task at a time.
    pub(crate) async fn until(&self, condition: impl Fn(&Self) -> bool) {
        wait(&self.line.control, || condition(self)).await;
    }

    // ---- the AP's side ----

    /// The AP has arrived in Rust; it was in real mode and in long mode at these times.
    pub(crate) fn arrived(&self, real: Instant, long: Instant) {
        self.notes.real.set(real);
        self.notes.long.set(long);
    }

    /// Announces the AP as alive.
    pub(crate) fn report_alive(&self, now: Instant) -> Result<State, Refused> {
        self.notes.alive.set(now);
        let state = self.line.state.alive()?;
        self.wake_control();
        Ok(state)
    }

    /// Waits on the AP, which rests on the rung `at`, until it has somewhere to go or something to do
    /// where it is. On the highest rung the way may be as short as to say that it is there. If the AP
    /// was abandoned, it comes back.
    pub(crate) async fn until_called(&self, at: Rung, top: Rung) -> Option<Errand> {
        self.wait_on_ap(|| {
            let stage = self.stage();
            if stage == Stage::Abandoned && self.line.state.come_back().is_ok() {
                self.wake_control();
            }
            let is_new = |goal| goal != at || (goal == top && stage == Stage::Alive);
            let goal = self.line.permission.goal();
            goal.is_some_and(is_new) || self.notes.errand.asked().is_some()
        })
        .await;
        self.notes.errand.asked()
    }

    /// Waits on the AP until the condition holds, whoever may bring that about.
    async fn wait_on_ap(&self, condition: impl Fn() -> bool) {
        poll_fn(|context| {
            register(&self.notes.peers, context.waker());
            register(&self.line.resident, context.waker());
            match condition() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Waits on the AP until it has been abandoned, which only the BSP does.
    pub(crate) async fn until_abandoned(&self) {
        wait(&self.line.resident, || self.stage() == Stage::Abandoned).await;
    }

    /// The AP has done what it was asked to do where it is.
    pub(crate) fn report_done(&self, result: Result<(), StepError>) {
        self.notes.errand.answer(result);
        self.wake_control();
    }

    /// The AP is on this rung.
    pub(crate) fn report_passed(&self, rung: Rung) {
        self.line.progress.pass(rung);
    }

    /// The AP is on this rung and goes no further, because a step failed.
    pub(crate) fn report_failed(&self, rung: Rung, step: usize, error: StepError) {
        self.line.permission.decline();
        self.line.progress.fail(rung, step, error);
    }

    /// Announces that the AP has come as far as it may, or could.
    pub(crate) fn report_rest(&self) -> Result<State, Refused> {
        let state = self.line.state.rest()?;
        self.wake_control();
        Ok(state)
    }

    /// Announces the AP as online.
    pub(crate) fn report_online(&self, now: Instant) -> Result<State, Refused> {
        self.notes.online.set(now);
        let state = self.line.state.online()?;
        self.wake_control();
        Ok(state)
    }

    /// Tells the BSP that the AP is about to park. The parking itself wakes nobody, because
    /// behind it the AP does nothing any more.
    pub(crate) fn announce_parking(&self) {
        self.wake_control();
    }

    fn wake_control(&self) {
        if !self.notes.is_muted() {
            self.line.control.wake();
        }
    }
}

impl Default for Slot {
    fn default() -> Self {
        Self::new()
    }
}

/// Registers first and looks second: whoever changes the condition between the two finds the
/// waker and fires it.
pub(crate) async fn wait(waker: &AtomicWaker, condition: impl Fn() -> bool) {
    poll_fn(|context| {
        register(waker, context.waker());
        if condition() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

#[cfg(not(loom))]
pub(crate) fn register(slot: &AtomicWaker, waker: &core::task::Waker) {
    slot.register(waker);
}

#[cfg(loom)]
pub(crate) fn register(slot: &AtomicWaker, waker: &core::task::Waker) {
    slot.register_by_ref(waker);
}
