//! Random operations: from the same seed on the same machine the same ones.

#![forbid(unsafe_code)]

use alloc::{collections::BTreeMap, vec::Vec};
use core::fmt;

use fastrand::Rng;
use reveille_smp::{
    cpu::CpuIndex,
    injection::Injection,
    ladder::{Ladder, Rung},
    ranges::Ranges,
    step::Direction,
};

use super::{model::Model, resolve::once};
use crate::cpus::stop_machine::Who;

/// What operations are drawn from.
pub struct Draw {
    rng: Rng,
    /// Who stops the machine comes from a stream of its own, so that it changes nothing else.
    stops: Rng,
    /// Whether siblings may come up.
    smt: bool,
}

/// An operation that was drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// These go there.
    Move(Vec<(CpuIndex, Rung)>),
    /// This one fails once.
    Arm(CpuIndex, Injection),
}

impl Draw {
    /// Operations that are drawn from `seed`.
    pub fn new(seed: u32) -> Self {
        Self {
            rng: Rng::with_seed(seed.into()),
            stops: Rng::with_seed(u64::from(seed) | 1 << 32),
            smt: true,
        }
    }

    /// The next operation, for the CPUs as they are.
    pub fn next(&mut self, model: &Model<'_>) -> Drawn {
        let ladder = model.ladder();
        let (top, bottom) = (ladder.top(), Rung::OFFLINE);
        // Of a hundred. Failures are set often enough that most strike before the next one is set
        // in their place; everybody goes offline often, because memory is compared there.
        match self.rng.u8(..100) {
            0..30 => self.some_go(model, |_| top),
            30..45 => self.some_go(model, |_| bottom),
            45..55 => Drawn::Move(all(model).map(|cpu| (cpu, bottom)).collect()),
            55..65 => {
                let rung = self.rung(ladder);
                self.some_go(model, |_| rung)
            }
            65..80 => self.some_go(model, |draw| draw.rung(ladder)),
            80..95 => self.failure(model),
            _ => self.switch_smt(model),
        }
    }

    /// Who stops the machine as CPUs go, and whether for all to run something; one time in four.
    pub fn stop(&mut self, model: &Model<'_>) -> Option<(CpuIndex, Who)> {
        let who = *self.stops.choice(&[Who::One, Who::All])?;
        let cpus = all(model).chain([CpuIndex::BSP]).collect::<Vec<_>>();
        let cpu = self.stops.choice(cpus)?;
        (self.stops.u8(..4) == 0).then_some((cpu, who))
    }

    /// Everybody comes online, siblings too.
    pub fn last(&mut self, model: &Model<'_>) -> Drawn {
        self.smt = true;
        let top = model.ladder().top();
        Drawn::Move(all(model).map(|cpu| (cpu, top)).collect())
    }

    /// Some of the CPUs go, each to its own rung. Siblings come up only while they may.
    fn some_go(&mut self, model: &Model<'_>, to: impl Fn(&mut Self) -> Rung) -> Drawn {
        // One, a half or all of them.
        let share = self.rng.u8(..3);
        let chosen = self.rng.usize(..model.cpus().len().max(1));
        let mut targets = Vec::new();
        for (at, cpu) in model.cpus().iter().enumerate() {
            let goes = match share {
                0 => at == chosen,
                1 => self.rng.bool(),
                _ => true,
            };
            let to = to(self);
            let member = cpu.member;
            let may_go = self.smt || !member.is_sibling || to <= member.rung;
            if goes && may_go {
                targets.push((member.cpu, to));
            }
        }
        Drawn::Move(targets)
    }

    /// A rung on which a CPU can stay.
    fn rung(&mut self, ladder: &Ladder) -> Rung {
        let rungs = ladder.rungs().filter(|&rung| ladder.can_rest(rung));
        // The lowest one is always among them.
        self.rng
            .choice(rungs.collect::<Vec<_>>())
            .unwrap_or_default()
    }

    fn failure(&mut self, model: &Model<'_>) -> Drawn {
        let direction = match self.rng.bool() {
            true => Direction::Up,
            false => Direction::Down,
        };
        let step = self.rng.usize(..model.ladder().steps().len());
        match self.rng.choice(model.cpus()) {
            Some(cpu) => Drawn::Arm(cpu.member.cpu, once(step, direction)),
            None => Drawn::Move(Vec::new()),
        }
    }

    fn switch_smt(&mut self, model: &Model<'_>) -> Drawn {
        self.smt = !self.smt;
        let to = if self.smt {
            model.ladder().top()
        } else {
            Rung::OFFLINE
        };
        let siblings = model.cpus().iter().filter(|cpu| cpu.member.is_sibling);
        Drawn::Move(siblings.map(|sibling| (sibling.member.cpu, to)).collect())
    }
}

fn all(model: &Model<'_>) -> impl Iterator<Item = CpuIndex> {
    model.cpus().iter().map(|cpu| cpu.member.cpu)
}

/// An operation in words, with the names of the ladder.
pub struct InWords<'a>(pub &'a Drawn, pub &'a Ladder);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(drawn, ladder) = self;
        match drawn {
            Drawn::Move(targets) => {
                let mut by_rung: BTreeMap<Rung, Ranges> = BTreeMap::new();
                for (cpu, rung) in targets {
                    by_rung.entry(*rung).or_default().push(cpu.0);
                }
                if by_rung.is_empty() {
                    return f.write_str("nobody goes");
                }
                for (index, (rung, cpus)) in by_rung.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "; " };
                    write!(f, "{comma}{cpus} to {}", ladder.name(*rung))?;
                }
                Ok(())
            }
            Drawn::Arm(cpu, injection) => {
                let step = ladder.steps()[injection.step].name();
                write!(f, "{cpu} fails at {step}, {:?}", injection.direction)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::{
        super::{ladder_for_tests::test_ladder, resolve::Member},
        *,
    };

    /// Four APs, every other a sibling.
    fn model(ladder: &Ladder) -> Model<'_> {
        let member = |cpu| Member {
            cpu: CpuIndex(cpu),
            rung: Rung::OFFLINE,
            is_sibling: cpu % 2 == 1,
        };
        Model::new(&(1..=4).map(member).collect::<Vec<_>>(), ladder)
    }

    fn draw(seed: u32, count: usize) -> Vec<Drawn> {
        let ladder = test_ladder();
        let (model, mut draw) = (model(&ladder), Draw::new(seed));
        (0..count).map(|_| draw.next(&model)).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_operations_and_another_gives_others() {
        assert_eq!(draw(1, 100), draw(1, 100));
        assert_ne!(draw(1, 100), draw(2, 100));
    }

    #[test]
    fn every_step_is_told_to_fail_in_both_directions_and_every_rung_is_gone_to() {
        let ladder = test_ladder();
        let mut failures = BTreeSet::new();
        let mut rungs = BTreeSet::new();
        for drawn in draw(1, 2000) {
            match drawn {
                Drawn::Arm(_, it) => {
                    assert!(!it.is_sticky);
                    failures.insert((it.step, it.direction == Direction::Up));
                }
                Drawn::Move(targets) => rungs.extend(targets.iter().map(|&(_, rung)| rung)),
            }
        }
        assert_eq!(failures.len(), 2 * ladder.steps().len());
        let can_rest = ladder.rungs().filter(|&rung| ladder.can_rest(rung));
        assert!(rungs.into_iter().eq(can_rest));
    }

    #[test]
    fn while_smt_is_off_no_sibling_comes_up() {
        let ladder = test_ladder();
        let (model, mut draw) = (model(&ladder), Draw::new(1));
        let mut seen_off = 0;
        for _ in 0..2000 {
            let drawn = draw.next(&model);
            if draw.smt {
                continue;
            }
            seen_off += 1;
            if let Drawn::Move(targets) = drawn {
                let is_sibling = |cpu: CpuIndex| cpu.0 % 2 == 1;
                let mut up = targets.iter().filter(|&&(_, rung)| rung > Rung::OFFLINE);
                assert!(up.all(|&(cpu, _)| !is_sibling(cpu)));
            }
        }
        assert!(seen_off > 100);
        let Drawn::Move(last) = draw.last(&model) else {
            panic!("the last one moves everybody");
        };
        assert_eq!(last.len(), 4);
    }

    #[test]
    fn each_cpu_stops_the_machine_now_and_then() {
        let ladder = test_ladder();
        let (model, mut draw) = (model(&ladder), Draw::new(1));
        let stops: Vec<_> = (0..400).filter_map(|_| draw.stop(&model)).collect();
        assert!((50..150).contains(&stops.len()), "{}", stops.len());
        for cpu in 0..=4 {
            for who in [Who::One, Who::All] {
                assert!(stops.contains(&(CpuIndex(cpu), who)), "{cpu} {who:?}");
            }
        }
    }

    #[test]
    fn without_cpus_there_is_nothing_to_do() {
        let ladder = test_ladder();
        let (model, mut draw) = (Model::new(&[], &ladder), Draw::new(1));
        for _ in 0..200 {
            assert_eq!(draw.next(&model), Drawn::Move(Vec::new()));
        }
    }

    #[test]
    fn operations_are_told_in_the_ladders_names() {
        let ladder = test_ladder();
        let join = ladder.find("join").unwrap();
        let to = |cpu, rung| (CpuIndex(cpu), rung);
        let moves = Drawn::Move(vec![to(1, join), to(2, Rung(0)), to(3, join)]);
        assert_eq!(
            InWords(&moves, &ladder).to_string(),
            "2 to offline; 1,3 to join"
        );
        let fails = Drawn::Arm(CpuIndex(3), once(0, Direction::Up));
        assert_eq!(InWords(&fails, &ladder).to_string(), "3 fails at stack, Up");
    }
}
