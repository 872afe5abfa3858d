//! What the APs noted of themselves in their steps, in a few lines for the console: how long the steps
//! took, how much of their time they slept, how deep they used their stacks.

#![forbid(unsafe_code)]

use alloc::{format, vec::Vec};
use core::fmt;

use reveille_smp::{ladder::Ladder, lines::Parts, look::Look};

use super::idle::IdleTime;
use crate::{
    memory::stacks::StackPurpose,
    percpu::PerCpu,
    time::TscClock,
    trace::{Passage, medians},
};

/// What APs noted.
pub struct Figures {
    /// The steps that they ran on their last way up, and the median of their times, in nanoseconds.
    steps: Vec<(&'static str, u64)>,
    /// Their times together.
    idle: IdleTime,
    /// The deepest use of a stack that is known, in bytes.
    stack: Option<u64>,
}

impl Figures {
    /// Of the CPUs of these areas.
    pub fn collect(ladder: &Ladder, areas: &[&PerCpu], clock: TscClock) -> Self {
        let traces: Vec<Vec<Passage>> = areas.iter().map(|it| it.trace().passages()).collect();
        let medians = medians(&traces, ladder.steps().len());
        let steps = ladder.steps().iter().zip(medians);
        let mut idle = IdleTime::default();
        for time in areas.iter().map(|area| area.idle_time()) {
            idle.online += time.online;
            idle.asleep += time.asleep;
        }
        Self {
            steps: steps
                .filter_map(|(step, counts)| Some((step.name(), clock.nanos_of(counts?))))
                .collect(),
            idle,
            stack: areas.iter().filter_map(|it| it.stack_use().bytes()).max(),
        }
    }

    /// Whether there is anything to tell.
    pub fn are_there(&self) -> bool {
        !self.steps.is_empty()
    }

    /// The lines, as they are to look, with the end of the last left out.
    pub fn told(&self, look: Look) -> impl fmt::Display {
        let steps = self.steps.iter().map(|(name, nanos)| {
            let (micros, tenths) = (nanos / 1_000, nanos % 1_000 / 100);
            format!("{name} {micros}.{tenths} us")
        });
        let stack = self.stack.map(|bytes| {
            let size = StackPurpose::Main.size() >> 10;
            format!("stacks used {} of {size} KiB", bytes >> 10)
        });
        let aps = [format!("{} idle", self.idle)].into_iter().chain(stack);
        let steps = Parts::with_bars("          steps: ", steps).within(look);
        let aps = Parts::with_commas("          APs: ", aps).within(look);
        fmt::from_fn(move |f| write!(f, "{steps}\n{aps}"))
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::string::ToString;

    use super::*;

    #[test]
    fn steps_and_time_are_told_in_lines_that_fit_80_columns() {
        let mut figures = Figures {
            steps: Vec::from([("tables", 1_260), ("join", 40)]),
            idle: IdleTime {
                online: Duration::from_secs(8),
                asleep: Duration::from_secs(6),
            },
            stack: None,
        };
        assert!(figures.are_there());
        assert_eq!(
            figures.told(Look::default()).to_string(),
            "          steps: tables 1.2 us | join 0.0 us\n          APs: 75 % idle"
        );
        figures.stack = Some(8 << 10);
        let told = figures.told(Look::default()).to_string();
        assert!(
            told.ends_with("75 % idle, stacks used 8 of 64 KiB"),
            "{told}"
        );
        figures.steps = Vec::from([("registers", 12_600); 12]);
        let told = figures.told(Look::default()).to_string();
        assert_eq!(told.lines().count(), 5, "{told}");
        assert!(told.lines().all(|line| line.len() <= 80), "{told}");
        let second = told.lines().nth(1);
        assert!(second.is_some_and(|it| it.starts_with("                 registers 12.6 us |")));
    }
}
