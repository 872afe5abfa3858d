//! The screen in one hand: a view that fills the terminal, and what others print meanwhile.

use core::{fmt::Write, marker::PhantomData};

/// The right to the whole screen; see [`hold()`](super::hold()).
///
/// The terminal shows its other screen ("alternate screen buffer"), empty, with the cursor in its upper
/// left corner and hidden.
///
/// # Cancellation
///
/// Dropped, it gives the screen back as it was, and prints what was kept.
#[derive(Debug)]
#[must_use]
pub struct Held {
    /// Whoever holds the screen draws from one CPU.
    pub(super) not_send: PhantomData<*const ()>,
}

impl Held {
    /// Writes to the held screen, escape sequences and all. Line ends become CR LF.
    ///
    /// Others that print wait as long; so a whole screen may go at once, and no more.
    pub fn write(&self, text: &str) {
        super::with_console(|console| {
            // When the run ends the screen is taken back; the UART's writer never fails.
            if console.screen.is_held() {
                let _ = console.uart.write_str(text);
            }
        });
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        super::with_console(super::take_screen_back);
        // Others print in between, and interrupts come.
        while super::with_console(super::tell_piece) {}
    }
}

/// How many bytes of what others print are kept while the screen is held. Beyond that they are
/// counted, and the count is told.
pub const MOST_KEPT_BYTES: usize = 8 << 10;
