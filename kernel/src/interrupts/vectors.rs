//! The map of interrupt vectors, and the handlers of those above the exceptions.
//!
//! A higher vector has a higher priority, in classes of 16 (SDM volume 3, "Interrupt, Task, and
//! Processor Priority"). The handlers of timer and doorbell exist to end a `hlt`: whoever halted
//! looks for himself what is to be done. Those of the clocks read the TSC, which cannot wait; that of
//! calls runs them; those of devices take what these have to tell; that of a stop lasts until the CPU may go on. What ends a halt in there is of a class
//! above it: the release, and the timer, so that nobody stands without an end.

use core::arch::naked_asm;

use reveille_smp::trace::event::Event;
use x86_64::structures::idt::InterruptDescriptorTable;

use super::{apic_errors, idt};
use crate::{
    apic::LocalApic, calling::ping, calls, consistency::clock, console::input, cpus::rendezvous,
    percpu::PerCpu, sci, trace,
};

/// An interrupt vector above the exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vector(u8);

impl Vector {
    /// The first of the 8259s' 16 vectors. They are masked: only their spurious interrupts come.
    pub const PIC: Self = Self(0x20);
    /// ACPI's hardware has something to tell.
    pub const SCI: Self = Self(0x40);
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
    /// The same, and when this CPU's handler ran.
    pub const TIMED_PING: Self = Self(0x4d);
    /// A CPU that the BSP pinged answers.
    pub const PONG: Self = Self(0x4f);
    /// Bytes have come in at the UART. Its FIFO holds what comes in 1.4 ms: so it goes before calls, which
    /// take as long as they like.
    pub const UART: Self = Self(0x60);
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

    /// Those whose handlers are events of a trace, with the names that they have there.
    pub const NAMES: &[(Self, &str)] = &[
        (Self::TIMER, "timer"),
        (Self::SCI, "sci"),
        (Self::DOORBELL, "doorbell"),
        (Self::CLOCK_ASKED, "clock-asked"),
        (Self::CLOCK_GIVEN, "clock-given"),
        (Self::CALL, "calls"),
        (Self::PING, "ping"),
        (Self::TIMED_PING, "timed-ping"),
        (Self::PONG, "pong"),
        (Self::UART, "uart"),
        (Self::APIC_ERROR, "apic-error"),
        (Self::STOP, "stop"),
        (Self::RELEASE, "release"),
    ];

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
    for (vector, handler) in [
        (Vector::TIMER, entry::<TIMER> as *const ()),
        (Vector::SCI, entry::<SCI> as *const ()),
        (Vector::UART, entry::<UART> as *const ()),
        (Vector::DOORBELL, entry::<DOORBELL> as *const ()),
        (Vector::CLOCK_ASKED, entry::<CLOCK_ASKED> as *const ()),
        (Vector::CLOCK_GIVEN, entry::<CLOCK_GIVEN> as *const ()),
        (Vector::CALL, entry::<CALL> as *const ()),
        (Vector::APIC_ERROR, entry::<APIC_ERROR> as *const ()),
        (Vector::PING, entry::<PING> as *const ()),
        (Vector::TIMED_PING, entry::<TIMED_PING> as *const ()),
        (Vector::PONG, entry::<PONG> as *const ()),
        (Vector::STOP, entry::<STOP> as *const ()),
        (Vector::RELEASE, entry::<RELEASE> as *const ()),
        (Vector::SPURIOUS, entry::<SPURIOUS> as *const ()),
    ] {
        idt::set_gate(&mut table[vector.0], handler);
    }
    for line in PIC_SPURIOUS_LINES {
        let handler = entry::<SPURIOUS> as *const ();
        idt::set_gate(&mut table[Vector::PIC.plus(line).0], handler);
    }
}

const TIMER: u8 = Vector::TIMER.0;
const SCI: u8 = Vector::SCI.0;
const UART: u8 = Vector::UART.0;
const DOORBELL: u8 = Vector::DOORBELL.0;
const CLOCK_ASKED: u8 = Vector::CLOCK_ASKED.0;
const CLOCK_GIVEN: u8 = Vector::CLOCK_GIVEN.0;
const CALL: u8 = Vector::CALL.0;
const PING: u8 = Vector::PING.0;
const TIMED_PING: u8 = Vector::TIMED_PING.0;
const PONG: u8 = Vector::PONG.0;
const APIC_ERROR: u8 = Vector::APIC_ERROR.0;
const STOP: u8 = Vector::STOP.0;
const RELEASE: u8 = Vector::RELEASE.0;
/// The 8259s' too. Nothing is in service, so there is nothing to acknowledge: an EOI would end another
/// interrupt.
const SPURIOUS: u8 = Vector::SPURIOUS.0;

/// Where the CPU enters: saves what a Rust function may change, and calls the handler.
#[unsafe(naked)]
unsafe extern "C" fn entry<const VECTOR: u8>() {
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
        handle = sym handle::<VECTOR>,
    )
}

extern "C" fn handle<const VECTOR: u8>() {
    if VECTOR == SPURIOUS {
        return;
    }
    // The APIC is set up before interrupts are enabled, and a CPU enters its area before that.
    let Some(apic) = LocalApic::get() else { return };
    trace::note(Event::IrqEntry { vector: VECTOR });
    match VECTOR {
        TIMER => PerCpu::current().alarm().rang(),
        SCI => sci::interrupted(),
        UART => input::interrupted(),
        CLOCK_ASKED => clock::give(apic),
        CLOCK_GIVEN => clock::session::take(),
        CALL => calls::serve(),
        PING => ping::answer(apic),
        TIMED_PING => ping::answer_timed(apic),
        PONG => ping::answered(),
        APIC_ERROR => apic_errors::record(apic.take_errors()),
        STOP => rendezvous::stand(apic),
        // It is handled by having come.
        _ => {}
    }
    apic.eoi();
    trace::note(Event::IrqExit { vector: VECTOR });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_vector_that_is_traced_has_a_name_of_its_own() {
        let numbers: BTreeSet<_> = Vector::NAMES.iter().map(|(it, _)| it.as_u8()).collect();
        let names: BTreeSet<_> = Vector::NAMES.iter().map(|(_, name)| name).collect();
        assert_eq!([numbers.len(), names.len()], [Vector::NAMES.len(); 2]);
        let handled = [
            TIMER,
            SCI,
            UART,
            DOORBELL,
            CLOCK_ASKED,
            CLOCK_GIVEN,
            CALL,
            PING,
            TIMED_PING,
            PONG,
            APIC_ERROR,
            STOP,
            RELEASE,
        ];
        assert_eq!(numbers, BTreeSet::from(handled));
    }
}
