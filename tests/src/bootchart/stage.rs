//! The stages of a CPU's way up, and what they are called and coloured wherever they are drawn.

use serde::{Deserialize, Serialize};

/// A stage: what lies between two times of a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// When a CPU came to where. A later one may be there although one before it is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// INIT was sent; `None` where a mailbox is used.
    #[serde(default)]
    pub init_ns: Option<u64>,
    /// The first SIPI was sent, or the first request.
    #[serde(default)]
    pub sipi_ns: Option<u64>,
    /// It ran in real mode.
    #[serde(default)]
    pub real_ns: Option<u64>,
    /// It ran in long mode.
    #[serde(default)]
    pub long_ns: Option<u64>,
    /// It ran in Rust.
    #[serde(default)]
    pub alive_ns: Option<u64>,
    /// It had run its online steps.
    #[serde(default)]
    pub online_ns: Option<u64>,
}

/// A stage of one CPU, from when until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The stage.
    pub stage: Stage,
    /// From when, in nanoseconds.
    pub began_ns: u64,
    /// Until when; `None` where the CPU went no further.
    pub ended_ns: Option<u64>,
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

    /// Its colour. They are Okabe and Ito's, which people tell apart however they see colours, and their
    /// lightness differs too, so that they do on grey paper.
    pub const fn colour(self) -> &'static str {
        match self {
            Self::Init => "#999999",
            Self::Start => "#e69f00",
            Self::RealMode => "#d55e00",
            Self::LongMode => "#56b4e9",
            Self::Alive => "#0072b2",
        }
    }
}

impl Times {
    /// The stages that the CPU came to, in their order. Where it did not tell of one, that is part of the
    /// stage before; where it went no further, the last one has no end.
    pub fn passages(&self) -> Vec<Passage> {
        let beginnings = [
            (Stage::Init, self.init_ns),
            (Stage::Start, self.sipi_ns),
            (Stage::RealMode, self.real_ns),
            (Stage::LongMode, self.long_ns),
            (Stage::Alive, self.alive_ns),
        ];
        let mut passages: Vec<Passage> = Vec::new();
        for (stage, began_ns) in beginnings {
            let Some(began_ns) = began_ns else { continue };
            if let Some(before) = passages.last_mut() {
                before.ended_ns = Some(began_ns);
            }
            passages.push(Passage {
                stage,
                began_ns,
                ended_ns: None,
            });
        }
        if let Some(last) = passages.last_mut() {
            last.ended_ns = self.online_ns;
        }
        passages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_ends_where_the_next_begins_and_the_last_one_where_the_cpu_is_online() {
        let times = Times {
            init_ns: Some(0),
            sipi_ns: Some(10),
            real_ns: Some(20),
            long_ns: Some(30),
            alive_ns: Some(40),
            online_ns: Some(50),
        };
        let passages = times.passages();
        let ends: Vec<_> = passages.iter().map(|it| it.ended_ns).collect();
        assert_eq!(ends, [10, 20, 30, 40, 50].map(Some));
        assert_eq!(
            passages.iter().map(|it| it.stage).collect::<Vec<_>>(),
            Stage::ALL
        );
    }

    #[test]
    fn a_stage_that_was_not_told_of_is_part_of_the_one_before_and_a_stuck_one_has_no_end() {
        let times = Times {
            sipi_ns: Some(10),
            long_ns: Some(30),
            ..Times::default()
        };
        let passages = times.passages();
        assert_eq!(passages.len(), 2);
        assert_eq!(
            (passages[0].stage, passages[0].ended_ns),
            (Stage::Start, Some(30))
        );
        assert_eq!(
            (passages[1].stage, passages[1].ended_ns),
            (Stage::LongMode, None)
        );
    }
}
