//! The deterministic gate: boots in virtual time, and the figures that they give compared with those that are
//! committed.
//!
//! ```text
//! settings ─▶ measure ─▶ records ─┬▶ counts ──┬▶ Figures ─▶ Comparison ─▶ rises, falls, gone, new
//! which boots   QEMU              ├▶ work ────┤     ▲
//!                                 └▶ per_ap ──┘     └─ figures.toml, or into it with --renew
//! ```
//!
//! In virtual time an instruction takes a nanosecond, on whichever CPU, and one CPU runs at a time. So a boot
//! repeats to the byte, whatever else the host does. That alone does not make a good figure: where QEMU lets the
//! next CPU run turns on every instruction before, and a CPU that is reset is charged all that was left of its
//! time slice (QEMU clears `icount_extra` in `cpu_common_reset_hold`, and `icount_update` takes what is missing
//! for executed). **A figure must not move unless what it counts does.** Two things see to that:
//!
//! - The machines are set so that no time slice ends where it would matter ([`settings`]).
//! - Times are taken between two stamps of one CPU between which no other ran ([`work`]), or are medians over
//!   the APs ([`counts`]).
//!
//! A figure that falls is to be committed as well: what was won could else be lost again unseen.

pub mod compare;
pub mod counts;
pub mod figures;
pub mod measure;
pub mod per_ap;
pub mod settings;
mod told;
pub mod work;

pub use compare::Comparison;
pub use figures::Figures;
