//! What is typed: bytes from the UART, by its interrupt where one can be routed, else by looking.

use core::{fmt, marker::PhantomData};

use reveille_executor::Timer;

use crate::io_apic::{IoApicError, IoApics};

/// What comes in at COM1, byte by byte. There is one, on the BSP.
///
/// # Cancellation
///
/// Dropped, the UART interrupts nobody any more, and what was not read is lost.
#[derive(Debug)]
pub struct Input {
    timer: Timer,
    source: Source,
    not_send: PhantomData<*const ()>,
}

/// How bytes come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The UART interrupts the BSP.
    Interrupt {
        /// The interrupt's number among all I/O APICs.
        gsi: u32,
    },
    /// Somebody looks every 10 ms, for no interrupt could be routed.
    Poll {
        /// Why.
        cause: IoApicError,
    },
}

/// Why nothing can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputError {
    /// COM1 does not answer.
    NoUart,
    /// Somebody reads already.
    Taken,
}

impl Input {
    /// Opens the input, on the BSP. What came in before is dropped.
    ///
    /// # Errors
    ///
    /// [`InputError::NoUart`] on a machine without COM1, [`InputError::Taken`] while another one is there.
    pub fn open(io_apics: &IoApics, timer: Timer) -> Result<Self, InputError> {
        let _ = (io_apics, timer);
        Err(InputError::NoUart)
    }

    /// By which way bytes come in.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Waits for bytes, and takes as many as there are and fit; at least one, unless the buffer has no room.
    ///
    /// # Cancellation
    ///
    /// A read that is dropped has taken nothing: the next one finds it.
    pub async fn read(&mut self, buffer: &mut [u8]) -> usize {
        let _ = (&self.timer, buffer);
        core::future::pending().await
    }

    /// How many times bytes were lost in the UART because nobody fetched them in time, since the input was opened.
    pub fn overruns(&self) -> u32 {
        0
    }
}

/// Such as `by interrupt (GSI 4)`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupt { gsi } => write!(f, "by interrupt (GSI {gsi})"),
            Self::Poll { cause } => write!(f, "by a look every 10 ms: {cause}"),
        }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUart => f.write_str("nothing can be typed: no UART answers at COM1"),
            Self::Taken => f.write_str("what is typed goes to somebody else already"),
        }
    }
}

impl core::error::Error for InputError {}
