//! The life of an AP in this kernel: from the trampoline's call to the parking place.

use core::{pin::pin, ptr};

use futures_util::future::{Either, select};
use reveille_smp::{
    ap::{Arrival, reside},
    bringup::Ap,
    ladder::Ladder,
    trace::event::Event,
};
use x86_64::instructions::{hlt, interrupts};

use super::{machine::Hardware, metrics::CpuMetrics};
use crate::{
    consistency::clock::adjust, faults::FaultKind, percpu::PerCpu, platform::CpuPlatform,
    vmm_probe::marks::ApMark,
};

/// All that an AP needs to live, prepared by the BSP before the AP is kicked and never freed.
pub struct ApContext {
    /// Its per-CPU area, with its stacks and tables.
    pub(super) area: &'static PerCpu,
    /// What it shares with the BSP, as one of all APs.
    pub(super) aps: &'static [Ap],
    /// Which of them it is.
    pub(super) index: usize,
    /// What is done for it on its way.
    pub(super) ladder: &'static Ladder,
    /// What its executor runs on.
    pub(super) platform: CpuPlatform,
    /// The machine.
    pub(super) machine: Hardware,
    /// How it is to fail, if it is.
    pub(super) fault: Option<FaultKind>,
    /// Its part in the mark of all APs being alive.
    pub(super) mark: ApMark,
}

/// Where the trampoline calls Rust: on the AP's own stack, interrupts off, its slot claimed.
pub(super) extern "sysv64" fn enter(context: u64, real_tsc: u64, long_tsc: u64) -> ! {
    let context = ptr::with_exposed_provenance::<ApContext>(context as usize);
    // SAFETY: the argument of each landing is the address of an `ApContext` that is never freed.
    let context: &'static ApContext = unsafe { &*context };
    context.live(real_tsc, long_tsc)
}

impl ApContext {
    /// What the trampoline hands to [`enter`].
    pub(super) fn argument(&'static self) -> u64 {
        ptr::from_ref(self).expose_provenance() as u64
    }

    /// What it shares with the BSP.
    pub(super) fn ap(&self) -> &'static Ap {
        &self.aps[self.index]
    }

    fn live(&'static self, real_tsc: u64, long_tsc: u64) -> ! {
        // What lies between the claim and ALIVE is the ladder's, but for the two faults that are none
        // of a step. The BSP reports a CPU that has claimed its slot and falls silent as stuck.
        match &self.fault {
            Some(FaultKind::Claimed) => halt(),
            Some(FaultKind::Panic) => {
                // SAFETY: the claim of the slot makes area and stacks this CPU's alone; interrupts
                // are off since its start. With the area it can say who it is.
                unsafe { self.area.enter() };
                panic!("asked for by fault={}:panic", self.ap().cpu);
            }
            _ => {}
        }

        let clock = &self.machine.clock;
        // As if it had struck before the AP noted these.
        let moved = adjust::strike(self.area);
        let instant_of = |tsc: u64| clock.instant_of(tsc.wrapping_add_signed(moved));
        let arrival = Arrival {
            real: instant_of(real_tsc),
            long: instant_of(long_tsc),
        };
        if let Some(track) = self.area.trace().noting() {
            track.note(arrival.real, Event::RealMode.pack());
            track.note(arrival.long, Event::LongMode.pack());
        }
        let home = self.area.home();
        let mut executor = home.move_in(&self.platform, CpuMetrics::of(self.area));
        let slot = &self.ap().slot;
        let (timer, spawner) = (executor.timer(), executor.spawner());
        let observers = (&self.mark, self.area.trace());
        let end = executor.block_on(async {
            let life = reside(
                self.aps,
                self.index,
                self.ladder,
                clock,
                &timer,
                arrival,
                &observers,
            );
            let life = pin!(life);
            match select(life, pin!(self.area.inbox().serve(&spawner))).await {
                Either::Left((end, _)) => end,
                Either::Right((never, _)) => match never {},
            }
        });
        home.move_out(executor);

        match end {
            // SAFETY: the trampoline, or the firmware's page, is mapped for good. Nobody relies on this stack any more: what
            // ran on it has been dropped, and what others see of this CPU lies elsewhere.
            Ok(state) => unsafe {
                self.machine
                    .park(slot.state().as_atomic(), state.parked().to_bits())
            },
            Err(_) => halt(),
        }
    }
}

/// Leaves this CPU where it is, for good.
fn halt() -> ! {
    loop {
        interrupts::disable();
        hlt();
    }
}
