//! The local APIC: how a CPU learns its id, takes interrupts and sends them to other CPUs.
//!
//! [`LocalApic`] hides whether the APICs are driven through memory (xAPIC) or MSRs (x2APIC). The
//! BSP decides once, in [`LocalApic::set_up`]; each AP follows in [`LocalApic::enable`]. The value
//! is the same on all CPUs, because an APIC's registers are found at the same place on each: every
//! method acts on the APIC of the CPU that calls it.
//!
//! All sends work in any context, an NMI included; `xapic.rs` says what that takes. Each is an event of
//! the sender's trace, noted before the APIC is told: so nobody answers it earlier.

mod register;
mod timed;
pub mod timer;
mod x2apic;
mod xapic;

use core::fmt;

use conquer_once::spin::OnceCell;
use linkme::distributed_slice;
use reveille_smp::{
    cpu::ApicId,
    step::{Run, Section, Site, Step, StepError},
    trace::event::{Event, Target},
};
use x86_64::registers::model_specific::{ApicBase, ApicBaseFlags};

use self::register::Register;
pub use self::timed::{Ipi, SendTime};
use crate::{
    cpuid::{Features, ThisCpu},
    cpus::rendezvous,
    interrupts::vectors::Vector,
    ladder::STEPS,
    memory::paging::MapError,
    trace,
};

#[distributed_slice(STEPS)]
static APIC: &dyn Step = &EnableApic;

/// The AP's APIC takes interrupts. From here on a doorbell ends a halt, and so the AP can rest; an
/// alarm that it needs before the step `timer` is prepared when it is set. And from here on it comes to
/// every rendezvous.
struct EnableApic;

impl EnableApic {
    fn enable() -> Result<(), StepError> {
        let apic = LocalApic::get().ok_or(StepError::Unsupported)?;
        apic.enable().map_err(|_| StepError::Unsupported)?;
        rendezvous::come_in();
        Ok(())
    }
}

impl Step for EnableApic {
    fn name(&self) -> &'static str {
        "apic"
    }

    fn section(&self) -> Section {
        Section::Starting
    }

    fn rank(&self) -> u16 {
        20
    }

    fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        Self::enable().into()
    }

    fn down<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        if let Some(apic) = LocalApic::get() {
            rendezvous::go_out();
            apic.disable();
        }
        Run::Now(Ok(()))
    }
}

/// How the APICs are driven; it also says how wide an [`ApicId`] may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum ApicMode {
    /// Registers in memory, 8-bit ids.
    XApic,
    /// Registers as MSRs, 32-bit ids.
    X2Apic,
}

impl ApicMode {
    /// What `IA32_APIC_BASE` and CPUID ask for: x2APIC where it is on already, for it cannot be
    /// left without a reset (SDM volume 3, "x2APIC State Transitions"), or where the CPU has it.
    fn choose(base: ApicBaseFlags, has_x2apic: bool) -> Self {
        let already_on = base.contains(ApicBaseFlags::X2APIC_ENABLE);
        if already_on || has_x2apic {
            Self::X2Apic
        } else {
            Self::XApic
        }
    }
}

/// Why an APIC could not be enabled or an interrupt not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApicError {
    /// CPUID lists no local APIC: the machine cannot run this kernel.
    Absent,
    /// The page of registers cannot be mapped.
    NotMapped(MapError),
    /// This CPU's APIC is in x2APIC mode, the BSP's is not.
    ModeMismatch,
    /// The id lies beyond what the mode can address, or means "all CPUs".
    Unreachable {
        /// To whom the interrupt was to go.
        destination: ApicId,
        /// The mode that cannot address it.
        mode: ApicMode,
    },
    /// The APIC did not take an interrupt off our hands within a bound.
    DeliveryPending,
    /// The timer does not count.
    TimerStopped,
}

impl fmt::Display for ApicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("CPUID lists no local APIC"),
            Self::NotMapped(error) => write!(f, "the APIC's registers: {error}"),
            Self::ModeMismatch => {
                f.write_str("this CPU's APIC is in x2APIC mode, the boot CPU's in xAPIC mode")
            }
            Self::Unreachable { destination, mode } => {
                write!(
                    f,
                    "APIC id {destination} cannot be addressed in {mode} mode"
                )
            }
            Self::DeliveryPending => f.write_str("the APIC holds an interrupt that nobody accepts"),
            Self::TimerStopped => f.write_str("the APIC's timer does not count"),
        }
    }
}

impl core::error::Error for ApicError {}

/// The page below 1 MiB at which a CPU starts when it gets a SIPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartPage(u8);

impl StartPage {
    /// The page at a physical address; `None` if that is no page below 1 MiB.
    pub const fn at(physical_address: u64) -> Option<Self> {
        const PAGE_SIZE: u64 = 4096;
        const REAL_MODE_END: u64 = 1 << 20;
        if physical_address.is_multiple_of(PAGE_SIZE) && physical_address < REAL_MODE_END {
            Some(Self((physical_address / PAGE_SIZE) as u8))
        } else {
            None
        }
    }
}

/// Who gets an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Destination {
    One(ApicId),
    AllButSelf,
}

impl Destination {
    /// Notes that it gets such a command.
    #[cold]
    fn note(self, command: u32) {
        match self.event(command) {
            event @ Event::IpiSend { .. } => {
                trace::note_with_id(event);
            }
            event => trace::note(event),
        }
    }

    /// The event that such a command to it is. A send has its id from where it is noted.
    fn event(self, command: u32) -> Event<Target> {
        let to = match self {
            Self::One(id) => Target::One(id),
            Self::AllButSelf => Target::AllOthers,
        };
        match command & command::MODE {
            command::INIT => Event::Init { to },
            command::STARTUP => Event::Sipi { to },
            command::NMI => Event::NmiSend { to },
            _ => Event::IpiSend {
                to,
                vector: command as u8,
                id: 0,
            },
        }
    }
}

/// The low half of the interrupt command register (SDM volume 3, "Interrupt Command Register").
mod command {
    /// Bits 14 and 15: "assert", edge triggered, which all but the obsolete INIT de-assert use.
    const ASSERT: u32 = 1 << 14;
    pub(super) const FIXED: u32 = ASSERT;
    pub(super) const NMI: u32 = ASSERT | 0b100 << 8;
    pub(super) const INIT: u32 = ASSERT | 0b101 << 8;
    pub(super) const STARTUP: u32 = ASSERT | 0b110 << 8;
    /// Bits 8 to 10, the delivery mode, and what all of the above have.
    pub(super) const MODE: u32 = ASSERT | 0b111 << 8;
    /// Bits 18 and 19: all CPUs but the sender.
    pub(super) const ALL_BUT_SELF: u32 = 0b11 << 18;
}

/// The local APIC of whichever CPU calls.
#[derive(Clone, Copy, Debug)]
pub struct LocalApic {
    access: Access,
}

#[derive(Clone, Copy, Debug)]
enum Access {
    XApic(xapic::Registers),
    X2Apic(x2apic::Registers),
}

/// The moments of a send.
struct Moments<T> {
    begun: T,
    written: T,
    accepted: Option<T>,
}

/// Set by the BSP before it enables interrupts or starts an AP.
static LOCAL_APIC: OnceCell<LocalApic> = OnceCell::uninit();

impl LocalApic {
    /// Chooses the mode, and enables the APIC of the CPU that boots: whichever calls this, for a
    /// kernel that another one starts may find itself on a CPU that firmware called an AP.
    ///
    /// `map` makes the page at a physical address readable and writable, uncached, and says where
    /// it lies; it is called in xAPIC mode only.
    ///
    /// # Errors
    ///
    /// [`ApicError::Absent`] on a CPU without APIC, [`ApicError::NotMapped`] where `map` fails.
    pub fn set_up(map: impl FnOnce(u64) -> Result<usize, MapError>) -> Result<Self, ApicError> {
        let features = Features::of(&ThisCpu);
        if !features.has_apic() {
            return Err(ApicError::Absent);
        }
        let (page, flags) = ApicBase::read();
        let access = match ApicMode::choose(flags, features.has_x2apic()) {
            ApicMode::X2Apic => Access::X2Apic(x2apic::Registers),
            ApicMode::XApic => {
                let page = map(page.start_address().as_u64()).map_err(ApicError::NotMapped)?;
                Access::XApic(xapic::Registers::at(page))
            }
        };
        let apic = *LOCAL_APIC.get_or_init(|| Self { access });
        apic.enable()?;
        apic.clear();
        Ok(apic)
    }

    /// What [`set_up`](Self::set_up) chose; `None` before. Never waits.
    pub fn get() -> Option<Self> {
        LOCAL_APIC.try_get().ok().copied()
    }

    /// Enables the APIC of this CPU, in the mode that the BSP chose. It takes no interrupt before
    /// this.
    ///
    /// # Errors
    ///
    /// [`ApicError::ModeMismatch`] if this APIC is in x2APIC mode and the BSP's is not: the mode
    /// cannot be left, and INIT keeps it.
    pub fn enable(&self) -> Result<(), ApicError> {
        let (page, mut flags) = ApicBase::read();
        if self.mode() == ApicMode::XApic && flags.contains(ApicBaseFlags::X2APIC_ENABLE) {
            return Err(ApicError::ModeMismatch);
        }
        // One bit after the other: the way from "disabled" to x2APIC leads through xAPIC.
        for (bit, wanted) in [
            (ApicBaseFlags::LAPIC_ENABLE, true),
            (
                ApicBaseFlags::X2APIC_ENABLE,
                self.mode() == ApicMode::X2Apic,
            ),
        ] {
            if wanted && !flags.contains(bit) {
                flags |= bit;
                // SAFETY: the page stays where it was, and both bits are valid: `choose` asks for
                // x2APIC only where it is there.
                unsafe { ApicBase::write(page, flags) };
            }
        }

        // Software-enable first: until then, the local vector table's mask bits cannot be cleared.
        self.write(
            Register::SpuriousVector,
            register::SOFTWARE_ENABLE | Vector::SPURIOUS.as_u32(),
        );
        self.write(Register::LvtError, Vector::APIC_ERROR.as_u32());
        Ok(())
    }

    /// Lets the APIC of this CPU take no interrupt any more: what others still send it finds a CPU
    /// that is about to park. All of the local vector table is masked by that. INIT, NMI and SIPI
    /// come through, and the CPU can still send, as it does to say that it parks (SDM volume 3,
    /// "Local APIC State After It Has Been Software Disabled").
    fn disable(&self) {
        self.write(Register::SpuriousVector, Vector::SPURIOUS.as_u32());
    }

    /// Clears what firmware, or a kernel before this one, left in the APIC of the CPU that boots.
    ///
    /// APs need none of it: INIT has left them with all of the local vector table masked, priority
    /// 0 and no errors (SDM volume 3, "Local APIC State After an INIT Reset"). Each register that
    /// is left alone there is an exit saved under a hypervisor, once a CPU.
    ///
    /// LINT0 is masked, since firmware wires the 8259s to it and those are of no use here. LINT1
    /// stays as firmware left it, an NMI on any PC: so a person who presses the NMI button at a
    /// machine that hangs sees where. On APs it stays masked, or the same button would stop all
    /// CPUs at once.
    fn clear(&self) {
        // Priority 0: every vector is let through.
        self.write(Register::TaskPriority, 0);
        self.write(Register::LvtTimer, register::LVT_MASKED);
        self.write(Register::LvtLint0, register::LVT_MASKED);
        // What was recorded before was not about us.
        self.take_errors();
    }

    /// How the APICs are driven.
    pub fn mode(&self) -> ApicMode {
        match self.access {
            Access::XApic(_) => ApicMode::XApic,
            Access::X2Apic(_) => ApicMode::X2Apic,
        }
    }

    /// The id of this CPU's APIC.
    pub fn id(&self) -> ApicId {
        let register = self.read(Register::Id);
        match self.access {
            Access::XApic(_) => ApicId(register >> xapic::ID_SHIFT),
            Access::X2Apic(_) => ApicId(register),
        }
    }

    /// Says that the interrupt in service has been handled.
    pub fn eoi(&self) {
        self.write(Register::Eoi, 0);
    }

    /// Lets this CPU take no interrupt of a class below the vector's, until
    /// [`take_all`](Self::take_all).
    pub fn take_from(&self, vector: Vector) {
        // Bits 4 to 7 are a class: it holds back its own and all below (SDM volume 3, "Task Priority
        // Register").
        const CLASS: u32 = 0xf0;
        const ONE_CLASS: u32 = 0x10;
        self.write(
            Register::TaskPriority,
            (vector.as_u32() & CLASS) - ONE_CLASS,
        );
    }

    /// Lets it take all again.
    pub fn take_all(&self) {
        self.write(Register::TaskPriority, 0);
    }

    /// Reads and clears the error status (bits of SDM volume 3, "Error Status Register").
    pub fn take_errors(&self) -> u32 {
        // A write moves what was recorded into the register's readable half, and starts anew.
        self.write(Register::ErrorStatus, 0);
        self.read(Register::ErrorStatus)
    }

    /// Whether interrupts can be sent to a CPU at all.
    ///
    /// # Errors
    ///
    /// [`ApicError::Unreachable`] if its id lies beyond the mode's, or means "all CPUs".
    pub fn check_reachable(&self, destination: ApicId) -> Result<(), ApicError> {
        let mode = self.mode();
        let broadcast = match mode {
            ApicMode::XApic => xapic::BROADCAST_ID,
            ApicMode::X2Apic => x2apic::BROADCAST_ID,
        };
        if destination.0 < broadcast {
            Ok(())
        } else {
            Err(ApicError::Unreachable { destination, mode })
        }
    }

    /// Resets a CPU into waiting for a SIPI.
    ///
    /// # Errors
    ///
    /// [`ApicError::Unreachable`] or [`ApicError::DeliveryPending`], as for all sends.
    pub fn send_init(&self, destination: ApicId) -> Result<(), ApicError> {
        self.send(Destination::One(destination), command::INIT)
    }

    /// Starts a CPU that waits for a SIPI. Others ignore it.
    ///
    /// # Errors
    ///
    /// [`ApicError::Unreachable`] or [`ApicError::DeliveryPending`], as for all sends.
    pub fn send_sipi(&self, destination: ApicId, page: StartPage) -> Result<(), ApicError> {
        self.send(
            Destination::One(destination),
            command::STARTUP | u32::from(page.0),
        )
    }

    /// Interrupts a CPU; it may be the calling one.
    ///
    /// # Errors
    ///
    /// [`ApicError::Unreachable`] or [`ApicError::DeliveryPending`], as for all sends.
    pub fn send_fixed(&self, destination: ApicId, vector: Vector) -> Result<(), ApicError> {
        self.send(
            Destination::One(destination),
            command::FIXED | vector.as_u32(),
        )
    }

    /// Interrupts a CPU even if it has interrupts off. It must have an IDT.
    ///
    /// # Errors
    ///
    /// [`ApicError::Unreachable`] or [`ApicError::DeliveryPending`], as for all sends.
    pub fn send_nmi(&self, destination: ApicId) -> Result<(), ApicError> {
        self.send(Destination::One(destination), command::NMI)
    }

    /// Resets all other CPUs of the machine, also those that nobody listed.
    ///
    /// # Errors
    ///
    /// [`ApicError::DeliveryPending`].
    pub fn broadcast_init(&self) -> Result<(), ApicError> {
        self.send(Destination::AllButSelf, command::INIT)
    }

    /// Starts all other CPUs of the machine that wait for a SIPI, also those that nobody listed.
    ///
    /// # Errors
    ///
    /// [`ApicError::DeliveryPending`].
    pub fn broadcast_sipi(&self, page: StartPage) -> Result<(), ApicError> {
        self.send(
            Destination::AllButSelf,
            command::STARTUP | u32::from(page.0),
        )
    }

    fn send(&self, to: Destination, command: u32) -> Result<(), ApicError> {
        self.send_between(to, command, || ()).map(|_| ())
    }

    /// Sends, and asks `now` before the writes, behind them, and once the APIC says that it has sent the
    /// interrupt, if it says anything of that.
    fn send_between<T>(
        &self,
        to: Destination,
        command: u32,
        mut now: impl FnMut() -> T,
    ) -> Result<Moments<T>, ApicError> {
        let (id, command) = match to {
            Destination::One(id) => {
                self.check_reachable(id)?;
                (id, command)
            }
            Destination::AllButSelf => (ApicId(0), command | command::ALL_BUT_SELF),
        };
        if trace::is_on() {
            to.note(command);
        }
        match self.access {
            Access::XApic(registers) => {
                let [begun, written, accepted] = registers.send(id, command, now)?;
                Ok(Moments {
                    begun,
                    written,
                    accepted: Some(accepted),
                })
            }
            Access::X2Apic(registers) => {
                let begun = now();
                registers.send(id, command);
                Ok(Moments {
                    begun,
                    written: now(),
                    accepted: None,
                })
            }
        }
    }

    fn read(&self, register: Register) -> u32 {
        match self.access {
            Access::XApic(registers) => registers.read(register),
            Access::X2Apic(registers) => registers.read(register),
        }
    }

    fn write(&self, register: Register, value: u32) {
        match self.access {
            Access::XApic(registers) => registers.write(register, value),
            Access::X2Apic(registers) => registers.write(register, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_xapic_mode() -> LocalApic {
        LocalApic {
            access: Access::XApic(xapic::Registers::at(0)),
        }
    }

    #[test]
    fn x2apic_that_firmware_turned_on_is_kept_though_cpuid_hides_it() {
        let on = ApicBaseFlags::LAPIC_ENABLE | ApicBaseFlags::X2APIC_ENABLE;
        assert_eq!(ApicMode::choose(on, false), ApicMode::X2Apic);
        assert_eq!(
            ApicMode::choose(ApicBaseFlags::LAPIC_ENABLE, true),
            ApicMode::X2Apic
        );
        assert_eq!(
            ApicMode::choose(ApicBaseFlags::LAPIC_ENABLE, false),
            ApicMode::XApic
        );
    }

    #[test]
    fn nothing_that_was_left_behind_holds_interrupts_back_or_raises_them() {
        /// Ones in every register that can be written.
        const LEFT_BEHIND: u32 = 0x00ff_00ff;
        let mut page = [LEFT_BEHIND; 1024];
        let registers = page.as_mut_ptr();
        let apic = LocalApic {
            access: Access::XApic(xapic::Registers::at(registers.expose_provenance())),
        };
        apic.clear();
        // SAFETY: the page is alive, and the register lies in it.
        let read =
            |register: Register| unsafe { registers.byte_add(register as usize).read_volatile() };
        assert_eq!(read(Register::TaskPriority), 0);
        assert_eq!(read(Register::LvtTimer), register::LVT_MASKED);
        assert_eq!(read(Register::LvtLint0), register::LVT_MASKED);
        assert_eq!(read(Register::ErrorStatus), 0);
    }

    #[test]
    fn a_priority_lets_through_the_vectors_class_and_all_above() {
        let mut page = [0_u32; 1024];
        let registers = page.as_mut_ptr();
        let apic = LocalApic {
            access: Access::XApic(xapic::Registers::at(registers.expose_provenance())),
        };
        // SAFETY: the page is alive, and the register lies in it.
        let priority = || unsafe {
            registers
                .byte_add(Register::TaskPriority as usize)
                .read_volatile()
        };
        apic.take_from(Vector::STOP);
        let is_let_through = |vector: Vector| vector.as_u32() >> 4 > priority() >> 4;
        assert!([Vector::STOP, Vector::RELEASE, Vector::TIMER].map(is_let_through) == [true; 3]);
        assert!([Vector::DOORBELL, Vector::APIC_ERROR].map(is_let_through) == [false; 2]);
        apic.take_all();
        assert_eq!(priority(), 0);
    }

    #[test]
    fn xapic_mode_reaches_ids_up_to_254() {
        let apic = in_xapic_mode();
        assert_eq!(apic.check_reachable(ApicId(254)), Ok(()));
        for beyond in [255, 256, u32::MAX] {
            let destination = ApicId(beyond);
            let expected = ApicError::Unreachable {
                destination,
                mode: ApicMode::XApic,
            };
            // The send fails before it touches a register: these are at address 0.
            assert_eq!(apic.send_init(destination), Err(expected));
        }
    }

    #[test]
    fn x2apic_mode_reaches_all_ids_but_the_broadcast() {
        let apic = LocalApic {
            access: Access::X2Apic(x2apic::Registers),
        };
        assert_eq!(apic.check_reachable(ApicId(0xffff_fffe)), Ok(()));
        assert!(apic.check_reachable(ApicId(u32::MAX)).is_err());
    }

    #[test]
    fn a_start_page_lies_on_a_page_boundary_below_1_mib() {
        assert_eq!(StartPage::at(0x8000), Some(StartPage(8)));
        assert_eq!(StartPage::at(0xf_f000), Some(StartPage(0xff)));
        assert_eq!(StartPage::at(0x10_0000), None);
        assert_eq!(StartPage::at(0x8010), None);
    }

    #[test]
    fn each_command_is_the_event_that_it_is_called() {
        let to = Target::One(ApicId(3));
        let event = |command| Destination::One(ApicId(3)).event(command);
        assert_eq!(event(command::INIT), Event::Init { to });
        assert_eq!(event(command::STARTUP | 0x12), Event::Sipi { to });
        assert_eq!(event(command::NMI), Event::NmiSend { to });
        let (vector, id) = (0x41, 0);
        let sent = event(command::FIXED | 0x41);
        assert_eq!(sent, Event::IpiSend { to, vector, id });
        let to = Target::AllOthers;
        let command = command::INIT | command::ALL_BUT_SELF;
        assert_eq!(Destination::AllButSelf.event(command), Event::Init { to });
    }

    #[test]
    fn commands_are_those_of_the_sdm() {
        // SDM volume 3, "Typical BSP Initialization Sequence": 000C4500H and 000C46XXH.
        assert_eq!(command::ALL_BUT_SELF | command::INIT, 0x000c_4500);
        assert_eq!(command::ALL_BUT_SELF | command::STARTUP | 0x12, 0x000c_4612);
        assert_eq!(command::NMI, 0x4400);
        assert_eq!(command::FIXED, 0x4000);
    }
}
