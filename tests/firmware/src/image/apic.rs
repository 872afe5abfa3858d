//! The local APIC of the CPU that calls: its id, its timer as an alarm clock, INIT and SIPI.
//!
//! Whoever uses it leaves it as a reset does, or as it was: nothing pending, nothing in service.

use core::ptr;

use x86_64::{
    instructions::{interrupts, nop},
    registers::model_specific::{ApicBase, ApicBaseFlags, Msr},
};

use super::interrupts::{SPURIOUS, TIMER};

/// Registers, by their offsets in the xAPIC's page (SDM volume 3, "Local APIC Register Address Map").
const ID: u32 = 0x20;
const TASK_PRIORITY: u32 = 0x80;
const END_OF_INTERRUPT: u32 = 0xb0;
const SPURIOUS_VECTOR: u32 = 0xf0;
const IN_SERVICE: u32 = 0x100;
const COMMAND_LOW: u32 = 0x300;
const COMMAND_HIGH: u32 = 0x310;
const TIMER_ENTRY: u32 = 0x320;
const INITIAL_COUNT: u32 = 0x380;
const DIVIDE: u32 = 0x3e0;

const SOFTWARE_ENABLE: u32 = 1 << 8;
const MASKED: u32 = 1 << 16;
const DIVIDE_BY_1: u32 = 0b1011;
const DELIVERY_PENDING: u32 = 1 << 12;

/// To all but the sender, asserted: INIT, and SIPI without its page.
const INIT: u32 = 0b11 << 18 | 1 << 14 | 0b101 << 8;
const SIPI: u32 = 0b11 << 18 | 1 << 14 | 0b110 << 8;

/// The local APIC.
#[derive(Clone, Copy)]
pub(super) enum Apic {
    /// Its registers lie here.
    XApic(*mut u8),
    /// They are MSRs.
    X2Apic,
}

/// What is put back.
pub(super) struct Before {
    spurious_vector: u32,
    timer_entry: u32,
    divide: u32,
}

impl Apic {
    /// In the mode that it is in.
    pub(super) fn of_this_cpu() -> Self {
        let (page, flags) = ApicBase::read();
        if flags.contains(ApicBaseFlags::X2APIC_ENABLE) {
            Self::X2Apic
        } else {
            Self::XApic(ptr::with_exposed_provenance_mut(
                page.start_address().as_u64() as usize,
            ))
        }
    }

    /// Switches to x2APIC mode, which the CPU must have.
    pub(super) fn widen() {
        let (page, flags) = ApicBase::read();
        let flags = flags | ApicBaseFlags::LAPIC_ENABLE | ApicBaseFlags::X2APIC_ENABLE;
        // SAFETY: the page stays where it was, and the caller knows that the mode is there.
        unsafe { ApicBase::write(page, flags) };
    }

    pub(super) fn id(self) -> u32 {
        match self {
            Self::XApic(_) => self.read(ID) >> 24,
            Self::X2Apic => self.read(ID),
        }
    }

    /// Makes the timer ready for [`nap`](Self::nap).
    pub(super) fn take(self) -> Before {
        let before = Before {
            spurious_vector: self.read(SPURIOUS_VECTOR),
            timer_entry: self.read(TIMER_ENTRY),
            divide: self.read(DIVIDE),
        };
        // One that comes back may have been in the middle of an interrupt: each write ends one.
        while (0..8).any(|word| self.read(IN_SERVICE + 16 * word) != 0) {
            self.write(END_OF_INTERRUPT, 0);
        }
        self.write(TASK_PRIORITY, 0);
        self.write(SPURIOUS_VECTOR, SOFTWARE_ENABLE | u32::from(SPURIOUS));
        self.write(INITIAL_COUNT, 0);
        self.write(DIVIDE, DIVIDE_BY_1);
        self.write(TIMER_ENTRY, TIMER.into());
        before
    }

    /// Halts for so long, or until another interrupt. One tick is a nanosecond: QEMU's APIC and
    /// KVM's are so (`hw/intc/apic_common.c`, `arch/x86/kvm/lapic.h`). Interrupts are off before and
    /// after.
    pub(super) fn nap(self, ns: u32) {
        self.write(INITIAL_COUNT, ns);
        interrupts::enable_and_hlt();
        interrupts::disable();
    }

    /// Puts everything back as it was before [`take`](Self::take).
    pub(super) fn give_back(self, before: Before) {
        self.quiesce();
        self.write(DIVIDE, before.divide);
        self.write(TIMER_ENTRY, before.timer_entry);
        self.write(SPURIOUS_VECTOR, before.spurious_vector);
    }

    /// Leaves it as a reset does: disabled by software, all of its vector table masked.
    pub(super) fn reset(self) {
        self.quiesce();
        self.write(DIVIDE, 0);
        self.write(SPURIOUS_VECTOR, SPURIOUS.into());
    }

    /// Stops the timer, and takes what is pending.
    fn quiesce(self) {
        self.write(TIMER_ENTRY, MASKED | u32::from(TIMER));
        self.write(INITIAL_COUNT, 0);
        interrupts::enable();
        nop();
        interrupts::disable();
    }

    pub(super) fn init_all_others(self) -> Result<(), Pending> {
        self.command(INIT)
    }

    /// Starts them at this page below 1 MiB.
    pub(super) fn start_all_others(self, page: u8) -> Result<(), Pending> {
        self.command(SIPI | u32::from(page))
    }

    fn command(self, low: u32) -> Result<(), Pending> {
        /// Looks, each of which leaves an emulator; QEMU is done when the write is.
        const LOOKS: u32 = 1000;
        match self {
            Self::X2Apic => self.write(COMMAND_LOW, low),
            Self::XApic(_) => {
                self.write(COMMAND_HIGH, 0);
                self.write(COMMAND_LOW, low);
                let is_done = (0..LOOKS).any(|_| self.read(COMMAND_LOW) & DELIVERY_PENDING == 0);
                return is_done.then_some(()).ok_or(Pending);
            }
        }
        Ok(())
    }

    fn read(self, register: u32) -> u32 {
        match self {
            // SAFETY: the page tables show the APIC's page, and reading these has no effect.
            Self::XApic(page) => unsafe {
                page.add(register as usize).cast::<u32>().read_volatile()
            },
            // SAFETY: the CPU is in x2APIC mode, and has each register that this file names.
            Self::X2Apic => unsafe { msr(register).read() as u32 },
        }
    }

    fn write(self, register: u32, value: u32) {
        match self {
            // SAFETY: the page tables show the APIC's page; what is written is said by the callers.
            Self::XApic(page) => unsafe {
                page.add(register as usize)
                    .cast::<u32>()
                    .write_volatile(value);
            },
            // SAFETY: as for reading; the upper half is the destination of what goes to all.
            Self::X2Apic => unsafe { msr(register).write(value.into()) },
        }
    }
}

/// An interrupt to others is not delivered.
pub(super) struct Pending;

/// The x2APIC's MSR for a register (SDM volume 3, "x2APIC Register Address Space").
fn msr(register: u32) -> Msr {
    Msr::new(0x800 + (register >> 4))
}
