//! The system control interrupt (SCI) of ACPI's fixed hardware, and the general-purpose events (GPE) that
//! raise it (ACPI 6.5, section 4.8).
//!
//! ```text
//!   device          handler, on the BSP                  task, on the BSP
//!   event ───SCI──▶ disables the event, says that it     GpeEvents::next
//!                   has happened, wakes the task ──────▶   acknowledges and enables it, and returns:
//!                                                          the caller looks at the device
//! ```
//!
//! The SCI is level triggered: it comes as long as an event is raised and enabled. The handler leaves none so
//! (`events.rs`). Should it come for nothing that is known here, again and again, it is masked.

mod events;

use core::{
    fmt,
    future::poll_fn,
    marker::PhantomData,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll},
    time::Duration,
};

use conquer_once::spin::OnceCell;
use futures_util::task::AtomicWaker;
use reveille_executor::Timer;
use x86_64::instructions::{interrupts::without_interrupts, port::Port as IoPort};

use self::events::{EventRegisters, Port};
use crate::{
    acpi::fixed_hardware::{FixedHardware, NoFixedHardware},
    apic::LocalApic,
    interrupts::{for_nothing::ForNothing, vectors::Vector},
    io_apic::{IoApicError, IoApics, Line},
};

/// The SCI, taken by this kernel.
#[derive(Clone, Copy, Debug)]
pub struct Sci(&'static Taken);

/// What the handler works with.
#[derive(Debug)]
struct Taken {
    registers: EventRegisters,
    line: Line,
}

/// Set on the BSP, before the interrupt is let through.
static TAKEN: OnceCell<Taken> = OnceCell::uninit();

/// Events that can have an owner: those of GPE0 in the registers that any chipset has. QEMU's are the first 64
/// on an ICH9 and the first 16 on a PIIX4.
const MOST_EVENTS: usize = 64;

static EVENTS: [Event; MOST_EVENTS] = [const { Event::new() }; MOST_EVENTS];

/// One event, between handler and owner. Both are on the BSP, so what orders their accesses is that the
/// handler comes between two instructions of the owner; the pairs of Release and Acquire cost nothing there,
/// and say which word announces what.
#[derive(Debug)]
struct Event {
    is_owned: AtomicBool,
    /// Set by the handler before it wakes, taken by the owner after it has registered its waker.
    has_happened: AtomicBool,
    waker: AtomicWaker,
}

impl Event {
    const fn new() -> Self {
        Self {
            is_owned: AtomicBool::new(false),
            has_happened: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }
    }
}

static FOR_NOTHING: ForNothing = ForNothing::new();

/// Set before those who wait are woken.
static IS_MASKED: AtomicBool = AtomicBool::new(false);

/// What the SCI's vector calls, on the BSP.
pub(crate) fn interrupted() {
    let Ok(Taken { registers, line }) = TAKEN.try_get() else {
        return;
    };
    let is_known = registers.take(&Hardware, |gpe| {
        if let Some(event) = EVENTS.get(usize::from(gpe)) {
            event.has_happened.store(true, Ordering::Release);
            event.waker.wake();
        }
    });
    if FOR_NOTHING.note(is_known) {
        line.mask();
        IS_MASKED.store(true, Ordering::Release);
        EVENTS.iter().for_each(|event| event.waker.wake());
    }
}

impl Sci {
    /// Takes the machine's fixed hardware over from the firmware, and routes its interrupt to the BSP, which
    /// calls this. No event is enabled. What was set up stays so for good: a second call gives the same.
    ///
    /// # Errors
    ///
    /// As [`SciError`] says.
    ///
    /// # Cancellation
    ///
    /// The firmware may have handed the hardware over; no interrupt is routed.
    pub async fn set_up(
        hardware: &Result<FixedHardware, NoFixedHardware>,
        io_apics: &IoApics,
        timer: &Timer,
    ) -> Result<Self, SciError> {
        if let Ok(taken) = TAKEN.try_get() {
            return Ok(Self(taken));
        }
        let hardware = hardware.as_ref().map_err(|why| SciError::Absent(*why))?;
        take_over(hardware, timer).await?;
        let registers = EventRegisters::new(hardware);
        registers.silence(&Hardware);
        let apic = LocalApic::get().expect("a kernel that has tasks has an APIC");
        let line = io_apics
            .route_sci(hardware.sci, Vector::SCI, apic.id())
            .map_err(SciError::NotRouted)?;
        let taken = TAKEN.get_or_init(|| Taken { registers, line });
        taken.line.unmask();
        Ok(Self(taken))
    }

    /// Enables an event, on the BSP. What it has raised before is dropped: look at the device behind this.
    ///
    /// # Errors
    ///
    /// [`SciError::NoSuchEvent`]; [`SciError::Taken`] while somebody has the event; [`SciError::Stuck`] if it
    /// cannot be acknowledged.
    pub fn events(&self, gpe: u8) -> Result<GpeEvents, SciError> {
        let registers = &self.0.registers;
        let event = EVENTS.get(usize::from(gpe));
        let event = event.filter(|_| u32::from(gpe) < registers.events());
        let event = event.ok_or(SciError::NoSuchEvent { gpe })?;
        if event.is_owned.swap(true, Ordering::Acquire) {
            return Err(SciError::Taken { gpe });
        }
        // From here on a drop gives it back.
        let events = GpeEvents {
            sci: *self,
            gpe,
            event,
            not_send: PhantomData,
        };
        event.has_happened.store(false, Ordering::Relaxed);
        events.arm()?;
        Ok(events)
    }
}

/// Asks the firmware for the hardware, unless it is ours already (ACPI 6.5, section 4.8.3.3, SCI_EN).
async fn take_over(hardware: &FixedHardware, timer: &Timer) -> Result<(), SciError> {
    const SCI_EN: u16 = 1 << 0;
    /// The firmware answers in its SMI handler, at once or within milliseconds; Linux gives it 3 s.
    const LIMIT: Duration = Duration::from_secs(3);
    const PAUSE: Duration = Duration::from_millis(1);
    let is_ours = || Hardware.read_word(hardware.pm1_control) & SCI_EN != 0;
    if is_ours() {
        return Ok(());
    }
    let (port, value) = hardware.enable.ok_or(SciError::NotHandedOver)?;
    Hardware.write(port, value);
    let deadline = timer.now() + LIMIT;
    while !is_ours() {
        if timer.now() >= deadline {
            return Err(SciError::NotHandedOver);
        }
        timer.sleep(PAUSE).await;
    }
    Ok(())
}

/// The occurrences of one general-purpose event.
///
/// # Cancellation
///
/// Dropped, the event is disabled.
#[derive(Debug)]
pub struct GpeEvents {
    sci: Sci,
    gpe: u8,
    event: &'static Event,
    /// Its registers are the BSP's to write.
    not_send: PhantomData<*const ()>,
}

impl GpeEvents {
    /// Waits until the event has happened since the last time that this returned. When it returns, the event
    /// has been acknowledged and is enabled again: so whoever looks at the device then misses nothing, and
    /// what happens meanwhile is told by the next call. Several that happen at once are told once.
    ///
    /// # Errors
    ///
    /// [`SciError::Stuck`] if the event cannot be acknowledged, [`SciError::Storm`] if the SCI had to be
    /// masked. It comes no more then, and the caller has to look by itself.
    ///
    /// # Cancellation
    ///
    /// An event that has come by then is told by the next call.
    pub async fn next(&mut self) -> Result<(), SciError> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Result<(), SciError>> {
        // First the waker, then the look: what comes in between wakes.
        self.event.waker.register(context.waker());
        if self.event.has_happened.swap(false, Ordering::Acquire) {
            return Poll::Ready(self.arm());
        }
        match IS_MASKED.load(Ordering::Acquire) {
            true => Poll::Ready(Err(SciError::Storm)),
            false => Poll::Pending,
        }
    }

    /// Interrupts are off, so that the handler does not write a register that is being changed here.
    fn arm(&self) -> Result<(), SciError> {
        let registers = &self.sci.0.registers;
        let gpe = self.gpe;
        match without_interrupts(|| registers.arm(&Hardware, gpe)) {
            true => Ok(()),
            false => Err(SciError::Stuck { gpe }),
        }
    }
}

impl Drop for GpeEvents {
    fn drop(&mut self) {
        without_interrupts(|| self.sci.0.registers.disarm(&Hardware, self.gpe));
        self.event.waker.take();
        self.event.is_owned.store(false, Ordering::Release);
    }
}

/// The ports of this machine.
struct Hardware;

impl Port for Hardware {
    fn read(&self, port: u16) -> u8 {
        // SAFETY: the port is one of those that the FADT names for ACPI's hardware, of which reading a byte
        // changes nothing and touches no memory.
        unsafe { IoPort::new(port).read() }
    }

    fn write(&self, port: u16, value: u8) {
        // SAFETY: as above; what is written enables, disables or acknowledges events, or hands the hardware
        // over to us. The firmware's handler of that is the firmware's promise.
        unsafe { IoPort::new(port).write(value) };
    }

    fn write_word(&self, port: u16, value: u16) {
        // SAFETY: as above.
        unsafe { IoPort::new(port).write(value) };
    }

    fn read_word(&self, port: u16) -> u16 {
        // SAFETY: as above.
        unsafe { IoPort::new(port).read() }
    }
}

/// Why there are no events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SciError {
    /// The machine has none of the hardware, or it is not where it can be used.
    Absent(NoFixedHardware),
    /// The firmware did not hand the hardware over.
    NotHandedOver,
    /// The interrupt cannot be routed.
    NotRouted(IoApicError),
    /// There is no such event.
    NoSuchEvent {
        /// Its number.
        gpe: u8,
    },
    /// Somebody has the event already.
    Taken {
        /// Its number.
        gpe: u8,
    },
    /// The event is raised again as soon as it is acknowledged.
    Stuck {
        /// Its number.
        gpe: u8,
    },
    /// The interrupt came again and again for nothing that this kernel knows, and is masked.
    Storm,
}

impl fmt::Display for SciError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(why) => write!(f, "{why}"),
            Self::NotHandedOver => f.write_str("the firmware does not hand ACPI's hardware over"),
            Self::NotRouted(cause) => write!(f, "the SCI cannot be routed: {cause}"),
            Self::NoSuchEvent { gpe } => write!(f, "there is no event GPE {gpe}"),
            Self::Taken { gpe } => write!(f, "GPE {gpe} is somebody else's"),
            Self::Stuck { gpe } => write!(f, "GPE {gpe} cannot be acknowledged"),
            Self::Storm => f.write_str("the SCI came again and again for nothing, and is masked"),
        }
    }
}

impl core::error::Error for SciError {}
