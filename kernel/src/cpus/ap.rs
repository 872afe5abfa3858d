//! The life of an AP in this kernel: from the trampoline's call to the parking place.

use core::{cell::Cell, pin::pin, ptr};

use futures_util::future::{Either, select};
use reveille_executor::{Counters, Executor, Storage};
use reveille_smp::{
    ap::{Arrival, reside},
    bringup::Ap,
    ladder::Ladder,
};
use x86_64::instructions::{hlt, interrupts};

use super::machine::Hardware;
use crate::{faults::FaultKind, percpu::PerCpu, platform::CpuPlatform};

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
    /// Its executor.
    pub(super) home: Home,
}

/// The executor of an AP. It is built at the AP's first arrival and kept while the AP is parked.
///
/// Its slots are one block, all for tasks that others send: as many as an inbox lets run at once
/// ([`MAX_TASKS`](reveille_smp::inbox::MAX_TASKS)). What the AP does itself runs in the future of
/// `block_on`, which needs none.
pub(super) struct Home {
    storage: Cell<Option<&'static mut Storage<1, Counters>>>,
    executor: Cell<Option<Executor<Counters>>>,
}

// SAFETY: the cells are touched by `move_in` and `move_out` only, which an AP calls between the
// claim of its slot and its parking. The claim lets one CPU in at a time, and the state word's
// acquire and release order one stay behind the other. It is always the same CPU, the only one
// whose APIC id finds the slot, so the executor stays with its owner.
unsafe impl Sync for Home {}
// SAFETY: made by the BSP with nothing but the storage in it, which can be sent.
unsafe impl Send for Home {}

impl Home {
    /// A home whose executor will live in `storage`.
    pub(super) fn new(storage: &'static mut Storage<1, Counters>) -> Self {
        Self {
            storage: Cell::new(Some(storage)),
            executor: Cell::new(None),
        }
    }

    fn move_in(&self, platform: &'static CpuPlatform) -> Executor<Counters> {
        self.executor.take().unwrap_or_else(|| {
            let storage = self
                .storage
                .take()
                .expect("an executor is moved out before the next stay");
            Executor::in_storage(storage, platform, Counters::new())
        })
    }

    fn move_out(&self, mut executor: Executor<Counters>) {
        executor.reset();
        self.executor.set(Some(executor));
    }
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
        // SAFETY: the claim of the slot makes area and stacks this CPU's alone; interrupts are off
        // since its start.
        unsafe { self.area.enter() };
        // The BSP reports a CPU that has claimed its slot and falls silent as stuck.
        if self.machine.apic.enable().is_err() {
            halt();
        }
        match &self.fault {
            Some(FaultKind::Claimed) => halt(),
            Some(FaultKind::Panic) => panic!("asked for by fault={}:panic", self.ap().cpu),
            _ => {}
        }
        let mut executor = self.home.move_in(&self.platform);
        interrupts::enable();

        let clock = &self.machine.clock;
        let arrival = Arrival {
            real: clock.instant_of(real_tsc),
            long: clock.instant_of(long_tsc),
        };
        let slot = &self.ap().slot;
        let (timer, spawner) = (executor.timer(), executor.spawner());
        let end = executor.block_on(async {
            let life = reside(self.aps, self.index, self.ladder, clock, &timer, arrival);
            let life = pin!(life);
            match select(life, pin!(self.area.inbox().serve(&spawner))).await {
                Either::Left((end, _)) => end,
                Either::Right((never, _)) => match never {},
            }
        });

        interrupts::disable();
        self.home.move_out(executor);
        self.area.leave();
        match end {
            // SAFETY: the trampoline is mapped for good. Nobody relies on this stack any more: the
            // executor has dropped its tasks, and what others see of this CPU lies elsewhere.
            Ok(state) => unsafe {
                self.machine
                    .trampoline
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
