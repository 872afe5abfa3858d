//! The floor: what starting CPUs costs when nothing else is done. One broadcast INIT and SIPI; each
//! AP adds one to a counter in real mode and halts.

use alloc::boxed::Box;
use core::{error::Error, hint, time::Duration};

use reveille_executor::Clock;
use reveille_smp::{
    machine::{Machine, SendError},
    record,
};
use reveille_trampoline::Mode;

use super::Incomplete;
use crate::cpus::{Cpus, machine::Hardware};

/// Until when all APs must have counted.
const DEADLINE: Duration = Duration::from_secs(2);

/// Runs one round, from all APs parked to all APs halted in real mode. It broadcasts, and so also
/// starts CPUs that the firmware lists as disabled, if they are there: these count and halt too,
/// and the round ends when as many have counted as were planned.
///
/// The BSP spins meanwhile: an AP in real mode has no way to wake it.
///
/// # Errors
///
/// When the broadcast is not accepted, or not all APs have counted in time.
pub(super) fn run(cpus: &Cpus, round: u32) -> Result<record::Floor, Box<dyn Error>> {
    let aps = cpus.areas().count() as u32;
    let trampoline = &cpus.machine.trampoline;
    trampoline.set_mode(Mode::Count);
    let start = cpus.machine.now();
    let result = broadcast(&cpus.machine);
    let deadline = start.saturating_add(DEADLINE);
    while result.is_ok() && trampoline.count() < aps && cpus.machine.now() < deadline {
        hint::spin_loop();
    }
    let total = cpus.machine.now().saturating_duration_since(start);
    let counted = trampoline.count();
    trampoline.set_mode(Mode::BringUp);
    result?;
    if counted < aps {
        return Err(Incomplete {
            round,
            what: "floor",
            missing: aps - counted,
        }
        .into());
    }
    Ok(record::Floor {
        round,
        aps,
        total_ns: total.as_nanos() as u64,
    })
}

fn broadcast(machine: &Hardware) -> Result<(), SendError> {
    machine.broadcast_init()?;
    machine.broadcast_sipi()
}
