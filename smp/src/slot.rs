//! What the BSP and one AP share: the state word, the progress through the online steps, a waker
//! for each side, and the AP's time stamps.
//!
//! The words are the truth and the wakers only a hint: whoever is woken looks at the words again,
//! and whoever changes a word wakes the other side afterwards. A waiter registers its waker first
//! and looks second, so a change that it does not see wakes it.
//!
//! # Memory ordering
//!
//! `permitted`, `passed` and `error` each have one writer, which stores with release ordering; the
//! reader loads with acquire ordering, and so sees what was written before. Time stamps are
//! relaxed: they are read behind the state or the progress that they belong to.

use core::{future::poll_fn, task::Poll};

use reveille_executor::Instant;

use crate::{
    state::{Refused, Stage, State, StateWord},
    step::StepError,
    sync::{AtomicU32, AtomicU64, AtomicWaker, Ordering},
};

/// What the BSP and one AP share. Cache lines are not shared with another AP's.
#[repr(align(128))]
#[derive(Debug)]
pub struct Slot {
    pub(crate) state: StateWord,
    /// Online steps that the AP may run; written by the BSP.
    permitted: AtomicU32,
    /// Online steps that the AP has run; written by the AP.
    passed: AtomicU32,
    /// Why the step behind those failed, as a [`StepError`]; written by the AP.
    error: AtomicU32,
    /// Not zero while the AP's changes wake nobody; see [`mute`](Slot::mute).
    muted: AtomicU32,
    /// The AP's task on the BSP.
    control: AtomicWaker,
    /// The task in which the AP itself resides.
    resident: AtomicWaker,
    /// When the AP ran in real mode.
    pub(crate) real: Stamp,
    /// When it ran in long mode.
    pub(crate) long: Stamp,
    /// When it wrote ALIVE.
    pub(crate) alive: Stamp,
    /// When it wrote ONLINE.
    pub(crate) online: Stamp,
}

impl Slot {
    /// A slot that nobody has kicked.
    pub fn new() -> Self {
        Self {
            state: StateWord::new(),
            permitted: AtomicU32::new(0),
            passed: AtomicU32::new(0),
            error: AtomicU32::new(0),
            muted: AtomicU32::new(0),
            control: AtomicWaker::new(),
            resident: AtomicWaker::new(),
            real: Stamp::new(),
            long: Stamp::new(),
            alive: Stamp::new(),
            online: Stamp::new(),
        }
    }

    /// A slot whose CPU is not there yet.
    pub fn not_present() -> Self {
        Self {
            state: StateWord::not_present(),
            ..Self::new()
        }
    }

    /// The state word.
    pub fn state(&self) -> &StateWord {
        &self.state
    }

    /// A fault for tests: the AP goes on writing its flags but fires no waker. What then still
    /// moves the AP's task is a deadline.
    pub fn mute(&self) {
        self.muted.store(1, Ordering::Relaxed);
    }

    // ---- the BSP's side ----

    /// Wipes what an earlier attempt left, and kicks. Called between INIT and SIPI.
    pub(crate) fn kick(&self) -> Result<State, Refused> {
        if self.state.load().stage().is_down() {
            self.permitted.store(0, Ordering::Relaxed);
            self.passed.store(0, Ordering::Relaxed);
            self.error.store(0, Ordering::Relaxed);
            for stamp in [&self.real, &self.long, &self.alive, &self.online] {
                stamp.clear();
            }
        }
        self.state.kick()
    }

    /// Calls the AP: it may run its first `steps` steps.
    pub(crate) fn call(&self, steps: usize) -> Result<State, Refused> {
        self.permitted.store(steps as u32, Ordering::Release);
        let state = self.state.call()?;
        self.resident.wake();
        Ok(state)
    }

    /// Lets an AP that was called run on, up to its first `steps` steps.
    pub(crate) fn permit(&self, steps: usize) {
        self.permitted.store(steps as u32, Ordering::Release);
        self.resident.wake();
    }

    /// Waits no longer for the AP to come out of its step.
    pub(crate) fn abandon(&self) -> Result<State, Refused> {
        let state = self.state.abandon()?;
        self.resident.wake();
        Ok(state)
    }

    /// Asks the AP to leave.
    pub(crate) fn go_down(&self) -> Result<State, Refused> {
        let state = self.state.go_down()?;
        self.resident.wake();
        Ok(state)
    }

    /// How many steps the AP has run.
    pub(crate) fn passed(&self) -> usize {
        self.passed.load(Ordering::Acquire) as usize
    }

    /// Why the AP failed, once its stage says that it did.
    pub(crate) fn error(&self) -> Option<StepError> {
        StepError::from_word(self.error.load(Ordering::Acquire))
    }

    /// Waits on the BSP until the condition holds. One task at a time.
    pub(crate) async fn until(&self, condition: impl Fn(&Self) -> bool) {
        wait(&self.control, || condition(self)).await;
    }

    // ---- the AP's side ----

    /// The AP has arrived in Rust; it was in real mode and in long mode at these times.
    pub(crate) fn arrived(&self, real: Instant, long: Instant) {
        self.real.set(real);
        self.long.set(long);
    }

    /// Announces the AP as alive.
    pub(crate) fn report_alive(&self, now: Instant) -> Result<State, Refused> {
        self.alive.set(now);
        let state = self.state.alive()?;
        self.wake_control();
        Ok(state)
    }

    /// Waits on the AP until the BSP calls it. It may have been abandoned since.
    pub(crate) async fn until_called(&self) {
        wait(&self.resident, || self.state.load().stage() != Stage::Alive).await;
    }

    /// Waits on the AP until it may run the step with this index; `false` when it was abandoned.
    pub(crate) async fn until_permitted(&self, step: usize) -> bool {
        let is_starting = || self.state.load().stage() == Stage::Starting;
        wait(&self.resident, || {
            !is_starting() || self.permitted.load(Ordering::Acquire) as usize > step
        })
        .await;
        is_starting()
    }

    /// Counts a step as run; the BSP hears of it now if it waits for this one.
    pub(crate) fn report_passed(&self, steps: usize, is_awaited: bool) {
        self.passed.store(steps as u32, Ordering::Release);
        if is_awaited {
            self.wake_control();
        }
    }

    /// Announces that the step behind the passed ones failed.
    pub(crate) fn report_failed(&self, error: StepError) -> Result<State, Refused> {
        self.error.store(error as u32, Ordering::Release);
        let state = self.state.fail()?;
        self.wake_control();
        Ok(state)
    }

    /// Announces the AP as online.
    pub(crate) fn report_online(&self, now: Instant) -> Result<State, Refused> {
        self.online.set(now);
        let state = self.state.online()?;
        self.wake_control();
        Ok(state)
    }

    /// Waits on the AP until it is asked to leave.
    pub(crate) async fn until_sent_down(&self) {
        wait(&self.resident, || {
            self.state.load().stage() == Stage::GoingDown
        })
        .await;
    }

    /// Tells the BSP that the AP is about to park. The parking itself wakes nobody, because
    /// behind it the AP does nothing any more.
    pub(crate) fn announce_parking(&self) {
        self.wake_control();
    }

    fn wake_control(&self) {
        if self.muted.load(Ordering::Relaxed) == 0 {
            self.control.wake();
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

/// A point in time that may not have come yet.
#[derive(Debug)]
pub(crate) struct Stamp(AtomicU64);

impl Stamp {
    /// A clock that counts nanoseconds gets here after 584 years.
    const NONE: u64 = u64::MAX;

    fn new() -> Self {
        Self(AtomicU64::new(Self::NONE))
    }

    fn set(&self, at: Instant) {
        self.0.store(at.as_nanos(), Ordering::Relaxed);
    }

    fn clear(&self) {
        self.0.store(Self::NONE, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Option<Instant> {
        match self.0.load(Ordering::Relaxed) {
            Self::NONE => None,
            nanos => Some(Instant::from_nanos(nanos)),
        }
    }
}
