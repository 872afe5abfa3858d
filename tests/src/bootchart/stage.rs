//! The stages of a CPU's way up, as pictures and pages colour them.

pub use reveille_smp::stage::{Milestones, Passage, Stage};

/// The colour of a stage. They are Okabe and Ito's, which people tell apart however they see colours, and their
/// lightness differs too, so that they do on grey paper.
pub const fn colour(stage: Stage) -> &'static str {
    match stage {
        Stage::Init => "#999999",
        Stage::Start => "#e69f00",
        Stage::RealMode => "#d55e00",
        Stage::LongMode => "#56b4e9",
        Stage::Alive => "#0072b2",
    }
}
