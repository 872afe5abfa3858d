//! The kernel's command line: `key=value`, separated by spaces.
//!
//! Whatever is not understood is an error that names the offender and says what is known: of a known
//! key what it takes, else all keys. A typo must not change a measurement silently.

#![forbid(unsafe_code)]

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZero;
use core::time::Duration;

use reveille_smp::{
    order::Order,
    require::Require,
    selection::{CpuSet, Selection, Smt},
    strategy::Strategy,
};
use strum::{EnumString, VariantNames};

use crate::{
    calling::pairs::{self, Pairs},
    consistency::Consistency,
    cpus::waking::Wake,
    faults::{self, Fault},
    hotplug::HotplugOption,
    operations::op::{self, Op},
    trace::asked::{self, Tracing},
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
    /// `seed=`: what these are drawn from, if not from the clock.
    pub seed: Option<u32>,
    /// `call-limit=`: after how long a call is told of that is not answered, if not the default.
    pub call_limit: Option<Duration>,
    /// `alive-timeout=`: how long an AP may take to show that it lives, if not the default.
    pub alive_timeout: Option<Duration>,
    /// `online-timeout=`: how long an AP may take from alive to online, if not the default.
    pub online_timeout: Option<Duration>,
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
    /// `test=`: what a test wants to go wrong.
    pub tests: Vec<TestHook>,
}

/// What follows the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum After {
    /// End the run.
    #[default]
    Exit,
    /// Stay idle, for a test that looks from outside.
    Halt,
    /// Give a shell on the console.
    Shell,
}

/// What the terminal at the console can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Terminal {
    /// It knows the usual escape sequences (ECMA-48, as xterm has them).
    #[default]
    Ansi,
    /// It shows text line by line, or is none: a pipe.
    Plain,
}

/// Where the list of CPUs comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum MadtSource {
    /// The firmware's ACPI tables.
    #[default]
    Firmware,
    /// The first module that was loaded beside the kernel: so a test can present any table.
    Module,
}

/// What is told on the console beyond the table of the bring-up. The records have all of it anyway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Report {
    /// Nothing, but for what is not set right.
    #[default]
    None,
    /// What was found of each CPU, and done to bring it in line with the BSP.
    Cpu,
}

/// A fault that a test asks for, or something else that a boot does not do by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum TestHook {
    /// The BSP panics.
    PanicBsp,
    /// An AP panics.
    PanicAp,
    /// An AP panics while it holds the console's lock.
    PanicApConsole,
    /// The BSP raises an exception.
    ExceptionBsp,
    /// An AP raises an exception.
    ExceptionAp,
    /// The BSP runs into the guard page of its stack.
    StackOverflowBsp,
    /// An AP runs into the guard page of its stack.
    StackOverflowAp,
    /// The kernel never ends.
    Hang,
    /// An exception with no handler left: the machine resets.
    TripleFault,
    /// APs say that they are alive, and wake nobody.
    NoWake,
    /// A step more, in which each AP waits for a millisecond, one after the other.
    WaitSerialised,
    /// The same, all at once.
    WaitConcurrent,
    /// A task goes over all CPUs, each of which sends it to the next one.
    Relay,
    /// A little memory is lost in every cycle, and in every random operation.
    Leak,
    /// The last AP comes too late to the first rendezvous.
    LateRendezvous,
    /// An AP panics in the first rendezvous, while all others stand.
    PanicRendezvous,
    /// The last CPU comes too late to the first stop of the machine.
    LateStop,
    /// The last AP gets no SIPI in the first round of the bare bring-up.
    BareMiss,
    /// An AP takes no interrupts for long, and is called meanwhile.
    StuckCall,
    /// An AP is called, and is long at it.
    SlowCall,
    /// The interrupt by which an AP is called is lost.
    LostCallIpi,
    /// An AP reads the counter of an HPET, which was for the boot alone.
    TouchHpet,
    /// All CPUs read memory whose addresses lead elsewhere meanwhile.
    Tlb,
    /// The same, and CPUs keep their translations.
    NoFlush,
    /// The last AP does not come to the end of what all run while the machine is stopped.
    HangInStop,
    /// Hot-plug looks now and then, though the machine would tell it.
    HotplugPoll,
    /// Some of the random operations fail though nothing is known of it.
    Unforeseen,
    /// Some of the calls that are accounted for run twice.
    CallTwice,
    /// Some of the calls that are accounted for do not run though they are said to have.
    CallLost,
}

/// A key, what it takes, and how it changes the options.
struct Key {
    name: &'static str,
    takes: Takes,
    repeatable: bool,
}

/// What a key takes, and where it goes.
enum Takes {
    Strategy(fn(&mut Options, Strategy)),
    Order(fn(&mut Options, Order)),
    After(fn(&mut Options, After)),
    Terminal(fn(&mut Options, Terminal)),
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

const KEYS: &[Key] = &[
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
    Key {
        name: "test",
        takes: Takes::TestHook(|options, it| options.tests.push(it)),
        repeatable: true,
    },
];

impl Options {
    /// Reads a command line.
    pub fn parse(command_line: &str) -> Result<Self, OptionError> {
        let mut options = Self::default();
        let mut seen = Vec::new();
        for word in command_line.split_ascii_whitespace() {
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

impl Takes {
    /// `None` if `value` is not what the key takes.
    fn apply(&self, options: &mut Options, value: &str) -> Option<()> {
        match self {
            Self::Strategy(set) => set(options, value.parse().ok()?),
            Self::Order(set) => set(options, value.parse().ok()?),
            Self::After(set) => set(options, value.parse().ok()?),
            Self::Terminal(set) => set(options, value.parse().ok()?),
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

/// Digits only: `u32`'s own parser takes a plus sign too.
pub(crate) fn number(value: &str) -> Option<u32> {
    value
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| value.parse().ok())
        .flatten()
}

/// A word of the command line that cannot be taken. Its text says what can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionError {
    /// The word as it stands on the command line.
    pub word: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a word of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// It has no `=`.
    NoValue,
    /// Its key is none of the known ones.
    UnknownKey,
    /// Its key was given before, and may be given once.
    GivenTwice,
    /// Its value is not what the key takes.
    BadValue,
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.problem {
            Problem::NoValue => "has no value",
            Problem::UnknownKey => "has an unknown key",
            Problem::GivenTwice => "gives a key again that may be given once",
            Problem::BadValue => "has a value that its key does not take",
        };
        write!(f, "command line: `{}` {problem}; ", self.word)?;
        let name = self.word.split('=').next();
        if let Some(key) = KEYS.iter().find(|key| Some(key.name) == name) {
            return write!(f, "it is {key}");
        }
        write!(f, "the keys are")?;
        KEYS.iter().try_for_each(|key| write!(f, " {key}"))
    }
}

impl core::error::Error for OptionError {}

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
            Self::Order(_) => words(Order::VARIANTS),
            Self::After(_) => words(After::VARIANTS),
            Self::Terminal(_) => words(Terminal::VARIANTS),
            Self::TestHook(_) => words(TestHook::VARIANTS),
            Self::MadtSource(_) => words(MadtSource::VARIANTS),
            Self::Consistency(_) => words(Consistency::VARIANTS),
            Self::Report(_) => words(Report::VARIANTS),
            Self::Tracing(_) => {
                let (syntax, most) = (asked::SYNTAX, Tracing::MOST);
                write!(f, "{syntax} (N from 1 to {most})")
            }
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

#[cfg(test)]
mod tests {
    use core::{num::NonZero, time::Duration};

    use reveille_smp::cpu::CpuIndex;

    use crate::{
        calling::pairs::Pairs,
        faults::{Fault, FaultKind},
        operations::op::{Op, Which},
    };

    use super::{
        After, Consistency, HotplugOption, KEYS, MadtSource, OptionError, Options, Order, Problem,
        Report, Require, Selection, Smt, Strategy, Terminal, TestHook, Tracing, VariantNames, Wake,
    };

    fn problem(command_line: &str) -> (String, Problem) {
        let OptionError { word, problem } = Options::parse(command_line).unwrap_err();
        (word, problem)
    }

    #[test]
    fn an_empty_line_asks_for_the_defaults() {
        assert_eq!(Options::parse("  "), Ok(Options::default()));
        assert_eq!(Options::default().bringup, Strategy::Parallel);
        assert_eq!(Options::default().after, After::Exit);
    }

    #[test]
    fn every_key_reaches_its_option() {
        let line = "bringup=serial order=strict bench=9 round-trips=40 ipi=matrix:50 calls=60 stop=15 cycle=20 do=offline:all do=states torture=30 seed=7 call-limit=45 alive-timeout=50  online-timeout=70 init-delay=10000 \
                    maxcpus=5 cpus=1-3,5 possible=8 smt=off require=4 madt=module wake=mailbox \
                    attempts=3 consistency=off report=cpu trace=300 fault=2:silent fault=3:late=40 after=halt terminal=plain hotplug=off test=no-wake \
                    test=panic-ap";
        assert_eq!(
            Options::parse(line),
            Ok(Options {
                bringup: Strategy::Serial,
                order: Order::Strict,
                bench_rounds: 9,
                round_trips: 40,
                ipi: Some(Pairs {
                    samples: NonZero::new(50),
                    only: None,
                }),
                calls: 60,
                stops: 15,
                cycles: 20,
                ops: vec![Op::Offline(Which::All), Op::States],
                torture_seconds: 30,
                seed: Some(7),
                call_limit: Some(Duration::from_millis(45)),
                alive_timeout: Some(Duration::from_millis(50)),
                online_timeout: Some(Duration::from_millis(70)),
                init_delay: Some(Duration::from_millis(10)),
                selection: Selection {
                    max_cpus: NonZero::new(5),
                    cpus: "1-3,5".parse().ok(),
                    possible: NonZero::new(8),
                    smt: Smt::Off,
                },
                require: Require::AtLeast(NonZero::new(4).unwrap()),
                madt: MadtSource::Module,
                wake: Wake::Mailbox,
                attempts: NonZero::new(3),
                consistency: Consistency::Off,
                report: Report::Cpu,
                trace: Tracing::Events(NonZero::new(300).unwrap()),
                faults: vec![
                    Fault {
                        cpu: CpuIndex(2),
                        kind: FaultKind::Silent,
                    },
                    Fault {
                        cpu: CpuIndex(3),
                        kind: FaultKind::Late(Duration::from_millis(40)),
                    },
                ],
                after: After::Halt,
                terminal: Terminal::Plain,
                hotplug: Some(HotplugOption::Off),
                tests: vec![TestHook::NoWake, TestHook::PanicAp],
            })
        );
        for key in KEYS {
            assert!(line.contains(key.name), "{} is not tried here", key.name);
        }
    }

    #[test]
    fn hot_plug_is_on_where_the_kernel_stays_unless_it_is_said() {
        for (line, is_on) in [
            ("", false),
            ("hotplug=on", true),
            ("after=halt", true),
            ("after=shell", true),
            ("after=halt hotplug=off", false),
        ] {
            assert_eq!(Options::parse(line).unwrap().hot_plugs(), is_on, "{line}");
        }
    }

    #[test]
    fn every_strategy_is_taken_by_its_own_name() {
        for &strategy in Strategy::ALL {
            assert_eq!(
                Options::parse(&format!("bringup={strategy}"))
                    .unwrap()
                    .bringup,
                strategy
            );
        }
    }

    #[test]
    fn every_test_hook_is_taken() {
        for word in TestHook::VARIANTS {
            let tests = Options::parse(&format!("test={word}")).unwrap().tests;
            assert_eq!(tests.len(), 1, "{word}");
        }
    }

    #[test]
    fn the_first_offender_is_named() {
        assert_eq!(problem("bench=1 quiet"), ("quiet".into(), Problem::NoValue));
        assert_eq!(
            problem("brinup=serial"),
            ("brinup=serial".into(), Problem::UnknownKey)
        );
        assert_eq!(problem("Bench=1"), ("Bench=1".into(), Problem::UnknownKey));
        assert_eq!(problem("=1"), ("=1".into(), Problem::UnknownKey));
        assert_eq!(
            problem("bench=1 bench=1"),
            ("bench=1".into(), Problem::GivenTwice)
        );
        assert_eq!(
            problem("after=exit after=halt"),
            ("after=halt".into(), Problem::GivenTwice)
        );
    }

    #[test]
    fn values_are_taken_whole_or_not_at_all() {
        for word in [
            "bringup=Serial",
            "bringup=",
            "order=Strict",
            "bench=",
            "bench=-1",
            "bench=+1",
            "bench=1x",
            "bench=4294967296",
            "alive-timeout=1.5",
            "alive-timeout=5ms",
            "attempts=0",
            "do=offline",
            "do=states:1",
            "torture=1.5",
            "ipi=",
            "ipi=matrix:",
            "ipi=matrix:0",
            "ipi=all",
            "calls=-1",
            "fault=1",
            "fault=1:asleep",
            "test=panic",
            "after=exit=halt",
            "terminal=vt100",
            "maxcpus=0",
            "maxcpus=all",
            "possible=0",
            "smt=",
            "smt=0",
            "cpus=",
            "cpus=3-1",
            "cpus=1,,2",
            "cpus=4294967296",
            "require=0",
            "require=some",
            "madt=file",
            "trace=yes",
            "trace=0",
            "trace=65537",
            "call-limit=0",
        ] {
            assert_eq!(problem(word), (word.into(), Problem::BadValue));
        }
    }

    #[test]
    fn of_a_known_key_the_message_says_what_that_key_takes() {
        for (line, end) in [
            (
                "bench=many",
                "`bench=many` has a value that its key does not take; it is bench=N",
            ),
            ("order=stict", "; it is order=lowest|strict"),
            (
                "bringup",
                "`bringup` has no value; it is bringup=parallel|broadcast|two-pass|serial|legacy",
            ),
            (
                "maxcpus=2 maxcpus=3",
                "`maxcpus=3` gives a key again that may be given once; it is maxcpus=N (from 1)",
            ),
            ("possible=0", "; it is possible=N (from 1)"),
            ("require=0", "; it is require=all|N|any (N from 1)"),
            ("call-limit=0", "; it is call-limit=MS (from 1)"),
            ("ipi=matrix:0", "; it is ipi=matrix|matrix:N (N from 1)"),
            (
                "trace=1000000",
                "; it is trace=off|on|N (N from 1 to 65536)",
            ),
            ("fault=2", "|tsc=TICKS|feature=NAME (several times)"),
        ] {
            let message = Options::parse(line).unwrap_err().to_string();
            assert!(message.starts_with("command line: `"), "{message}");
            assert!(message.ends_with(end), "{message}");
        }
    }

    #[test]
    fn of_an_unknown_key_the_message_lists_what_every_key_takes() {
        let message = Options::parse("bnech=9").unwrap_err().to_string();
        assert!(
            message.starts_with("command line: `bnech=9` has an unknown key; the keys are "),
            "{message}"
        );
        for part in [
            " bringup=parallel|broadcast|two-pass|serial|legacy",
            " order=lowest|strict",
            " bench=N",
            " round-trips=N",
            " ipi=matrix|matrix:N (N from 1)",
            " calls=N",
            " stop=N",
            " cycle=N",
            " do=online:LIST|offline:LIST|",
            "|states (several times)",
            " torture=SECONDS",
            " seed=N",
            " call-limit=MS (from 1)",
            " alive-timeout=MS",
            " online-timeout=MS",
            " init-delay=US",
            " maxcpus=N (from 1)",
            " cpus=LIST",
            " possible=N (from 1)",
            " smt=on|off",
            " require=all|N|any (N from 1)",
            " madt=firmware|module",
            " attempts=N (from 1)",
            " trace=off|on|N (N from 1 to 65536)",
            " fault=CPU:silent|real-mode|",
            "|feature=NAME (several times)",
            " after=exit|halt|shell",
            " terminal=ansi|plain",
            " test=panic-bsp|panic-ap|",
            " (several times)",
        ] {
            assert!(message.contains(part), "`{part}` is missing in: {message}");
        }
    }
}
