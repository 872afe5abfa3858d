//! What stands for a boot when two sets of boots are compared.

use std::fmt;

use reveille_smp::{contender::Contender, strategy::Strategy};

use super::ratio;
use crate::{
    bench::{
        cell::{Machine, REVEILLE},
        results::Run,
    },
    qemu::machine::Accel,
};

/// A value of a boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// How many times longer than `bare` it takes, in the same boot. A slower host slows both; so do another
    /// QEMU and another host, of which this therefore tells little.
    OfBare,
    /// The time itself: whatever has changed changes it, and that is the host's day as well.
    Time,
    /// The time where time counts instructions: it repeats.
    VirtualTime,
}

/// Which values are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// What the kernel adds to a bare start of CPUs
    #[default]
    Bare,
    /// Times, for who changes what is below the kernel
    Time,
    /// Each of the two
    Both,
}

impl Measure {
    /// What a contender is judged by.
    pub(super) fn of(
        by: By,
        system: &str,
        machine: &Machine,
        contender: &str,
        has_bare: bool,
    ) -> Vec<Self> {
        if machine.accel == Accel::Icount {
            return vec![Self::VirtualTime];
        }
        let to_bare = has_bare && system == REVEILLE && goes_with_the_host(machine, contender);
        let yardsticks = [Contender::Bare, Contender::Floor].map(Contender::name);
        let is_yardstick = yardsticks.contains(&contender);
        match by {
            By::Time => vec![Self::Time],
            By::Bare if to_bare => vec![Self::OfBare],
            By::Both if to_bare => vec![Self::OfBare, Self::Time],
            By::Bare if is_yardstick => Vec::new(),
            By::Bare | By::Both => vec![Self::Time],
        }
    }

    /// The value of a boot for a contender; `None` where the boot does not tell it.
    pub(super) fn value(self, run: &Run, contender: &str) -> Option<f64> {
        let times = |name| run.samples.get(name).map(|samples| samples.headline_ns());
        let ours = times(contender)?;
        match self {
            Self::OfBare => ratio::of_faster_halves(ours, times(Contender::Bare.name())?),
            Self::Time => ratio::of_faster_half_ns(ours),
            // All of it: where something repeats, nothing is to be left out.
            Self::VirtualTime => (!ours.is_empty())
                .then(|| ours.iter().map(|&it| it as f64).sum::<f64>() / ours.len() as f64),
        }
    }
}

/// Whether it takes longer where the host is slower. Fixed delays do not, nor do those of a published
/// machine: there `bare` would add its own scatter and take none away.
fn goes_with_the_host(machine: &Machine, contender: &str) -> bool {
    let strategy = contender.parse::<Strategy>();
    machine.model.is_none() && strategy.is_ok_and(|it| it != Strategy::Legacy)
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OfBare => "of bare",
            Self::Time => "time",
            Self::VirtualTime => "virtual time",
        })
    }
}
