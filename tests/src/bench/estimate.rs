//! How long it will take: what a machine's boots have taken, and before that a guess that is set right by
//! what the others' have.

use std::time::Duration;

use super::{measure::Task, results::Key};

/// What boots have taken so far.
#[derive(Clone, Debug, Default)]
pub struct Estimate {
    behind: Vec<Behind>,
}

/// The boots of one machine.
#[derive(Clone, Debug)]
struct Behind {
    system: String,
    machine: super::cell::Machine,
    boots: u32,
    took: Duration,
    reckoned: Duration,
}

impl Behind {
    fn is(&self, key: Key<'_>) -> bool {
        (self.system.as_str(), &self.machine) == (key.system, key.machine)
    }
}

impl Estimate {
    /// Notes what a boot has taken.
    pub fn took(&mut self, task: &Task<'_>, time: Duration) {
        let key = task.key;
        let index = match self.behind.iter().position(|it| it.is(key)) {
            Some(index) => index,
            None => {
                self.behind.push(Behind {
                    system: key.system.to_owned(),
                    machine: key.machine.clone(),
                    boots: 0,
                    took: Duration::ZERO,
                    reckoned: Duration::ZERO,
                });
                self.behind.len() - 1
            }
        };
        let behind = &mut self.behind[index];
        behind.boots += 1;
        behind.took += time;
        behind.reckoned += task.cost;
    }

    /// What these will take together.
    pub fn of(&self, tasks: &[Task<'_>]) -> Duration {
        let sum = |part: fn(&Behind) -> Duration| self.behind.iter().map(part).sum::<Duration>();
        let (took, reckoned) = (sum(|it| it.took), sum(|it| it.reckoned));
        let scale = match took.is_zero() || reckoned.is_zero() {
            true => 1.0,
            false => took.div_duration_f64(reckoned),
        };
        let one = |task: &Task<'_>| match self.behind.iter().find(|it| it.is(task.key)) {
            Some(behind) => behind.took / behind.boots,
            None => task.cost.mul_f64(scale),
        };
        tasks.iter().map(one).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::cell::{Machine, REVEILLE};

    #[test]
    fn what_was_measured_counts_and_what_was_not_is_set_right_by_it() {
        let machines = [2, 8].map(Machine::new);
        let task = |number: usize, seconds| Task {
            key: Key {
                system: REVEILLE,
                machine: &machines[number],
                run: 1,
            },
            cost: Duration::from_secs(seconds),
        };
        let (small, large) = (task(0, 1), task(1, 10));
        let mut estimate = Estimate::default();
        assert_eq!(estimate.of(&[small, large]), Duration::from_secs(11));
        estimate.took(&small, Duration::from_secs(2));
        assert_eq!(estimate.of(&[small, large]), Duration::from_secs(22));
        estimate.took(&small, Duration::from_secs(4));
        estimate.took(&large, Duration::from_secs(6));
        assert_eq!(estimate.of(&[small, small, large]), Duration::from_secs(12));
    }
}
