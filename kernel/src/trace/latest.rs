//! The latest events of all CPUs, by one clock, for a person who asks.

use alloc::{collections::TryReserveError, vec::Vec};

use reveille_executor::Instant;
use reveille_smp::{cpu::CpuIndex, trace::event::Event};

use super::{
    account::{Names, skew_of},
    track::put_on_one_clock,
};
use crate::{percpu, time::TscClock};

/// An event, and where and when it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happened {
    /// When, by the BSP's clock as far as the CPU's is known to stand to it.
    pub at: Instant,
    /// On which CPU.
    pub cpu: CpuIndex,
    /// What.
    pub event: Event<Option<CpuIndex>>,
}

/// The latest so many of what all CPUs have noted, the oldest first. Nothing is noted meanwhile.
///
/// # Errors
///
/// When there is no memory for a copy of a CPU's events.
pub fn latest(most: usize, clock: TscClock) -> Result<Vec<Happened>, TryReserveError> {
    let names = Names::collect(percpu::all());
    let mut latest = Vec::new();
    for area in percpu::all() {
        let Some(track) = &area.trace().track else {
            continue;
        };
        let mut events = track.ring().read()?.events;
        let ahead_ns = skew_of(area, &events, clock).map_or(0, |(ahead_ns, _)| ahead_ns);
        put_on_one_clock(&mut events, ahead_ns);
        let of_cpu = events.iter().rev().take(most);
        latest.extend(of_cpu.map(|noted| Happened {
            at: noted.at,
            cpu: area.index(),
            event: noted.event.map(|to| names.of(to)),
        }));
    }
    latest.sort_by_key(|it| it.at);
    let excess = latest.len().saturating_sub(most);
    latest.drain(..excess);
    Ok(latest)
}

/// Whether CPUs have room to note events.
pub fn has_tracks() -> bool {
    percpu::all()
        .iter()
        .any(|area| area.trace().track.is_some())
}
