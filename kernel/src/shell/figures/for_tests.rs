//! Figures for the tests of what is made from them.

use core::time::Duration;

use reveille_executor::Instant;
use reveille_smp::{
    cpu::{ApicId, CpuIndex, Place},
    state::Stage,
};

use super::{Counts, CpuFigures, CpuState, MemoryFigures, Moment};
use crate::cpus::idle::IdleTime;

/// A CPU that is online and has counted something; 0 is the BSP.
pub(in crate::shell) fn online(cpu: u32) -> CpuFigures {
    let mut counts = Counts::default();
    counts.executor.polls = 1_000 + u64::from(cpu);
    counts.executor.wakes = 900;
    counts.executor.doorbells_sent = 300;
    counts.executor.doorbells_saved = 600;
    counts.calls.run = 40;
    counts.calls.interrupts = 20;
    CpuFigures {
        cpu: Some(CpuIndex(cpu)),
        apic_id: ApicId(2 * cpu),
        place: Place {
            package: 0,
            core: cpu,
            thread: 0,
        },
        state: match cpu {
            0 => CpuState::Boot,
            _ => CpuState::Slot {
                stage: Stage::Online,
                rung: "inbox",
                failure: None,
            },
        },
        since: Some(Instant::from_nanos(2_000_000_000)),
        counts,
        time: IdleTime {
            online: Duration::from_secs(10),
            asleep: Duration::from_secs(9),
        },
    }
}

/// Such CPUs, at 12 s.
pub(in crate::shell) fn moment(cpus: impl IntoIterator<Item = u32>) -> Moment {
    Moment {
        at: Instant::from_nanos(12_000_000_000),
        cpus: cpus.into_iter().map(online).collect(),
        memory: MemoryFigures {
            heap_in_use: 512 << 10,
            heap_free: 15 << 20,
            frames_in_use: 5_000,
            frames_free: 60_000,
        },
    }
}
