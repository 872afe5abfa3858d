//! The AP's side: what it does in Rust from its arrival until it leaves, as one future on its own
//! executor.

use reveille_executor::{Clock, Instant};

use crate::{
    cpu::CpuIndex,
    slot::Slot,
    state::{Refused, State},
    step::{Mode, Step},
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
/// permitted, reports online, and ends when the AP is asked to leave or a step failed. The caller
/// has set up the CPU, and parks it afterwards, writing the returned state's
/// [`parked`](State::parked) form as its very last act.
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
    for (index, step) in steps.iter().enumerate() {
        slot.until_permitted(index).await;
        if let Err(error) = step.up(cpu) {
            return slot.report_failed(error);
        }
        // The BSP passes the turn on when a serialised section ends. Behind the last step it waits
        // for ONLINE, which follows at once.
        let is_awaited = step.mode() == Mode::Serialised
            && steps
                .get(index + 1)
                .is_some_and(|next| next.mode() == Mode::Concurrent);
        slot.report_passed(index + 1, is_awaited);
    }
    slot.report_online(clock.now())?;
    slot.until_sent_down().await;
    slot.announce_parking();
    Ok(slot.state().load())
}
