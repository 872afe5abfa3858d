//! What more CPUs cost: bring-up time, memory and host CPU time for 1 to 512 CPUs, and whether that grows
//! linearly.
//!
//! ```text
//!   plan ──▶ boots ──▶ results.jsonl ──▶ points ──▶ fit ──▶ table, words, CSV
//! ```
pub mod fit;
mod least_squares;
