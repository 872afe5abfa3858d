//! CPUs that QEMU adds and removes while the kernel runs.
//!
//! ```text
//! SCI, or a poll ──▶ turn ──▶ scan ──▶ batch: added ones up, all at once; then removed ones down, and out
//!                  of operations                └──▶ a line, a record, and the status for the machine
//! ```
//!
//! There is no AML here: the registers are where QEMU has them on its two chipsets ([`chipset`]), and are
//! driven as QEMU's documentation says ([`registers`]). What the events mean for slots is `smp`'s
//! ([`reveille_smp::hotplug`]). A batch is one operation on CPUs, and has the turn for that: so CPUs that are
//! added in the middle of a measurement come behind it, and in the middle of random operations between two of
//! them.

#[cfg(target_os = "none")]
mod batch;
pub mod chipset;
#[cfg(target_os = "none")]
mod notices;
#[cfg(target_os = "none")]
mod ports;
pub mod registers;
#[cfg(target_os = "none")]
mod watch;

#[cfg(target_os = "none")]
pub use watch::{Hotplug, Unavailable, WhyPoll};

use strum::{EnumString, VariantNames};

/// Whether CPUs that are added are brought up, and let go where they are to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum HotplugOption {
    /// They are.
    On,
    /// Nobody looks.
    Off,
}
