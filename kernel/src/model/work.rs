//! How modelled time passes: for the BSP in work, for an AP in halts.
//!
//! The end of an AP's time is work too, of 100 us at the most. It is none of the spinning that this kernel does not do:
//! the AP waits for no other CPU, and nobody's progress would end it sooner. It is the AP's own modelled work, and whom
//! its host keeps from running meanwhile it would keep from that on the machine that is modelled.

#![forbid(unsafe_code)]

use core::{array, hint::black_box, time::Duration};

use reveille_executor::{Clock, Instant};
use reveille_smp::cpu::CpuIndex;

use super::machine::Modelled;
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
///
/// A halt ends late, by what the host takes to ring the timer and to run the AP: by half of what the shorter pieces
/// take, under TCG. So the timer rings by `late` too early, and the AP works for what is left.
pub(super) fn halt_until(platform: &CpuPlatform, until: Instant, late: Duration) {
    let nanos = until.as_nanos().saturating_sub(late.as_nanos() as u64);
    platform.halt_until(Instant::from_nanos(nanos), || false);
    busy_until(platform, until);
}

/// This CPU is at something for so long: the BSP works, another CPU halts.
pub(super) fn occupy(model: &Modelled, span: Duration) {
    let Some(platform) = CpuPlatform::of_this_cpu() else {
        return;
    };
    let (now, area) = (platform.now(), PerCpu::current());
    let bell = model.bell(area.apic_id());
    let until = bell.map_or(now, |bell| bell.began(now)) + span;
    if let Some(bell) = bell {
        bell.is_at_it(until);
    }
    match area.index() {
        CpuIndex::BSP => busy_until(&platform, until),
        _ => halt_until(&platform, until, model.late()),
    }
}

/// By how much halts end late on this machine: the median of some.
pub(super) fn lateness(platform: &CpuPlatform) -> Duration {
    /// About as long as the shorter pieces of a model.
    const SPAN: Duration = Duration::from_micros(100);
    /// More is another's doing, and an AP works no longer than this.
    const MOST: Duration = Duration::from_micros(100);

    let mut late: [Duration; 15] = array::from_fn(|_| {
        let until = platform.now() + SPAN;
        platform.halt_until(until, || false);
        platform.now().saturating_duration_since(until)
    });
    late.sort_unstable();
    late[late.len() / 2].min(MOST)
}
