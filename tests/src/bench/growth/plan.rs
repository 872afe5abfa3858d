//! The machines whose boots tell what more CPUs cost: three of each size, told apart by the kernel's words.

use reveille_smp::{
    contender::{Contender, Contenders},
    strategy::Strategy,
};

use crate::{
    bench::{cell::Machine, plan::Plan},
    qemu::{machine::Accel, smp::Smp},
};

/// Who is asked for rounds.
const PARALLEL: Contender = Contender::Strategy(Strategy::Parallel);

/// What a boot is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// All APs come up once.
    Boot,
    /// The same machine, and no AP is woken.
    Alone,
    /// So many rounds follow.
    Rounds(u32),
}

impl Kind {
    /// The kernel's words.
    pub fn words(self) -> String {
        match self {
            Self::Boot => String::new(),
            Self::Alone => "maxcpus=1".to_owned(),
            Self::Rounds(rounds) => format!("bench={rounds} strategies={PARALLEL}"),
        }
    }

    /// Who takes part in rounds.
    pub fn contenders(self) -> Contenders {
        match self {
            Self::Rounds(_) => [PARALLEL].into_iter().collect(),
            Self::Boot | Self::Alone => [].into_iter().collect(),
        }
    }

    /// The kinds of a size's boots. Where there is one CPU, it is alone in any case.
    pub fn of(smp: &Smp, rounds: u32) -> Vec<Self> {
        match smp.cpus() {
            1 => vec![Self::Boot],
            _ => vec![Self::Boot, Self::Alone, Self::Rounds(rounds)],
        }
    }

    /// What the boots of a machine are for.
    pub fn of_machine(machine: &Machine, rounds: u32) -> Option<Self> {
        let mut kinds = Self::of(&machine.smp, rounds).into_iter();
        kinds.find(|kind| kind.words() == machine.words)
    }
}

/// From 1 to 512 CPUs, each twice the one before.
pub fn sizes() -> Vec<Smp> {
    (0..10).map(|power| Smp::from(1 << power)).collect()
}

/// So many boots of each kind of each size.
pub fn plan(sizes: &[Smp], accel: Accel, runs: u32, rounds: u32) -> Plan {
    let machine = |smp: &Smp, kind: Kind| Machine {
        accel,
        words: kind.words(),
        ..Machine::new(smp.clone())
    };
    let of_size = |smp| {
        let kinds = Kind::of(smp, rounds).into_iter();
        kinds.map(move |kind| machine(smp, kind))
    };
    Plan {
        machines: sizes.iter().flat_map(of_size).collect(),
        contenders: Kind::Rounds(rounds).contenders(),
        runs,
        rounds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_is_booted_in_three_ways_and_one_cpu_in_one() {
        let plan = plan(&[Smp::from(1), Smp::from(8)], Accel::Tcg, 2, 5);
        let words: Vec<_> = plan.machines.iter().map(|it| it.words.as_str()).collect();
        assert_eq!(words, ["", "", "maxcpus=1", "bench=5 strategies=parallel"]);
        let kinds = plan.machines.iter().map(|it| Kind::of_machine(it, 5));
        let expected = [Kind::Boot, Kind::Boot, Kind::Alone, Kind::Rounds(5)];
        assert!(kinds.eq(expected.map(Some)));
        assert_eq!(Kind::of_machine(&plan.machines[3], 6), None);
        let all: Vec<u32> = sizes().iter().map(Smp::cpus).collect();
        assert_eq!(all, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
    }
}
