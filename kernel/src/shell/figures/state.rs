//! Where a CPU is, in a word for the live view and in a sentence for the table.

use core::fmt;

use reveille_smp::{
    ladder::Ladder,
    plan::{Role, Skip},
    progress::Progress,
    state::Stage,
    step::StepError,
};

/// Where a CPU is on the ladder, or why it is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuState {
    /// The CPU that booted, which stays online.
    Boot,
    /// It has a slot, and this is what that shows.
    Slot {
        /// What the state word says.
        stage: Stage,
        /// The rung that it is on, by name.
        rung: &'static str,
        /// The step at which its last way ended, if one failed, and why.
        failure: Option<(&'static str, StepError)>,
    },
    /// It is not woken, though it is enabled.
    Skipped(Skip),
    /// The firmware lists it as not usable now, and there is no slot for it.
    Disabled,
}

impl CpuState {
    /// Of an AP with a slot that shows this. A CPU that `smt=off` leaves out has a slot that nobody is
    /// at; `role` says so.
    pub fn of_slot(role: Role, stage: Stage, progress: Progress, ladder: &Ladder) -> Self {
        match (role, stage) {
            (Role::Skipped(skip), Stage::NotPresent) => Self::Skipped(skip),
            _ => Self::Slot {
                stage,
                rung: ladder.name(progress.rung),
                failure: progress.failure.and_then(|(step, error)| {
                    let step = ladder.steps().get(step)?;
                    Some((step.name(), error))
                }),
            },
        }
    }

    /// Of a CPU of the plan that has no slot.
    pub fn of_unwoken(role: Role) -> Self {
        match role {
            Role::Bsp => Self::Boot,
            Role::Skipped(skip) => Self::Skipped(skip),
            Role::Disabled { .. } => Self::Disabled,
            // Whoever is to be woken has a slot, unless memory did not suffice for it.
            Role::Ap => Self::Skipped(Skip::NoMemory),
        }
    }

    /// Whether it is online.
    pub fn is_online(&self) -> bool {
        match self {
            Self::Boot => true,
            Self::Slot { stage, .. } => *stage == Stage::Online,
            Self::Skipped(_) | Self::Disabled => false,
        }
    }

    /// Whether the CPU is there and has a slot.
    pub fn is_present(&self) -> bool {
        match self {
            Self::Boot => true,
            Self::Slot { stage, .. } => *stage != Stage::NotPresent,
            Self::Skipped(_) | Self::Disabled => false,
        }
    }

    /// In a word: the rung on which it rests, or what it does or did.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Boot => "online",
            Self::Skipped(_) => "skipped",
            Self::Disabled => "disabled",
            Self::Slot { stage, rung, .. } => match stage {
                Stage::Online => "online",
                Stage::Ready | Stage::Parked | Stage::Alive => rung,
                Stage::Kicked => "kicked",
                Stage::Claimed => "claimed",
                Stage::Moving => "moving",
                Stage::GivenUp => "given up",
                Stage::Late => "late",
                Stage::Abandoned => "abandoned",
                Stage::NotPresent => "not there",
            },
        }
    }
}

/// In a sentence, which says more where there is more to say.
impl fmt::Display for CpuState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Boot => f.write_str(" (boot processor)"),
            Self::Skipped(skip) => write!(f, ": {skip}"),
            Self::Disabled => f.write_str(" by the firmware, and possible= leaves no slot for it"),
            Self::Slot {
                stage,
                rung,
                failure,
            } => {
                match stage {
                    Stage::Moving | Stage::Abandoned => write!(f, " at {rung}")?,
                    Stage::GivenUp => f.write_str(": it did not come in time")?,
                    Stage::Late => f.write_str(": it came when it had been given up")?,
                    Stage::NotPresent => f.write_str(", and can be added")?,
                    _ => {}
                }
                match failure {
                    Some((step, error)) => write!(f, "; failed at step {step}: {error}"),
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::ladder_for_tests::test_ladder;

    fn shown(
        role: Role,
        stage: Stage,
        rung: &str,
        failure: Option<(usize, StepError)>,
    ) -> CpuState {
        let ladder = test_ladder();
        let rung = ladder.find(rung).expect("there is such a rung");
        CpuState::of_slot(role, stage, Progress { rung, failure }, &ladder)
    }

    #[test]
    fn a_cpu_that_rests_is_told_by_its_rung_and_others_by_what_they_do() {
        let word = |stage, rung| shown(Role::Ap, stage, rung, None).word();
        assert_eq!(word(Stage::Online, "online"), "online");
        assert_eq!(word(Stage::Alive, "join"), "join");
        assert_eq!(word(Stage::Parked, "stack"), "stack");
        assert_eq!(word(Stage::Ready, "offline"), "offline");
        assert_eq!(word(Stage::Moving, "join"), "moving");
        assert_eq!(CpuState::of_unwoken(Role::Bsp).word(), "online");
    }

    #[test]
    fn the_sentence_tells_where_and_why() {
        let failed = shown(
            Role::Ap,
            Stage::Alive,
            "interrupts",
            Some((4, StepError::Injected)),
        );
        assert_eq!(
            failed.to_string(),
            format!("interrupts; failed at step join: {}", StepError::Injected)
        );
        let moving = shown(Role::Ap, Stage::Moving, "join", None);
        assert_eq!(moving.to_string(), "moving at join");
        let sibling = Role::Skipped(Skip::SmtOff);
        assert_eq!(
            shown(sibling, Stage::NotPresent, "offline", None).to_string(),
            "skipped: smt=off, and another thread of its core runs"
        );
        let added = shown(sibling, Stage::Online, "online", None);
        assert!(added.is_online() && added.is_present());
    }

    #[test]
    fn who_may_be_added_is_not_there() {
        let disabled = Role::Disabled {
            online_capable: true,
        };
        let state = shown(disabled, Stage::NotPresent, "offline", None);
        assert!(!state.is_present() && !state.is_online());
        assert_eq!(state.to_string(), "not there, and can be added");
        assert!(!CpuState::of_unwoken(disabled).is_present());
        assert_eq!(
            CpuState::of_unwoken(Role::Ap),
            CpuState::Skipped(Skip::NoMemory)
        );
        assert_eq!(
            shown(disabled, Stage::Ready, "offline", None).word(),
            "offline"
        );
    }
}
