//! The hardware behind the bring-up: INIT and SIPI by the local APIC, evidence from the
//! trampoline's mailbox, time from the TSC.

use core::time::Duration;

use reveille_executor::{Clock, Instant};
use reveille_smp::{
    cpu::ApicId,
    machine::{Evidence, Machine, SendError},
};
use reveille_trampoline::Trampoline;

use crate::{
    apic::{ApicError, LocalApic, StartPage},
    cpuid::Cpuid,
    time::TscClock,
};

/// The machine that the kernel runs on.
#[derive(Clone, Copy)]
pub struct Hardware {
    /// The clock of all CPUs.
    pub clock: TscClock,
    /// The local APIC of whichever CPU calls.
    pub apic: LocalApic,
    /// Where APs start.
    pub trampoline: Trampoline,
    start_page: StartPage,
}

impl Hardware {
    /// The machine, whose APs start at an installed trampoline.
    pub fn new(clock: TscClock, apic: LocalApic, trampoline: Trampoline) -> Self {
        let start_page = StartPage::at(u64::from(trampoline.base()))
            .expect("the trampoline installs itself only where a SIPI can start a CPU");
        Self { clock, apic, trampoline, start_page }
    }

    /// Resets all CPUs but this one and starts them: the benchmark's floor.
    pub fn broadcast(&self) -> Result<(), ApicError> {
        self.apic.broadcast_init()?;
        self.apic.broadcast_sipi(self.start_page)
    }
}

impl Clock for Hardware {
    fn now(&self) -> Instant {
        self.clock.now()
    }
}

impl Machine for Hardware {
    fn send_init(&self, target: ApicId) -> Result<(), SendError> {
        self.apic.send_init(target).map_err(send_error)
    }

    fn send_sipi(&self, target: ApicId) -> Result<(), SendError> {
        self.apic.send_sipi(target, self.start_page).map_err(send_error)
    }

    fn evidence(&self, target: ApicId) -> Evidence {
        match self.trampoline.evidence(target.0) {
            reveille_trampoline::Evidence::None => Evidence::None,
            reveille_trampoline::Evidence::RealMode => Evidence::RealMode,
            reveille_trampoline::Evidence::LongMode => Evidence::LongMode,
        }
    }

    fn forget_evidence(&self, target: ApicId) {
        self.trampoline.forget(target.0);
    }
}

fn send_error(error: ApicError) -> SendError {
    match error {
        ApicError::Unreachable { .. } => SendError::Unreachable,
        _ => SendError::Busy,
    }
}

/// Between INIT and SIPI, processors before Intel's family 6, AMD's 0xF and Hygon's 0x18 need
/// 10 ms (MultiProcessor Specification 1.4, section B.4); later ones need nothing, and nor does a
/// virtual one, whatever family it calls itself (Linux, `arch/x86/kernel/smpboot.c`).
pub fn init_delay(cpu: &impl Cpuid) -> Duration {
    const OLD: Duration = Duration::from_millis(10);
    let is_virtual = cpu.hypervisor_signature_if_present().is_some();
    let is_new = match &cpu.vendor() {
        b"GenuineIntel" => cpu.family() >= 6,
        b"AuthenticAMD" => cpu.family() >= 0xf,
        b"HygonGenuine" => cpu.family() >= 0x18,
        _ => false,
    };
    if is_virtual || is_new { Duration::ZERO } else { OLD }
}
