//! What is noted of a call from one CPU to another: that it was queued, that it ran, or that it will
//! not. The call carries its id from the one to the other.
//!
//! Nothing but atomics is touched here: each of these may be called in any context, an NMI included.

#![forbid(unsafe_code)]

use reveille_smp::{
    cpu::CpuIndex,
    trace::event::{Event, Target},
};

use super::{is_on, note, note_with_id};
use crate::percpu::PerCpu;

/// A call is about to be queued for a CPU, by the one that calls this. Gives the id that it is to carry:
/// 0 while nothing is traced.
#[inline]
pub fn queued(to: CpuIndex) -> u64 {
    if is_on() { queued_for(to) } else { 0 }
}

#[cold]
fn queued_for(to: CpuIndex) -> u64 {
    // Whoever has no area has no place for a call either.
    let Some(area) = PerCpu::of(to) else { return 0 };
    let to = Target::One(area.apic_id());
    note_with_id(Event::CsdQueue { to, id: 0 })
}

/// The call is about to run, on the CPU that calls this.
#[inline]
pub fn entered(id: u64) {
    if id != 0 {
        note(Event::CsdEntry { id });
    }
}

/// It has run.
#[inline]
pub fn left(id: u64) {
    if id != 0 {
        note(Event::CsdExit { id });
    }
}

/// It will never run.
#[inline]
pub fn dropped(id: u64) {
    if id != 0 {
        note(Event::CsdDrop { id });
    }
}
