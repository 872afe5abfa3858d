//! Whether a CPU halts, so that what is measured is a call to one that does.

use core::time::Duration;

use reveille_executor::{Clock, Instant, Timer};

use crate::{apic::LocalApic, interrupts::vectors::Vector, percpu::PerCpu, platform::CpuPlatform};

/// From one look to the next. A CPU that has been called is back in its halt within microseconds; on a
/// host that has other things to do, when that lets it.
const PAUSE: Duration = Duration::from_micros(20);

/// Looks until the CPU is woken, to fall asleep again.
const PATIENCE: u32 = 8;

/// Until when it must halt. Only one that has something else to do for good comes near that.
const DEADLINE: Duration = Duration::from_secs(5);

/// A CPU that is called each time it halts.
///
/// Its executor says since when it sleeps, and halts a moment later. In the handler of the last call it
/// still seems to sleep; so each time it must have fallen asleep anew. A call that comes within that
/// moment finds it awake, and then it halts without having fallen asleep anew: it is woken for that.
pub(crate) struct Rests {
    cpu: &'static PerCpu,
    /// Since when it slept the last time.
    last: Option<Instant>,
}

impl Rests {
    pub(crate) fn of(cpu: &'static PerCpu) -> Self {
        Self { cpu, last: None }
    }

    /// Waits in a task until it halts again; `false` if it does not.
    pub(crate) async fn wait(&mut self, timer: &Timer) -> bool {
        let deadline = timer.now().saturating_add(DEADLINE);
        for look in 0.. {
            let is_late = timer.now() >= deadline;
            if self.halts_again(look) {
                return true;
            }
            if is_late {
                break;
            }
            timer.sleep(PAUSE).await;
        }
        false
    }

    /// The same on a CPU that has a task without a timer: it halts in between, below its executor.
    pub(super) fn halt(&mut self, platform: &CpuPlatform) -> bool {
        let deadline = platform.now().saturating_add(DEADLINE);
        for look in 0.. {
            let is_late = platform.now() >= deadline;
            if self.halts_again(look) {
                return true;
            }
            if is_late {
                break;
            }
            platform.halt_until(platform.now() + PAUSE, || false);
        }
        false
    }

    fn halts_again(&mut self, look: u32) -> bool {
        let since = self.cpu.counters().snapshot().asleep_since;
        let is_looking = self.cpu.calls().backlog().is_looking;
        let halts = since.is_some() && since != self.last && !is_looking;
        if halts {
            self.last = since;
        } else if look % PATIENCE == PATIENCE - 1
            && let Some(apic) = LocalApic::get()
        {
            // One that is not sent is sent at a later look.
            let _ = apic.send_fixed(self.cpu.apic_id(), Vector::DOORBELL);
        }
        halts
    }
}
