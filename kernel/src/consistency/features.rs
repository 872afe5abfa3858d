//! What a CPU can do, as words of CPUID; what all CPUs can do; and how they differ.
//!
//! The BSP begins the common set, and each AP takes out of it what itself lacks, before it is alive.
//! So the set only ever loses bits, and whoever decides for all CPUs by it decides for none that
//! lacks the feature.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::{
    fmt,
    sync::atomic::{AtomicU32, Ordering},
};

use super::names::{TABLE, WORDS};
use crate::cpuid::{Cpuid, Leaf};

/// One bit of CPUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its word in the table.
    word: u8,
    bit: u8,
}

impl Feature {
    /// APICs are driven by MSRs, with ids of 32 bits.
    pub const X2APIC: Self = Self { word: 0, bit: 21 };
    /// The APIC's timer takes a value of the TSC.
    pub const TSC_DEADLINE: Self = Self { word: 0, bit: 24 };
    /// Pages can hold data that is not to be run.
    pub const NX: Self = Self { word: 9, bit: 20 };
    /// Code in user pages is not run by a kernel.
    pub const SMEP: Self = Self { word: 3, bit: 7 };
    /// Data in user pages is not touched by a kernel.
    pub const SMAP: Self = Self { word: 3, bit: 20 };
    /// User code does not learn where tables are.
    pub const UMIP: Self = Self { word: 4, bit: 2 };
    /// `IA32_TSC_ADJUST` is there.
    pub const TSC_ADJUST: Self = Self { word: 3, bit: 1 };
    /// The TSC runs at one rate, whatever the CPU does.
    pub const INVARIANT_TSC: Self = Self { word: 10, bit: 8 };

    /// The feature that is written so: by its name, or by leaf, register and bit.
    pub fn named(text: &str) -> Option<Self> {
        Self::all().find(|feature| feature.is_written(text))
    }

    /// All bits that count.
    fn all() -> impl Iterator<Item = Self> {
        let words = (0_u8..).zip(&TABLE);
        words.flat_map(|(word, told)| {
            let bits = (0..32).filter(|bit| told.ignored & 1 << bit == 0);
            bits.map(move |bit| Self { word, bit })
        })
    }

    fn is_written(self, text: &str) -> bool {
        match TABLE[usize::from(self.word)].name(self.bit) {
            Some(name) => name == text,
            None => alloc::format!("{self}") == text,
        }
    }

    const fn mask(self) -> u32 {
        1 << self.bit
    }
}

/// Its name in QEMU's spelling; where it has none, such as `7.0:ebx[12]`.
impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = &TABLE[usize::from(self.word)];
        if let Some(name) = word.name(self.bit) {
            return f.write_str(name);
        }
        write!(f, "{:x}", word.leaf)?;
        if let Some(subleaf) = word.subleaf {
            write!(f, ".{subleaf}")?;
        }
        write!(f, ":{}[{}]", word.register, self.bit)
    }
}

/// Their names, with commas between them.
pub fn list(features: &[Feature]) -> String {
    let names: Vec<_> = features.iter().map(Feature::to_string).collect();
    names.join(", ")
}

/// What a CPU can do, or several of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeatureSet(pub [u32; WORDS]);

impl FeatureSet {
    /// Nothing.
    pub const NONE: Self = Self([0; WORDS]);

    /// Asks a CPU, for no leaf that it has not.
    pub fn of(cpu: &impl Cpuid) -> Self {
        let (one, extended) = (cpu.basic(1, 0), cpu.extended(0x8000_0001, 0));
        let seven = cpu.basic(7, 0);
        // EAX of subleaf 0 is the last subleaf.
        let seven_1 = match seven.eax {
            0 => NOTHING,
            _ => cpu.basic(7, 1),
        };
        // Leaf 0xD is there for XSAVE only.
        let xsave = match one.ecx & HAS_XSAVE {
            0 => NOTHING,
            _ => cpu.basic(0xd, 1),
        };
        let told = [
            one.ecx,
            one.edx,
            cpu.basic(6, 0).eax,
            seven.ebx,
            seven.ecx,
            seven.edx,
            seven_1.eax,
            xsave.eax,
            extended.ecx,
            extended.edx,
            cpu.extended(0x8000_0007, 0).edx,
            cpu.extended(0x8000_0008, 0).ebx,
        ];
        let mut counts = told.into_iter().zip(&TABLE);
        Self(core::array::from_fn(|_| {
            counts.next().map_or(0, |(told, word)| told & !word.ignored)
        }))
    }

    /// Whether a CPU that said this of itself, but for what is hidden from it, says so still: by the three
    /// leaves that tell of nearly all. The others tell of what follows from these, or of how it is saved,
    /// powered and measured.
    pub fn is_told_still(&self, cpu: &impl Cpuid, hidden: &Self) -> bool {
        const SEVEN: [usize; 3] = [3, 4, 5];
        // Every CPU with long mode has these two; leaf 7, whoever had something to say in it.
        let (one, extended) = (cpu.leaf(1, 0), cpu.leaf(0x8000_0001, 0));
        let seven = match SEVEN.iter().all(|&word| self.0[word] == 0) {
            true => NOTHING,
            false => cpu.leaf(7, 0),
        };
        let told = [
            (0, one.ecx),
            (1, one.edx),
            (SEVEN[0], seven.ebx),
            (SEVEN[1], seven.ecx),
            (SEVEN[2], seven.edx),
            (8, extended.ecx),
            (9, extended.edx),
        ];
        let counts = |word: usize| !(TABLE[word].ignored | hidden.0[word]);
        told.iter()
            .all(|&(word, told)| told & counts(word) == self.0[word])
    }

    /// All of them.
    pub fn features(&self) -> Vec<Feature> {
        self.beyond(&Self::NONE)
    }

    /// The names of all of them.
    pub fn names(&self) -> Vec<String> {
        self.features().iter().map(Feature::to_string).collect()
    }

    /// Whether the feature is among them.
    pub const fn has(&self, feature: Feature) -> bool {
        self.0[feature.word as usize] & feature.mask() != 0
    }

    /// The same with that feature.
    #[must_use]
    pub fn with(mut self, feature: Feature) -> Self {
        self.0[usize::from(feature.word)] |= feature.mask();
        self
    }

    /// What of it is not in the other set.
    #[must_use]
    pub fn except(mut self, other: &Self) -> Self {
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word &= !other;
        }
        self
    }

    /// What is in this set and not in the other one.
    pub fn beyond(&self, other: &Self) -> Vec<Feature> {
        let is_beyond = |it: &Feature| self.has(*it) && !other.has(*it);
        Feature::all().filter(is_beyond).collect()
    }
}

/// Leaf 1, ECX.
const HAS_XSAVE: u32 = 1 << 26;

const NOTHING: Leaf = Leaf {
    eax: 0,
    ebx: 0,
    ecx: 0,
    edx: 0,
};

/// What all CPUs can do that have come so far.
///
/// # Memory ordering
///
/// All is Relaxed. Each bit stands for itself and is lost but once, so no reader can see a set that
/// never was and is misled: at most it sees a bit that is about to go. A CPU takes its bits out
/// before it says that it is alive, by a Release; who has seen that, by an Acquire, has them gone.
struct Common([AtomicU32; WORDS]);

static COMMON: Common = Common([const { AtomicU32::new(0) }; WORDS]);

/// What all CPUs can do that have come so far; anybody may ask, at any time. Before an AP has come it
/// is what the BSP can do.
pub fn common() -> FeatureSet {
    COMMON.get()
}

/// Begins the common set, on the BSP, before any AP is started.
pub(super) fn begin_common(bsp: &FeatureSet) {
    COMMON.begin(bsp);
}

/// Takes out of the common set what this CPU lacks.
pub(super) fn narrow_common(own: &FeatureSet) {
    COMMON.narrow(own);
}

impl Common {
    fn begin(&self, bsp: &FeatureSet) {
        for (common, &bsp) in self.0.iter().zip(&bsp.0) {
            common.store(bsp, Ordering::Relaxed);
        }
    }

    /// Writes only where something is lost: so CPUs that are alike, as they nearly always are, come
    /// in without a line of memory going from one to the other.
    fn narrow(&self, own: &FeatureSet) {
        for (common, &own) in self.0.iter().zip(&own.0) {
            if common.load(Ordering::Relaxed) & !own != 0 {
                common.fetch_and(own, Ordering::Relaxed);
            }
        }
    }

    fn get(&self) -> FeatureSet {
        let mut words = self.0.iter();
        FeatureSet(core::array::from_fn(|_| {
            let word = words.next();
            word.map_or(0, |word| word.load(Ordering::Relaxed))
        }))
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;
    use std::collections::BTreeSet;

    use super::*;
    use crate::cpuid::{Counted, Recorded, Remembered};

    /// QEMU 10, `-cpu Skylake-Server` under TCG: the leaves that count.
    const SKYLAKE: [(u32, u32, [u32; 4]); 9] = [
        (0, 0, [0x16, 0x756e_6547, 0x6c65_746e, 0x4965_6e69]),
        (1, 0, [0x50654, 0x800, 0xfeda_3223, 0x0f8b_fbff]),
        (6, 0, [0b0110, 0, 0, 0]),
        (7, 0, [0, 0xd19f_4fbb, 0x10, 0x8400_0000]),
        (0xd, 1, [0xf, 0, 0, 0]),
        (0x8000_0000, 0, [0x8000_0008, 0, 0, 0]),
        (0x8000_0001, 0, [0, 0, 0x121, 0x2c10_0800]),
        (0x8000_0007, 0, [0, 0, 0, 0x100]),
        (0x8000_0008, 0, [0x3028, 0, 0, 0]),
    ];

    impl FeatureSet {
        fn without(self, feature: Feature) -> Self {
            self.except(&Self::NONE.with(feature))
        }
    }

    fn feature(name: &str) -> Feature {
        Feature::named(name).unwrap_or_else(|| panic!("{name} is no feature"))
    }

    fn names(features: &[Feature]) -> Vec<String> {
        features.iter().map(Feature::to_string).collect()
    }

    #[test]
    fn each_feature_is_read_as_it_is_written_and_no_two_are_written_alike() {
        let all: Vec<_> = Feature::all().collect();
        let written: BTreeSet<_> = names(&all).into_iter().collect();
        assert_eq!(written.len(), all.len());
        for one in all {
            assert_eq!(Feature::named(&one.to_string()), Some(one));
        }
        for text in [
            "",
            "Smep",
            "smep ",
            "osxsave",
            "7.0:ebx[7]",
            "1:ecx[27]",
            "7.0:ebx[32]",
        ] {
            assert_eq!(Feature::named(text), None, "`{text}`");
        }
    }

    #[test]
    fn the_features_that_the_kernel_asks_for_are_the_bits_of_that_name() {
        for (known, name) in [
            (Feature::X2APIC, "x2apic"),
            (Feature::TSC_DEADLINE, "tsc-deadline"),
            (Feature::NX, "nx"),
            (Feature::SMEP, "smep"),
            (Feature::SMAP, "smap"),
            (Feature::UMIP, "umip"),
            (Feature::TSC_ADJUST, "tsc-adjust"),
            (Feature::INVARIANT_TSC, "invtsc"),
        ] {
            assert_eq!(known.to_string(), name);
        }
    }

    /// Bits by the manuals (SDM volume 2, CPUID; APM volume 3, appendix E), a few of each word.
    #[test]
    fn names_stand_at_the_bits_that_the_manuals_say() {
        for (name, leaf, subleaf, register, bit) in [
            ("pni", 1, None, "ecx", 0),
            ("fma", 1, None, "ecx", 12),
            ("pcid", 1, None, "ecx", 17),
            ("xsave", 1, None, "ecx", 26),
            ("hypervisor", 1, None, "ecx", 31),
            ("mce", 1, None, "edx", 7),
            ("sep", 1, None, "edx", 11),
            ("clflush", 1, None, "edx", 19),
            ("pbe", 1, None, "edx", 31),
            ("arat", 6, None, "eax", 2),
            ("avx2", 7, Some(0), "ebx", 5),
            ("rtm", 7, Some(0), "ebx", 11),
            ("mpx", 7, Some(0), "ebx", 14),
            ("avx512vl", 7, Some(0), "ebx", 31),
            ("pku", 7, Some(0), "ecx", 3),
            ("la57", 7, Some(0), "ecx", 16),
            ("rdpid", 7, Some(0), "ecx", 22),
            ("movdir64b", 7, Some(0), "ecx", 28),
            ("pks", 7, Some(0), "ecx", 31),
            ("fsrm", 7, Some(0), "edx", 4),
            ("ssbd", 7, Some(0), "edx", 31),
            ("fsrc", 7, Some(1), "eax", 12),
            ("lam", 7, Some(1), "eax", 26),
            ("xsaves", 0xd, Some(1), "eax", 3),
            ("wdt", 0x8000_0001, None, "ecx", 13),
            ("topoext", 0x8000_0001, None, "ecx", 22),
            ("perfctr-nb", 0x8000_0001, None, "ecx", 24),
            ("syscall", 0x8000_0001, None, "edx", 11),
            ("nx", 0x8000_0001, None, "edx", 20),
            ("pdpe1gb", 0x8000_0001, None, "edx", 26),
            ("lm", 0x8000_0001, None, "edx", 29),
            ("invtsc", 0x8000_0007, None, "edx", 8),
            ("wbnoinvd", 0x8000_0008, None, "ebx", 9),
            ("amd-psfd", 0x8000_0008, None, "ebx", 28),
        ] {
            let it = feature(name);
            let word = &TABLE[usize::from(it.word)];
            let stands = (word.leaf, word.subleaf, word.register.to_string(), it.bit);
            assert_eq!(stands, (leaf, subleaf, register.to_owned(), bit), "{name}");
        }
    }

    #[test]
    fn a_bit_without_a_name_is_told_by_its_place() {
        assert_eq!(feature("7.0:ebx[12]").to_string(), "7.0:ebx[12]");
        assert_eq!(feature("80000007:edx[0]").to_string(), "80000007:edx[0]");
    }

    #[test]
    fn what_follows_a_control_register_is_no_feature() {
        let mut set = SKYLAKE;
        set[1].2[2] |= 1 << 27;
        set[1].2[3] ^= 1 << 9;
        set[3].2[2] ^= 1 << 4;
        set[2].2[0] ^= 1 << 1;
        let (one, other) = (Recorded(&SKYLAKE), Recorded(&set));
        assert_eq!(FeatureSet::of(&one), FeatureSet::of(&other));
    }

    #[test]
    fn what_amd_repeats_is_told_once() {
        let leaves = |edx: u32, repeated: u32| {
            [
                (0, 0, [1, 0, 0, 0]),
                (1, 0, [0, 0, 0, edx]),
                (0x8000_0000, 0, [0x8000_0001, 0, 0, 0]),
                (0x8000_0001, 0, [0, 0, 0, repeated | 1 << 29]),
            ]
        };
        let (with, without) = (leaves(1 << 6, 1 << 6), leaves(0, 0));
        let [with, without] = [with, without].map(|leaves| FeatureSet::of(&Recorded(&leaves)));
        assert_eq!(names(&with.beyond(&without)), ["pae"]);
    }

    #[test]
    fn a_leaf_that_is_not_there_is_not_asked_for() {
        // A CPU answers with its last leaf for those beyond it, as Intel's do.
        struct Repeating;
        impl Cpuid for Repeating {
            fn leaf(&self, leaf: u32, _: u32) -> Leaf {
                let last = match leaf {
                    0 => 1,
                    0x8000_0000 => 0x8000_0001,
                    _ => u32::MAX,
                };
                Leaf {
                    eax: last,
                    ebx: u32::MAX,
                    ecx: u32::MAX,
                    edx: u32::MAX,
                }
            }
        }
        let set = FeatureSet::of(&Repeating);
        for (word, told) in TABLE.iter().zip(set.0) {
            let is_there = matches!(word.leaf, 1 | 0x8000_0001);
            assert_eq!(told != 0, is_there, "{:x}", word.leaf);
        }
    }

    #[test]
    fn an_ap_is_asked_for_each_leaf_once() {
        let cpu = Counted(Recorded(&SKYLAKE), Cell::new(0));
        let set = FeatureSet::of(&Remembered::new(&cpu));
        // 0, 1, 6, 7.0, 0xD.1, 0x8000_0000, 1, 7, 8; 7.1 is not there.
        assert_eq!(cpu.1.get(), 9);
        assert_eq!(set, FeatureSet::of(&Recorded(&SKYLAKE)));
    }

    #[test]
    fn what_one_cpu_lacks_and_what_it_has_beyond_the_other_are_told_apart() {
        let bsp = FeatureSet::of(&Recorded(&SKYLAKE));
        let ap = bsp.without(Feature::SMEP).without(feature("avx2"));
        assert_eq!(names(&bsp.beyond(&ap)), ["avx2", "smep"]);
        assert!(ap.beyond(&bsp).is_empty());
        assert_eq!(
            names(&bsp.without(feature("nx")).beyond(&ap)),
            ["avx2", "smep"]
        );
        assert_eq!(names(&ap.beyond(&bsp.without(feature("nx")))), ["nx"]);
    }

    #[test]
    fn the_common_set_is_what_all_have() {
        let common = Common([const { AtomicU32::new(0) }; WORDS]);
        let bsp = FeatureSet::of(&Recorded(&SKYLAKE));
        common.begin(&bsp);
        assert_eq!(common.get(), bsp);
        let mut richer = bsp.without(Feature::SMEP);
        richer.0[10] |= 1 << 31;
        common.narrow(&richer);
        common.narrow(&bsp.without(Feature::SMAP));
        common.narrow(&bsp);
        let expected = bsp.without(Feature::SMEP).without(Feature::SMAP);
        assert_eq!(common.get(), expected);
        assert!(!common.get().has(Feature::SMEP) && common.get().has(feature("avx2")));
    }
}
