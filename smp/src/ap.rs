//! The AP's side: what it does in Rust from its arrival until it leaves, as one future on its own
//! executor.

use reveille_executor::{Clock, Instant};

use crate::{
    cpu::CpuIndex,
    round::next_round,
    slot::Slot,
    state::{Refused, Stage, State},
    step::{Step, StepError},
};

/// When the AP passed the stages that lie before Rust.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// In real mode.
    pub real: Instant,
    /// In long mode.
    pub long: Instant,
}

/// Lives on the AP: reports alive, waits to be called, runs the online steps as they are
/// permitted, reports online, and ends when the AP is asked to leave, a step failed, or the BSP has
/// abandoned it. The caller has set up the CPU, and parks it afterwards, writing the returned
/// state's [`parked`](State::parked) form as its very last act.
///
/// While it waits, the executor below it halts; the BSP wakes it by its doorbell.
///
/// # Errors
///
/// [`Refused`] when the slot was not claimed for this AP. Then it touches nothing further.
///
/// # Cancellation
///
/// It is the AP's whole life and not meant to be dropped: the slot would stay where it is.
pub async fn reside(
    slot: &Slot,
    cpu: CpuIndex,
    steps: &[&dyn Step],
    clock: &impl Clock,
    arrival: Arrival,
) -> Result<State, Refused> {
    slot.arrived(arrival.real, arrival.long);
    slot.report_alive(clock.now())?;
    slot.until_called().await;
    // From here on the word may be refused for one reason only: the BSP has abandoned the AP.
    let end = match run_steps(slot, cpu, steps).await {
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
    slot.announce_parking();
    Ok(slot.state().load())
}

/// Runs the steps one after the other, each when it is permitted. An abandoned AP stops early.
async fn run_steps(slot: &Slot, cpu: CpuIndex, steps: &[&dyn Step]) -> Result<(), StepError> {
    for (index, step) in steps.iter().enumerate() {
        if !slot.until_permitted(index).await {
            return Ok(());
        }
        step.up(cpu)?;
        // The BSP waits for the end of each section. Behind the last one it waits for ONLINE,
        // which follows at once.
        let ends_section = steps
            .get(index + 1)
            .is_some_and(|next| next.mode() != step.mode());
        slot.report_passed(index + 1, ends_section);
    }
    Ok(())
}
