//! What a CPU tells of its own place, as a few words that it can note without a lock.

use reveille_smp::cpu::ApicId;

use super::{
    Source, Topology,
    levels::{Levels, nodes_of},
};
use crate::cpuid::Cpuid;

/// What one CPU's own CPUID says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its APIC's id; of eight bits only, where `id_is_wide` does not say otherwise.
    pub id: ApicId,
    /// The id has 32 bits.
    pub id_is_wide: bool,
    /// How ids are cut.
    pub topology: Topology,
    /// Logical processors in a core; 0 where that is not told.
    pub threads: u16,
    /// Logical processors in a package; 0 where that is not told.
    pub cpus: u16,
    /// What an AMD CPU adds.
    pub amd: Option<Amd>,
}

/// Leaf 0x8000_001E of one CPU (APM volume 3, appendix E.4.19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amd {
    /// EAX: the extended APIC id.
    pub id: u32,
    /// EBX: the core, and the threads of a core less one.
    pub core: u32,
    /// ECX: the node, and the nodes of a package less one.
    pub node: u32,
}

impl Amd {
    /// The core's number, of which there are eight bits.
    pub fn core(self) -> u32 {
        self.core & 0xff
    }

    /// Threads of a core.
    pub fn threads(self) -> u32 {
        (self.core >> 8 & 0xff) + 1
    }

    /// The node's number in the machine, of which there are eight bits.
    pub fn node(self) -> u32 {
        self.node & 0xff
    }

    /// Nodes of a package.
    pub fn nodes(self) -> u32 {
        (self.node >> 8 & 0b111) + 1
    }
}

/// How many words it takes.
pub const WORDS: usize = 6;

/// Bits of the word that has the shifts: six for each, and then what else there is.
const SHIFT_BITS: u32 = 6;
const HAS_DIE: u32 = 1 << 24;
const SOURCE_SHIFT: u32 = 25;
const SOURCE_MASK: u32 = 0b111;
const IS_WIDE: u32 = 1 << 28;
const IS_AMD: u32 = 1 << 29;

impl Told {
    /// Asks a CPU.
    pub fn by(cpu: &impl Cpuid) -> Self {
        let levels = Levels::of(cpu);
        let narrow = cpu.basic(1, 0).ebx >> 24;
        Self {
            id: ApicId(levels.id.unwrap_or(narrow)),
            id_is_wide: levels.id.is_some(),
            topology: levels.topology,
            threads: levels.threads,
            cpus: levels.cpus,
            amd: nodes_of(cpu).map(|leaf| Amd {
                id: leaf.eax,
                core: leaf.ebx,
                node: leaf.ecx,
            }),
        }
    }

    /// As words.
    pub fn to_words(self) -> [u32; WORDS] {
        let Topology {
            source,
            thread_bits,
            core_shift,
            die_shift,
            package_shift,
        } = self.topology;
        let shifts = [
            thread_bits,
            core_shift,
            die_shift.unwrap_or(0),
            package_shift,
        ];
        let shifts = shifts.iter().rev();
        let mut word = shifts.fold(0, |word, shift| word << SHIFT_BITS | shift);
        word |= (source as u32) << SOURCE_SHIFT;
        for (is_so, bit) in [
            (die_shift.is_some(), HAS_DIE),
            (self.id_is_wide, IS_WIDE),
            (self.amd.is_some(), IS_AMD),
        ] {
            word |= if is_so { bit } else { 0 };
        }
        let amd = self.amd.map_or([0; 3], |amd| [amd.id, amd.core, amd.node]);
        let counts = u32::from(self.threads) << 16 | u32::from(self.cpus);
        [self.id.0, word, counts, amd[0], amd[1], amd[2]]
    }

    /// Out of the words that [`to_words`](Self::to_words) gave.
    pub fn from_words([id, word, counts, amd_id, core, node]: [u32; WORDS]) -> Self {
        let shift = |number: u32| word >> (number * SHIFT_BITS) & ((1 << SHIFT_BITS) - 1);
        let source = Source::from_repr((word >> SOURCE_SHIFT & SOURCE_MASK) as u8);
        Self {
            id: ApicId(id),
            id_is_wide: word & IS_WIDE != 0,
            topology: Topology {
                source: source.unwrap_or(Source::Leaf1),
                thread_bits: shift(0),
                core_shift: shift(1),
                die_shift: (word & HAS_DIE != 0).then(|| shift(2)),
                package_shift: shift(3),
            },
            threads: (counts >> 16) as u16,
            cpus: counts as u16,
            amd: (word & IS_AMD != 0).then_some(Amd {
                id: amd_id,
                core,
                node,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_survives_its_way_through_words() {
        let sources = [
            Source::Leaf1F,
            Source::LeafB,
            Source::Leaf80000026,
            Source::Leaf80000008,
            Source::Leaf4,
            Source::Leaf1,
        ];
        for source in sources {
            for (die_shift, amd) in [
                (None, None),
                (Some(0), None),
                (
                    Some(31),
                    Some(Amd {
                        id: u32::MAX,
                        core: 0x307,
                        node: 0x703,
                    }),
                ),
            ] {
                let told = Told {
                    id: ApicId(u32::MAX - 1),
                    id_is_wide: amd.is_some(),
                    topology: Topology {
                        source,
                        thread_bits: 1,
                        core_shift: 30,
                        die_shift,
                        package_shift: 31,
                    },
                    threads: 2,
                    cpus: u16::MAX,
                    amd,
                };
                assert_eq!(Told::from_words(told.to_words()), told);
            }
        }
    }

    #[test]
    fn amds_numbers_are_taken_apart() {
        let amd = Amd {
            id: 0x2b,
            core: 0x0105,
            node: 0x0306,
        };
        let parts = (amd.core(), amd.threads(), amd.node(), amd.nodes());
        assert_eq!(parts, (5, 2, 6, 4));
    }
}
