//! What is typed: bytes from the UART, by its interrupt where one can be routed, else by looking.

use core::{
    fmt,
    future::poll_fn,
    hint,
    marker::PhantomData,
    sync::atomic::{AtomicU32, Ordering},
    task::Poll,
    time::Duration,
};

use conquer_once::spin::OnceCell;
use reveille_executor::Timer;
use reveille_smp::{
    cpu::CpuIndex,
    wiring::{Gsi, IsaIrq},
};
use x86_64::instructions::interrupts::without_interrupts;

use super::{
    receiver::Receiver,
    uart::{Com1, Uart, line_status},
};
use crate::{
    apic::LocalApic,
    interrupts::vectors::Vector,
    io_apic::{IoApicError, IoApics, Line},
    patience::Patience,
    percpu::PerCpu,
};

/// How often it is looked where no interrupt can be routed. The UART's FIFO holds what comes in 1.4 ms at full
/// speed: so what is typed arrives, and what is pasted only from a sender that can be held back.
const PERIOD: Duration = Duration::from_millis(10);

static RECEIVER: Receiver = Receiver::new();

/// The UART's interrupt, set on the BSP before it is let through. However often it is routed, it is the same.
static LINE: OnceCell<Line> = OnceCell::uninit();

/// Interrupts of the UART. Relaxed: a statistic.
static INTERRUPTS: AtomicU32 = AtomicU32::new(0);

/// What comes in at COM1, byte by byte. There is one, on the BSP.
///
/// # Cancellation
///
/// Dropped, the UART interrupts nobody any more and holds the sender back. What was not read is for the next
/// one.
#[derive(Debug)]
pub struct Input {
    timer: Timer,
    source: Source,
    line: Option<Line>,
    /// The BSP's.
    not_send: PhantomData<*const ()>,
}

/// How bytes come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The UART interrupts the BSP.
    Interrupt {
        /// The interrupt's number among all I/O APICs.
        gsi: Gsi,
    },
    /// Somebody looks every 10 ms, for no interrupt could be routed.
    Poll {
        /// Why.
        cause: IoApicError,
    },
    /// Somebody looks every 10 ms, for the interrupt came a thousand times in a row for nothing, and is masked.
    Storm {
        /// The interrupt's number among all I/O APICs.
        gsi: Gsi,
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
    /// Opens the input, on the BSP. What was typed before is there, as far as the UART could keep it.
    ///
    /// # Errors
    ///
    /// [`InputError::NoUart`] on a machine without COM1, [`InputError::Taken`] while another one is there.
    pub fn open(io_apics: &IoApics, timer: Timer) -> Result<Self, InputError> {
        if !Uart::is_there() {
            return Err(InputError::NoUart);
        }
        if RECEIVER.is_open() {
            return Err(InputError::Taken);
        }
        let apic = LocalApic::get().expect("a kernel that has tasks has an APIC");
        let line = io_apics.route(IsaIrq::COM1, Vector::UART, apic.id());
        // The UART is silent yet: so its first interrupt finds a line that lets it through.
        if let Ok(line) = line {
            LINE.get_or_init(|| line).unmask();
        }
        let source = match line {
            Ok(line) => Source::Interrupt { gsi: line.gsi() },
            Err(cause) => Source::Poll { cause },
        };
        without_interrupts(|| RECEIVER.open(&Com1, line.is_ok()));
        Ok(Self {
            timer,
            source,
            line: line.ok(),
            not_send: PhantomData,
        })
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
        if buffer.is_empty() {
            return 0;
        }
        if let Source::Interrupt { gsi } = self.source {
            let read = poll_fn(|context| {
                // First the waker, then the look: what comes in between wakes.
                RECEIVER.waker().register(context.waker());
                match (take(buffer), RECEIVER.is_stormy()) {
                    (0, false) => Poll::Pending,
                    (0, true) => Poll::Ready(None),
                    (count, _) => Poll::Ready(Some(count)),
                }
            });
            if let Some(count) = read.await {
                return count;
            }
            self.source = Source::Storm { gsi };
            crate::println!("console: typed {}", self.source);
        }
        loop {
            without_interrupts(|| RECEIVER.take_in(&Com1));
            match take(buffer) {
                0 => self.timer.sleep(PERIOD).await,
                count => return count,
            }
        }
    }

    /// How often bytes were lost in the UART because nobody fetched them in time, ever. Where it was stands a byte
    /// that is no UTF-8.
    pub fn overruns(&self) -> u32 {
        RECEIVER.overruns()
    }

    /// How often the UART has interrupted, ever.
    pub fn interrupts(&self) -> u32 {
        INTERRUPTS.load(Ordering::Relaxed)
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if let Some(line) = self.line {
            line.mask();
        }
        without_interrupts(|| RECEIVER.close(&Com1));
    }
}

/// Interrupts are off, as it may have to fetch.
fn take(buffer: &mut [u8]) -> usize {
    without_interrupts(|| RECEIVER.take(&Com1, buffer))
}

/// What the UART's vector calls, on the BSP.
pub(crate) fn interrupted() {
    INTERRUPTS.fetch_add(1, Ordering::Relaxed);
    if RECEIVER.interrupted(&Com1)
        && let Ok(line) = LINE.try_get()
    {
        line.mask();
    }
}

/// Keeps what the UART has got before it is set up, by a loader that left it or from somebody who is early. On
/// the CPU that boots, before anything else.
pub(super) fn keep_what_was_typed() {
    /// More than a FIFO holds: an absent UART always has one more.
    const MOST: usize = 64;
    if Uart::is_there() {
        RECEIVER.take_in_at_most(&Com1, MOST, None);
    }
}

/// Looks at the line status that a CPU has read while it waits for the transmitter, with interrupts off. If it
/// is the BSP, it takes in what has come.
pub(super) fn seen(status: u8) {
    match status & line_status::DATA_READY != 0 && may_fetch() {
        true => {
            RECEIVER.take_in_behind(status, &Com1);
        }
        false => RECEIVER.note(status),
    }
}

/// Waits a little until the condition gives something, with interrupts off, and takes in meanwhile what comes
/// to the BSP: others may have long texts to print.
pub(super) fn await_while_taking_in<T>(mut condition: impl FnMut() -> Option<T>) -> T {
    /// Counts of the TSC, which are less than the time in which the FIFO fills: 20 to 70 µs.
    const PAUSE: u64 = 1 << 16;
    loop {
        let mut found = condition();
        if let Some(found) = found {
            return found;
        }
        Patience::of(PAUSE).until(|| {
            found = condition();
            found.is_some()
        });
        if let Some(found) = found {
            return found;
        }
        if may_fetch() {
            RECEIVER.take_in(&Com1);
        }
        hint::spin_loop();
    }
}

/// Whether this is the CPU that fetches, and somebody reads.
fn may_fetch() -> bool {
    let is_bsp = || PerCpu::try_current().is_some_and(|cpu| cpu.index() == CpuIndex::BSP);
    RECEIVER.is_open() && is_bsp()
}

/// Such as `by interrupt (GSI 4)`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupt { gsi } => write!(f, "by interrupt (GSI {gsi})"),
            Self::Poll { cause } => write!(f, "by a look every 10 ms: {cause}"),
            Self::Storm { gsi } => write!(
                f,
                "by a look every 10 ms: interrupt {gsi} came again and again for nothing, and is masked"
            ),
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
