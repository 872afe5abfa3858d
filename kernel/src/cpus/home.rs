//! The step `executor`: an AP's executor, and that nothing is left in it when the AP goes.
//!
//! The executor is built on the AP, at its first arrival, in memory that was prepared for it, and is
//! kept for good, as wakers may point into it. While the AP is down it is nobody's. A task that is
//! still there then has been left behind by whoever was to end it, and the AP does not go down.

use core::{
    cell::Cell,
    fmt,
    sync::atomic::{AtomicU8, Ordering},
};

use linkme::distributed_slice;
use reveille_executor::{Executor, Platform, Storage};
use reveille_smp::{
    cpu::CpuIndex,
    step::{Run, Section, Site, Step, StepError},
};

use super::metrics::CpuMetrics;
use crate::{ladder::STEPS, percpu::PerCpu};

#[distributed_slice(STEPS)]
static EXECUTOR: &dyn Step = &VacantExecutor;

/// The executor is there, and no task is in it.
struct VacantExecutor;

impl VacantExecutor {
    fn check(cpu: CpuIndex) -> Result<(), StepError> {
        let area = PerCpu::of(cpu).ok_or(StepError::WrongCpu)?;
        area.home().check_vacant()
    }
}

impl Step for VacantExecutor {
    fn name(&self) -> &'static str {
        "executor"
    }

    fn section(&self) -> Section {
        Section::Prepare
    }

    fn rank(&self) -> u16 {
        30
    }

    fn up<'a>(&'a self, Site { cpu, .. }: Site<'a>) -> Run<'a> {
        Self::check(cpu).into()
    }

    fn down<'a>(&'a self, Site { cpu, .. }: Site<'a>) -> Run<'a> {
        Self::check(cpu).into()
    }
}

/// An executor of an AP, which counts where others can read it.
pub(super) type ApExecutor = Executor<CpuMetrics>;

/// Memory for one.
pub type ApStorage = Storage<1, CpuMetrics>;

/// Where an AP's executor is while the AP is not in it.
///
/// Its slots are one block, all for tasks that others send: as many as an inbox lets run at once
/// ([`MAX_TASKS`](reveille_smp::inbox::MAX_TASKS)). What the AP does itself runs in the future of
/// `block_on`, which needs none.
pub struct Home {
    storage: Cell<Option<&'static mut ApStorage>>,
    executor: Cell<Option<ApExecutor>>,
    /// What [`check_vacant`](Self::check_vacant) tells.
    ///
    /// Relaxed: the AP writes it, and its parking orders that before the look.
    vacancy: AtomicU8,
}

/// There is no memory for an executor: its CPU has one elsewhere.
const NONE: u8 = 0;
/// No task is in the executor, and nor is the AP.
const VACANT: u8 = 1;
/// The AP runs its executor, or has left a task there.
const IN_USE: u8 = 2;

// SAFETY: the cells are touched by `move_in` and `move_out` only, which an AP calls between the
// claim of its slot and its parking. The claim lets one CPU in at a time, and the state word's
// acquire and release order one stay behind the other. It is always the same CPU, the only one
// whose APIC id finds the slot, so the executor stays with its owner.
unsafe impl Sync for Home {}
// SAFETY: made by the BSP with nothing but the storage in it, which can be sent.
unsafe impl Send for Home {}

impl Home {
    /// A home whose executor will live in `storage`; without it there will be none.
    pub const fn new(storage: Option<&'static mut ApStorage>) -> Self {
        Self {
            vacancy: AtomicU8::new(match storage {
                None => NONE,
                Some(_) => VACANT,
            }),
            storage: Cell::new(storage),
            executor: Cell::new(None),
        }
    }

    pub(super) fn move_in(
        &self,
        platform: &'static dyn Platform,
        metrics: CpuMetrics,
    ) -> ApExecutor {
        self.vacancy.store(IN_USE, Ordering::Relaxed);
        self.executor.take().unwrap_or_else(|| {
            let storage = self
                .storage
                .take()
                .expect("an executor is moved out before the next stay");
            Executor::in_storage(storage, platform, metrics)
        })
    }

    pub(super) fn move_out(&self, executor: ApExecutor) {
        if executor.is_empty() {
            self.vacancy.store(VACANT, Ordering::Relaxed);
        }
        self.executor.set(Some(executor));
    }

    /// To be called while the AP is down.
    fn check_vacant(&self) -> Result<(), StepError> {
        match self.vacancy.load(Ordering::Relaxed) {
            NONE => Err(StepError::Exhausted),
            VACANT => Ok(()),
            _ => Err(StepError::Busy),
        }
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vacancy = self.vacancy.load(Ordering::Relaxed);
        f.debug_struct("Home")
            .field("vacancy", &vacancy)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use core::future::{pending, ready};

    use reveille_executor::{Clock, Counters, Doorbell, Idle, Instant, SleepGate};

    use super::*;
    use crate::trace::CpuTrace;

    /// Nobody waits here.
    struct Awake;

    impl Clock for Awake {
        fn now(&self) -> Instant {
            Instant::from_nanos(0)
        }
    }

    impl Doorbell for Awake {
        fn ring(&self) {}
    }

    impl Idle for Awake {
        fn idle(&self, _: &SleepGate<'_>, _: Option<Instant>) {}
    }

    #[test]
    fn a_task_that_is_left_behind_keeps_its_cpu_from_going_down_until_it_has_ended() {
        static COUNTERS: Counters = Counters::new();
        static TRACE: CpuTrace = CpuTrace::new();
        let metrics = CpuMetrics::new(&COUNTERS, &TRACE);
        let home = Home::new(Some(Box::leak(Box::default())));
        assert_eq!(home.check_vacant(), Ok(()));
        let executor = home.move_in(&Awake, metrics);
        let task = executor.spawner().spawn(pending::<()>()).unwrap();
        assert_eq!(home.check_vacant(), Err(StepError::Busy));
        home.move_out(executor);
        assert_eq!(home.check_vacant(), Err(StepError::Busy));

        let mut executor = home.move_in(&Awake, metrics);
        task.abort();
        executor.block_on(ready(()));
        home.move_out(executor);
        assert_eq!(home.check_vacant(), Ok(()));
    }

    #[test]
    fn a_cpu_whose_executor_is_elsewhere_has_no_home() {
        assert_eq!(Home::new(None).check_vacant(), Err(StepError::Exhausted));
    }
}
