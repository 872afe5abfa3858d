//! How modelled time passes: for the BSP in work, for an AP in halts.

#![forbid(unsafe_code)]

use core::{hint::black_box, time::Duration};

use reveille_executor::{Clock, Instant};
use reveille_smp::cpu::CpuIndex;

use crate::{percpu::PerCpu, platform::CpuPlatform};

/// Turns between two looks at the clock: about a microsecond under TCG, and less elsewhere.
const TURNS: u64 = 200;

/// Keeps this CPU at work until then.
pub fn busy_until(clock: &impl Clock, until: Instant) {
    while clock.now() < until {
        (0..TURNS).for_each(|turn| {
            black_box(turn);
        });
    }
}

/// Halts this AP until then. Interrupts are handled meanwhile, whatever the step that calls it: calls, stops of the
/// machine, doorbells. They end a halt, and not the time.
pub(super) fn halt_until(platform: &CpuPlatform, until: Instant) {
    platform.halt_until(until, || false);
}

/// This CPU is at something for so long: the BSP works, another CPU halts.
pub(super) fn occupy(span: Duration) {
    let Some(platform) = CpuPlatform::of_this_cpu() else {
        return;
    };
    let until = platform.now() + span;
    match PerCpu::current().index() {
        CpuIndex::BSP => busy_until(&platform, until),
        _ => halt_until(&platform, until),
    }
}
