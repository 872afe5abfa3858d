//! What may be wrong with a simulated CPU, as text too: `--fault CPU:KIND`.

use std::{fmt, str::FromStr};

use anyhow::{Context, Result, bail, ensure};

/// What is wrong with one CPU. Times are in microseconds. A *place* is one of those in front of
/// which a CPU may be stopped, counted from its start: each access to a word that CPUs share, each
/// step's beginning and end, each interrupt that it sends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It never starts.
    Silent,
    /// The INIT with this number, from 1, is lost on its way.
    LostInit(u32),
    /// The SIPI with this number, from 1, is lost on its way.
    LostSipi(u32),
    /// INIT and SIPI to it are reported as not accepted, and go out all the same.
    Refused,
    /// Its first start takes so much longer.
    Late(u32),
    /// Until so long after the beginning it runs nothing, as where its host has no time for it: all
    /// INITs until then are one to it, and all SIPIs behind the first.
    HeldUp(u32),
    /// It stops for good in front of this place, from 1.
    Dies(u32),
    /// Nothing moves it for so long in front of this place: the place, from 1, and how long.
    Stall(u32, u32),
    /// A second CPU has its id and starts by the same SIPI, so much later.
    Twice(u32),
    /// Its APIC tells it an id that no slot carries.
    WrongId,
    /// The doorbell with this number, from 1, that others ring for it is lost.
    LostDoorbell(u32),
    /// That one comes so much later.
    LateDoorbell(u32, u32),
    /// Its clock is so far ahead of the machine's, or behind it.
    Skew(i32),
    /// So long after the beginning a machine check keeps it for so long; before it has passed its
    /// starting steps, it has no handler for one and stops for good.
    MachineCheck(u32, u32),
    /// The step with this place in the ladder is told to fail on it, once, on its way up.
    FailsUp(u32),
    /// The same on its way down.
    FailsDown(u32),
}

impl Fault {
    /// The longest stall that is nobody's fault: a host has no time for a CPU that long at any moment.
    pub const HARMLESS_STALL_US: u32 = 2_000;

    /// Whether all that it can do is to keep a CPU from being alive in time.
    pub(super) fn is_before_alive(&self) -> bool {
        matches!(
            self,
            Self::Silent
                | Self::LostInit(_)
                | Self::LostSipi(_)
                | Self::Refused
                | Self::Late(_)
                | Self::HeldUp(_)
                | Self::WrongId
        )
    }

    /// Whether the bring-up is made to overcome it, so that a CPU which has nothing worse comes up: an
    /// INIT and a SIPI are sent again to a CPU of which nothing is seen.
    pub fn is_overcome(&self) -> bool {
        self.is_harmless() || matches!(self, Self::LostInit(1) | Self::LostSipi(1))
    }

    /// Whether nothing is wrong with a CPU that has it, and it must come up all the same.
    pub fn is_harmless(&self) -> bool {
        matches!(self, Self::Stall(_, us) if *us <= Self::HARMLESS_STALL_US)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => write!(f, "silent"),
            Self::LostInit(number) => write!(f, "lost-init={number}"),
            Self::LostSipi(number) => write!(f, "lost-sipi={number}"),
            Self::Refused => write!(f, "refused"),
            Self::Late(span) => write!(f, "late={span}"),
            Self::HeldUp(span) => write!(f, "held-up={span}"),
            Self::Dies(place) => write!(f, "dies={place}"),
            Self::Stall(place, span) => write!(f, "stall={place}:{span}"),
            Self::Twice(span) => write!(f, "twice={span}"),
            Self::WrongId => write!(f, "wrong-id"),
            Self::LostDoorbell(number) => write!(f, "lost-doorbell={number}"),
            Self::LateDoorbell(number, span) => write!(f, "late-doorbell={number}:{span}"),
            Self::Skew(span) => write!(f, "skew={span}"),
            Self::MachineCheck(at, span) => write!(f, "mce={at}:{span}"),
            Self::FailsUp(step) => write!(f, "fails-up={step}"),
            Self::FailsDown(step) => write!(f, "fails-down={step}"),
        }
    }
}

/// What there is, with its values.
pub const KINDS: &[&str] = &[
    "silent",
    "lost-init=N",
    "lost-sipi=N",
    "refused",
    "late=US",
    "held-up=US",
    "dies=PLACE",
    "stall=PLACE:US",
    "twice=US",
    "wrong-id",
    "lost-doorbell=N",
    "late-doorbell=N:US",
    "skew=US",
    "mce=AT:US",
    "fails-up=STEP",
    "fails-down=STEP",
];

impl FromStr for Fault {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (kind, values) = match text.split_once('=') {
            Some((kind, values)) => (kind, values.split(':').collect()),
            None => (text, Vec::new()),
        };
        let asked = KINDS
            .iter()
            .find(|known| known.split('=').next() == Some(kind))
            .with_context(|| {
                format!(
                    "no fault is called `{kind}`; there are {}",
                    KINDS.join(", ")
                )
            })?;
        let expected = asked
            .split_once('=')
            .map_or(0, |(_, all)| all.split(':').count());
        ensure!(values.len() == expected, "`{text}` is written {asked}");
        let number = |which: usize| -> Result<u32> {
            let value: &str = values[which];
            value.parse().with_context(|| {
                format!("`{value}` in `{text}` is no number; it is written {asked}")
            })
        };
        let count = |which: usize| match number(which)? {
            0 => bail!("0 in `{text}` is none: N and PLACE are counted from 1"),
            count => Ok(count),
        };
        Ok(match kind {
            "silent" => Self::Silent,
            "lost-init" => Self::LostInit(count(0)?),
            "lost-sipi" => Self::LostSipi(count(0)?),
            "refused" => Self::Refused,
            "late" => Self::Late(number(0)?),
            "held-up" => Self::HeldUp(number(0)?),
            "dies" => Self::Dies(count(0)?),
            "stall" => Self::Stall(count(0)?, number(1)?),
            "twice" => Self::Twice(number(0)?),
            "wrong-id" => Self::WrongId,
            "lost-doorbell" => Self::LostDoorbell(count(0)?),
            "late-doorbell" => Self::LateDoorbell(count(0)?, number(1)?),
            "skew" => Self::Skew(values[0].parse().with_context(|| {
                format!(
                    "`{}` in `{text}` is no number; it is written {asked}",
                    values[0]
                )
            })?),
            "mce" => Self::MachineCheck(number(0)?, number(1)?),
            "fails-up" => Self::FailsUp(number(0)?),
            "fails-down" => Self::FailsDown(number(0)?),
            _ => bail!("`{kind}` is listed and not read"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_that_is_listed_survives_its_way_through_text() {
        for kind in KINDS {
            let text = match kind.split_once('=') {
                None => (*kind).to_owned(),
                Some((kind, values)) => {
                    let numbers: Vec<_> = values
                        .split(':')
                        .zip(["7", "8"])
                        .map(|pair| pair.1)
                        .collect();
                    format!("{kind}={}", numbers.join(":"))
                }
            };
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_error_says_what_would_be_right() {
        for (text, hint) in [
            ("asleep", "there are silent"),
            ("late", "late=US"),
            ("silent=1", "is written silent"),
            ("stall=1", "stall=PLACE:US"),
            ("dies=soon", "`soon`"),
            ("lost-init=0", "counted from 1"),
            ("lost-sipi=0", "counted from 1"),
            ("dies=0", "counted from 1"),
            ("stall=0:5", "counted from 1"),
            ("lost-doorbell=0", "counted from 1"),
            ("late-doorbell=0:5", "counted from 1"),
        ] {
            let error = format!("{:#}", text.parse::<Fault>().unwrap_err());
            assert!(error.contains(hint), "{error}");
        }
    }
}
