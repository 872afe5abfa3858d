//! The floor: what starting CPUs costs when nothing else is done. One broadcast INIT and SIPI; each
//! CPU adds one to a counter in real mode and halts.
//!
//! A broadcast starts every CPU of the machine, and the counter does not tell who counted: those
//! that the plan leaves out, and those that the firmware lists as disabled or not at all, count as
//! well, if they are there. So all that a broadcast starts are counted once without haste, and a
//! round ends when as many have counted: with fewer, a slow AP might be missing behind a quick
//! stranger. A CPU that is put into the machine between two rounds is such a stranger, and counts before
//! anybody else knows of it; so where that can be, a round waits whether more count than did before, and is
//! then measured again, with all of them.

use alloc::boxed::Box;
use core::{error::Error, hint, time::Duration};

use reveille_executor::{Clock, Timer};
use reveille_smp::{
    machine::{Machine, SendError},
    plan::Role,
    record,
};

use super::Incomplete;
use crate::cpus::{Cpus, counting::Counting, machine::Hardware};

/// Until when all CPUs must have counted.
const DEADLINE: Duration = Duration::from_secs(5);

/// Whoever has not counted this long after all others is not there.
const GRACE: Duration = Duration::from_millis(100);

/// A machine of which is known how many CPUs a broadcast starts.
pub(super) struct Floor {
    machine: Hardware,
    started: u32,
    /// CPUs may be added meanwhile.
    can_grow: bool,
}

impl Floor {
    /// Counts the CPUs that a broadcast starts, from all APs parked to all halted in real mode.
    ///
    /// # Errors
    ///
    /// When the broadcast is not accepted, or not all APs have counted in time.
    pub(super) async fn prepare(cpus: &Cpus, timer: &Timer) -> Result<Self, Box<dyn Error>> {
        let machine = cpus.machine;
        let aps = cpus.areas().count() as u32;
        let is_disabled = |role| matches!(role, Role::Disabled { .. });
        let can_grow = cpus.plan.iter().any(|planned| is_disabled(planned.role))
            || cpus.areas_of_all().count() as u32 > aps;
        let counting = start(machine)?;
        let deadline = machine.now().saturating_add(DEADLINE);
        let mut started = 0;
        loop {
            timer.sleep(GRACE).await;
            let now = counting.count();
            if now == started && (now >= aps || machine.now() >= deadline) {
                break;
            }
            started = now;
        }
        if started < aps {
            return Err(missing(0, aps - started));
        }
        Ok(Self {
            machine,
            started,
            can_grow,
        })
    }

    /// Runs one round, from all APs parked to all halted in real mode. The BSP spins meanwhile: a CPU
    /// in real mode has no way to wake it.
    ///
    /// # Errors
    ///
    /// When the broadcast is not accepted, or not all CPUs have counted in time.
    pub(super) async fn run(
        &mut self,
        round: u32,
        timer: &Timer,
    ) -> Result<record::Floor, Box<dyn Error>> {
        // Each turn but the last finds CPUs that none before it has found.
        loop {
            let began = self.machine.now();
            let deadline = began.saturating_add(DEADLINE);
            let counting = start(self.machine)?;
            while counting.count() < self.started && self.machine.now() < deadline {
                hint::spin_loop();
            }
            let total = self.machine.now().saturating_duration_since(began);
            let counted = counting.count();
            if counted < self.started {
                return Err(missing(round, self.started - counted));
            }
            if self.can_grow {
                timer.sleep(GRACE).await;
            }
            let counted = counting.count();
            if counted == self.started {
                return Ok(record::Floor {
                    round,
                    aps: self.started,
                    total_ns: total.as_nanos() as u64,
                });
            }
            self.started = counted;
        }
    }
}

fn missing(round: u32, missing: u32) -> Box<dyn Error> {
    Box::new(Incomplete {
        round,
        what: "floor",
        missing,
    })
}

/// Starts all CPUs but this one, which count.
fn start(machine: Hardware) -> Result<Counting, SendError> {
    let counting = Counting::begin(machine);
    machine.broadcast_init()?;
    machine.broadcast_sipi()?;
    Ok(counting)
}
