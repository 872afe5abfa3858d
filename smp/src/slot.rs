//! What the BSP and one AP share: the state word, the permission to run online steps and the
//! progress through them, the baton by which the turn goes from AP to AP, and a waker for each
//! side, all in one cache line; behind it what the AP notes for the report.
//!
//! Three words for one matter: the *turn* is the right to run serialised steps, the *permission* tells
//! the AP how many steps it may run and whether it has to wait for its turn, and the *baton* names the
//! AP that the turn goes to next.
//!
//! The words are the truth and the wakers only a hint: whoever is woken looks at the words again,
//! and whoever changes a word wakes the other side afterwards. A waiter registers its waker first
//! and looks second, so a change that it does not see wakes it.
//!
//! # Memory ordering
//!
//! `permission` is stored by the BSP with release ordering while the AP has nothing to run, and
//! changed once more by whoever grants the turn, in one compare-and-swap that releases. `progress`
//! is stored by the AP with release ordering. Readers load with acquire ordering, and so see what
//! was written before: the AP what was prepared for its steps, and what was done in the turns
//! before its own; the BSP what the AP did.

use core::{future::poll_fn, task::Poll};

use reveille_executor::Instant;

use crate::{
    baton::Baton,
    stamp::Notes,
    state::{Refused, Stage, State, StateWord},
    step::StepError,
    sync::{AtomicU32, AtomicWaker, Ordering},
};

/// What the BSP and one AP share. Processors fetch lines in pairs, so a slot has a pair of its own.
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
    /// How many online steps the AP may run, and when: see [`CALLED`] and [`HELD`].
    permission: AtomicU32,
    /// How many it has run, and above that why the next one failed: see [`ERROR_SHIFT`].
    progress: AtomicU32,
    /// Who has the turn after this AP.
    baton: Baton,
    /// The AP's task on the BSP.
    control: AtomicWaker,
    /// The task in which the AP itself resides.
    resident: AtomicWaker,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Line>() == 64);

/// The AP has been called: it may run as many steps as the lower bits say.
const CALLED: u32 = 1 << 30;
/// But not before it is granted the turn.
const HELD: u32 = 1 << 31;
const STEPS: u32 = (1 << ERROR_SHIFT) - 1;
/// Between the two, the turns that the AP has ever waited for are counted, so that a grant which
/// comes when the AP waits for another one is known. Whoever grants so late has missed as many turns
/// as there are of these to be mistaken.
const ONE_TURN: u32 = 1 << ERROR_SHIFT;
const TURNS: u32 = CALLED - ONE_TURN;

/// A turn that an AP waits for, told from all others that it waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Awaited(u32);

/// Above the number of steps that were run, the progress holds a [`StepError`], or 0.
const ERROR_SHIFT: u32 = 16;

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
                permission: AtomicU32::new(0),
                progress: AtomicU32::new(0),
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

    /// The stage that the state word tells now.
    pub(crate) fn stage(&self) -> Stage {
        self.line.state.load().stage()
    }

    /// Who has the turn after this AP.
    pub(crate) fn baton(&self) -> &Baton {
        &self.line.baton
    }

    /// A fault for tests: the AP goes on writing its flags but fires no waker. What then still
    /// moves the AP's task is a deadline.
    pub fn mute(&self) {
        self.notes.mute();
    }

    /// What the AP waits for. To be looked at while it is sure to wait, by whoever will grant it.
    pub(crate) fn awaited(&self) -> Awaited {
        Awaited(self.line.permission.load(Ordering::Relaxed))
    }

    /// Grants the AP the turn that it waits for, by the BSP or by the AP that had the turn before. If
    /// it has been granted already, by the other of the two, it is only woken.
    pub(crate) fn grant(&self, Awaited(permission): Awaited) {
        let _ = self.line.permission.compare_exchange(
            permission,
            permission & !HELD,
            Ordering::Release,
            Ordering::Relaxed,
        );
        self.line.resident.wake();
    }

    // ---- the BSP's side ----

    /// Wipes what an earlier attempt left, and kicks. Called between INIT and SIPI.
    pub(crate) fn kick(&self) -> Result<State, Refused> {
        if self.stage().is_down() {
            self.line.permission.store(self.turns(), Ordering::Relaxed);
            self.line.progress.store(0, Ordering::Relaxed);
            self.line.baton.clear();
            self.notes.clear();
        }
        self.line.state.kick()
    }

    /// Lets the AP run up to its first `steps` steps.
    pub(crate) fn permit(&self, steps: usize) {
        self.line
            .permission
            .store(CALLED | self.turns() | steps as u32, Ordering::Release);
        self.line.resident.wake();
    }

    /// The same for the moment at which it is granted the turn.
    pub(crate) fn permit_with_the_turn(&self, steps: usize) {
        let turns = self.turns().wrapping_add(ONE_TURN) & TURNS;
        self.line
            .permission
            .store(CALLED | HELD | turns | steps as u32, Ordering::Release);
    }

    /// Whether the AP has yet to be granted the turn for what it is permitted. It starts a deadline
    /// and no more: nothing is read behind it.
    pub(crate) fn is_held(&self) -> bool {
        self.line.permission.load(Ordering::Relaxed) & HELD != 0
    }

    fn turns(&self) -> u32 {
        self.line.permission.load(Ordering::Relaxed) & TURNS
    }

    /// Waits no longer for the AP to come out of its step.
    pub(crate) fn abandon(&self) -> Result<State, Refused> {
        let state = self.line.state.abandon()?;
        self.line.resident.wake();
        Ok(state)
    }

    /// Asks the AP to leave.
    pub(crate) fn go_down(&self) -> Result<State, Refused> {
        let state = self.line.state.go_down()?;
        self.line.resident.wake();
        Ok(state)
    }

    /// How many steps the AP has run.
    pub(crate) fn passed(&self) -> usize {
        let progress = self.line.progress.load(Ordering::Acquire);
        (progress & ((1 << ERROR_SHIFT) - 1)) as usize
    }

    /// Why the AP failed, once its stage says that it did.
    pub(crate) fn error(&self) -> Option<StepError> {
        StepError::from_word(self.line.progress.load(Ordering::Acquire) >> ERROR_SHIFT)
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

    /// Waits on the AP until it is called, and answers. It may have been abandoned since: then the
    /// answer is refused.
    pub(crate) async fn start(&self) -> Result<State, Refused> {
        wait(&self.line.resident, || {
            self.stage() != Stage::Alive || self.permitted().is_some()
        })
        .await;
        self.line.state.start()
    }

    /// Waits on the AP until it may run the step with this index; `false` when it was abandoned.
    pub(crate) async fn until_permitted(&self, step: usize) -> bool {
        let is_starting = || self.stage() == Stage::Starting;
        wait(&self.line.resident, || {
            !is_starting() || self.permitted().is_some_and(|steps| steps > step)
        })
        .await;
        is_starting()
    }

    /// How many steps the AP may run now; `None` before it is called, and while it has to wait for
    /// its turn.
    pub(crate) fn permitted(&self) -> Option<usize> {
        let permission = self.line.permission.load(Ordering::Acquire);
        (permission & (CALLED | HELD) == CALLED).then_some((permission & STEPS) as usize)
    }

    /// Counts a step as run; the BSP hears of it now if it waits for this one.
    pub(crate) fn report_passed(&self, steps: usize, is_awaited: bool) {
        self.line.progress.store(steps as u32, Ordering::Release);
        if is_awaited {
            self.wake_control();
        }
    }

    /// Announces that the step behind the passed ones failed.
    pub(crate) fn report_failed(&self, error: StepError) -> Result<State, Refused> {
        self.line
            .progress
            .fetch_or((error as u32) << ERROR_SHIFT, Ordering::Release);
        let state = self.line.state.fail()?;
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

    /// Waits on the AP until it is asked to leave.
    pub(crate) async fn until_sent_down(&self) {
        wait(&self.line.resident, || self.stage() == Stage::GoingDown).await;
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
async fn wait(waker: &AtomicWaker, condition: impl Fn() -> bool) {
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
fn register(slot: &AtomicWaker, waker: &core::task::Waker) {
    slot.register(waker);
}

#[cfg(loom)]
fn register(slot: &AtomicWaker, waker: &core::task::Waker) {
    slot.register_by_ref(waker);
}
