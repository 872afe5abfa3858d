//! What more CPUs cost: bring-up time, memory and host CPU time for 1 to 512 CPUs, and whether that grows
//! linearly.
//!
//! ```text
//!   plan ──▶ boots ──▶ results.jsonl ──▶ points ──┬─▶ table, CSV
//!   (three machines a size, interleaved)          └─▶ fit ──▶ words
//! ```
//!
//! **What belongs to the APs is told from what belongs to their machine.** QEMU makes a CPU whether anybody
//! wakes it or not, and the more there are, the longer it takes. So each size is booted in three ways: with all
//! its APs, with none of them woken, and with rounds behind the boot's own. What the first cost the host beyond
//! the second is the bring-up's.

pub mod fit;
mod least_squares;
pub mod plan;
pub mod points;
pub mod words;
