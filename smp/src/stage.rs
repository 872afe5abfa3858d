//! The stages of a CPU's way up, for whoever draws it: a table at a terminal, a picture, a page.
//!
//! Invariant: the passages of a CPU follow each other. Its own times are by another clock than those of the boot
//! processor, and the two may cross within what they are uncertain by: no stage begins before the one that it
//! follows.
//!
//! A clock that was not compared with the boot processor's may be off by seconds. What such a clock showed has no
//! place on an axis that others share: [`Milestones::on_one_clock`] leaves it out.

use alloc::vec::Vec;

use crate::record::Cpu;

/// A stage: what lies between two milestones of a CPU. [`state::Stage`](crate::state::Stage) is another thing: what the
/// state word of its slot says now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// From INIT to the first SIPI.
    Init,
    /// From the SIPI to the first instruction, in real mode: what the machine takes to start it.
    Start,
    /// From real mode to long mode.
    RealMode,
    /// From long mode until it runs in Rust with its own tables and APIC.
    LongMode,
    /// From there until it is online: its steps, and waiting for its turn.
    Alive,
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [
        Self::Init,
        Self::Start,
        Self::RealMode,
        Self::LongMode,
        Self::Alive,
    ];

    /// What a legend calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Init => "INIT to SIPI",
            Self::Start => "SIPI to real mode",
            Self::RealMode => "in real mode",
            Self::LongMode => "long mode to alive",
            Self::Alive => "alive to online",
        }
    }
}

/// When a CPU came to where, in nanoseconds from the first INIT of the round, or the first request in a mailbox. A later
/// one may be there although one before it is not.
///
/// Those from `real_ns` on the CPU took by its own clock: [`Cpu::uncertainty_ns`] says how far they can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Milestones {
    /// INIT was sent; `None` where a mailbox is used.
    pub init_ns: Option<u64>,
    /// The first SIPI was sent, or the first request.
    pub sipi_ns: Option<u64>,
    /// It ran in real mode.
    pub real_ns: Option<u64>,
    /// It ran in long mode.
    pub long_ns: Option<u64>,
    /// It ran in Rust.
    pub alive_ns: Option<u64>,
    /// It had run its online steps.
    pub online_ns: Option<u64>,
}

/// A stage of one CPU, from when until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The stage.
    pub stage: Stage,
    /// From when, counted as [`Milestones`] are.
    pub began_ns: u64,
    /// Until when, counted alike; `None` where the CPU went no further.
    pub ended_ns: Option<u64>,
}

impl Milestones {
    /// Those of a record.
    pub const fn of(cpu: &Cpu) -> Self {
        Self {
            init_ns: cpu.init_ns,
            sipi_ns: cpu.sipi_ns,
            real_ns: cpu.real_ns,
            long_ns: cpu.long_ns,
            alive_ns: cpu.alive_ns,
            online_ns: cpu.online_ns,
        }
    }

    /// What the boot processor noted itself: when it kicked the CPU.
    pub const fn of_kick(self) -> Self {
        Self {
            init_ns: self.init_ns,
            sipi_ns: self.sipi_ns,
            real_ns: None,
            long_ns: None,
            alive_ns: None,
            online_ns: None,
        }
    }

    /// Those that may be drawn beside another CPU's. `uncertainty_ns` is that of the record: where it is `None`, the
    /// CPU's own times are by a clock that nobody compared.
    pub const fn on_one_clock(self, uncertainty_ns: Option<u64>) -> Self {
        match uncertainty_ns {
            Some(_) => self,
            None => self.of_kick(),
        }
    }

    /// The last thing that is known of the CPU.
    pub fn last_ns(&self) -> Option<u64> {
        let began = Stage::ALL.map(|stage| self.began_ns(stage));
        began.into_iter().chain([self.online_ns]).flatten().max()
    }

    /// The stages that the CPU came to, in their order. Where it did not tell of one, that is part of the
    /// stage before; where it went no further, the last one has no end.
    pub fn passages(&self) -> Vec<Passage> {
        let mut passages: Vec<Passage> = Vec::new();
        for stage in Stage::ALL {
            let Some(mut began_ns) = self.began_ns(stage) else {
                continue;
            };
            if let Some(before) = passages.last_mut() {
                began_ns = began_ns.max(before.began_ns);
                before.ended_ns = Some(began_ns);
            }
            passages.push(Passage {
                stage,
                began_ns,
                ended_ns: None,
            });
        }
        if let Some(last) = passages.last_mut() {
            last.ended_ns = self.online_ns.map(|ended_ns| ended_ns.max(last.began_ns));
        }
        passages
    }

    const fn began_ns(&self, stage: Stage) -> Option<u64> {
        match stage {
            Stage::Init => self.init_ns,
            Stage::Start => self.sipi_ns,
            Stage::RealMode => self.real_ns,
            Stage::LongMode => self.long_ns,
            Stage::Alive => self.alive_ns,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn times(times: [u64; 6]) -> Milestones {
        let [init_ns, sipi_ns, real_ns, long_ns, alive_ns, online_ns] = times.map(Some);
        Milestones {
            init_ns,
            sipi_ns,
            real_ns,
            long_ns,
            alive_ns,
            online_ns,
        }
    }

    fn told(times: &Milestones) -> Vec<(Stage, u64, Option<u64>)> {
        let passages = times.passages().into_iter();
        passages
            .map(|it| (it.stage, it.began_ns, it.ended_ns))
            .collect()
    }

    #[test]
    fn each_stage_ends_where_the_next_begins_and_the_last_one_where_the_cpu_is_online() {
        let times = times([0, 10, 20, 30, 40, 50]);
        let passages = times.passages();
        let ends: Vec<_> = passages.iter().map(|it| it.ended_ns).collect();
        assert_eq!(ends, [10, 20, 30, 40, 50].map(Some));
        let stages: Vec<_> = passages.iter().map(|it| it.stage).collect();
        assert_eq!(stages, Stage::ALL);
        assert_eq!(times.last_ns(), Some(50));
    }

    #[test]
    fn a_stage_that_was_not_told_of_is_part_of_the_one_before_and_a_stuck_one_has_no_end() {
        let times = Milestones {
            sipi_ns: Some(10),
            long_ns: Some(30),
            ..Milestones::default()
        };
        let expected = [(Stage::Start, 10, Some(30)), (Stage::LongMode, 30, None)];
        assert_eq!(told(&times), expected);
        assert_eq!(Milestones::default().passages(), []);
    }

    #[test]
    fn of_a_clock_that_was_not_compared_only_the_kick_is_left() {
        let times = times([
            0,
            10,
            4_000_000_020,
            4_000_000_030,
            4_000_000_040,
            4_000_000_050,
        ]);
        assert_eq!(times.on_one_clock(Some(7)), times);
        let left = times.on_one_clock(None);
        let expected = [(Stage::Init, 0, Some(10)), (Stage::Start, 10, None)];
        assert_eq!((told(&left), left.last_ns()), (expected.into(), Some(10)));
    }

    #[test]
    fn where_two_clocks_cross_no_stage_begins_before_the_one_that_it_follows() {
        let times = times([0, 500, 490, 600, 700, 650]);
        let expected = [
            (Stage::Init, 0, Some(500)),
            (Stage::Start, 500, Some(500)),
            (Stage::RealMode, 500, Some(600)),
            (Stage::LongMode, 600, Some(700)),
            (Stage::Alive, 700, Some(700)),
        ];
        assert_eq!(told(&times), expected);
    }
}
