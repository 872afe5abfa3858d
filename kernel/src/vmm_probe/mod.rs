//! `probe=1`: what the machine, or whoever plays it, does to the start of an AP, for the authors of
//! hypervisors and firmware. The boot leaves marks that can be seen from outside (`marks.rs`, `boot_timer.rs`),
//! and what an interrupt to another CPU costs is measured beside what any exit costs (`costs.rs`, `starts.rs`,
//! `wakes.rs`).
//!
//! **What is told was measured before, and what is measured is not disturbed:** the marks are one byte each,
//! written while the boot goes on, as that is their point; all else is kept in memory until the end.

mod alive_count;
#[cfg(test)]
mod alive_count_model;
pub mod boot_timer;
#[cfg(target_os = "none")]
mod costs;
pub mod marks;
#[cfg(target_os = "none")]
mod run;
#[cfg(target_os = "none")]
mod starts;
mod sync;
#[cfg(target_os = "none")]
mod wakes;

use strum::{EnumString, VariantNames};

#[cfg(target_os = "none")]
pub use run::{OfRound0, Results, Unprobed, run};

/// Whether the machine is probed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, VariantNames)]
pub enum VmmProbe {
    /// It is not, and nothing is written to any port for that.
    #[default]
    #[strum(serialize = "0")]
    Off,
    /// It is.
    #[strum(serialize = "1")]
    On,
    /// It is, and taken for Firecracker, whatever its tables say.
    #[strum(serialize = "firecracker")]
    Firecracker,
}
