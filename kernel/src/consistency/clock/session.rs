//! A session: the BSP asks APs for readings of their clocks, a few at a time, until it has several of
//! each.
//!
//! ```text
//!   BSP  ask 1  ask 2  ...  ask W │ a reading was taken: ask the next
//!          └─▶ AP: its handler reads its clock ─┐
//!        handler: takes what was given ◀────────┘ wakes the task, which waits for a place
//! ```
//!
//! All that the APs do is in their handlers, at once with each other; everybody halts otherwise. There
//! are `WINDOW` questions under way at most: so an answer does not queue behind hundreds, on the BSP
//! or for a processor of the host, and is not made less exact by that. The readings of one CPU are
//! spread over `SPACING` each, for a clock that runs at another rate to show, and each round begins
//! with another CPU.
//!
//! Whoever does not answer holds its place for `PATIENCE`, once, and is not asked again until it has
//! answered; a session ends by `DEADLINE` whatever comes.

use alloc::vec::Vec;
use core::{
    future::poll_fn,
    sync::atomic::{AtomicU32, Ordering},
    task::Poll,
    time::Duration,
};

use futures_util::task::AtomicWaker;
use reveille_executor::Timer;
use reveille_smp::{clock_offset::Estimate, cpu::CpuIndex};

use crate::{apic::LocalApic, interrupts::vectors::Vector, percpu::PerCpu, time::read_tsc};

/// Readings of each clock: the best of so many is hardly held up on its way, and a session is short.
const READINGS: u32 = 8;

/// From one reading of a clock to its next at the least.
const SPACING: Duration = Duration::from_micros(200);

/// Questions under way at once.
const WINDOW: usize = 4;

/// An answer takes microseconds, or on a host that has other things to do as long as its scheduler
/// likes. Behind this the others go on.
const PATIENCE: Duration = Duration::from_millis(1);

/// Whoever has not answered at all may still do so, this long behind the last question. All who are asked are alive,
/// so this is waited out only where the host does not let one of them run.
const GRACE: Duration = Duration::from_secs(1);

/// Until when a session is over.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// What a session gave.
pub(super) struct Session {
    /// One for each CPU, in the order in which they were given.
    pub(super) estimates: Vec<Estimate>,
    /// How long it took.
    pub(super) duration: Duration,
}

/// Compares the clocks of these CPUs with that of the BSP, which calls this in a task. One session at a
/// time.
///
/// # Cancellation
///
/// Readings that were asked for are given and nobody takes them; the next session does.
pub(super) async fn compare(areas: &[&'static PerCpu], apic: LocalApic, timer: &Timer) -> Session {
    let began = timer.now();
    let deadline = began.saturating_add(DEADLINE);
    let mut cpus: Vec<_> = areas.iter().map(|area| Asked::new(area)).collect();
    DESK.clear();
    for round in 0..READINGS {
        timer
            .sleep_until(began.saturating_add(SPACING * round))
            .await;
        let first = cpus.len() * round as usize / READINGS as usize;
        for at in (first..cpus.len()).chain(0..first) {
            if timer.now() >= deadline {
                break;
            }
            let cpu = &mut cpus[at];
            cpu.collect();
            if !cpu.is_waited_for {
                let place = DESK.place(timer).await;
                cpu.ask(place, apic);
            }
        }
    }
    let last = timer.now().saturating_add(GRACE).min(deadline);
    loop {
        cpus.iter_mut().for_each(Asked::collect);
        let is_silent = |cpu: &Asked| cpu.is_waited_for && cpu.estimate.exchanges() == 0;
        let is_over = match DESK.is_empty() {
            true => !cpus.iter().any(is_silent),
            false => false,
        };
        if is_over || timer.now() >= last {
            break;
        }
        if timer.timeout(PATIENCE, DESK.until_empty()).await.is_err() {
            DESK.clear();
        }
        if cpus.iter().any(is_silent) && DESK.is_empty() {
            timer.sleep(PATIENCE).await;
        }
    }
    Session {
        estimates: cpus.iter().map(|cpu| cpu.estimate).collect(),
        duration: timer.now() - began,
    }
}

/// One of the CPUs.
struct Asked {
    area: &'static PerCpu,
    estimate: Estimate,
    is_waited_for: bool,
}

impl Asked {
    fn new(area: &'static PerCpu) -> Self {
        Self {
            area,
            estimate: Estimate::new(),
            is_waited_for: false,
        }
    }

    fn ask(&mut self, place: &AtomicU32, apic: LocalApic) {
        self.is_waited_for = true;
        self.area.clock().line.ask(read_tsc);
        // Behind the question: the handler frees the place of one that is not open.
        place.store(self.area.index().0, Ordering::Relaxed);
        // A question that is not sent is not answered.
        let _ = apic.send_fixed(self.area.apic_id(), Vector::CLOCK_ASKED);
    }

    /// Adds the reading that was waited for, if it has come, and takes it if the handler has not.
    fn collect(&mut self) {
        let line = &self.area.clock().line;
        if self.is_waited_for
            && (!line.is_open() || line.take(read_tsc))
            && let Some(exchange) = line.exchange()
        {
            self.estimate.add(exchange);
            self.is_waited_for = false;
        }
    }
}

/// Who is asked now, and whom to wake.
///
/// # Memory ordering
///
/// Relaxed: a task of the BSP and the BSP's handler touch it, and nobody else.
struct Desk {
    /// The numbers of CPUs, or [`FREE`].
    places: [AtomicU32; WINDOW],
    waker: AtomicWaker,
}

const FREE: u32 = u32::MAX;

static DESK: Desk = Desk {
    places: [const { AtomicU32::new(FREE) }; WINDOW],
    waker: AtomicWaker::new(),
};

/// In the BSP's handler: takes the readings that were given. Neither locks nor allocates.
pub(crate) fn take() {
    DESK.take();
}

impl Desk {
    fn take(&self) {
        let mut is_any = false;
        for place in &self.places {
            let cpu = place.load(Ordering::Relaxed);
            if cpu == FREE {
                continue;
            }
            // A task may have taken the reading before its interrupt came.
            let is_taken = PerCpu::of(CpuIndex(cpu)).is_none_or(|area| {
                let line = &area.clock().line;
                !line.is_open() || line.take(read_tsc)
            });
            if is_taken {
                place.store(FREE, Ordering::Relaxed);
                is_any = true;
            }
        }
        if is_any {
            self.waker.wake();
        }
    }

    /// Waits for a free place. Where none comes free in time, all are: nobody is waited for longer.
    async fn place(&self, timer: &Timer) -> &AtomicU32 {
        loop {
            let free = || self.places.iter().find(|place| is_free(place));
            if let Some(place) = free() {
                return place;
            }
            let some = self.until(|| free().is_some());
            if timer.timeout(PATIENCE, some).await.is_err() {
                self.clear();
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.places.iter().all(is_free)
    }

    async fn until_empty(&self) {
        self.until(|| self.is_empty()).await;
    }

    /// Registers first and looks second, as everywhere.
    async fn until(&self, condition: impl Fn() -> bool) {
        poll_fn(|context| {
            self.waker.register(context.waker());
            match condition() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// What is given from now on is for a task to take.
    fn clear(&self) {
        let places = self.places.iter();
        places.for_each(|place| place.store(FREE, Ordering::Relaxed));
    }
}

fn is_free(place: &AtomicU32) -> bool {
    place.load(Ordering::Relaxed) == FREE
}
