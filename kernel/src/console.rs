//! The console: text for people on the first serial port, COM1.
//!
//! [`print!`](crate::print) and [`println!`](crate::println) take the console's lock with
//! interrupts off, so a line comes out whole and an interrupt handler that prints cannot wait for
//! the CPU that it interrupted. The panic path uses [`print_forced`], which asks nobody.
//!
//! Nothing here waits without a bound: an absent or stuck UART loses text, never the CPU. That is
//! why the kernel drives the UART itself; the `uart_16550` crate waits for as long as it takes.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

use spin::Mutex;
use x86_64::instructions::interrupts::without_interrupts;
use x86_64::instructions::port::Port;

use crate::patience::Patience;

/// Prints to the console.
#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => {
        $crate::console::print(::core::format_args!($($argument)*))
    };
}

/// Prints to the console, and ends the line.
#[macro_export]
macro_rules! println {
    () => {
        $crate::print!("\n")
    };
    ($($argument:tt)*) => {
        $crate::console::print(::core::format_args!("{}\n", ::core::format_args!($($argument)*)))
    };
}

static CONSOLE: Mutex<Uart> = Mutex::new(Uart::new());

/// Sets the UART up: 115200 baud, 8 data bits, no parity, FIFO on, no interrupts.
pub fn init() {
    without_interrupts(|| CONSOLE.lock().init());
}

/// Prints under the console's lock. The macros call this.
pub fn print(text: fmt::Arguments<'_>) {
    without_interrupts(|| {
        // The UART's writer never fails.
        let _ = CONSOLE.lock().write_fmt(text);
    });
}

/// Prints without the lock, whoever holds it: for a panic, whose text may then follow on half a
/// line of somebody else's. At most one CPU may be doing so at a time.
pub fn print_forced(text: fmt::Arguments<'_>) {
    let _ = Uart::new().write_fmt(text);
}

/// Waits until all that was printed has left the UART, whoever holds the lock; not for ever. What is
/// still in its FIFO when the machine ends is lost, and that is the end of the verdict.
pub fn drain() {
    Uart::new().is_drained_in_time(Uart::TRANSMITTER_IDLE);
}

/// Calls `action` while this CPU holds the console's lock, as a test of the panic path must.
pub fn with_lock_held<R>(action: impl FnOnce() -> R) -> R {
    without_interrupts(|| {
        let _held = CONSOLE.lock();
        action()
    })
}

/// A 16550 UART at COM1. All its state that matters is in the device: a second value may drive it.
struct Uart {
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
    const TRANSMITTER_IDLE: u8 = 1 << 6;

    const fn new() -> Self {
        Self { room: 0 }
    }

    fn init(&mut self) {
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
    fn is_drained_in_time(&self, empty: u8) -> bool {
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
