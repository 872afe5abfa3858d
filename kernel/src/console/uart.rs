//! The UART at COM1, a 16550A.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

use x86_64::instructions::port::Port;

use crate::patience::Patience;

/// A 16550 UART at COM1. All its state that matters is in the device: a second value may drive it.
pub(super) struct Uart {
    /// Bytes that the transmit FIFO takes before its state must be read again.
    room: u8,
}

impl Uart {
    const BASE: u16 = 0x3f8;
    /// Depth of the 16550A's transmit FIFO.
    const FIFO_DEPTH: u8 = 16;
    /// Line status: the transmit FIFO is empty.
    const TRANSMIT_EMPTY: u8 = 1 << 5;
    /// Line status: the transmit FIFO is empty, and so is the shift register behind it.
    pub(super) const TRANSMITTER_IDLE: u8 = 1 << 6;

    pub(super) const fn new() -> Self {
        Self { room: 0 }
    }

    pub(super) fn init(&mut self) {
        const INTERRUPT_ENABLE: u16 = 1;
        const FIFO_CONTROL: u16 = 2;
        const LINE_CONTROL: u16 = 3;
        const MODEM_CONTROL: u16 = 4;
        const DIVISOR_LATCH: u8 = 1 << 7;
        const EIGHT_BITS: u8 = 0b11;
        self.write(INTERRUPT_ENABLE, 0);
        self.write(LINE_CONTROL, DIVISOR_LATCH);
        // Divisor 1 of the 115200 Hz base rate; the latch covers the first two registers.
        self.write(0, 1);
        self.write(1, 0);
        self.write(LINE_CONTROL, EIGHT_BITS);
        // FIFO on, both FIFOs cleared.
        self.write(FIFO_CONTROL, 0b111);
        // DTR and RTS: somebody is here.
        self.write(MODEM_CONTROL, 0b11);
    }

    fn send(&mut self, byte: u8) {
        if self.room == 0 {
            if !self.is_drained_in_time(Self::TRANSMIT_EMPTY) {
                return;
            }
            self.room = Self::FIFO_DEPTH;
        }
        self.room -= 1;
        self.write(0, byte);
    }

    /// Waits until the line status has the bit `empty`; `false` if that takes too long. A full FIFO
    /// drains in 1.4 ms at 115200 baud; a host that is slow to read a virtual one takes a hundred
    /// times that.
    ///
    /// The bound is waited out once: while the UART stays stuck, the text that follows is lost at
    /// once. An absent UART reads as all ones, which says empty.
    pub(super) fn is_drained_in_time(&self, empty: u8) -> bool {
        // Relaxed: the flag guards nothing; a CPU that sees it late waits once more.
        static IS_STUCK: AtomicBool = AtomicBool::new(false);
        let patience = if IS_STUCK.load(Ordering::Relaxed) {
            Patience::none()
        } else {
            Patience::begin()
        };
        let is_drained = patience.until(|| self.line_status() & empty != 0);
        IS_STUCK.store(!is_drained, Ordering::Relaxed);
        is_drained
    }

    fn line_status(&self) -> u8 {
        const LINE_STATUS: u16 = 5;
        // SAFETY: reading COM1's line status clears its error bits and touches no memory.
        unsafe { Port::<u8>::new(Self::BASE + LINE_STATUS).read() }
    }

    fn write(&self, register: u16, value: u8) {
        // SAFETY: COM1's registers control the UART alone and touch no memory.
        unsafe { Port::new(Self::BASE + register).write(value) };
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
