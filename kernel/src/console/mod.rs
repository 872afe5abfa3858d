//! The console: text for people on the first serial port, COM1, and what they type.
//!
//! [`print!`](crate::print) and [`println!`](crate::println) take the console's lock with
//! interrupts off, so a line comes out whole and an interrupt handler that prints cannot wait for
//! the CPU that it interrupted. The panic path uses [`print_forced`], which asks nobody.
//!
//! Below what is printed there may be one row that does not scroll ([`set_footer`]), and a view may take
//! the whole screen for a while ([`hold()`]). What is typed comes by [`input`]: a BSP that prints, or
//! waits to print, takes it in meanwhile, so that none is lost.
//!
//! Nothing here waits without a bound: an absent or stuck UART loses text, never the CPU.

mod damage;
pub mod footer;
pub mod hold;
pub mod input;
mod kept;
mod lines;
mod receiver;
mod ring;
#[cfg(test)]
mod ring_model;
mod row;
mod screen;
#[cfg(test)]
mod screen_on_a_terminal;
mod sync;
mod uart;

use core::{
    fmt::{self, Write},
    marker::PhantomData,
    sync::atomic::{AtomicBool, Ordering},
};

use spin::Mutex;
use x86_64::instructions::interrupts::without_interrupts;

pub use self::{footer::Footer, lines::print_lines};
use self::{
    hold::Held,
    screen::{GIVE_SCREEN_BACK, Screen},
    uart::{Uart, line_status::TRANSMITTER_IDLE},
};

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

static CONSOLE: Mutex<Console> = Mutex::new(Console {
    uart: Uart::new(),
    screen: Screen::new(),
});

/// Whether the terminal shows a held screen, for those who cannot have the lock. Set before it is shown, and
/// taken by whoever ends that. Relaxed: it orders nothing; what a CPU that ends the run may find half-way is
/// as good as its beginning or its end.
static IS_HELD: AtomicBool = AtomicBool::new(false);

/// Whether somebody prints without the lock: then nobody knows what the terminal shows. Relaxed: who prints so
/// and who closes the console behind that are one.
static IS_FORCED: AtomicBool = AtomicBool::new(false);

struct Console {
    uart: Uart,
    screen: Screen,
}

/// Sets the UART up: 115200 baud, 8 data bits, no parity, FIFO on, no interrupts.
pub fn init() {
    with_console(|console| console.uart.init());
}

/// Prints under the console's lock. The macros call this.
pub fn print(text: fmt::Arguments<'_>) {
    with_console(|Console { uart, screen }| {
        // The UART's writer never fails.
        let _ = screen.print(uart, text);
    });
}

/// A port whose device can be read as often as one likes, and nothing happens; `None` where there is none.
pub fn idle_port() -> Option<u16> {
    with_console(|_| Uart::is_there().then_some(Uart::IDLE_PORT))
}

/// Prints without the lock, whoever holds it: for a panic, whose text may then follow on half a
/// line of somebody else's. At most one CPU may be doing so at a time.
///
/// A held screen is given back first, with what was kept, unless somebody has the lock; a footer stays where
/// it is.
pub fn print_forced(text: fmt::Arguments<'_>) {
    if !IS_FORCED.swap(true, Ordering::Relaxed) {
        match CONSOLE.try_lock() {
            Some(mut console) => release(&mut console),
            None => give_screen_back(),
        }
    }
    let _ = Uart::forced().write_fmt(text);
}

/// Sets what stands in the terminal's last row, below all that is printed; `None` takes the row away.
///
/// It is drawn at once. From then on every print goes above it, from whichever CPU and task: the row is
/// erased, the text is printed, and the row is drawn again as soon as a line ends. Whoever has printed half
/// a line finds it ended.
pub fn set_footer(footer: Option<Footer<'_>>) {
    with_console(|Console { uart, screen }| {
        // The UART's writer never fails.
        let _ = screen.set_footer(uart, footer);
    });
}

/// Asks the terminal something, by a sequence behind which the cursor is where it was. What it answers is typed.
/// While somebody holds the screen nothing is asked.
pub fn ask(question: &str) {
    with_console(|Console { uart, screen }| {
        let _ = screen.ask(uart, question);
    });
}

/// Empties the terminal's screen, but for the row that [`set_footer`] has set. A held one stays as it is.
pub fn clear() {
    with_console(|Console { uart, screen }| {
        let _ = screen.clear(uart);
    });
}

/// Takes the whole screen for a view; `None` while somebody has it. What others print meanwhile is kept,
/// and printed when the view ends.
pub fn hold() -> Option<Held> {
    let is_mine = with_console(|Console { uart, screen }| {
        if screen.can_be_held() {
            IS_HELD.store(true, Ordering::Relaxed);
        }
        screen.hold(uart)
    });
    is_mine.then_some(Held {
        not_send: PhantomData,
    })
}

/// Takes a held screen and the footer away, so that the last words stand where they belong, and waits until
/// all that was printed has left the UART; not for ever, and whoever holds the lock. What is still in its FIFO
/// when the machine ends is lost, and that is the end of the verdict.
pub fn close() {
    without_interrupts(|| {
        if !IS_FORCED.load(Ordering::Relaxed)
            && let Some(mut console) = CONSOLE.try_lock()
        {
            release(&mut console);
            let Console { uart, screen } = &mut *console;
            let _ = screen.set_footer(uart, None);
        }
    });
    Uart::forced().is_drained_in_time(TRANSMITTER_IDLE);
}

/// Calls `action` while this CPU holds the console's lock, as a test of the panic path must.
pub fn with_lock_held<R>(action: impl FnOnce() -> R) -> R {
    with_console(|_| action())
}

/// Takes the screen back from whoever holds it, with all that was kept, at the end of the run.
fn release(console: &mut Console) {
    console.uart = Uart::forced();
    take_screen_back(console);
    while tell_piece(console) {}
}

/// Takes the screen back from whoever holds it.
fn take_screen_back(Console { uart, screen }: &mut Console) {
    if screen.is_held() {
        // Whoever ends the run may have told the terminal already.
        let is_to_be_told = IS_HELD.swap(false, Ordering::Relaxed);
        // The UART's writer never fails.
        let _ = screen.release(uart, is_to_be_told);
    }
}

/// Tells a little of what was kept; whether there is more.
fn tell_piece(Console { uart, screen }: &mut Console) -> bool {
    screen.tell_piece(uart).unwrap_or(false)
}

fn give_screen_back() {
    if IS_HELD.swap(false, Ordering::Relaxed) {
        let _ = Uart::forced().write_str(GIVE_SCREEN_BACK);
    }
}

fn with_console<R>(action: impl FnOnce(&mut Console) -> R) -> R {
    without_interrupts(|| action(&mut input::await_while_taking_in(|| CONSOLE.try_lock())))
}
