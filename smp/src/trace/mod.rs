//! What a CPU notes as it runs: events in a ring of its own, without a lock and from any context.
//!
//! [`event`] is what can happen, and how it fits into two words; [`ring`] is where it is kept. Who notes
//! what, by which clock, and what is told of it, is the kernel's.

pub mod event;
pub mod ring;

use crate::cpu::CpuIndex;

/// The id of a CPU's first event; those that follow count on from there. No two events of a run share
/// one, and none has 0.
///
/// Up to 8,192 CPUs and 10^12 events of each, ids are below 2^53, so that every reader of JSON can hold
/// them.
pub const fn first_id(cpu: CpuIndex) -> u64 {
    ((cpu.0 as u64) << 40) + 1
}
