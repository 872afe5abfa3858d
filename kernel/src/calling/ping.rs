//! The bare ping-pong: an interrupt to a CPU that halts, and its handler's interrupt back. No queue, no
//! task, nothing to be run: what a call costs is measured against this.
//!
//! Both sides wait as they do for calls, by halting.

use core::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use reveille_executor::Clock;

use crate::{
    apic::LocalApic, interrupts::vectors::Vector, percpu, percpu::PerCpu, platform::CpuPlatform,
    time::read_tsc,
};

/// Answers that have come.
///
/// Relaxed: the BSP's handler counts and the BSP looks, and nothing comes with an answer.
static ANSWERS: AtomicU64 = AtomicU64::new(0);

/// What the TSC of the last CPU that was pinged so showed in its handler.
///
/// Relaxed: it is sent before the answer, and no APIC lets an interrupt overtake what was written before it
/// was sent (`apic/x2apic.rs`).
static ENTERED: AtomicU64 = AtomicU64::new(0);

/// In the handler of a CPU that is pinged: answers. Neither locks nor allocates.
pub(crate) fn answer(apic: LocalApic) {
    if let Some(bsp) = percpu::all().first() {
        // An answer that is not sent is one that does not come in time.
        let _ = apic.send_fixed(bsp.apic_id(), Vector::PONG);
    }
}

/// In the handler of a CPU that is pinged and says when: as [`answer`]. A vector of its own,
/// so that the bare way costs nothing for it.
pub(crate) fn answer_timed(apic: LocalApic) {
    ENTERED.store(read_tsc(), Ordering::Relaxed);
    answer(apic);
}

/// In the BSP's handler: an answer has come. Neither locks nor allocates.
pub(crate) fn answered() {
    ANSWERS.fetch_add(1, Ordering::Relaxed);
}

/// What the TSC of the CPU that answered a timed ping last showed in its handler.
#[cfg(target_os = "none")]
pub(crate) fn entered() -> u64 {
    ENTERED.load(Ordering::Relaxed)
}

/// How many answers have come in all.
pub(crate) fn answers() -> u64 {
    ANSWERS.load(Ordering::Relaxed)
}

/// Pings a CPU, on the BSP, and halts until it answers. `None` if it does not within `patience`.
pub(super) fn ping(
    to: &PerCpu,
    apic: LocalApic,
    platform: &CpuPlatform,
    patience: Duration,
) -> Option<Duration> {
    let before = answers();
    let began = platform.now();
    apic.send_fixed(to.apic_id(), Vector::PING).ok()?;
    let has_come = || answers() != before;
    platform
        .halt_until(began.saturating_add(patience), has_come)
        .then(|| platform.now() - began)
}
