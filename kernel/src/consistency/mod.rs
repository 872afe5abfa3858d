//! Every AP in line with the BSP: what lies between "the CPU runs" and "the CPU may be trusted".
//!
//! The BSP is the measure. On its way in, before it is alive, each AP looks at itself, notes what it
//! finds in its own area, and sets right what it may by itself: those are the steps in [`CHECKS`],
//! which run on all APs at once and wait for nobody. What takes several CPUs at once is left for
//! [`settle()`], behind the bring-up and so on nobody's way. A difference never keeps a CPU away: it is
//! set right, or reported.

use linkme::distributed_slice;
use reveille_smp::step::Step;
use strum::{EnumString, VariantNames};

use crate::faults::FaultKind;

mod account;
pub mod clock;
pub mod features;
pub mod identity;
mod names;
pub mod registers;
#[cfg(target_os = "none")]
mod settle;

#[cfg(target_os = "none")]
pub use settle::{Settled, settle};

/// Whether APs are looked at and brought in line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Consistency {
    /// They are.
    #[default]
    On,
    /// They are left as they come, to see what the checks cost.
    Off,
}

/// The steps in which APs look at themselves, in no order.
#[distributed_slice]
pub static CHECKS: [&'static dyn Step];

impl Consistency {
    /// The steps that it adds to the ladder.
    pub fn steps(self) -> &'static [&'static dyn Step] {
        match self {
            Self::On => &CHECKS,
            Self::Off => &[],
        }
    }

    /// Why a fault that lets an AP differ from the BSP would not be seen on this machine, if so.
    pub fn refusal(self, kind: &FaultKind) -> Option<&'static str> {
        match self {
            _ if kind.keeps_away() => None,
            Self::On => registers::refusal(kind),
            Self::Off => Some("consistency=off"),
        }
    }
}
