//! What is measured beside what.

use std::time::Duration;

use reveille_smp::contender::Contenders;

use super::{
    BY_ITSELF, BY_QEMU,
    system::{Series, System},
};
use crate::bench::cell::{Machine, REVEILLE};

/// What is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The machines.
    pub machines: Vec<Machine>,
    /// The series of Linux.
    pub series: Vec<Series>,
    /// Boots of each system on each machine.
    pub runs: u32,
    /// Our warm rounds in each of our boots.
    pub rounds: u32,
    /// Who of ours takes part in them.
    pub contenders: Contenders,
    /// So many boots more of each with QEMU's trace, and of each Linux with its own.
    pub traced: u32,
    /// How long a boot may take.
    pub limit: Duration,
}

impl Plan {
    /// Each Linux in each of its modes.
    pub fn systems(&self) -> Vec<System> {
        let series = self.series.iter();
        let systems = series.flat_map(|&series| {
            let modes = series.modes().iter();
            modes.map(move |&mode| System { series, mode })
        });
        systems.collect()
    }

    /// The names of all systems in results.
    pub fn names(&self) -> Vec<String> {
        let linux: Vec<String> = self.systems().iter().map(System::to_string).collect();
        let all = || [REVEILLE.to_owned()].into_iter().chain(linux.clone());
        let mut names: Vec<String> = all().collect();
        if self.traced > 0 {
            names.extend(all().map(|name| name + BY_QEMU));
            names.extend(linux.iter().map(|name| format!("{name}{BY_ITSELF}")));
        }
        names
    }

    /// How many boots that is.
    pub fn boots(&self) -> usize {
        let linux = self.systems().len();
        let plain = self.runs as usize * (1 + linux);
        let traced = self.traced as usize * (1 + 2 * linux);
        self.machines.len() * (plain + traced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_is_booted_plain_and_traced() {
        let series = ["6.12", "6.1"].map(|it| it.parse().expect("a series"));
        let plan = Plan {
            machines: vec![Machine::new(2), Machine::new(8)],
            series: series.to_vec(),
            runs: 5,
            rounds: 9,
            contenders: Contenders::default(),
            traced: 1,
            limit: Duration::from_secs(1),
        };
        let plain = [
            "reveille",
            "linux-6.12 parallel",
            "linux-6.12 serial",
            "linux-6.1 serial",
        ];
        let names = plan.names();
        assert_eq!(names[..4], plain);
        assert_eq!(names.len(), 4 + 4 + 3);
        assert!(!names.contains(&format!("reveille{BY_ITSELF}")));
        assert_eq!(plan.boots(), 2 * (5 * 4 + 7));
        let untraced = Plan { traced: 0, ..plan };
        assert_eq!(untraced.names(), plain);
    }
}
