//! Linux beside us: Debian's kernels in the same QEMU, with the same options, interleaved with ours.
//!
//! ```text
//!   image     the kernels, by apt          ┌─▶ console    Linux's own two lines, by the host's clock
//!   system    their words      ─▶ boots ───┼─▶ outside    QEMU's trace of the APICs: ours and Linux's
//!   initramfs their first program          └─▶ inside     Linux's trace of its own steps
//!                                   │
//!                                session ─▶ results.jsonl ─▶ report
//! ```
//!
//! **What is compared is said with its two ends.** Linux's bring-up lasts from its line "Bringing up
//! secondary CPUs" to its line "Brought up"; ours from the first INIT to the last CPU online, with what is
//! prepared before the first INIT told apart. Linux's is cold: it happens once in a boot. So is our round 0,
//! and that is what stands beside it; the warm rounds are told too, and never instead.
//!
//! Under TCG only. Where KVM interprets the guest's code, Linux does not boot, and where it does not, the
//! host's cores decide.

pub mod boots;
pub mod console;
pub mod figures;
pub mod image;
pub mod initramfs;
pub mod inside;
pub mod late;
pub mod outside;
pub mod plan;
pub mod report;
pub mod samples;
pub mod session;
pub mod system;
pub mod trace;
