//! The hardware behind the bring-up: INIT and SIPI by the local APIC, or the firmware's wakeup mailbox;
//! evidence from the trampoline, time from the TSC.

use core::{sync::atomic::AtomicU32, time::Duration};

use reveille_executor::{Clock, Instant};
use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    machine::{Evidence, Machine, SendError, Strangers, WakeMailbox, Way},
    step::{Direction, StepError},
};
use reveille_trampoline::Trampoline;

use super::mailbox::{MappedMailbox, Requests};
use crate::{
    apic::{ApicError, LocalApic, StartPage},
    cpuid::Cpuid,
    model::{self, Modelled},
    time::TscClock,
    trace,
};

/// The machine that the kernel runs on.
#[derive(Clone, Copy)]
pub struct Hardware {
    /// The clock of the CPU that has this value.
    pub clock: TscClock,
    /// The local APIC of whichever CPU calls.
    pub apic: LocalApic,
    /// Where APs start.
    pub trampoline: Trampoline,
    start_page: StartPage,
    /// Where APs are not woken by INIT and SIPI.
    mailbox: Option<Requests>,
    /// Whose times a kick takes, if not this machine's alone.
    model: Option<&'static Modelled>,
}

impl Hardware {
    /// The machine, whose APs start at an installed trampoline, by the mailbox if there is one.
    pub fn new(
        clock: TscClock,
        apic: LocalApic,
        trampoline: Trampoline,
        mailbox: Option<MappedMailbox>,
    ) -> Self {
        let start_page = StartPage::at(u64::from(trampoline.base()))
            .expect("the trampoline installs itself only where a SIPI can start a CPU");
        Self {
            clock,
            apic,
            trampoline,
            start_page,
            mailbox: mailbox.map(|mailbox| mailbox.to(trampoline.wakeup_vector())),
            model: None,
        }
    }

    /// The same machine, on which a kick takes what it takes in a model.
    pub fn like(self, model: Option<&'static Modelled>) -> Self {
        Self { model, ..self }
    }

    /// The model, if there is one.
    pub fn model(&self) -> Option<&'static Modelled> {
        self.model
    }

    /// The page on which a SIPI starts an AP.
    pub fn start_page(&self) -> StartPage {
        self.start_page
    }

    /// How its APs are woken.
    pub fn way(&self) -> Way {
        match self.mailbox {
            None => Way::InitSipi,
            Some(_) => Way::Mailbox,
        }
    }

    /// Whether an AP that has parked can be woken again.
    pub fn wakes_again(&self) -> bool {
        self.mailbox.is_none_or(|requests| requests.takes_back())
    }

    /// Parks the calling CPU: on the trampoline's page, or in the firmware, if that wakes it again.
    /// `parked` is written to `word` as the last thing of ours.
    ///
    /// # Safety
    ///
    /// As for [`Trampoline::park`].
    pub unsafe fn park(&self, word: &AtomicU32, parked: u32) -> ! {
        // SAFETY: as promised to us.
        unsafe {
            if let Some(requests) = self.mailbox {
                requests.mailbox.give_back(word, parked);
            }
            self.trampoline.park(word, parked)
        }
    }

    /// The same machine on a CPU with this clock.
    pub fn with_clock(self, clock: TscClock) -> Self {
        Self { clock, ..self }
    }
}

impl Clock for Hardware {
    fn now(&self) -> Instant {
        self.clock.now()
    }
}

impl Machine for Hardware {
    fn send_init(&self, target: ApicId) -> Result<(), SendError> {
        if let Some(model) = self.model {
            model.resets(target, self.now());
        }
        self.apic.send_init(target).map_err(send_error)
    }

    fn send_sipi(&self, target: ApicId) -> Result<(), SendError> {
        let until = self.model.map(|model| model.starts(target, self.now()));
        let sent = self.apic.send_sipi(target, self.start_page);
        if let Some(until) = until {
            model::busy_until(self, until);
        }
        sent.map_err(send_error)
    }

    fn broadcast_init(&self) -> Result<(), SendError> {
        self.apic.broadcast_init().map_err(send_error)
    }

    fn broadcast_sipi(&self) -> Result<(), SendError> {
        self.apic
            .broadcast_sipi(self.start_page)
            .map_err(send_error)
    }

    fn mailbox(&self) -> Option<&dyn WakeMailbox> {
        let requests = self.mailbox.as_ref()?;
        Some(requests)
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

    fn step_begins(&self, of: CpuIndex, step: usize, direction: Direction) {
        trace::note(trace::step_start(of, step, direction));
    }

    fn step_ended(
        &self,
        of: CpuIndex,
        step: usize,
        direction: Direction,
        result: Result<(), StepError>,
    ) {
        trace::note(trace::step_end(of, step, direction, result));
    }

    fn strangers(&self) -> Strangers {
        let (count, last) = self.trampoline.strangers();
        Strangers {
            count,
            last: ApicId(last),
        }
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
    let is_new = match &cpu.vendor() {
        b"GenuineIntel" => family(cpu) >= 6,
        b"AuthenticAMD" => family(cpu) >= 0xf,
        b"HygonGenuine" => family(cpu) >= 0x18,
        _ => false,
    };
    if is_new || cpu.hypervisor_signature().is_some() {
        Duration::ZERO
    } else {
        OLD
    }
}

/// How long the lowest AP goes ahead of all others at boot: so long that it gets to the end even on a crowded
/// host, under an emulator that translates code; not at all elsewhere.
pub fn head_start(cpu: &impl Cpuid) -> Duration {
    if cpu.is_translated() {
        Duration::from_millis(50)
    } else {
        Duration::ZERO
    }
}

/// The processor's family (SDM volume 2, CPUID, leaf 1): the extended one counts on from 0xF.
fn family(cpu: &impl Cpuid) -> u32 {
    const LAST_BASE: u32 = 0xf;
    let version = cpu.leaf(1, 0).eax;
    match version >> 8 & 0xf {
        LAST_BASE => LAST_BASE + (version >> 20 & 0xff),
        base => base,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::Leaf;

    /// A CPU with this vendor, this leaf 1 EAX, and perhaps under TCG.
    struct Model {
        vendor: [u8; 12],
        version: u32,
        is_virtual: bool,
    }

    impl Cpuid for Model {
        fn leaf(&self, leaf: u32, _: u32) -> Leaf {
            let word = |at: usize| u32::from_le_bytes(self.vendor[at..at + 4].try_into().unwrap());
            let none = Leaf {
                eax: 0,
                ebx: 0,
                ecx: 0,
                edx: 0,
            };
            match leaf {
                0 => Leaf {
                    eax: 1,
                    ebx: word(0),
                    edx: word(4),
                    ecx: word(8),
                },
                1 => Leaf {
                    eax: self.version,
                    ecx: u32::from(self.is_virtual) << 31,
                    ..none
                },
                0x4000_0000 if self.is_virtual => {
                    let [t, c, g] =
                        [b"TCGT", b"CGTC", b"GTCG"].map(|part| u32::from_le_bytes(*part));
                    Leaf {
                        eax: 0x4000_0001,
                        ebx: t,
                        ecx: c,
                        edx: g,
                    }
                }
                _ => none,
            }
        }
    }

    #[test]
    fn one_ap_goes_ahead_where_code_is_translated_and_only_there() {
        let head_start = |is_virtual| {
            head_start(&Model {
                vendor: *b"AuthenticAMD",
                version: 0x00a2_0f12,
                is_virtual,
            })
        };
        assert!(head_start(false).is_zero());
        assert!(!head_start(true).is_zero());
    }

    #[test]
    fn only_old_processors_of_flesh_and_blood_get_the_long_delay() {
        let delay = |vendor: &[u8; 12], version, is_virtual| {
            init_delay(&Model {
                vendor: *vendor,
                version,
                is_virtual,
            })
            .as_millis()
        };
        assert_eq!(delay(b"GenuineIntel", 0x0000_0543, false), 10);
        assert_eq!(delay(b"GenuineIntel", 0x0005_0654, false), 0);
        assert_eq!(delay(b"AuthenticAMD", 0x0000_0662, false), 10);
        assert_eq!(delay(b"AuthenticAMD", 0x00a2_0f12, false), 0);
        assert_eq!(delay(b"HygonGenuine", 0x0090_0f01, false), 0);
        assert_eq!(delay(b"CentaurHauls", 0x0000_06fe, false), 10);
        // QEMU's `-cpu max` under TCG calls itself an AMD of family 6.
        assert_eq!(delay(b"AuthenticAMD", 0x0000_0663, true), 0);
    }
}
