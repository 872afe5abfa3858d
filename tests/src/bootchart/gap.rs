//! What a trace does not tell of a bring-up, and why.

use std::fmt;

use reveille_smp::cpu::CpuIndex;
use serde::{Deserialize, Serialize};

/// Something that is not there although the boot was traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gap {
    /// The trace breaks off, or cannot be read.
    Broken,
    /// The boot processor noted more than its ring holds: what it did first is overwritten.
    BspOverwritten,
    /// So did an AP: its turn may be overwritten, so nothing is told of any.
    ApOverwritten(CpuIndex),
    /// The records do not say which steps are serialised.
    ModesUntold,
    /// The clocks of so many CPUs cannot be compared with the boot processor's: their turns are not told.
    ClocksApart(u32),
}

/// Such as `what the boot processor did first is overwritten: trace=N keeps more`.
impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken => f.write_str("the trace breaks off, so nothing is drawn of it"),
            Self::BspOverwritten => {
                f.write_str("what the boot processor did first is overwritten: trace=N keeps more")
            }
            Self::ApOverwritten(cpu) => write!(
                f,
                "what CPU {cpu} did first is overwritten, so no serialised steps are told: trace=N keeps more"
            ),
            Self::ModesUntold => f.write_str("the records do not say which steps are serialised"),
            Self::ClocksApart(1) => f.write_str(
                "the serialised steps of 1 CPU are not told: its clock cannot be compared",
            ),
            Self::ClocksApart(cpus) => write!(
                f,
                "the serialised steps of {cpus} CPUs are not told: their clocks cannot be compared"
            ),
        }
    }
}
