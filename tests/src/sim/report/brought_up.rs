//! A simulation of which one bring-up is told.

use reveille_smp::bringup::Round;

use crate::sim::{Done, Simulated, Span};

/// One bring-up.
#[derive(Clone, Debug)]
pub struct BroughtUp {
    /// How it went.
    pub round: Round,
    /// Doorbells that the BSP's executor had rung.
    pub doorbells: u64,
    /// What happened in all.
    pub events: u64,
    /// Who was busy when; empty where that was not wanted.
    pub spans: Vec<Span>,
}

impl BroughtUp {
    /// The first bring-up of a simulation; `None` if it had none.
    pub fn first_of(simulated: Simulated) -> Option<Self> {
        let Simulated {
            done,
            doorbells,
            events,
            spans,
            ..
        } = simulated;
        let mut rounds = done.into_iter().filter_map(|done| match done {
            Done::Round(round) => Some(round),
            _ => None,
        });
        let round = rounds.next()?;
        Some(Self {
            round,
            doorbells,
            events,
            spans,
        })
    }
}
