//! `calls=N`: so many calls, of all kinds and from all CPUs to all CPUs, each of which is accounted for.

use alloc::{string::ToString, vec::Vec};

use reveille_smp::{cpu::CpuIndex, record};

use super::{
    books,
    caller::{Callers, Planted},
};
use crate::{
    interruption::Interruption,
    operations::{Operations, in_use::InUse},
    percpu,
};

/// Lets the CPUs that are online make so many calls, which are drawn from `seed`; fewer, if an interruption
/// is asked for.
///
/// # Cancellation
///
/// The callers go on.
pub(super) async fn load(
    operations: &Operations<'_>,
    asked: u32,
    seed: u32,
    planted: Planted,
    interruption: &Interruption,
) -> record::Calls {
    let aps: Vec<CpuIndex> = operations.online().map(|member| member.cpu).collect();
    let cpus: Vec<CpuIndex> = [CpuIndex::BSP].into_iter().chain(aps.clone()).collect();
    books::make();
    operations.settle(&aps).await;
    let timer = &operations.bench.timer;
    let in_use = InUse::now();
    let (start, interrupts) = (operations.now(), interrupts_for_calls());
    let mut callers = Callers::new(cpus.clone(), Some(asked), planted);
    callers.start(seed);
    let ended = match interruption.unless(callers.finish(timer)).await {
        Some(ended) => ended,
        None => callers.stop(timer).await,
    };
    let duration_ns = operations.since(start).as_nanos() as u64;
    let ipis = interrupts_for_calls() - interrupts;
    if ended.is_ok() {
        callers.rest(timer).await;
        operations.settle(&aps).await;
        callers.audit();
    }
    let wrong = callers.wrong();
    let counts = callers.end();
    // Before anything is made that is to be told.
    let balance = in_use.balance();
    let standstill = ended.err().map(|standstill| standstill.to_string());
    let mut totals = counts.totals();
    totals.ipis = ipis;
    record::Calls {
        asked,
        cpus: cpus.len() as u32,
        interrupted: totals.done < asked.into() && interruption.is_asked(),
        totals,
        broken: standstill.or_else(|| wrong.map(|wrong| wrong.to_string())),
        duration_ns,
        balance,
    }
}

/// Interrupts that were sent to any CPU for calls, since they have been counted.
pub(crate) fn interrupts_for_calls() -> u64 {
    let areas = percpu::all().iter();
    areas.map(|area| area.calls().traffic().interrupts).sum()
}
