//! The bare bring-up: the same trampoline into Rust, then an IPI in order to each halted AP and
//! its answer. No executor, no tasks, no steps: what our machinery costs is measured against this.
//!
//! Both sides wait as the real bring-up does, by halting. The BSP kicks all APs, halts until the
//! last of them has told it that all are there, and then calls one after the other.
//!
//! Each AP has a seat, as it has a slot for its real life, on the same stack. **Before APs can land on their
//! slots again, nobody is on a seat or comes to one**: a round that fails gives up who has not come, calls
//! who has, and waits for them to park. Should one not park, it is written off, and there are no more rounds.

use alloc::{boxed::Box, vec::Vec};
use core::{
    error::Error,
    fmt, ptr,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use reveille_executor::{Clock, Instant};
use reveille_smp::{
    bringup::ClockSkew,
    cpu::{ApicId, CpuIndex},
    machine::Machine,
    record,
    state::{Refused, StateWord},
};
use reveille_trampoline::{Directory, Landing};
use x86_64::instructions::interrupts;

use super::Incomplete;
use crate::{
    cpus::{Cpus, machine::Hardware},
    interrupts::vectors::Vector,
    percpu::PerCpu,
    platform::CpuPlatform,
};

/// Until when a round must be over; and how long one that failed waits for those who have come to park.
const DEADLINE: Duration = Duration::from_secs(5);

/// The BSP looks so often whether all have parked.
const PAUSE: Duration = Duration::from_micros(50);

/// The last AP gets no SIPI in the next round.
static MISSES: AtomicBool = AtomicBool::new(false);

/// Lets the last AP have no SIPI in the next round, for tests.
pub fn miss_the_last() {
    MISSES.store(true, Ordering::Relaxed);
}

/// A bare bring-up, prepared for any number of rounds.
pub(super) struct Bare {
    platform: &'static CpuPlatform,
    shared: &'static Shared,
    seats: &'static [Seat],
    directory: Directory,
}

/// What all share.
struct Shared {
    machine: Hardware,
    bsp: ApicId,
    /// APs of this round. Relaxed: an AP reads it behind its claim, which is behind its kick.
    aps: AtomicU32,
    /// APs that are alive in this round.
    alive: AtomicU32,
}

/// What the BSP shares with one AP. The stack is the one that the AP has as a real one, on which
/// nobody is while it is parked.
struct Seat {
    shared: &'static Shared,
    area: &'static PerCpu,
    word: StateWord,
    is_called: AtomicBool,
    has_answered: AtomicBool,
    /// Nanoseconds on the AP's clock.
    alive: AtomicU64,
    online: AtomicU64,
}

impl Bare {
    /// Prepares a seat for every AP, whether it is there or not yet. They are never freed.
    pub(super) fn prepare(
        cpus: &Cpus,
        platform: &'static CpuPlatform,
    ) -> Result<Self, Box<dyn Error>> {
        let shared: &'static Shared = Box::leak(Box::new(Shared {
            machine: cpus.machine,
            bsp: PerCpu::current().apic_id(),
            aps: AtomicU32::new(0),
            alive: AtomicU32::new(0),
        }));
        let seats: Vec<_> = cpus
            .areas_of_all()
            .map(|area| Seat::new(shared, area))
            .collect();
        let seats: &'static [Seat] = seats.leak();
        let landings = seats.iter().map(|seat| {
            let stack_top = seat.area.stacks().main.top;
            let argument = ptr::from_ref(seat).expose_provenance() as u64;
            // SAFETY: the seat is never freed, and the stack is the AP's own, on which nobody is
            // while its real life is parked, as it is in these rounds. `enter` takes seats.
            unsafe {
                Landing::new(
                    seat.area.apic_id().0,
                    seat.word.as_atomic(),
                    stack_top,
                    enter,
                    argument,
                )
            }
        });
        let directory = Directory::new(landings.collect::<Vec<_>>().leak())?;
        Ok(Self {
            platform,
            shared,
            seats,
            directory,
        })
    }

    /// Runs one round, from all APs that are there parked to all of them parked, however it ends. Behind it
    /// they land on their slots again.
    ///
    /// # Errors
    ///
    /// When an interrupt is not accepted, or an AP is missing at the deadline. When an AP of an earlier round
    /// has not parked: it could count itself among those of this one.
    pub(super) fn run(&self, round: u32, cpus: &Cpus) -> Result<record::Bare, Box<dyn Error>> {
        if let Some(seat) = self.seats.iter().find(|seat| !seat.word.withdraw()) {
            return Err(NotParked(seat.area.index()).into());
        }
        let there: Vec<_> = cpus.areas().map(PerCpu::index).collect();
        let is_there = |seat: &&Seat| there.binary_search(&seat.area.index()).is_ok();
        let seats: Vec<&'static Seat> = self.seats.iter().filter(is_there).collect();
        // SAFETY: no AP is on its way, as all are parked; the stacks are mapped in the kernel's page
        // tables.
        unsafe { self.shared.machine.trampoline.set_landings(self.directory) };
        let measured = self.measure(round, &seats);
        if measured.is_err() {
            for seat in self.leave(&seats) {
                cpus.write_off(seat.area.index());
            }
        }
        // Who has not parked has its landing, with all that belongs to it.
        cpus.open_landings();
        measured
    }

    fn measure(&self, round: u32, seats: &[&'static Seat]) -> Result<record::Bare, Box<dyn Error>> {
        let Shared { machine, alive, .. } = self.shared;
        let aps = seats.len() as u32;
        self.shared.aps.store(aps, Ordering::Relaxed);
        alive.store(0, Ordering::Relaxed);
        for seat in seats {
            seat.is_called.store(false, Ordering::Relaxed);
            seat.has_answered.store(false, Ordering::Relaxed);
        }

        let start = machine.now();
        let deadline = start.saturating_add(DEADLINE);
        let misses = MISSES.swap(false, Ordering::Relaxed);
        for (seat, left) in seats.iter().zip((1..=aps).rev()) {
            machine.send_init(seat.area.apic_id())?;
            let kicked = seat.word.kick();
            kicked.map_err(|Refused(_)| NotParked(seat.area.index()))?;
            if left > 1 || !misses {
                machine.send_sipi(seat.area.apic_id())?;
            }
        }
        let arrived = || alive.load(Ordering::Acquire);
        if !self.platform.halt_until(deadline, || arrived() == aps) {
            return Err(Incomplete {
                round,
                what: "bare",
                missing: aps - arrived(),
            }
            .into());
        }
        for (seat, left) in seats.iter().zip((1..=aps).rev()) {
            seat.is_called.store(true, Ordering::Release);
            machine
                .apic
                .send_fixed(seat.area.apic_id(), Vector::DOORBELL)?;
            if !self
                .platform
                .halt_until(deadline, || seat.has_answered.load(Ordering::Acquire))
            {
                return Err(Incomplete {
                    round,
                    what: "bare",
                    missing: left,
                }
                .into());
            }
        }
        let last = |stamp: fn(&Seat) -> &AtomicU64| {
            let stamps = seats.iter().map(|seat| seat.by_the_bsp(stamp(seat)));
            stamps.max().map(|last| {
                let since = Instant::from_nanos(last).saturating_duration_since(start);
                since.as_nanos() as u64
            })
        };
        let (alive_ns, online_ns) = (last(|seat| &seat.alive), last(|seat| &seat.online));
        let uncertainty_ns = seats.iter().try_fold(0, |worst, seat| {
            // A clock that stands where the BSP's began tells no time.
            let has_come_so_far = seat.alive.load(Ordering::Relaxed) > 0;
            let skew = seat.skew().filter(|_| has_come_so_far)?;
            Some(skew.uncertainty_ns.max(worst))
        });
        let missing = self.until_down(seats, deadline).len() as u32;
        if missing > 0 {
            return Err(Incomplete {
                round,
                what: "bare",
                missing,
            }
            .into());
        }
        Ok(record::Bare {
            round,
            aps,
            alive_ns,
            online_ns,
            uncertainty_ns,
        })
    }

    /// Ends a round that has failed: nobody comes to a seat any more, and whoever sits on one is sent to
    /// park. Tells who has not parked at the deadline.
    fn leave(&self, seats: &[&'static Seat]) -> Vec<&'static Seat> {
        let machine = self.shared.machine;
        for seat in seats {
            // In this order: whoever does not see it is woken.
            seat.is_called.store(true, Ordering::Release);
            if !seat.word.withdraw() {
                // One that takes no interrupt yet looks before it halts.
                let _ = machine
                    .apic
                    .send_fixed(seat.area.apic_id(), Vector::DOORBELL);
            }
        }
        self.until_down(seats, machine.now().saturating_add(DEADLINE))
    }

    /// Waits until nobody is on these seats, and tells on which somebody is at the deadline.
    ///
    /// Behind its answer an AP has some hundred instructions to the parking place. Parking is its
    /// last act, so nothing can tell the BSP; it looks, and halts in between. Nothing is measured
    /// any more.
    fn until_down(&self, seats: &[&'static Seat], deadline: Instant) -> Vec<&'static Seat> {
        loop {
            let taken = seats.iter().copied().filter(|seat| !seat.word.withdraw());
            let taken: Vec<_> = taken.collect();
            let now = self.shared.machine.now();
            if taken.is_empty() || now >= deadline {
                return taken;
            }
            self.platform
                .halt_until(now.saturating_add(PAUSE), || false);
        }
    }
}

/// An AP of an earlier round has not parked.
#[derive(Clone, Copy, Debug)]
struct NotParked(CpuIndex);

impl fmt::Display for NotParked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(cpu) = self;
        write!(f, "CPU {cpu} has not parked behind a round of bare")
    }
}

impl Error for NotParked {}

/// Where the trampoline calls Rust in these rounds.
extern "sysv64" fn enter(seat: u64, _real_tsc: u64, _long_tsc: u64) -> ! {
    // SAFETY: the argument of each of these landings is the address of a seat that is never freed.
    let seat: &'static Seat = unsafe { &*ptr::with_exposed_provenance(seat as usize) };
    seat.sit()
}

impl Seat {
    fn new(shared: &'static Shared, area: &'static PerCpu) -> Self {
        Self {
            shared,
            area,
            word: StateWord::new(),
            is_called: AtomicBool::new(false),
            has_answered: AtomicBool::new(false),
            alive: AtomicU64::new(0),
            online: AtomicU64::new(0),
        }
    }

    /// How the AP's clock stands to the BSP's.
    fn skew(&self) -> Option<ClockSkew> {
        self.area.clock().skew_to_bsp(self.shared.machine.clock)
    }

    /// What the AP noted by its own clock, as the BSP's would have shown it, if that is known.
    fn by_the_bsp(&self, stamp: &AtomicU64) -> u64 {
        let ahead = self.skew().map_or(0, |skew| skew.ahead_ns);
        let noted = stamp.load(Ordering::Relaxed);
        noted.saturating_add_signed(0_i64.saturating_sub(ahead))
    }

    /// What the AP does: be alive, halt until called, answer, park.
    fn sit(&self) -> ! {
        let Shared {
            machine,
            bsp,
            aps,
            alive,
        } = self.shared;
        // SAFETY: the claim of the seat makes the area this CPU's alone, because its real life is
        // parked; interrupts are off since its start.
        unsafe { self.area.enter() };
        let clock = self.area.clock().on_this_cpu(machine.clock);
        // An APIC that cannot be enabled takes no call; the BSP's deadline reports it.
        let _ = machine.apic.enable();
        self.alive.store(clock.now().as_nanos(), Ordering::Relaxed);
        if alive.fetch_add(1, Ordering::AcqRel) + 1 == aps.load(Ordering::Relaxed) {
            let _ = machine.apic.send_fixed(*bsp, Vector::DOORBELL);
        }
        while !self.is_called.load(Ordering::Acquire) {
            interrupts::enable_and_hlt();
            interrupts::disable();
        }
        self.online.store(clock.now().as_nanos(), Ordering::Relaxed);
        self.has_answered.store(true, Ordering::Release);
        let _ = machine.apic.send_fixed(*bsp, Vector::DOORBELL);
        self.area.leave();
        let parked = self.word.load().parked().to_bits();
        // SAFETY: the trampoline is mapped for good, and nobody relies on this stack.
        unsafe { machine.trampoline.park(self.word.as_atomic(), parked) }
    }
}
