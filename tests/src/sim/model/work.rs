//! What keeps a machine busy: pieces of work, each with its time, whom it occupies, and where that is
//! known from; the places in a bring-up that cost them; and the steps that are made of them.

use reveille_smp::step::{Mode, Section};
use serde::Deserialize;
use strum::{Display, IntoStaticStr};

use super::{Delay, Who};

/// Some time that passes for some CPUs.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Whom it occupies.
    pub on: On,
    /// For which CPUs on their way it is done at all.
    pub who: Who,
    /// The resource that is held during it, by its place in the model's list.
    pub holds: Option<usize>,
    /// How long it takes.
    pub time: Delay,
    /// How that is known.
    pub basis: Basis,
    /// Where it is from.
    pub source: String,
}

/// Whom a piece of work occupies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, Deserialize)]
#[strum(serialize_all = "kebab-case")]
#[serde(rename_all = "kebab-case")]
pub enum On {
    /// The BSP: two of its pieces never overlap.
    Bsp,
    /// The CPU that is on its way.
    Ap,
    /// That CPU together with one of the BSP's package that is online, the BSP where there is none.
    Pair,
    /// Nobody: time that passes.
    Latency,
}

/// How a figure is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, Deserialize)]
#[strum(serialize_all = "kebab-case")]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Somebody published it.
    Published,
    /// It follows from published ones.
    Derived,
    /// We measured it.
    Measured,
    /// Nobody knows it; the source says why it is plausible.
    Assumed,
}

/// What the hardware or the bring-up itself takes at one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// Where.
    pub at: At,
    /// What.
    pub piece: Piece,
}

/// Where a bring-up costs time, apart from its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, IntoStaticStr, Deserialize)]
#[strum(serialize_all = "kebab-case")]
#[serde(rename_all = "kebab-case")]
pub enum At {
    /// Sending INIT to a CPU.
    Init,
    /// Sending SIPI to a CPU.
    Sipi,
    /// Sending INIT or SIPI to all at once.
    Broadcast,
    /// From SIPI to the first instruction in real mode.
    Start,
    /// From there to long mode.
    Real,
    /// From long mode to the claim.
    Long,
    /// A poll of a task.
    Poll,
    /// Sending a doorbell.
    Ring,
    /// From a doorbell or an alarm until the halted CPU runs.
    Wake,
}

impl At {
    /// All there are.
    pub const ALL: [Self; 9] = [
        Self::Init,
        Self::Sipi,
        Self::Broadcast,
        Self::Start,
        Self::Real,
        Self::Long,
        Self::Poll,
        Self::Ring,
        Self::Wake,
    ];

    /// Whom such a cost can occupy.
    pub(super) const fn possible(self) -> &'static [On] {
        match self {
            Self::Init | Self::Sipi | Self::Broadcast => &[On::Bsp],
            Self::Real | Self::Long => &[On::Ap],
            Self::Poll | Self::Ring => &[On::Bsp, On::Ap],
            Self::Start | Self::Wake => &[On::Latency],
        }
    }
}

/// A step of the ladder.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its name. A ladder's steps live as long as the program, and so do their names: a model is read
    /// a few times in a run, and what that leaks is less than its text.
    pub name: &'static str,
    /// Where it runs.
    pub section: Section,
    /// Whether it may run on several CPUs at once.
    pub mode: Mode,
    /// Whether the first thread of a core passes it before the others are kicked.
    pub primaries_first: bool,
    /// What doing it takes, one after the other.
    pub up: Vec<Piece>,
    /// What undoing it takes.
    pub down: Vec<Piece>,
}

/// Whom the pieces of a section's steps can occupy: those before the kick run on the BSP, and those
/// with interrupts off cannot wait.
pub(super) const fn possible(section: Section) -> &'static [On] {
    match section {
        Section::Prepare => &[On::Bsp, On::Latency],
        Section::Starting => &[On::Ap],
        Section::Online => &[On::Bsp, On::Ap, On::Pair, On::Latency],
    }
}
