//! What an executor asks of its CPU: the clock, the doorbell, and sleep by halting.

use reveille_executor::{Clock, Doorbell, Idle, Instant, SleepGate};
use reveille_smp::cpu::ApicId;
use x86_64::instructions::interrupts::{self, without_interrupts};

use crate::{
    apic::{ApicError, LocalApic, timer::ApicTimer},
    interrupts::vectors::Vector,
    model::Listener,
    percpu::PerCpu,
    time::TscClock,
};

/// The platform of the executor of one CPU.
#[derive(Debug)]
pub struct CpuPlatform {
    clock: TscClock,
    apic: LocalApic,
    timer: ApicTimer,
    owner: ApicId,
    /// A model that hears when its CPU is woken.
    listener: Option<Listener>,
}

impl CpuPlatform {
    /// The platform of the CPU whose id is `owner`.
    ///
    /// # Errors
    ///
    /// [`ApicError::Unreachable`] if its doorbell could not be rung: so no ring fails for that.
    pub fn new(
        owner: ApicId,
        clock: TscClock,
        apic: LocalApic,
        timer: ApicTimer,
    ) -> Result<Self, ApicError> {
        apic.check_reachable(owner)?;
        Ok(Self {
            clock,
            apic,
            timer,
            owner,
            listener: None,
        })
    }

    /// The same, whose doorbell is heard by a model too.
    pub fn heard_by(self, listener: Option<Listener>) -> Self {
        Self { listener, ..self }
    }

    /// The platform of the CPU that calls; `None` before it has entered its area, or before the BSP has
    /// set up what it is made of.
    pub fn of_this_cpu() -> Option<Self> {
        let (area, clock) = (PerCpu::try_current()?, Self::clock_of_this_cpu()?);
        Some(Self {
            clock,
            apic: LocalApic::get()?,
            timer: ApicTimer::get()?.by(clock),
            owner: area.apic_id(),
            listener: None,
        })
    }

    /// The clock of the CPU that calls, which need not be the owner's; `None` as above.
    fn clock_of_this_cpu() -> Option<TscClock> {
        let area = PerCpu::try_current()?;
        Some(area.clock().on_this_cpu(TscClock::get()?))
    }

    /// The local APIC of whichever CPU calls.
    pub fn apic(&self) -> LocalApic {
        self.apic
    }

    /// Makes sure that this CPU's timer rings at `until` or earlier. Interrupts are off.
    fn set_alarm(&self, until: Instant) {
        PerCpu::current().alarm().set(until, &self.timer);
    }

    /// Halts this CPU until the condition holds, and looks again after each interrupt; `false` if
    /// it still does not hold at the deadline. For what runs below the executor.
    pub fn halt_until(&self, deadline: Instant, condition: impl Fn() -> bool) -> bool {
        without_interrupts(|| {
            loop {
                let holds = condition();
                if holds || self.now() >= deadline {
                    return holds;
                }
                self.set_alarm(deadline);
                interrupts::enable_and_hlt();
                interrupts::disable();
            }
        })
    }
}

impl Clock for CpuPlatform {
    fn now(&self) -> Instant {
        self.clock.now()
    }
}

impl Doorbell for CpuPlatform {
    fn ring(&self) {
        if let Some(listener) = &self.listener
            && let Some(clock) = Self::clock_of_this_cpu()
        {
            listener.rings(clock.now());
        }
        // An APIC that accepts no interrupt for 10 ms is beyond help from here: the alarm that the
        // sleeper has set is the second net.
        let _ = self.apic.send_fixed(self.owner, Vector::DOORBELL);
    }
}

impl Idle for CpuPlatform {
    fn idle(&self, gate: &SleepGate<'_>, until: Option<Instant>) {
        if let Some(listener) = &self.listener {
            listener.sleeps();
        }
        // With interrupts off, a doorbell that rings after the gate was entered stays pending. It
        // ends the `hlt` that follows the `sti` at once, because `sti` lets no interrupt in before
        // the next instruction is done (SDM volume 2, STI). An AP that rests below the step
        // `interrupts` has them off again behind that.
        without_interrupts(|| {
            if let Some(until) = until {
                self.set_alarm(until);
            }
            if gate.enter() {
                interrupts::enable_and_hlt();
                interrupts::disable();
            }
        });
    }
}
