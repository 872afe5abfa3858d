//! The kernel's command line: `key=value`, separated by spaces.
//!
//! Whatever is not understood is an error that names the offender and says what is known: of a known
//! key what it takes, else all keys. A typo must not change a measurement silently.

#![forbid(unsafe_code)]

mod error;
mod keys;
mod test_hook;
#[cfg(test)]
mod tests;
mod words;

use alloc::{borrow::ToOwned, vec::Vec};
use core::{num::NonZero, time::Duration};

use reveille_smp::{
    contender::Contenders, look::Look, order::Order, require::Require, selection::Selection,
    strategy::Strategy,
};

use self::keys::KEYS;
pub use self::{
    error::{OptionError, Problem},
    test_hook::TestHook,
    words::{After, MadtSource, Report, Terminal},
};
use crate::{
    calling::pairs::Pairs, consistency::Consistency, cpus::waking::Wake, faults::Fault,
    hotplug::HotplugOption, model::Model, operations::op::Op, trace::asked::Tracing,
    vmm_probe::VmmProbe,
};

/// What a run is asked to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `bringup=`: how the CPUs are brought up at boot.
    pub bringup: Strategy,
    /// `order=`: who may go through the serialised steps when.
    pub order: Order,
    /// `bench=`: rounds of every strategy to measure after the boot's own.
    pub bench_rounds: u32,
    /// `strategies=`: who takes part in them, if not all strategies and yardsticks.
    pub contenders: Contenders,
    /// `model=`: the machine whose times the way up is to take, if it is not to be this one's alone.
    pub model: Option<Model>,
    /// `probe=`: whether the machine is probed for what it does to the start of an AP.
    pub probe: VmmProbe,
    /// `round-trips=`: round trips of each kind to measure behind that.
    pub round_trips: u32,
    /// `ipi=`: calls between all pairs of CPUs to measure then.
    pub ipi: Option<Pairs>,
    /// `calls=`: calls from all CPUs to all CPUs to make then, and to account for.
    pub calls: u32,
    /// `cycle=`: how often all APs go down and come back after that.
    pub cycles: u32,
    /// `stop=`: how often the machine is stopped, before CPUs go down.
    pub stops: u32,
    /// `do=`: operations on CPUs behind that, in their order.
    pub ops: Vec<Op>,
    /// `torture=`: for how many seconds random operations follow.
    pub torture_seconds: u32,
    /// `seed=`: what these are drawn from, if not from the clock; and a model's answers, if not from its own seed.
    pub seed: Option<u32>,
    /// `call-limit=`: after how long a call is told of that is not answered, if not the default.
    pub call_limit: Option<Duration>,
    /// `alive-timeout=`: how long an AP may take to show that it lives, if not the default.
    pub alive_timeout: Option<Duration>,
    /// `online-timeout=`: how long an AP may take from alive to online, if not the default.
    pub online_timeout: Option<Duration>,
    /// `head-start=`: how long the lowest AP goes ahead at boot, if not as the machine needs it.
    pub head_start: Option<Duration>,
    /// `init-delay=`: time between INIT and SIPI, if not the CPU family's.
    pub init_delay: Option<Duration>,
    /// `hotplug=`: whether CPUs that are added are brought up, if it is said.
    pub hotplug: Option<HotplugOption>,
    /// `maxcpus=`, `cpus=`, `possible=` and `smt=`: who is brought up, and who has a slot.
    pub selection: Selection,
    /// `require=`: how many CPUs are enough.
    pub require: Require,
    /// `madt=`: where the list of CPUs comes from.
    pub madt: MadtSource,
    /// `wake=`: by which way the APs are woken.
    pub wake: Wake,
    /// `attempts=`: how often the bring-up is tried while an AP that is down is missing, if not
    /// once.
    pub attempts: Option<NonZero<u32>>,
    /// `consistency=`: whether every AP is brought in line with the BSP.
    pub consistency: Consistency,
    /// `report=`: what more is told of the CPUs.
    pub report: Report,
    /// `trace=`: whether events are noted, and told behind all else.
    pub trace: Tracing,
    /// `fault=`: how which APs are to fail.
    pub faults: Vec<Fault>,
    /// `after=`: what to do after the report.
    pub after: After,
    /// `terminal=`: what a shell's terminal can do.
    pub terminal: Terminal,
    /// `columns=`, `bars=` and `colour=`: what the table of the bring-up is to look like, and what is told around it.
    pub look: Look,
    /// `test=`: what a test wants to go wrong.
    pub tests: Vec<TestHook>,
}

/// Words that whoever plays the machine adds by himself, whatever he is asked for: `pci=off` is Firecracker's
/// (`src/vmm/src/builder.rs`). They mean nothing here.
pub const OF_VMMS: &[&str] = &["pci=off"];

impl Options {
    /// Reads a command line.
    pub fn parse(command_line: &str) -> Result<Self, OptionError> {
        let mut options = Self::default();
        let mut seen = Vec::new();
        let words = command_line.split_ascii_whitespace();
        for word in words.filter(|word| !OF_VMMS.contains(word)) {
            let wrong = |problem| OptionError {
                word: word.to_owned(),
                problem,
            };
            let (name, value) = word
                .split_once('=')
                .ok_or_else(|| wrong(Problem::NoValue))?;
            let key = KEYS
                .iter()
                .find(|key| key.name == name)
                .ok_or_else(|| wrong(Problem::UnknownKey))?;
            if seen.contains(&name) && !key.repeatable {
                return Err(wrong(Problem::GivenTwice));
            }
            seen.push(name);
            key.takes
                .apply(&mut options, value)
                .ok_or_else(|| wrong(Problem::BadValue))?;
        }
        Ok(options)
    }

    /// The events that each CPU has room for. With a shell there is some, as a person may want to see them.
    pub fn room_for_events(&self) -> Tracing {
        match (self.trace, self.after) {
            (Tracing::Off, After::Shell) => Tracing::OF_SHELL,
            (asked, _) => asked,
        }
    }

    /// Whether CPUs that are added are brought up: where it is not said, if the kernel stays.
    pub fn hot_plugs(&self) -> bool {
        match self.hotplug {
            Some(option) => option == HotplugOption::On,
            None => self.after != After::Exit,
        }
    }
}

/// Digits only: `u32`'s own parser takes a plus sign too.
pub(crate) fn number(value: &str) -> Option<u32> {
    value
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| value.parse().ok())
        .flatten()
}
