//! The keys, each with what it takes and where that goes.

#![forbid(unsafe_code)]

use core::{fmt, num::NonZero, time::Duration};

use reveille_smp::{
    contender::{Contender, Contenders},
    look::{Bars, Colour, Columns},
    order::Order,
    require::Require,
    selection::{CpuSet, Smt},
    strategy::Strategy,
};
use strum::VariantNames;

use super::{After, MadtSource, Options, Report, Terminal, TestHook, number};
use crate::{
    calling::pairs::{self, Pairs},
    consistency::Consistency,
    cpus::waking::Wake,
    faults::{self, Fault},
    hotplug::HotplugOption,
    model::Model,
    operations::op::{self, Op},
    trace::asked::{self, Tracing},
    vmm_probe::VmmProbe,
};

/// A key, what it takes, and how it changes the options.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) takes: Takes,
    pub(super) repeatable: bool,
}

/// What a key takes, and where it goes.
pub(super) enum Takes {
    Strategy(fn(&mut Options, Strategy)),
    Contenders(fn(&mut Options, Contenders)),
    Order(fn(&mut Options, Order)),
    After(fn(&mut Options, After)),
    Terminal(fn(&mut Options, Terminal)),
    Columns(fn(&mut Options, Columns)),
    Bars(fn(&mut Options, Bars)),
    Colour(fn(&mut Options, Colour)),
    TestHook(fn(&mut Options, TestHook)),
    Fault(fn(&mut Options, Fault)),
    Positive(fn(&mut Options, NonZero<u32>)),
    Count(fn(&mut Options, u32)),
    Seconds(fn(&mut Options, u32)),
    Op(fn(&mut Options, Op)),
    CpuSet(fn(&mut Options, CpuSet)),
    Require(fn(&mut Options, Require)),
    MadtSource(fn(&mut Options, MadtSource)),
    Consistency(fn(&mut Options, Consistency)),
    Report(fn(&mut Options, Report)),
    Tracing(fn(&mut Options, Tracing)),
    Pairs(fn(&mut Options, Pairs)),
    Model(fn(&mut Options, Model)),
    VmmProbe(fn(&mut Options, VmmProbe)),
    Wake(fn(&mut Options, Wake)),
    Smt(fn(&mut Options, Smt)),
    Hotplug(fn(&mut Options, HotplugOption)),
    /// No less than one.
    PositiveMilliseconds(fn(&mut Options, Duration)),
    Milliseconds(fn(&mut Options, Duration)),
    Microseconds(fn(&mut Options, Duration)),
}

const fn once(name: &'static str, takes: Takes) -> Key {
    Key {
        name,
        takes,
        repeatable: false,
    }
}

pub(super) const KEYS: &[Key] = &[
    once(
        "bringup",
        Takes::Strategy(|options, it| options.bringup = it),
    ),
    once("order", Takes::Order(|options, it| options.order = it)),
    once(
        "bench",
        Takes::Count(|options, it| options.bench_rounds = it),
    ),
    once(
        "strategies",
        Takes::Contenders(|options, it| options.contenders = it),
    ),
    once(
        "model",
        Takes::Model(|options, it| options.model = Some(it)),
    ),
    once("probe", Takes::VmmProbe(|options, it| options.probe = it)),
    once(
        "round-trips",
        Takes::Count(|options, it| options.round_trips = it),
    ),
    once("ipi", Takes::Pairs(|options, it| options.ipi = Some(it))),
    once("calls", Takes::Count(|options, it| options.calls = it)),
    once("stop", Takes::Count(|options, it| options.stops = it)),
    once("cycle", Takes::Count(|options, it| options.cycles = it)),
    Key {
        name: "do",
        takes: Takes::Op(|options, it| options.ops.push(it)),
        repeatable: true,
    },
    once(
        "torture",
        Takes::Seconds(|options, it| options.torture_seconds = it),
    ),
    once("seed", Takes::Count(|options, it| options.seed = Some(it))),
    once(
        "call-limit",
        Takes::PositiveMilliseconds(|options, it| options.call_limit = Some(it)),
    ),
    once(
        "alive-timeout",
        Takes::Milliseconds(|options, it| options.alive_timeout = Some(it)),
    ),
    once(
        "online-timeout",
        Takes::Milliseconds(|options, it| options.online_timeout = Some(it)),
    ),
    once(
        "head-start",
        Takes::Milliseconds(|options, it| options.head_start = Some(it)),
    ),
    once(
        "init-delay",
        Takes::Microseconds(|options, it| options.init_delay = Some(it)),
    ),
    once(
        "maxcpus",
        Takes::Positive(|options, it| options.selection.max_cpus = Some(it)),
    ),
    once(
        "cpus",
        Takes::CpuSet(|options, it| options.selection.cpus = Some(it)),
    ),
    once(
        "possible",
        Takes::Positive(|options, it| options.selection.possible = Some(it)),
    ),
    once("smt", Takes::Smt(|options, it| options.selection.smt = it)),
    once(
        "hotplug",
        Takes::Hotplug(|options, it| options.hotplug = Some(it)),
    ),
    once(
        "require",
        Takes::Require(|options, it| options.require = it),
    ),
    once("madt", Takes::MadtSource(|options, it| options.madt = it)),
    once("wake", Takes::Wake(|options, it| options.wake = it)),
    once(
        "attempts",
        Takes::Positive(|options, it| options.attempts = Some(it)),
    ),
    once(
        "consistency",
        Takes::Consistency(|options, it| options.consistency = it),
    ),
    once("report", Takes::Report(|options, it| options.report = it)),
    once("trace", Takes::Tracing(|options, it| options.trace = it)),
    Key {
        name: "fault",
        takes: Takes::Fault(|options, it| options.faults.push(it)),
        repeatable: true,
    },
    once("after", Takes::After(|options, it| options.after = it)),
    once(
        "terminal",
        Takes::Terminal(|options, it| options.terminal = it),
    ),
    once(
        "columns",
        Takes::Columns(|options, it| options.look.columns = Some(it)),
    ),
    once("bars", Takes::Bars(|options, it| options.look.bars = it)),
    once(
        "colour",
        Takes::Colour(|options, it| options.look.colour = it),
    ),
    Key {
        name: "test",
        takes: Takes::TestHook(|options, it| options.tests.push(it)),
        repeatable: true,
    },
];

impl Takes {
    /// `None` if `value` is not what the key takes.
    pub(super) fn apply(&self, options: &mut Options, value: &str) -> Option<()> {
        match self {
            Self::Strategy(set) => set(options, value.parse().ok()?),
            Self::Contenders(set) => set(options, value.parse().ok()?),
            Self::Order(set) => set(options, value.parse().ok()?),
            Self::After(set) => set(options, value.parse().ok()?),
            Self::Terminal(set) => set(options, value.parse().ok()?),
            Self::Columns(set) => set(options, value.parse().ok()?),
            Self::Bars(set) => set(options, value.parse().ok()?),
            Self::Colour(set) => set(options, value.parse().ok()?),
            Self::TestHook(set) => set(options, value.parse().ok()?),
            Self::Fault(set) => set(options, value.parse().ok()?),
            Self::Positive(set) => set(options, NonZero::new(number(value)?)?),
            Self::Count(set) => set(options, number(value)?),
            Self::Seconds(set) => set(options, number(value)?),
            Self::Op(set) => set(options, value.parse().ok()?),
            Self::CpuSet(set) => set(options, value.parse().ok()?),
            Self::Require(set) => set(options, value.parse().ok()?),
            Self::MadtSource(set) => set(options, value.parse().ok()?),
            Self::Consistency(set) => set(options, value.parse().ok()?),
            Self::Report(set) => set(options, value.parse().ok()?),
            Self::Tracing(set) => set(options, value.parse().ok()?),
            Self::Pairs(set) => set(options, value.parse().ok()?),
            Self::Model(set) => set(options, value.parse().ok()?),
            Self::VmmProbe(set) => set(options, value.parse().ok()?),
            Self::Wake(set) => set(options, value.parse().ok()?),
            Self::Smt(set) => set(options, value.parse().ok()?),
            Self::Hotplug(set) => set(options, value.parse().ok()?),
            Self::PositiveMilliseconds(set) => {
                let limit = NonZero::new(number(value)?)?;
                set(options, Duration::from_millis(limit.get().into()));
            }
            Self::Milliseconds(set) => set(options, Duration::from_millis(number(value)?.into())),
            Self::Microseconds(set) => set(options, Duration::from_micros(number(value)?.into())),
        }
        Some(())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.takes)?;
        if self.repeatable {
            write!(f, " (several times)")?;
        }
        Ok(())
    }
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = |words: &[&str]| f.write_str(&words.join("|"));
        match self {
            Self::Strategy(_) => words(Strategy::VARIANTS),
            Self::Contenders(_) => f.write_str(Contender::SYNTAX),
            Self::Order(_) => words(Order::VARIANTS),
            Self::After(_) => words(After::VARIANTS),
            Self::Terminal(_) => words(Terminal::VARIANTS),
            Self::Columns(_) => {
                let (least, most) = Columns::RANGE.into_inner();
                write!(f, "N (from {least} to {most})")
            }
            Self::Bars(_) => words(Bars::VARIANTS),
            Self::Colour(_) => words(Colour::VARIANTS),
            Self::TestHook(_) => words(TestHook::VARIANTS),
            Self::MadtSource(_) => words(MadtSource::VARIANTS),
            Self::Consistency(_) => words(Consistency::VARIANTS),
            Self::Report(_) => words(Report::VARIANTS),
            Self::Tracing(_) => {
                let (syntax, most) = (asked::SYNTAX, Tracing::MOST);
                write!(f, "{syntax} (N from 1 to {most})")
            }
            Self::Model(_) => words(Model::VARIANTS),
            Self::VmmProbe(_) => words(VmmProbe::VARIANTS),
            Self::Wake(_) => words(Wake::VARIANTS),
            Self::Smt(_) => words(Smt::VARIANTS),
            Self::Hotplug(_) => words(HotplugOption::VARIANTS),
            Self::Seconds(_) => f.write_str("SECONDS"),
            Self::Op(_) => f.write_str(op::SYNTAX),
            Self::Pairs(_) => write!(f, "{} (N from 1)", pairs::SYNTAX),
            Self::CpuSet(_) => f.write_str("LIST"),
            Self::Require(_) => f.write_str("all|N|any (N from 1)"),
            Self::Fault(_) => f.write_str(faults::SYNTAX),
            Self::Positive(_) => f.write_str("N (from 1)"),
            Self::Count(_) => f.write_str("N"),
            Self::PositiveMilliseconds(_) => f.write_str("MS (from 1)"),
            Self::Milliseconds(_) => f.write_str("MS"),
            Self::Microseconds(_) => f.write_str("US"),
        }
    }
}
