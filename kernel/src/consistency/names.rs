//! What each bit of CPUID stands for, as QEMU spells it (`target/i386/cpu.c`, `feature_word_info`),
//! so that a name in a report is one that `-cpu` takes.

/// A register of CPUID's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Register {
    /// The first.
    Eax,
    /// The second.
    Ebx,
    /// The third.
    Ecx,
    /// The fourth.
    Edx,
}

/// 32 bits of CPUID that tell features.
#[derive(Debug)]
pub(super) struct Word {
    /// The leaf.
    pub(super) leaf: u32,
    /// The subleaf; `None` where the leaf has none.
    pub(super) subleaf: Option<u32>,
    /// The register.
    pub(super) register: Register,
    /// Bits that do not count: they tell how the CPU is set and not what it can do, or repeat others.
    pub(super) ignored: u32,
    /// The names, in the order of the bits: each run of neighbours with the place of its first bit.
    names: &'static [(u8, &'static str)],
}

impl Word {
    /// The name of a bit, if it has one.
    pub(super) fn name(&self, bit: u8) -> Option<&'static str> {
        let run = self.names.iter().rev().find(|(first, _)| *first <= bit)?;
        run.1.split(' ').nth((bit - run.0).into())
    }
}

/// How many words are compared.
pub(super) const WORDS: usize = 12;

/// OSXSAVE follows CR4.
const OSXSAVE: u32 = 1 << 27;
/// OSPKE follows CR4.
const OSPKE: u32 = 1 << 4;
/// The bit of the APIC follows `IA32_APIC_BASE`.
const APIC: u32 = 1 << 9;
/// Whether turbo is there follows `IA32_MISC_ENABLE`.
const TURBO: u32 = 1 << 1;
/// What AMD repeats of leaf 1 in 0x8000_0001 (APM volume 3, appendix E.4).
const REPEATED: u32 = 0x0183_f3ff;

/// All words; those of one leaf stand together.
pub(super) static TABLE: [Word; WORDS] = [
    Word {
        leaf: 1,
        subleaf: None,
        register: Register::Ecx,
        ignored: OSXSAVE,
        names: &[
            (
                0,
                "pni pclmulqdq dtes64 monitor ds-cpl vmx smx est tm2 ssse3 cid",
            ),
            (12, "fma cx16 xtpr pdcm"),
            (
                17,
                "pcid dca sse4.1 sse4.2 x2apic movbe popcnt tsc-deadline aes xsave",
            ),
            (28, "avx f16c rdrand hypervisor"),
        ],
    },
    Word {
        leaf: 1,
        subleaf: None,
        register: Register::Edx,
        ignored: APIC,
        names: &[
            (0, "fpu vme de pse tsc msr pae mce cx8 apic"),
            (11, "sep mtrr pge mca cmov pat pse36 pn clflush"),
            (21, "ds acpi mmx fxsr sse sse2 ss ht tm ia64 pbe"),
        ],
    },
    Word {
        leaf: 6,
        subleaf: None,
        register: Register::Eax,
        ignored: TURBO,
        names: &[(2, "arat")],
    },
    Word {
        leaf: 7,
        subleaf: Some(0),
        register: Register::Ebx,
        ignored: 0,
        names: &[
            (
                0,
                "fsgsbase tsc-adjust sgx bmi1 hle avx2 fdp-excptn-only smep bmi2 erms invpcid rtm",
            ),
            (13, "zero-fcs-fds mpx"),
            (
                16,
                "avx512f avx512dq rdseed adx smap avx512ifma pcommit clflushopt clwb intel-pt \
                 avx512pf avx512er avx512cd sha-ni avx512bw avx512vl",
            ),
        ],
    },
    Word {
        leaf: 7,
        subleaf: Some(0),
        register: Register::Ecx,
        ignored: OSPKE,
        names: &[
            (1, "avx512vbmi umip pku"),
            (5, "waitpkg avx512vbmi2"),
            (8, "gfni vaes vpclmulqdq avx512vnni avx512bitalg"),
            (14, "avx512-vpopcntdq"),
            (16, "la57"),
            (22, "rdpid"),
            (24, "bus-lock-detect cldemote"),
            (27, "movdiri movdir64b"),
            (30, "sgxlc pks"),
        ],
    },
    Word {
        leaf: 7,
        subleaf: Some(0),
        register: Register::Edx,
        ignored: 0,
        names: &[
            (2, "avx512-4vnniw avx512-4fmaps fsrm"),
            (8, "avx512-vp2intersect"),
            (10, "md-clear"),
            (14, "serialize"),
            (16, "tsx-ldtrk"),
            (19, "arch-lbr"),
            (
                22,
                "amx-bf16 avx512-fp16 amx-tile amx-int8 spec-ctrl stibp flush-l1d \
                 arch-capabilities core-capability ssbd",
            ),
        ],
    },
    Word {
        leaf: 7,
        subleaf: Some(1),
        register: Register::Eax,
        ignored: 0,
        names: &[
            (0, "sha512 sm3 sm4"),
            (4, "avx-vnni avx512-bf16"),
            (7, "cmpccxadd"),
            (10, "fzrm fsrs fsrc"),
            (17, "fred lkgs wrmsrns"),
            (21, "amx-fp16"),
            (23, "avx-ifma"),
            (26, "lam"),
        ],
    },
    Word {
        leaf: 0xd,
        subleaf: Some(1),
        register: Register::Eax,
        ignored: 0,
        names: &[(0, "xsaveopt xsavec xgetbv1 xsaves xfd")],
    },
    Word {
        leaf: 0x8000_0001,
        subleaf: None,
        register: Register::Ecx,
        ignored: 0,
        names: &[
            (
                0,
                "lahf-lm cmp-legacy svm extapic cr8legacy abm sse4a misalignsse 3dnowprefetch osvw \
                 ibs xop skinit wdt",
            ),
            (15, "lwp fma4 tce"),
            (19, "nodeid-msr"),
            (21, "tbm topoext perfctr-core perfctr-nb"),
        ],
    },
    Word {
        leaf: 0x8000_0001,
        subleaf: None,
        register: Register::Edx,
        ignored: REPEATED,
        names: &[
            (11, "syscall"),
            (20, "nx"),
            (22, "mmxext"),
            (25, "fxsr-opt pdpe1gb rdtscp"),
            (29, "lm 3dnowext 3dnow"),
        ],
    },
    Word {
        leaf: 0x8000_0007,
        subleaf: None,
        register: Register::Edx,
        ignored: 0,
        names: &[(8, "invtsc")],
    },
    Word {
        leaf: 0x8000_0008,
        subleaf: None,
        register: Register::Ebx,
        ignored: 0,
        names: &[
            (0, "clzero"),
            (2, "xsaveerptr"),
            (9, "wbnoinvd"),
            (12, "ibpb"),
            (14, "ibrs amd-stibp"),
            (17, "stibp-always-on"),
            (24, "amd-ssbd virt-ssbd amd-no-ssb"),
            (28, "amd-psfd"),
        ],
    },
];
