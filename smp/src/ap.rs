//! The AP's side: what it does in Rust from its arrival until it leaves, as one future on its own
//! executor.
//!
//! It looks where it may go, moves there rung by rung, up or down, rests, and waits to be called
//! again. What it is told may change at any time; it looks before each step.

use core::pin::pin;

use futures_util::future::{Either, select};
use reveille_executor::{Clock, Instant, Timer};

use crate::{
    bringup::Ap,
    errand::Errand,
    ladder::{Ladder, Rung},
    round::next_round,
    state::{Refused, State},
    step::{Direction, Run, Section, Site, Step, StepError},
};

/// When the AP passed the stages that lie before Rust.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// In real mode.
    pub real: Instant,
    /// In long mode.
    pub long: Instant,
}

/// Hears of each step that an AP runs, on the AP, as it runs it. A step that is told to fail is
/// heard of too.
pub trait Observer {
    /// The AP sets out: it begins with the first of some steps, between which it does not wait for
    /// anybody.
    fn sets_out(&self);

    /// The AP begins with the step that has this place in the ladder.
    fn begins(&self, step: usize, direction: Direction);

    /// It has ended, and the turn has been passed on if it was the last that needed it.
    fn ended(&self, step: usize, direction: Direction, result: Result<(), StepError>);

    /// The AP has said that it is alive.
    fn is_alive(&self, at: Instant) {
        let _ = at;
    }

    /// It has said that it is online.
    fn is_online(&self, at: Instant) {
        let _ = at;
    }
}

/// Nobody listens.
impl Observer for () {
    fn sets_out(&self) {}

    fn begins(&self, _: usize, _: Direction) {}

    fn ended(&self, _: usize, _: Direction, _: Result<(), StepError>) {}
}

/// Both hear of it, the first one first.
impl<A: Observer, B: Observer> Observer for (&A, &B) {
    fn sets_out(&self) {
        self.0.sets_out();
        self.1.sets_out();
    }

    fn begins(&self, step: usize, direction: Direction) {
        self.0.begins(step, direction);
        self.1.begins(step, direction);
    }

    fn ended(&self, step: usize, direction: Direction, result: Result<(), StepError>) {
        self.0.ended(step, direction, result);
        self.1.ended(step, direction, result);
    }

    fn is_alive(&self, at: Instant) {
        self.0.is_alive(at);
        self.1.is_alive(at);
    }

    fn is_online(&self, at: Instant) {
        self.0.is_online(at);
        self.1.is_online(at);
    }
}

/// Lives on the AP with this index in the list of all: goes through the starting steps, reports
/// alive, moves along the ladder as it is called to, and ends when it has gone down below them. The
/// caller parks it afterwards, writing the returned state's [`parked`](State::parked) form as its
/// very last act.
///
/// It begins with interrupts off and expects them to stay so until a step turns them on. While it
/// waits, the executor below it halts, in which interrupts are on in any case; it is woken by the
/// doorbell, which the BSP rings, or the AP that had the turn before it.
///
/// # Errors
///
/// [`Refused`] when the slot was not claimed for this AP. Then it touches nothing further.
///
/// # Cancellation
///
/// It is the AP's whole life and not meant to be dropped: the slot would stay where it is.
pub async fn reside(
    aps: &[Ap],
    index: usize,
    ladder: &Ladder,
    clock: &impl Clock,
    timer: &Timer,
    arrival: Arrival,
    observer: &impl Observer,
) -> Result<State, Refused> {
    let slot = &aps[index].slot;
    slot.arrived(arrival.real, arrival.long);
    let mut resident = Resident {
        aps,
        index,
        ladder,
        timer,
        observer,
        at: ladder.kicked(),
    };
    slot.report_passed(resident.at);
    let goal = slot.permission().direction();
    resident.go(|| Some(goal)).await;
    if !resident.is_leaving() {
        let now = clock.now();
        slot.report_alive(now)?;
        observer.is_alive(now);
    }
    while !resident.is_leaving() {
        if let Some(errand) = slot.until_called(resident.at, ladder.top()).await {
            slot.report_done(resident.run_one(errand).await);
            continue;
        }
        if slot.state().start().is_err() {
            // Abandoned at this very moment, and permitted nothing any more.
            continue;
        }
        resident.go(|| slot.permission().goal()).await;
        // If one of these is refused, the AP was abandoned, and comes back as it waits.
        let _ = if resident.is_leaving() {
            break;
        } else if resident.at == ladder.top() {
            // Through the AP's own waker: who is online has polled its executor.
            next_round().await;
            let now = clock.now();
            let reported = slot.report_online(now);
            reported.inspect(|_| observer.is_online(now))
        } else {
            slot.report_rest()
        };
    }
    slot.announce_parking();
    Ok(slot.state().load())
}

/// An AP on the ladder.
struct Resident<'a, O> {
    aps: &'a [Ap],
    index: usize,
    ladder: &'a Ladder,
    timer: &'a Timer,
    observer: &'a O,
    at: Rung,
}

impl<O: Observer> Resident<'_, O> {
    /// Moves towards the goal until it is there, has none any more, or a step fails. Where it loses
    /// its goal on a rung on which nobody could call it again, it goes on down to one where that is
    /// possible.
    async fn go(&mut self, goal: impl Fn() -> Option<Rung>) {
        self.observer.sets_out();
        while let Some(goal) = goal()
            && let Some(direction) = self.at.direction_to(goal)
        {
            let step = self.at.step_towards(direction);
            self.observer.begins(step, direction);
            let result = self.run(step, direction).await;
            let before = self.at;
            if result.is_ok() {
                self.at = before.next(direction);
            }
            if self.ends_turn(step, direction, goal, result) {
                pass_on(self.aps, self.index);
            }
            self.observer.ended(step, direction, result);
            let slot = &self.aps[self.index].slot;
            if let Err(error) = result {
                self.retreat();
                return slot.report_failed(self.at, step, error);
            }
            slot.report_passed(self.at);
        }
        if !self.ladder.can_rest(self.at) {
            self.retreat();
            self.aps[self.index].slot.report_passed(self.at);
        }
    }

    async fn run(&self, number: usize, direction: Direction) -> Result<(), StepError> {
        self.aps[self.index].slot.strike(number, direction)?;
        let step = self.ladder.steps()[number];
        self.finish(step, step.run(direction, self.site())).await
    }

    async fn run_one(&self, errand: Errand) -> Result<(), StepError> {
        let step = self.ladder.steps()[errand.step];
        let instances = step.instances().ok_or(StepError::Unsupported)?;
        let run = instances.run_one(self.site(), errand.instance, errand.direction);
        self.finish(step, run).await
    }

    fn site(&self) -> Site<'_> {
        Site {
            cpu: self.aps[self.index].cpu,
            timer: self.timer,
        }
    }

    /// Waits for a step, but not longer than anybody waits for this AP.
    async fn finish(&self, step: &dyn Step, run: Run<'_>) -> Result<(), StepError> {
        let future = match run {
            // As nearly all: nothing is set up to wait.
            Run::Now(result) => return result,
            Run::Later(_) if step.section() == Section::Starting => {
                return Err(StepError::CannotWait);
            }
            Run::Later(future) => future,
        };
        let in_time = async {
            match step.deadline() {
                None => Some(future.await),
                Some(deadline) => self.timer.timeout(deadline, future).await.ok(),
            }
        };
        let abandoned = pin!(self.aps[self.index].slot.until_abandoned());
        match select(pin!(in_time), abandoned).await {
            Either::Left((Some(result), _)) => result,
            _ => Err(StepError::TimedOut),
        }
    }

    /// Whether the AP is done with the serialised steps for which it has the turn.
    fn ends_turn(
        &self,
        step: usize,
        direction: Direction,
        goal: Rung,
        result: Result<(), StepError>,
    ) -> bool {
        let is_serialised = |step: usize| self.ladder.steps()[step].is_serialised();
        let goes_on = || self.at != goal && is_serialised(self.at.step_towards(direction));
        is_serialised(step) && (result.is_err() || !goes_on())
    }

    /// Goes down from where it cannot be woken; at the worst to where it parks. That it fails there
    /// once more is of no weight: a CPU that parks is reset before it comes again.
    fn retreat(&mut self) {
        while !self.ladder.can_rest(self.at) {
            let step = self.at.step_towards(Direction::Down);
            self.observer.begins(step, Direction::Down);
            let result = match self.ladder.steps()[step].down(self.site()) {
                Run::Now(result) => result,
                Run::Later(_) => Err(StepError::CannotWait),
            };
            self.observer.ended(step, Direction::Down, result);
            self.at = self.at.next(Direction::Down);
        }
    }

    /// Whether it has gone down so far that all that is left is to park.
    fn is_leaving(&self) -> bool {
        self.at == self.ladder.prepared()
    }
}

/// Passes the turn on to whoever queues behind this AP, if anybody does.
pub(crate) fn pass_on(aps: &[Ap], index: usize) {
    let look = |next: usize| aps[next].slot.permission().awaited();
    if let Some((next, awaited)) = aps[index].slot.baton().pass_on(look) {
        aps[next].slot.grant_to_peer(awaited);
    }
}
