//! An operation on CPUs as a person asks for it: `do=offline:1-3`.

#![forbid(unsafe_code)]

use alloc::{borrow::ToOwned, string::String};
use core::{fmt, str::FromStr};

use reveille_smp::{
    cpu::CpuIndex,
    selection::{CpuSet, Smt},
    step::Direction,
};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// CPUs come online.
    Online(Which),
    /// CPUs go offline.
    Offline(Which),
    /// CPUs go to the rung of this name.
    Target(Which, String),
    /// The step of this name fails once on each of these CPUs, the next time they pass it in this
    /// direction.
    Fail(Which, String, Direction),
    /// The siblings of all cores come online, or go offline and stay there.
    Smt(Smt),
    /// All rungs are listed, with the CPUs there.
    States,
}

/// For which APs it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All there are, but for those that may not go where the others go.
    All,
    /// Those with these numbers.
    Listed(CpuSet),
}

impl Which {
    /// Whether it is for this AP.
    pub fn contains(&self, cpu: CpuIndex) -> bool {
        match self {
            Self::All => true,
            Self::Listed(cpus) => cpus.contains(cpu),
        }
    }
}

/// What `do=` takes.
pub const SYNTAX: &str = "online:LIST|offline:LIST|target:LIST:RUNG|fail:LIST:STEP:up|\
                          fail:LIST:STEP:down|smt:on|smt:off|states";

/// What an [`Op`] is not written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnOp;

impl FromStr for Op {
    type Err = NotAnOp;

    fn from_str(text: &str) -> Result<Self, NotAnOp> {
        let mut parts = text.split(':');
        let op = parts.next().ok_or(NotAnOp)?;
        let mut part = || parts.next().filter(|part| !part.is_empty()).ok_or(NotAnOp);
        let op = match op {
            "online" => Self::Online(part()?.parse()?),
            "offline" => Self::Offline(part()?.parse()?),
            "target" => Self::Target(part()?.parse()?, part()?.to_owned()),
            "fail" => Self::Fail(part()?.parse()?, part()?.to_owned(), direction(part()?)?),
            "smt" => Self::Smt(part()?.parse().map_err(|_| NotAnOp)?),
            "states" => Self::States,
            _ => return Err(NotAnOp),
        };
        match parts.next() {
            None => Ok(op),
            Some(_) => Err(NotAnOp),
        }
    }
}

impl FromStr for Which {
    type Err = NotAnOp;

    fn from_str(text: &str) -> Result<Self, NotAnOp> {
        match text {
            "all" => Ok(Self::All),
            list => list.parse().map(Self::Listed).map_err(|_| NotAnOp),
        }
    }
}

fn direction(text: &str) -> Result<Direction, NotAnOp> {
    match text {
        "up" => Ok(Direction::Up),
        "down" => Ok(Direction::Down),
        _ => Err(NotAnOp),
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Online(cpus) => write!(f, "online:{cpus}"),
            Self::Offline(cpus) => write!(f, "offline:{cpus}"),
            Self::Target(cpus, rung) => write!(f, "target:{cpus}:{rung}"),
            Self::Fail(cpus, step, Direction::Up) => write!(f, "fail:{cpus}:{step}:up"),
            Self::Fail(cpus, step, Direction::Down) => write!(f, "fail:{cpus}:{step}:down"),
            Self::Smt(Smt::On) => f.write_str("smt:on"),
            Self::Smt(Smt::Off) => f.write_str("smt:off"),
            Self::States => f.write_str("states"),
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Listed(cpus) => cpus.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_read_as_it_is_written() {
        for text in [
            "online:all",
            "offline:1-3,5",
            "target:2:join",
            "fail:all:inbox:up",
            "fail:7:inbox:down",
            "smt:on",
            "smt:off",
            "states",
        ] {
            assert_eq!(text.parse::<Op>().unwrap().to_string(), text);
        }
        assert_eq!(
            "fail:7:inbox:down".parse(),
            Ok(Op::Fail(
                Which::Listed("7".parse().unwrap()),
                "inbox".to_owned(),
                Direction::Down
            ))
        );
    }

    #[test]
    fn what_is_no_operation_is_refused() {
        for text in [
            "",
            "online",
            "online:",
            "online:some",
            "online:3-1",
            "online:1:2",
            "target:1",
            "target:1:",
            "target::join",
            "target:1:join:up",
            "fail:1:join",
            "fail:1:join:left",
            "fail:1::up",
            "smt",
            "smt:maybe",
            "states:all",
            "states:",
            "Online:1",
        ] {
            assert_eq!(text.parse::<Op>(), Err(NotAnOp), "`{text}`");
        }
    }

    #[test]
    fn each_way_to_write_an_operation_is_in_the_syntax() {
        for word in SYNTAX.split('|') {
            let word = word.replace("LIST", "1").replace("RUNG", "join");
            let word = word.replace("STEP", "join");
            assert!(word.parse::<Op>().is_ok(), "`{word}`");
        }
    }
}
