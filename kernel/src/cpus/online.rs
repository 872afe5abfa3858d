//! The list of CPUs that are online, in the order in which they came, and the step `join`.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU32, Ordering};

use conquer_once::spin::OnceCell;
use linkme::distributed_slice;
use reveille_smp::{
    cpu::CpuIndex,
    step::{Mode, Run, Site, Step, StepError},
};

use crate::{apic::LocalApic, ladder::STEPS, percpu::PerCpu};

#[distributed_slice(STEPS)]
static JOIN: &dyn Step = &Join;

/// The CPU checks that it is the one it is taken for, and joins the list of those online.
struct Join;

impl Join {
    fn join(cpu: CpuIndex) -> Result<(), StepError> {
        let apic = LocalApic::get().ok_or(StepError::Unsupported)?;
        let area = PerCpu::current();
        if (area.index(), area.apic_id()) != (cpu, apic.id()) {
            return Err(StepError::WrongCpu);
        }
        let list = OnlineList::get().ok_or(StepError::Exhausted)?;
        list.join(cpu).then_some(()).ok_or(StepError::Exhausted)
    }
}

impl Step for Join {
    fn name(&self) -> &'static str {
        "join"
    }

    fn rank(&self) -> u16 {
        10
    }

    fn mode(&self) -> Mode {
        // The list is to have the order of the bring-up.
        Mode::Serialised
    }

    fn up<'a>(&'a self, Site { cpu, .. }: Site<'a>) -> Run<'a> {
        Self::join(cpu).into()
    }

    fn down<'a>(&'a self, Site { cpu, .. }: Site<'a>) -> Run<'a> {
        if let Some(list) = OnlineList::get() {
            list.leave(cpu);
        }
        Run::Now(Ok(()))
    }
}

/// The CPUs that are online. Joining is a serialised step, so that they stand in the order of the
/// bring-up; anybody may read.
///
/// # Memory ordering
///
/// A CPU is given a place by one read-modify-write and takes it by another, which fails if somebody
/// else was faster. Should a CPU join beside another, because the bring-up has stopped waiting for
/// it, each still has a place of its own.
#[derive(Debug)]
pub struct OnlineList {
    entries: Box<[AtomicU32]>,
    taken: AtomicU32,
}

/// Set by the BSP before it kicks anybody.
static ONLINE: OnceCell<OnlineList> = OnceCell::uninit();

/// No CPU has this number.
const VACANT: u32 = u32::MAX;

impl OnlineList {
    /// Makes the machine's list, for so many CPUs, when it is called first.
    pub fn set_up(cpus: usize) -> &'static Self {
        ONLINE.get_or_init(|| Self::with_capacity(cpus))
    }

    /// The machine's list, once it is set up.
    pub fn get() -> Option<&'static Self> {
        ONLINE.try_get().ok()
    }

    /// An empty list for so many CPUs.
    fn with_capacity(cpus: usize) -> Self {
        Self {
            entries: (0..cpus).map(|_| AtomicU32::new(VACANT)).collect(),
            taken: AtomicU32::new(0),
        }
    }

    /// Adds a CPU; `false` when the list is full.
    fn join(&self, cpu: CpuIndex) -> bool {
        let take = |entry: &AtomicU32| {
            entry
                .compare_exchange(VACANT, cpu.0, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        };
        let place = self.taken.fetch_add(1, Ordering::Relaxed) as usize;
        // Behind the last place are those that CPUs have left which failed: they come again.
        self.entries.get(place).is_some_and(take) || self.entries.iter().any(take)
    }

    /// Removes a CPU that does not take part any more.
    fn leave(&self, cpu: CpuIndex) {
        // Looked for by loads: all CPUs leave at once, and would else take each line from all others.
        let is_own = |entry: &&AtomicU32| entry.load(Ordering::Relaxed) == cpu.0;
        if let Some(entry) = self.entries.iter().find(is_own) {
            let _ = entry.compare_exchange(cpu.0, VACANT, Ordering::AcqRel, Ordering::Relaxed);
        }
    }

    /// Makes all places vacant. To be called when all CPUs of the list have parked.
    pub fn clear(&self) {
        for entry in &self.entries {
            entry.store(VACANT, Ordering::Relaxed);
        }
        self.taken.store(0, Ordering::Relaxed);
    }

    /// The CPUs in the list.
    pub fn iter(&self) -> impl Iterator<Item = CpuIndex> {
        let numbers = self
            .entries
            .iter()
            .map(|entry| entry.load(Ordering::Acquire));
        numbers.filter(|&number| number != VACANT).map(CpuIndex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_the_order_of_arrival_and_refuses_more_than_it_has_room_for() {
        let list = OnlineList::with_capacity(2);
        assert!(list.join(CpuIndex(3)) && list.join(CpuIndex(1)));
        assert!(!list.join(CpuIndex(2)));
        assert!(list.iter().eq([CpuIndex(3), CpuIndex(1)]));
        list.leave(CpuIndex(3));
        assert!(list.iter().eq([CpuIndex(1)]));
        assert!(
            list.join(CpuIndex(3)),
            "it failed in one attempt and joins in the next"
        );
        assert!(!list.join(CpuIndex(2)));
        list.clear();
        assert!(list.join(CpuIndex(2)));
        assert!(list.iter().eq([CpuIndex(2)]));
    }
}
