//! The UART at COM1, a 16550A.
//!
//! All its state that matters is in the device: a second value may drive it. Nothing here waits without a
//! bound: an absent or stuck UART loses text, never the CPU. That is why the kernel drives the UART itself;
//! the `uart_16550` crate waits for as long as it takes.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

use x86_64::instructions::port::Port;

use super::{input, receiver::Receive};
use crate::patience::Patience;

/// Bits of the line status (PC16550D datasheet, section 8.4).
pub(super) mod line_status {
    /// A byte can be read.
    pub(in super::super) const DATA_READY: u8 = 1 << 0;
    /// A byte came and found the FIFO full.
    pub(in super::super) const OVERRUN: u8 = 1 << 1;
    /// The byte that is read next came with the wrong parity.
    pub(in super::super) const PARITY: u8 = 1 << 2;
    /// The byte that is read next has no stop bit.
    pub(in super::super) const FRAMING: u8 = 1 << 3;
    /// The byte that is read next is not what was sent.
    pub(in super::super) const WRONG: u8 = PARITY | FRAMING;
    /// The line was interrupted; the byte that comes with this was not sent.
    pub(in super::super) const BREAK: u8 = 1 << 4;
    /// The transmit FIFO is empty.
    pub(in super::super) const TRANSMIT_EMPTY: u8 = 1 << 5;
    /// The transmit FIFO is empty, and so is the shift register behind it.
    pub(in super::super) const TRANSMITTER_IDLE: u8 = 1 << 6;
}

const BASE: u16 = 0x3f8;
const INTERRUPT_ENABLE: u16 = 1;
const FIFO_CONTROL: u16 = 2;
const LINE_CONTROL: u16 = 3;
const MODEM_CONTROL: u16 = 4;
const LINE_STATUS: u16 = 5;
const SCRATCH: u16 = 7;

/// Modem control: data terminal ready, request to send, and the gate that lets interrupts out on a PC.
const DTR: u8 = 1 << 0;
const RTS: u8 = 1 << 1;
const OUT2: u8 = 1 << 3;
/// What is sent comes back, and nothing comes from outside.
const LOOPBACK: u8 = 1 << 4;

/// Depth of the 16550A's FIFOs.
pub(super) const FIFO_DEPTH: u8 = 16;

/// How long it may take to send, in counts of the TSC: one second to four. Behind it text is lost, and whoever reads
/// a virtual UART may have to wait for its host to let it run. A CPU that prints may be waited for meanwhile.
const PATIENCE: u64 = 1 << 32;

/// What sends.
#[derive(Debug)]
pub(super) struct Uart {
    /// Bytes that the transmit FIFO takes before its state must be read again.
    room: u8,
    /// Whether it takes in what comes while it waits.
    takes_in: bool,
}

impl Uart {
    pub(super) const fn new() -> Self {
        Self {
            room: 0,
            takes_in: true,
        }
    }

    /// One for the end of a run: it does nothing but send.
    pub(super) const fn forced() -> Self {
        Self {
            room: 0,
            takes_in: false,
        }
    }

    /// Sets the device up: 115200 baud, 8 data bits, no parity, FIFOs on, no interrupts. It asks nobody to
    /// send yet. To be called before anything else of the console, on the CPU that boots.
    pub(super) fn init(&mut self) {
        const DIVISOR_LATCH: u8 = 1 << 7;
        const EIGHT_BITS: u8 = 0b11;
        /// FIFOs on; they interrupt for 8 bytes, or fewer that have waited for as long as 4 take. 8 more may come
        /// until then, which takes 0.7 ms.
        const FIFOS_ON: u8 = 0b1000_0001;
        write(INTERRUPT_ENABLE, 0);
        // A loader's last bytes may be on their way yet. Another speed would garble them, and in loopback they would
        // come back as if they had been typed.
        self.is_drained_in_time(line_status::TRANSMITTER_IDLE);
        write(LINE_CONTROL, DIVISOR_LATCH);
        // Divisor 1 of the 115200 Hz base rate; the latch covers the first two registers.
        write(0, 1);
        write(1, 0);
        write(LINE_CONTROL, EIGHT_BITS);
        // What was typed already goes with the FIFOs' change of state, so it is fetched first. To fetch a byte
        // is what makes QEMU give the next one, but not in loopback (hw/char/serial.c, serial_ioport_read); one
        // that comes all the same between the fetching and the change is lost, and nothing could keep it.
        write(MODEM_CONTROL, LOOPBACK);
        input::keep_what_was_typed();
        write(FIFO_CONTROL, FIFOS_ON);
        write(MODEM_CONTROL, DTR);
    }

    /// Whether the device is there at all.
    pub(super) fn is_there() -> bool {
        [0x5a, 0xa5].iter().all(|&value| {
            write(SCRATCH, value);
            read(SCRATCH) == value
        })
    }

    /// A port of the device that can be read as often as one likes, and nothing happens.
    pub(super) const IDLE_PORT: u16 = BASE + SCRATCH;

    fn send(&mut self, byte: u8) {
        if self.room == 0 {
            if !self.is_drained_in_time(line_status::TRANSMIT_EMPTY) {
                return;
            }
            self.room = FIFO_DEPTH;
        }
        self.room -= 1;
        write(0, byte);
    }

    /// Waits until the line status has the bit `empty`; `false` if that takes too long. A full FIFO
    /// drains in 1.4 ms at 115200 baud; of a virtual one whoever reads it may be kept from running.
    ///
    /// The bound is waited out once: while the UART stays stuck, the text that follows is lost at
    /// once. An absent UART reads as all ones, which says empty.
    pub(super) fn is_drained_in_time(&self, empty: u8) -> bool {
        // Relaxed: the flag guards nothing; a CPU that sees it late waits once more.
        static IS_STUCK: AtomicBool = AtomicBool::new(false);
        let patience = if IS_STUCK.load(Ordering::Relaxed) {
            Patience::none()
        } else {
            Patience::of(PATIENCE)
        };
        let is_drained = patience.until(|| {
            let status = read(LINE_STATUS);
            if self.takes_in {
                input::seen(status);
            }
            status & empty != 0
        });
        IS_STUCK.store(!is_drained, Ordering::Relaxed);
        is_drained
    }
}

impl Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                self.send(b'\r');
            }
            self.send(byte);
        }
        Ok(())
    }
}

/// What receives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Com1;

impl Receive for Com1 {
    fn line_status(&self) -> u8 {
        read(LINE_STATUS)
    }

    fn receive(&self) -> u8 {
        read(0)
    }

    fn is_there(&self) -> bool {
        Uart::is_there()
    }

    fn let_send(&self, may: bool, by_interrupt: bool) {
        const DATA_AVAILABLE: u8 = 1 << 0;
        write(MODEM_CONTROL, DTR | OUT2 | if may { RTS } else { 0 });
        write(INTERRUPT_ENABLE, u8::from(by_interrupt) * DATA_AVAILABLE);
    }
}

fn read(register: u16) -> u8 {
    // SAFETY: reading a register of COM1 takes a byte out of it or clears its error bits, and touches no
    // memory.
    unsafe { Port::new(BASE + register).read() }
}

fn write(register: u16, value: u8) {
    // SAFETY: COM1's registers control the UART alone and touch no memory.
    unsafe { Port::new(BASE + register).write(value) };
}
