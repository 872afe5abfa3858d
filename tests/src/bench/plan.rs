//! What is to be measured, and in which order: the first boot of each machine, then the second of each.
//! What drifts on a host, such as its temperature or its load, then touches all machines alike.

use std::time::Duration;

use reveille_smp::{
    contender::{Contender, Contenders},
    strategy::Strategy,
};

use super::{
    cell::{Machine, REVEILLE},
    measure::Task,
    results::Key,
};

/// Machines, and what is asked of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The machines.
    pub machines: Vec<Machine>,
    /// Who is measured on each of them, in one boot.
    pub contenders: Contenders,
    /// Boots of each machine.
    pub runs: u32,
    /// Warm rounds in each boot.
    pub rounds: u32,
}

impl Plan {
    /// The boots of the machines with these numbers, in their order, with their [costs](Self::costs).
    pub fn tasks<'a>(
        &'a self,
        chosen: &'a [usize],
        costs: &'a [Duration],
    ) -> impl Iterator<Item = Task<'a>> {
        (1..=self.runs).flat_map(move |run| {
            chosen.iter().map(move |&number| Task {
                key: Key {
                    system: REVEILLE,
                    machine: &self.machines[number],
                    run,
                },
                cost: costs[number],
            })
        })
    }

    /// What a boot of each machine is reckoned to take, for shares of the work and the first guess at
    /// the time left.
    pub fn costs(&self) -> Vec<Duration> {
        let machines = self.machines.iter();
        machines.map(|machine| self.cost(machine)).collect()
    }

    /// Rough, from boots under TCG on two CPUs of a host: what matters is how machines compare.
    fn cost(&self, machine: &Machine) -> Duration {
        /// QEMU's start, and the kernel's.
        const START: Duration = Duration::from_millis(400);
        /// A CPU of QEMU's, and a page for it from the host.
        const CPU: Duration = Duration::from_millis(5);
        /// A CPU once up and once down.
        const TURN: Duration = Duration::from_micros(400);
        /// The same with the long delays of old, or those of a published machine.
        const LONG_TURN: Duration = Duration::from_micros(10_500);
        let cpus = machine.smp.cpus();
        let turn = |contender| match contender {
            Contender::Strategy(Strategy::Legacy) => LONG_TURN,
            _ if machine.model.is_some() => LONG_TURN,
            _ => TURN,
        };
        let round: Duration = self.contenders.iter().map(turn).sum();
        // QEMU walks all its CPUs for many things.
        let walks = CPU * cpus / 100;
        START + (CPU + walks) * cpus + round * cpus * self.rounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(cpus: &[u32]) -> Plan {
        Plan {
            machines: cpus.iter().map(|&cpus| Machine::new(cpus)).collect(),
            contenders: Contenders::default(),
            runs: 2,
            rounds: 9,
        }
    }

    #[test]
    fn the_first_boot_of_every_machine_comes_before_the_second_of_any() {
        let plan = plan(&[2, 8, 64]);
        let costs = plan.costs();
        let tasks = plan.tasks(&[0, 2], &costs);
        let boots = tasks.map(|task| (task.key.run, task.key.machine.smp.cpus()));
        assert!(boots.eq([(1, 2), (1, 64), (2, 2), (2, 64)]));
    }

    #[test]
    fn more_cpus_and_more_rounds_cost_more_and_the_delays_of_old_cost_most() {
        let few = plan(&[2, 64]);
        let costs = few.costs();
        assert!(costs[1] > costs[0]);
        let quick = Plan {
            contenders: "parallel,bare".parse().expect("they are known"),
            ..few.clone()
        };
        assert!(quick.costs()[1] < costs[1] / 2);
        let more = Plan { rounds: 20, ..few };
        assert!(more.costs()[1] > costs[1]);
    }
}
