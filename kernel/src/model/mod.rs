//! `model=`: the way up takes the time that it takes on a machine of which somebody published it.
//!
//! A model adds steps to the ladder, which take time and do nothing else, and lets the kick and the answer take
//! theirs. What else is done is this kernel's own: the trampoline, the other steps, the strategies. So a model shows on a
//! small machine what the order of kicks and waits is worth on a large one.
//!
//! | whose time | how it passes |
//! |---|---|
//! | the BSP's | in work: nobody else gets it |
//! | an AP's | in halts, until its own timer rings: the host may have fewer processors than the model |
//!
//! A time is counted from where it begins, and what this kernel and its host take meanwhile is inside it. So a way up
//! takes the model's time at the least. Whatever is told of times is what was measured; that some of
//! it was modelled is told on both channels.
//!
//! The figures are those of the simulator's model of the same name (`tests/models/`), where it is said what
//! each is known from; a test compares them. Polls, doorbells and wakes have figures there, and none here: this
//! kernel has its own.

mod bell;
pub mod figures;
pub mod log_uniform;
mod machine;
mod pace;
mod skylake_112;
mod steps;
mod told;
mod work;

use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

pub use self::{bell::Listener, machine::Modelled, told::Told, work::busy_until};
use self::{figures::Figures, skylake_112::SKYLAKE_112};

/// The models that there are. Its text is the name used on the command line and in records.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray, VariantNames,
)]
pub enum Model {
    /// A server with two Skylake processors, of 56 cores and 112 threads.
    #[strum(serialize = "skylake-112")]
    Skylake112,
}

impl Model {
    /// All there are.
    pub const ALL: &[Self] = <Self as VariantArray>::VARIANTS;

    /// Its name.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What it takes.
    pub fn figures(self) -> &'static Figures {
        match self {
            Self::Skylake112 => &SKYLAKE_112,
        }
    }
}
