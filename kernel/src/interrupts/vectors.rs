//! The map of interrupt vectors, and the handlers of those above the exceptions.
//!
//! A higher vector has a higher priority, in classes of 16 (SDM volume 3, "Interrupt, Task, and
//! Processor Priority"). The handlers of timer and doorbell exist to end a `hlt`: whoever halted
//! looks for himself what is to be done. Those of the clocks read the TSC, which cannot wait; that of
//! calls runs them; that of a stop lasts until the CPU may go on. What ends a halt in there is of a class
//! above it: the release, and the timer, so that nobody stands without an end.

use core::arch::naked_asm;

use x86_64::structures::idt::InterruptDescriptorTable;

use super::{apic_errors, idt};
use crate::{
    apic::LocalApic, calling::ping, calls, consistency::clock, cpus::rendezvous, percpu::PerCpu,
};

/// An interrupt vector above the exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vector(u8);

impl Vector {
    /// The first of the 8259s' 16 vectors. They are masked: only their spurious interrupts come.
    pub const PIC: Self = Self(0x20);
    /// Another CPU has work for this one.
    pub const DOORBELL: Self = Self(0x41);
    /// The BSP asks this CPU what its clock shows.
    pub const CLOCK_ASKED: Self = Self(0x42);
    /// A CPU that the BSP asked has said it.
    pub const CLOCK_GIVEN: Self = Self(0x43);
    /// Calls lie in this CPU's queue.
    pub const CALL: Self = Self(0x50);
    /// The BSP wants to know how long the bare way to this CPU and back takes.
    pub const PING: Self = Self(0x4e);
    /// A CPU that the BSP pinged answers.
    pub const PONG: Self = Self(0x4f);
    /// The APIC noticed an error.
    pub const APIC_ERROR: Self = Self(0xdf);
    /// All CPUs are to stop: whoever is in its handler takes nothing but what comes below.
    pub const STOP: Self = Self(0xe0);
    /// Those that have stopped, or who stopped them, are to look around.
    pub const RELEASE: Self = Self(0xf0);
    /// This CPU's alarm rang.
    pub const TIMER: Self = Self(0xf1);
    /// An interrupt vanished before the APIC could say which. The low four bits must be ones on
    /// old CPUs.
    pub const SPURIOUS: Self = Self(0xff);

    /// The vector as an index into the IDT.
    pub const fn as_u8(self) -> u8 {
        self.0
    }

    /// The vector as it stands in the APIC's registers.
    pub const fn as_u32(self) -> u32 {
        self.0 as u32
    }

    /// The vector `line` lines above this one.
    const fn plus(self, line: u8) -> Self {
        Self(self.0 + line)
    }
}

/// A request of the 8259s that vanished has the number of their last line.
const PIC_SPURIOUS_LINES: [u8; 2] = [7, 15];

pub(super) fn install(table: &mut InterruptDescriptorTable) {
    let acknowledge = entry::<ACKNOWLEDGE> as *const ();
    let ignore = entry::<IGNORE> as *const ();
    idt::set_gate(&mut table[Vector::TIMER.0], entry::<TIMER> as *const ());
    idt::set_gate(&mut table[Vector::DOORBELL.0], acknowledge);
    for (vector, handler) in [
        (Vector::CLOCK_ASKED, entry::<CLOCK_ASKED> as *const ()),
        (Vector::CLOCK_GIVEN, entry::<CLOCK_GIVEN> as *const ()),
        (Vector::CALL, entry::<CALL> as *const ()),
        (Vector::PING, entry::<PING> as *const ()),
        (Vector::PONG, entry::<PONG> as *const ()),
        (Vector::STOP, entry::<STOP> as *const ()),
        (Vector::RELEASE, acknowledge),
    ] {
        idt::set_gate(&mut table[vector.0], handler);
    }
    idt::set_gate(
        &mut table[Vector::APIC_ERROR.0],
        entry::<APIC_ERROR> as *const (),
    );
    idt::set_gate(&mut table[Vector::SPURIOUS.0], ignore);
    for line in PIC_SPURIOUS_LINES {
        idt::set_gate(&mut table[Vector::PIC.plus(line).0], ignore);
    }
}

/// The interrupt is handled by having come.
const ACKNOWLEDGE: u8 = 0;
/// Nothing is in service, so there is nothing to acknowledge: an EOI would end another interrupt.
const IGNORE: u8 = 1;
const TIMER: u8 = 2;
const APIC_ERROR: u8 = 3;
const CLOCK_ASKED: u8 = 4;
const CLOCK_GIVEN: u8 = 5;
const STOP: u8 = 6;
const CALL: u8 = 7;
const PING: u8 = 8;
const PONG: u8 = 9;

/// Where the CPU enters: saves what a Rust function may change, and calls the handler.
#[unsafe(naked)]
unsafe extern "C" fn entry<const WHAT: u8>() {
    naked_asm!(
        // A frame for back traces, then the nine other registers that a callee need not keep.
        "push rbp",
        "mov rbp, rsp",
        "push rax",
        "push rcx",
        "push rdx",
        "push rsi",
        "push rdi",
        "push r8",
        "push r9",
        "push r10",
        "push r11",
        // The CPU aligned the stack to 16 and pushed 5 words, we 10: one more aligns it again.
        "sub rsp, 8",
        "cld",
        "call {handle}",
        "add rsp, 8",
        "pop r11",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rdi",
        "pop rsi",
        "pop rdx",
        "pop rcx",
        "pop rax",
        "pop rbp",
        "iretq",
        handle = sym handle::<WHAT>,
    )
}

extern "C" fn handle<const WHAT: u8>() {
    // The APIC is set up before interrupts are enabled; a PIC's spurious one needs none.
    let Some(apic) = LocalApic::get() else { return };
    match WHAT {
        ACKNOWLEDGE => apic.eoi(),
        TIMER => {
            // A CPU's timer is first set when the CPU has its area.
            PerCpu::current().alarm().rang();
            apic.eoi();
        }
        CLOCK_ASKED => {
            clock::give(apic);
            apic.eoi();
        }
        CLOCK_GIVEN => {
            clock::session::take();
            apic.eoi();
        }
        APIC_ERROR => {
            apic_errors::record(apic.take_errors());
            apic.eoi();
        }
        CALL => {
            calls::serve();
            apic.eoi();
        }
        PING => {
            ping::answer(apic);
            apic.eoi();
        }
        PONG => {
            ping::answered();
            apic.eoi();
        }
        STOP => {
            rendezvous::stand(apic);
            apic.eoi();
        }
        _ => {}
    }
}
