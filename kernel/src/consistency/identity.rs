//! What each CPU says of itself: its features, and where it sits.
//!
//! The step `cpuid` notes it in the CPU's area, before anything that the AP might lack is used. Both
//! are noted in one step, because each CPUID may be an exit and they share some. A CPU that lacks
//! what the BSP has decided to use on all goes no further; any other difference keeps nobody away.
//!
//! One that has been here before is asked for three leaves only, which tell of nearly all features: what it
//! says there is what it said, or it is asked for everything anew. INIT changes nothing of it; another CPU in the
//! same place may, so whoever sees one go calls [`Identity::forget`].

use alloc::{format, string::String, vec::Vec};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use linkme::distributed_slice;
use reveille_smp::{
    cpu::CpuIndex,
    step::{Run, Section, Site, Step, StepError},
};

use super::{
    CHECKS,
    features::{self, Feature, FeatureSet},
    names::WORDS,
};
use crate::{
    apic::{ApicMode, LocalApic, timer::ApicTimer},
    cpuid::{Cpuid, Remembered, ThisCpu},
    faults::FaultKind,
    percpu::PerCpu,
    topology::told::{self, Told},
};

/// The step's name.
pub const STEP: &str = "cpuid";

#[distributed_slice(CHECKS)]
static CPUID: &dyn Step = &AskCpuid;

/// The AP has noted what it says of itself, and lacks nothing that is used on all CPUs.
struct AskCpuid;

impl AskCpuid {
    fn ask() -> Result<(), StepError> {
        let identity = PerCpu::current().identity();
        if let Some(own) = identity.confirm(ThisCpu) {
            let lacks_nothing = relied_on().all(|feature| own.has(feature));
            return lacks_nothing.then_some(()).ok_or(StepError::Unsupported);
        }
        let own = identity.note(ThisCpu);
        if !relied_on().all(|feature| own.has(feature)) {
            // It goes no further, so what it lacks is nobody else's loss.
            return Err(StepError::Unsupported);
        }
        features::narrow_common(&own);
        Ok(())
    }
}

impl Step for AskCpuid {
    fn name(&self) -> &'static str {
        STEP
    }

    fn section(&self) -> Section {
        Section::Starting
    }

    fn rank(&self) -> u16 {
        12
    }

    /// Nothing wakes a CPU whose APIC is off.
    fn can_rest(&self) -> bool {
        false
    }

    fn up<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        Self::ask().into()
    }
}

/// What the BSP has chosen by its own CPUID for all CPUs: an AP that lacks it would meet a #GP.
pub fn relied_on() -> impl Iterator<Item = Feature> {
    let is_x2apic = LocalApic::get().is_some_and(|apic| apic.mode() == ApicMode::X2Apic);
    let has_deadline = ApicTimer::get().is_some_and(|timer| timer.uses_tsc_deadline());
    [
        Some(Feature::NX),
        is_x2apic.then_some(Feature::X2APIC),
        has_deadline.then_some(Feature::TSC_DEADLINE),
    ]
    .into_iter()
    .flatten()
}

/// Which of that a CPU lacks, as a reason for not coming up; `None` where it lacks nothing of it.
pub fn lack_of(cpu: CpuIndex) -> Option<String> {
    let own = PerCpu::of(cpu)?.identity().features()?;
    let lacking: Vec<_> = relied_on().filter(|&it| !own.has(it)).collect();
    (!lacking.is_empty()).then(|| reason(&features::list(&lacking)))
}

/// The reason for not coming up that the lack of these features is.
pub fn reason(features: &str) -> String {
    format!("it lacks {features}, which CPU 0 has chosen for all")
}

/// Notes what the BSP says of itself, and begins the common set. To be called on the BSP, which has
/// entered its area, before any AP is started.
pub fn begin() {
    let own = PerCpu::current().identity().note(ThisCpu);
    features::begin_common(&own);
}

/// What a CPU has said of itself.
#[derive(Debug)]
pub struct Identity {
    /// What the CPU is not to see of itself: a fault on demand.
    hidden: FeatureSet,
    features: Noted<WORDS>,
    place: Noted<{ told::WORDS }>,
}

impl Identity {
    /// Of a CPU that has not said anything yet.
    pub const fn new() -> Self {
        Self {
            hidden: FeatureSet::NONE,
            features: Noted::new(),
            place: Noted::new(),
        }
    }

    /// Of a CPU that is not to see the features that these flaws take from it. They are looked up
    /// here, on the BSP: the CPU itself only clears bits.
    pub fn with_flaws(flaws: &[FaultKind]) -> Self {
        let hidden = flaws.iter().filter_map(|flaw| match flaw {
            FaultKind::Feature(name) => Feature::named(name),
            _ => None,
        });
        Self {
            hidden: hidden.fold(FeatureSet::NONE, FeatureSet::with),
            ..Self::new()
        }
    }

    /// What the CPU that calls said before, if it has not been forgotten and the CPU says the same still. Neither
    /// allocates nor waits.
    fn confirm(&self, cpu: impl Cpuid) -> Option<FeatureSet> {
        let before = self.features()?;
        before.is_told_still(&cpu, &self.hidden).then_some(before)
    }

    /// Asks the CPU that calls and notes what it says. Neither allocates nor waits.
    fn note(&self, cpu: impl Cpuid) -> FeatureSet {
        let cpu = Remembered::new(cpu);
        let own = FeatureSet::of(&cpu).except(&self.hidden);
        self.features.note(own.0);
        self.place.note(Told::by(&cpu).to_words());
        own
    }

    /// Forgets what the CPU has said, as it is gone: another one may come in its place. To be called while it is
    /// down, by whoever drives it.
    pub fn forget(&self) {
        self.features.forget();
        self.place.forget();
    }

    /// What it can do; `None` before it has said so.
    pub fn features(&self) -> Option<FeatureSet> {
        self.features.get().map(FeatureSet)
    }

    /// Where it sits; `None` before it has said so.
    pub fn told(&self) -> Option<Told> {
        self.place.get().map(Told::from_words)
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self::new()
    }
}

/// Words that one CPU writes and all may read.
///
/// # Memory ordering
///
/// The words are Relaxed, and the mark is a Release behind them and an Acquire before: who sees the
/// mark sees words of that time or later. A CPU that comes up again writes them anew only where they are
/// not so any more. They are forgotten while their CPU is down: the kick orders that before its next life.
#[derive(Debug)]
struct Noted<const N: usize> {
    words: [AtomicU32; N],
    is_noted: AtomicBool,
}

impl<const N: usize> Noted<N> {
    const fn new() -> Self {
        Self {
            words: [const { AtomicU32::new(0) }; N],
            is_noted: AtomicBool::new(false),
        }
    }

    fn note(&self, words: [u32; N]) {
        for (word, value) in self.words.iter().zip(words) {
            word.store(value, Ordering::Relaxed);
        }
        self.is_noted.store(true, Ordering::Release);
    }

    fn forget(&self) {
        self.is_noted.store(false, Ordering::Release);
    }

    fn get(&self) -> Option<[u32; N]> {
        let mut words = self.words.iter();
        self.is_noted.load(Ordering::Acquire).then(|| {
            core::array::from_fn(|_| {
                let word = words.next();
                word.map_or(0, |word| word.load(Ordering::Relaxed))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;
    use crate::cpuid::{Counted, Recorded};

    /// QEMU 10, `-cpu max` under TCG, eight CPUs: what an AP is asked for.
    const MAX: [(u32, u32, [u32; 4]); 13] = [
        (0, 0, [0xd, 0x6874_7541, 0x444d_4163, 0x6974_6e65]),
        (1, 0, [0x663, 0x0308_0800, 0xfffa_b223, 0x078b_fbfd]),
        (6, 0, [4, 0, 0, 0]),
        (7, 0, [1, 0x219c_07ab, 0x40_061c, 0x10]),
        (7, 1, [0x1c80, 0, 0, 0]),
        (0xb, 0, [0, 1, 0x100, 3]),
        (0xb, 1, [3, 8, 0x201, 3]),
        (0xd, 1, [5, 0, 0, 0]),
        (0x8000_0000, 0, [0x8000_000a, 0, 0, 0]),
        (0x8000_0001, 0, [0, 0, 0x1e5, 0xe793_fbfd]),
        (0x8000_0007, 0, [0, 0, 0, 0]),
        (0x8000_0008, 0, [0x3928, 0x204, 7, 0]),
        (0x8000_000a, 0, [1, 16, 0, 9]),
    ];

    #[test]
    fn what_is_noted_is_what_is_read_and_before_that_nothing() {
        let identity = Identity::new();
        assert_eq!(identity.features(), None);
        assert_eq!(identity.told(), None);
        let cpu = Recorded(&MAX);
        let own = identity.note(Recorded(&MAX));
        assert_eq!(own, FeatureSet::of(&cpu));
        assert_eq!(identity.features(), Some(own));
        assert_eq!(identity.told(), Some(Told::by(&cpu)));
    }

    #[test]
    fn a_cpu_with_a_flaw_lacks_that_feature_in_its_own_eyes() {
        let smep = FaultKind::Feature("smep".into());
        let own = Identity::with_flaws(&[FaultKind::Pat, smep]).note(Recorded(&MAX));
        let whole = FeatureSet::of(&Recorded(&MAX));
        assert_eq!(whole.beyond(&own), [Feature::SMEP]);
    }

    /// Each may be an exit of some microseconds under a hypervisor, on every AP's way.
    #[test]
    fn an_ap_of_qemus_asks_cpuid_12_times_and_3_times_when_it_comes_again() {
        let cpu = Counted(Recorded(&MAX), Cell::new(0));
        let identity = Identity::new();
        assert_eq!(identity.confirm(&cpu), None);
        assert_eq!(cpu.1.get(), 0);
        let own = identity.note(&cpu);
        assert_eq!(cpu.1.replace(0), 12);
        assert_eq!(identity.confirm(&cpu), Some(own));
        assert_eq!(cpu.1.get(), 3);
    }

    #[test]
    fn a_cpu_that_says_something_else_when_it_comes_again_is_asked_for_all() {
        let hidden = FaultKind::Feature("smep".into());
        for identity in [Identity::new(), Identity::with_flaws(&[hidden])] {
            identity.note(Recorded(&MAX));
            assert!(identity.confirm(Recorded(&MAX)).is_some());
            for (leaf, register, bit) in [
                (1, 2, 21),
                (1, 3, 7),
                (7, 1, 20),
                (7, 2, 2),
                (7, 3, 4),
                (0x8000_0001, 2, 5),
                (0x8000_0001, 3, 20),
            ] {
                let mut other = MAX;
                let changed = other
                    .iter_mut()
                    .find(|it| (it.0, it.1) == (leaf, 0))
                    .unwrap();
                changed.2[register] ^= 1 << bit;
                assert_eq!(
                    identity.confirm(Recorded(&other)),
                    None,
                    "{leaf:x}: {register}"
                );
            }
        }
    }

    #[test]
    fn a_cpu_that_is_gone_has_said_nothing_and_the_next_one_is_asked_for_all() {
        let identity = Identity::new();
        identity.note(Recorded(&MAX));
        identity.forget();
        assert_eq!((identity.features(), identity.told()), (None, None));
        assert_eq!(identity.confirm(Recorded(&MAX)), None);
    }
}
