//! Benchmarks: boots of many machines, interleaved, and what they gave, for good.
//!
//! ```text
//!   Plan ──▶ Shard ──▶ boots ──▶ results.jsonl ──▶ report
//!   (cells)  (ours)    (QEMU,    (a line a boot,   (table, CSV,
//!                       load)     on the disk)      Markdown)
//! ```
//!
//! A *cell* is a machine and one contender on it: a strategy or a yardstick. All contenders of a machine run
//! in one boot, round by round, so whatever slows the host down slows all of them, and ratios are taken
//! within a boot. **The unit of statistics is the boot**: what the rounds of one boot share is not
//! averaged away by more rounds. The boots of several machines are interleaved: the first of each, then
//! the second of each.
//!
//! **What was measured is kept.** A boot's line is on the disk before the next boot begins, and what
//! ends a benchmark early, or keeps a line from the disk, takes nothing from those before it.

pub mod boots;
pub mod cell;
pub mod estimate;
pub mod growth;
pub mod host;
pub mod measure;
pub mod plan;
pub mod provenance;
pub mod report;
pub mod results;
pub mod shard;
pub mod stats;
