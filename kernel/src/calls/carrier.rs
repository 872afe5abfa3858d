//! What carries the calls of this machine: the APIC, and `hlt`.

use core::hint::spin_loop;

use reveille_executor::{Clock, Instant};
use reveille_smp::{
    call::{CallId, CallQueue, Carrier, Pending},
    cpu::CpuIndex,
};
use x86_64::instructions::interrupts::{self, without_interrupts};

use super::stuck;
use crate::{
    apic::{LocalApic, timer::ApicTimer},
    calling::watch,
    interrupts::vectors::Vector,
    percpu::PerCpu,
    time::TscClock,
    trace,
};

/// The calls of this machine's CPUs go by interrupts of the vector [`Vector::CALL`].
#[derive(Clone, Copy, Debug)]
pub struct ByInterrupt;

impl Clock for ByInterrupt {
    fn now(&self) -> Instant {
        TscClock::get().map_or(Instant::ZERO, |clock| clock.now())
    }
}

impl Carrier for ByInterrupt {
    fn this_cpu(&self) -> CpuIndex {
        PerCpu::current().index()
    }

    fn queue(&self, cpu: CpuIndex) -> Option<&'static CallQueue> {
        PerCpu::of(cpu).map(PerCpu::calls)
    }

    fn interrupt(&self, cpu: CpuIndex) -> bool {
        if stuck::loses(cpu) {
            // As the APIC says of one that is lost behind it.
            return true;
        }
        match (LocalApic::get(), PerCpu::of(cpu)) {
            (Some(apic), Some(area)) => {
                watch::about_to_send(cpu);
                apic.send_fixed(area.apic_id(), Vector::CALL).is_ok()
            }
            _ => false,
        }
    }

    fn masked<T>(&self, work: impl FnOnce() -> T) -> T {
        without_interrupts(work)
    }

    fn halt(&self, until: Instant) {
        match ApicTimer::get() {
            Some(timer) => {
                PerCpu::current().alarm().set(until, &timer);
                // An interrupt that came before this is pending, and ends it: `platform.rs`.
                interrupts::enable_and_hlt();
            }
            // Without an alarm nothing but the answer would end a halt. So early, polling will do;
            // interrupts are let in behind the instruction that follows.
            None => {
                interrupts::enable();
                spin_loop();
            }
        }
        interrupts::disable();
    }

    fn queued(&self, cpu: CpuIndex) -> CallId {
        CallId(trace::calls::queued(cpu))
    }

    fn entered(&self, CallId(id): CallId) {
        trace::calls::entered(id);
    }

    fn left(&self, CallId(id): CallId) {
        trace::calls::left(id);
    }

    fn dropped(&self, CallId(id): CallId) {
        trace::calls::dropped(id);
    }

    fn overdue(&self, pending: &[Pending]) {
        stuck::tell(pending);
    }
}
