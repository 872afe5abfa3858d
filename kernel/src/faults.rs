//! Faults on demand: what `fault=CPU:KIND` asks for, and whether this machine can bring it about.
//!
//! The AP is woken as ever, and fails by itself at the stage that the kind names: before its claim
//! in the trampoline, behind it in Rust. A fault that cannot happen is an error at the start, so
//! that no test passes because nothing went wrong.

#![forbid(unsafe_code)]

use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::{fmt, mem, str::FromStr, time::Duration};

use reveille_smp::{cpu::CpuIndex, ladder::Ladder, outcome::Outcome, ranges::Ranges, record};
use reveille_trampoline as trampoline;

use crate::{
    command_line::number,
    consistency::features::{self, Feature, FeatureSet},
};

/// One AP, and how it fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The AP.
    pub cpu: CpuIndex,
    /// How it fails.
    pub kind: FaultKind,
}

/// How an AP fails, in the order of the stages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It halts in real mode and leaves no evidence.
    Silent,
    /// It halts in real mode behind its evidence.
    RealMode,
    /// It halts in long mode before the claim.
    LongMode,
    /// It takes so much longer to come to the claim, once.
    Late(Duration),
    /// It takes itself for a CPU that no landing has.
    WrongId,
    /// It claims its slot and then comes a second time.
    Twice,
    /// It halts in Rust behind the claim.
    Claimed,
    /// It panics in Rust before it is alive.
    Panic,
    /// The step of this name fails for it, on the way up.
    Step(String),
    /// Its PAT is not the BSP's.
    Pat,
    /// One of its MTRRs is not the BSP's.
    Mtrr,
    /// Its CR4 is not the BSP's.
    Cr4,
    /// Its TSC is so many counts ahead of the BSP's, or behind it.
    Tsc(i64),
    /// It lacks the feature of this name.
    Feature(String),
}

/// What `fault=` takes.
pub const SYNTAX: &str = "CPU:silent|real-mode|long-mode|late=MS|wrong-id|twice|claimed|panic|\
                          step=NAME|pat|mtrr|cr4|tsc=TICKS|feature=NAME";

/// What a [`Fault`] is not written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAFault;

impl FromStr for Fault {
    type Err = NotAFault;

    fn from_str(text: &str) -> Result<Self, NotAFault> {
        let (cpu, kind) = text.split_once(':').ok_or(NotAFault)?;
        Ok(Self {
            cpu: CpuIndex(number(cpu).ok_or(NotAFault)?),
            kind: kind.parse()?,
        })
    }
}

impl FromStr for FaultKind {
    type Err = NotAFault;

    fn from_str(text: &str) -> Result<Self, NotAFault> {
        Ok(match text.split_once('=') {
            None => match text {
                "silent" => Self::Silent,
                "real-mode" => Self::RealMode,
                "long-mode" => Self::LongMode,
                "wrong-id" => Self::WrongId,
                "twice" => Self::Twice,
                "claimed" => Self::Claimed,
                "panic" => Self::Panic,
                "pat" => Self::Pat,
                "mtrr" => Self::Mtrr,
                "cr4" => Self::Cr4,
                _ => return Err(NotAFault),
            },
            Some(("late", delay)) => {
                let delay = number(delay).ok_or(NotAFault)?;
                let delay = Duration::from_millis(delay.into());
                if delay > LATEST {
                    return Err(NotAFault);
                }
                Self::Late(delay)
            }
            Some(("step", name)) if !name.is_empty() => Self::Step(name.to_owned()),
            Some(("tsc", ticks)) => Self::Tsc(ticks_of(ticks).ok_or(NotAFault)?),
            Some(("feature", name)) if !name.is_empty() => Self::Feature(name.to_owned()),
            Some(_) => return Err(NotAFault),
        })
    }
}

/// Counts of the TSC, with or without a minus sign.
fn ticks_of(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(behind) => number(behind).map(|ticks| -i64::from(ticks)),
        None => number(text).map(i64::from),
    }
}

/// The longest delay that is taken. A landing can tell it at any plausible speed of the TSC.
const LATEST: Duration = Duration::from_secs(60);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.cpu, self.kind)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("silent"),
            Self::RealMode => f.write_str("real-mode"),
            Self::LongMode => f.write_str("long-mode"),
            Self::Late(delay) => write!(f, "late={}", delay.as_millis()),
            Self::WrongId => f.write_str("wrong-id"),
            Self::Twice => f.write_str("twice"),
            Self::Claimed => f.write_str("claimed"),
            Self::Panic => f.write_str("panic"),
            Self::Step(name) => write!(f, "step={name}"),
            Self::Pat => f.write_str("pat"),
            Self::Mtrr => f.write_str("mtrr"),
            Self::Cr4 => f.write_str("cr4"),
            Self::Tsc(ticks) => write!(f, "tsc={ticks}"),
            Self::Feature(name) => write!(f, "feature={name}"),
        }
    }
}

impl FaultKind {
    /// Whether it keeps its AP from coming online. Otherwise the AP comes, and is not as the BSP.
    pub fn keeps_away(&self) -> bool {
        match self {
            Self::Silent
            | Self::RealMode
            | Self::LongMode
            | Self::Late(_)
            | Self::WrongId
            | Self::Twice
            | Self::Claimed
            | Self::Panic
            | Self::Step(_) => true,
            Self::Pat | Self::Mtrr | Self::Cr4 | Self::Tsc(_) | Self::Feature(_) => false,
        }
    }

    /// Whether another fault of the same CPU takes the place of this one, or takes it back.
    fn undoes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Feature(own), Self::Feature(others)) => own == others,
            _ => mem::discriminant(self) == mem::discriminant(other),
        }
    }

    /// Whether the AP may end like this in the attempt of this number, the first of which is 0.
    fn leads_to(&self, outcome: Outcome, attempt: u32) -> bool {
        match self {
            Self::Silent => outcome == Outcome::NeverStarted,
            Self::RealMode => outcome == Outcome::StuckRealMode,
            Self::LongMode | Self::WrongId | Self::Twice | Self::Claimed => {
                outcome == Outcome::StuckLongMode
            }
            Self::Late(_) => {
                attempt == 0 && matches!(outcome, Outcome::Late | Outcome::StuckLongMode)
            }
            // The run ends.
            Self::Panic => false,
            Self::Pat | Self::Mtrr | Self::Cr4 | Self::Tsc(_) | Self::Feature(_) => false,
            Self::Step(_) => outcome == Outcome::Failed,
        }
    }

    /// What the trampoline is told, on a machine with this TSC; `None` when the fault lies behind
    /// the claim.
    pub fn on_the_trampoline(&self, tsc_hz: u64) -> Option<trampoline::Fault> {
        Some(match self {
            Self::Silent => trampoline::Fault::Silent,
            Self::RealMode => trampoline::Fault::RealMode,
            Self::LongMode => trampoline::Fault::LongMode,
            Self::Late(delay) => trampoline::Fault::Late {
                tsc: counts(*delay, tsc_hz),
            },
            Self::WrongId => trampoline::Fault::WrongId,
            Self::Twice => trampoline::Fault::Twice,
            Self::Claimed
            | Self::Panic
            | Self::Step(_)
            | Self::Pat
            | Self::Mtrr
            | Self::Cr4
            | Self::Tsc(_)
            | Self::Feature(_) => return None,
        })
    }
}

/// Whether a fault that was asked for explains how the bring-up of this CPU ended.
pub fn explain(faults: &[Fault], cpu: &record::Cpu) -> bool {
    let mut faults = faults.iter();
    faults.any(|fault| Some(fault.cpu) == cpu.cpu && fault.kind.leads_to(cpu.outcome, cpu.attempt))
}

fn counts(delay: Duration, tsc_hz: u64) -> u64 {
    const NANOS_PER_SECOND: u128 = 1_000_000_000;
    let counts = (delay.as_nanos() * u128::from(tsc_hz)).div_ceil(NANOS_PER_SECOND);
    u64::try_from(counts).unwrap_or(u64::MAX)
}

/// Checks that each of the faults can happen on a machine with these APs and steps, whose BSP has
/// these features, and that no AP is to stay away in two ways.
pub fn check(
    faults: &[Fault],
    aps: impl Iterator<Item = CpuIndex> + Clone,
    ladder: &Ladder,
    bsp: &FeatureSet,
) -> Result<(), FaultError> {
    for (index, fault) in faults.iter().enumerate() {
        let wrong = |problem| FaultError {
            fault: fault.clone(),
            problem,
        };
        if !aps.clone().any(|cpu| cpu == fault.cpu) {
            return Err(wrong(Problem::NoSuchAp(aps.map(|cpu| cpu.0).collect())));
        }
        let is_second = |other: &Fault| {
            let keep_away = fault.kind.keeps_away() && other.kind.keeps_away();
            other.cpu == fault.cpu && (keep_away || other.kind.undoes(&fault.kind))
        };
        if faults[..index].iter().any(is_second) {
            return Err(wrong(Problem::SecondOfItsAp));
        }
        if let FaultKind::Step(name) = &fault.kind
            && !ladder.steps().iter().any(|step| step.name() == name)
        {
            let names = ladder.steps().iter().map(|step| step.name()).collect();
            return Err(wrong(Problem::NoSuchStep(names)));
        }
        if let FaultKind::Feature(name) = &fault.kind
            && !Feature::named(name).is_some_and(|feature| bsp.has(feature))
        {
            return Err(wrong(Problem::NotAFeatureOfTheBsp(*bsp)));
        }
    }
    Ok(())
}

/// Checks that each of the faults would be seen on this machine; `refusal` says why one would not.
///
/// # Errors
///
/// [`FaultError`] names the first that would not.
pub fn check_shown(
    faults: &[Fault],
    refusal: impl Fn(&FaultKind) -> Option<&'static str>,
) -> Result<(), FaultError> {
    faults
        .iter()
        .try_for_each(|fault| match refusal(&fault.kind) {
            None => Ok(()),
            Some(reason) => Err(FaultError {
                fault: fault.clone(),
                problem: Problem::NotShown(reason),
            }),
        })
}

/// A fault that cannot happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultError {
    /// The fault.
    pub fault: Fault,
    /// What stands in its way.
    pub problem: Problem,
}

/// What stands in the way of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// No AP with this number is woken; these are.
    NoSuchAp(Ranges),
    /// Its AP has a fault already.
    SecondOfItsAp,
    /// No step has this name; these are the names.
    NoSuchStep(Vec<&'static str>),
    /// The BSP has no feature of this name, and so no AP can differ from it in that; it has these.
    NotAFeatureOfTheBsp(FeatureSet),
    /// This machine would not show it, for this reason.
    NotShown(&'static str),
    /// The trampoline cannot bring it about.
    Trampoline(trampoline::FaultError),
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, problem } = self;
        write!(f, "`fault={fault}` cannot happen: ")?;
        match problem {
            Problem::NoSuchAp(aps) => {
                if fault.cpu == CpuIndex::BSP {
                    write!(f, "CPU 0 runs already; ")?;
                }
                if aps.is_empty() {
                    return write!(f, "no CPU is to be woken");
                }
                write!(f, "the CPUs to wake are {aps}")
            }
            Problem::SecondOfItsAp => write!(f, "CPU {} has a fault already", fault.cpu),
            Problem::NoSuchStep(names) => write!(f, "the steps are {}", names.join(", ")),
            Problem::NotAFeatureOfTheBsp(bsp) => {
                write!(
                    f,
                    "the features of CPU 0 are {}",
                    features::list(&bsp.features())
                )
            }
            Problem::NotShown(reason) => f.write_str(reason),
            Problem::Trampoline(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for FaultError {}

#[cfg(test)]
mod tests {
    use reveille_smp::{
        cpu::ApicId,
        step::{Run, Site, Step},
    };

    use super::*;

    struct Named(&'static str, u16);

    impl Step for Named {
        fn name(&self) -> &'static str {
            self.0
        }
        fn rank(&self) -> u16 {
            self.1
        }
        fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
            Run::Now(Ok(()))
        }
    }

    const STEPS: [&dyn Step; 2] = [&Named("join", 1), &Named("inbox", 2)];

    fn faults(texts: &[&str]) -> Vec<Fault> {
        let parsed = texts.iter().map(|text| text.parse());
        parsed.collect::<Result<_, _>>().unwrap()
    }

    fn refusal(texts: &[&str], aps: &[u32]) -> String {
        let aps = aps.iter().copied().map(CpuIndex);
        let ladder = Ladder::new(STEPS).unwrap();
        let checked = check(&faults(texts), aps, &ladder, &bsp());
        checked.unwrap_err().to_string()
    }

    /// It has SMEP and AVX2.
    fn bsp() -> FeatureSet {
        let mut bsp = FeatureSet::default();
        bsp.0[3] = 1 << 7 | 1 << 5;
        bsp
    }

    const ALL: [&str; 14] = [
        "1:silent",
        "2:real-mode",
        "3:long-mode",
        "4:late=250",
        "5:wrong-id",
        "6:twice",
        "7:claimed",
        "8:panic",
        "4095:step=join",
        "1:pat",
        "2:mtrr",
        "3:cr4",
        "4:tsc=-25000",
        "5:feature=smep",
    ];

    #[test]
    fn every_kind_is_read_as_it_is_written_and_listed() {
        for text in ALL {
            let fault: Fault = text.parse().unwrap();
            assert_eq!(fault.to_string(), text);
            let (_, kind) = text.split_once(':').unwrap();
            let word = kind.split('=').next().unwrap();
            assert!(SYNTAX.contains(word), "{word} is not listed");
        }
        let kinds: Vec<_> = faults(&ALL).into_iter().map(|fault| fault.kind).collect();
        for (index, kind) in kinds.iter().enumerate() {
            assert!(!kinds[..index].contains(kind), "{kind} is read twice");
        }
    }

    #[test]
    fn whatever_is_not_a_fault_is_refused() {
        for text in [
            "",
            "silent",
            ":silent",
            "1:",
            "+1:silent",
            "-1:silent",
            "1x:silent",
            "4294967296:silent",
            "1:Silent",
            "1:silent=3",
            "1:late",
            "1:late=",
            "1:late=5ms",
            "1:late=60001",
            "1:step",
            "1:step=",
            "1:tsc=",
            "1:tsc=--1",
            "1:tsc=+1",
            "1:feature=",
        ] {
            assert_eq!(text.parse::<Fault>(), Err(NotAFault), "`{text}`");
        }
        assert!("1:late=60000".parse::<Fault>().is_ok());
    }

    #[test]
    fn the_trampoline_is_told_of_all_that_lies_before_the_use_of_the_stack() {
        let told = |text: &str| {
            let fault: Fault = text.parse().unwrap();
            fault.kind.on_the_trampoline(2_000_000_000)
        };
        assert_eq!(told("1:silent"), Some(trampoline::Fault::Silent));
        assert_eq!(told("1:real-mode"), Some(trampoline::Fault::RealMode));
        assert_eq!(told("1:long-mode"), Some(trampoline::Fault::LongMode));
        assert_eq!(told("1:twice"), Some(trampoline::Fault::Twice));
        assert_eq!(told("1:wrong-id"), Some(trampoline::Fault::WrongId));
        let late = trampoline::Fault::Late { tsc: 500_000_000 };
        assert_eq!(told("1:late=250"), Some(late));
        for behind in ["1:claimed", "1:panic", "1:step=join"] {
            assert_eq!(told(behind), None);
        }
    }

    #[test]
    fn a_fault_explains_the_outcome_that_it_leads_to_on_its_own_cpu() {
        let explains = |text: &str, cpu, outcome, attempt| {
            let cpu = record::Cpu {
                attempt,
                ..record::Cpu::unwoken(Some(CpuIndex(cpu)), ApicId(9), outcome)
            };
            explain(&faults(&[text]), &cpu)
        };
        use Outcome::{Failed, Late, NeverStarted, Online, StuckLongMode, StuckRealMode};
        for (kind, outcome) in [
            ("silent", NeverStarted),
            ("real-mode", StuckRealMode),
            ("long-mode", StuckLongMode),
            ("wrong-id", StuckLongMode),
            ("twice", StuckLongMode),
            ("claimed", StuckLongMode),
            ("late=5", Late),
            ("late=5", StuckLongMode),
            ("step=join", Failed),
        ] {
            let text = alloc::format!("2:{kind}");
            assert!(explains(&text, 2, outcome, 0), "{text}");
            assert!(!explains(&text, 1, outcome, 0), "{text} of another CPU");
            assert!(!explains(&text, 2, Online, 0), "{text}");
        }
        assert!(!explains("2:twice", 2, NeverStarted, 0));
        assert!(!explains("2:late=5", 2, Late, 1), "it is late once");
    }

    #[test]
    fn the_longest_delay_fits_a_landing_at_ten_gigahertz() {
        assert!(counts(LATEST, 10_000_000_000) <= trampoline::Fault::LONGEST_DELAY);
    }

    #[test]
    fn faults_that_can_happen_are_taken() {
        let aps = || (1..=8).chain([4095]).map(CpuIndex);
        let ladder = Ladder::new(STEPS).unwrap();
        assert_eq!(check(&faults(&ALL), aps(), &ladder, &bsp()), Ok(()));
        let nobody = core::iter::empty();
        assert_eq!(check(&[], nobody, &ladder, &bsp()), Ok(()));
    }

    #[test]
    fn a_feature_that_is_none_or_that_the_bsp_lacks_is_refused_and_those_it_has_are_listed() {
        for name in ["smop", "smap"] {
            assert_eq!(
                refusal(&[&alloc::format!("1:feature={name}")], &[1]),
                alloc::format!(
                    "`fault=1:feature={name}` cannot happen: the features of CPU 0 are avx2, smep"
                )
            );
        }
    }

    #[test]
    fn a_fault_of_no_ap_is_refused_and_the_aps_are_listed() {
        assert_eq!(
            refusal(&["2:silent", "4:twice"], &[1, 2, 3, 5, 7, 8]),
            "`fault=4:twice` cannot happen: the CPUs to wake are 1-3,5,7-8"
        );
        assert_eq!(
            refusal(&["0:panic"], &[1]),
            "`fault=0:panic` cannot happen: CPU 0 runs already; the CPUs to wake are 1"
        );
        assert_eq!(
            refusal(&["1:panic"], &[]),
            "`fault=1:panic` cannot happen: no CPU is to be woken"
        );
    }

    #[test]
    fn a_fault_at_no_step_is_refused_and_the_steps_are_listed() {
        assert_eq!(
            refusal(&["1:step=joyn"], &[1]),
            "`fault=1:step=joyn` cannot happen: the steps are kick, join, inbox"
        );
    }

    #[test]
    fn a_fault_that_the_machine_would_not_show_is_refused_with_its_reason() {
        let refusal = |kind: &FaultKind| (*kind == FaultKind::Pat).then_some("there is no PAT");
        let check = |texts: &[&str]| check_shown(&faults(texts), refusal);
        assert_eq!(
            check(&["1:cr4", "2:pat"]).unwrap_err().to_string(),
            "`fault=2:pat` cannot happen: there is no PAT"
        );
        assert_eq!(check(&["1:cr4", "2:mtrr"]), Ok(()));
    }

    #[test]
    fn an_ap_cannot_fail_in_two_ways() {
        assert_eq!(
            refusal(&["1:late=5", "2:silent", "1:panic"], &[1, 2]),
            "`fault=1:panic` cannot happen: CPU 1 has a fault already"
        );
    }
}
