//! The AP's side: what it does in Rust from its arrival until it leaves, as one future on its own
//! executor.

use reveille_executor::{Clock, Instant};

use crate::{
    bringup::Ap,
    round::next_round,
    state::{Refused, Stage, State},
    step::{Mode, Step, StepError},
};

/// When the AP passed the stages that lie before Rust.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// In real mode.
    pub real: Instant,
    /// In long mode.
    pub long: Instant,
}

/// Lives on the AP with this index in the list of all: reports alive, waits to be called, runs the
/// online steps as they are permitted, reports online, and ends when the AP is asked to leave, a
/// step failed, or the BSP has abandoned it. The caller has set up the CPU, and parks it
/// afterwards, writing the returned state's [`parked`](State::parked) form as its very last act.
///
/// While it waits, the executor below it halts; the BSP wakes it by its doorbell, or the AP does
/// that had the turn before it.
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
    steps: &[&dyn Step],
    clock: &impl Clock,
    arrival: Arrival,
) -> Result<State, Refused> {
    let slot = &aps[index].slot;
    slot.arrived(arrival.real, arrival.long);
    slot.report_alive(clock.now())?;
    // From here on the word may be refused for one reason only: the BSP has abandoned the AP.
    if slot.start().await.is_ok() {
        let end = match run_steps(aps, index, steps).await {
            Err(error) => slot.report_failed(error),
            Ok(()) => {
                // Through the AP's own waker: who is online has polled its executor.
                next_round().await;
                slot.report_online(clock.now())
            }
        };
        if end.is_ok_and(|state| state.stage() == Stage::Online) {
            slot.until_sent_down().await;
        }
    }
    slot.announce_parking();
    Ok(slot.state().load())
}

/// Runs the steps one after the other, each when it is permitted. An abandoned AP stops early.
async fn run_steps(aps: &[Ap], index: usize, steps: &[&dyn Step]) -> Result<(), StepError> {
    let Ap { cpu, slot, .. } = &aps[index];
    for (number, step) in steps.iter().enumerate() {
        if !slot.until_permitted(number).await {
            return Ok(());
        }
        let result = step.up(*cpu);
        let next = steps.get(number + 1).map(|next| next.mode());
        let ends_turn = result.is_err() || next != Some(Mode::Serialised);
        if step.mode() == Mode::Serialised && ends_turn {
            pass_on(aps, index);
        }
        result?;
        // The BSP waits where another turn is needed, to queue the AP for it. Behind the last step
        // it waits for ONLINE, which follows at once.
        let is_awaited = step.mode() == Mode::Concurrent && next == Some(Mode::Serialised);
        slot.report_passed(number + 1, is_awaited);
    }
    Ok(())
}

/// Passes the turn on to whoever queues behind this AP, if anybody does.
pub(crate) fn pass_on(aps: &[Ap], index: usize) {
    let look = |next: usize| aps[next].slot.awaited();
    if let Some((next, awaited)) = aps[index].slot.baton().pass_on(look) {
        aps[next].slot.grant(awaited);
    }
}
