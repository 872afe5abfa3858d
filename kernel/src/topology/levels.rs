//! How CPUID cuts an APIC id: the leaves that tell it, the best first.
//!
//! What a leaf says is taken within bounds: a level list that never ends is left, and shifts that do
//! not grow from level to level are put in order, so that every id can be cut.

use super::{Source, Topology};
use crate::cpuid::{Cpuid, Leaf};

/// What the CPU that was asked says of levels, and of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// How ids are cut.
    pub topology: Topology,
    /// Logical processors in a core, and in a package; 0 where that is not told.
    pub threads: u16,
    /// See [`threads`](Self::threads).
    pub cpus: u16,
    /// The CPU's own id, all 32 bits, where the leaf tells it.
    pub id: Option<u32>,
}

/// The leaf of topology levels, and its successors that know more of them.
const LEVELS: u32 = 0xb;
const LEVELS_V2: u32 = 0x1f;
const AMD_LEVELS: u32 = 0x8000_0026;

/// Six kinds of level are defined; the bound is for a CPU that never ends the list.
const MOST_LEVELS: u32 = 8;
const LEVEL_END: u32 = 0;

impl Levels {
    /// Reads them from the best source that the CPU has.
    pub fn of(cpu: &impl Cpuid) -> Self {
        let is_amd = matches!(&cpu.vendor(), b"AuthenticAMD" | b"HygonGenuine");
        let levels = Self::intel(cpu, LEVELS_V2)
            .or_else(|| is_amd.then(|| Self::amd(cpu)).flatten())
            .or_else(|| Self::intel(cpu, LEVELS));
        let levels = levels.unwrap_or_else(|| match is_amd {
            true => Self::from_amd_counts(cpu),
            false => Self::from_intel_counts(cpu),
        });
        let topology = levels.topology;
        let die_shift = match is_amd {
            true => topology.die_shift.or_else(|| topology.die_by_nodes(cpu)),
            false => topology.die_shift,
        };
        Self {
            topology: Topology {
                die_shift,
                ..topology
            }
            .in_order(),
            ..levels
        }
    }

    /// Leaf 0x1F or 0xB (SDM volume 2, CPUID). Each level says how far to shift an id to be rid of it
    /// and all levels below. Modules and tiles count to the core's part; so do dies for those who ask
    /// for the core within its package.
    fn intel(cpu: &impl Cpuid, leaf: u32) -> Option<Self> {
        const THREAD: u32 = 1;
        const CORE: u32 = 2;
        const DIE: u32 = 5;
        let source = match leaf {
            LEVELS => Source::LeafB,
            _ => Source::Leaf1F,
        };
        let mut levels = None::<Self>;
        for subleaf in 0..MOST_LEVELS {
            let level = cpu.basic(leaf, subleaf);
            let (kind, shift, count) = taken_apart(level);
            // Of a leaf that is not there, EBX, the count of CPUs at the level, is 0.
            if kind == LEVEL_END || count == 0 {
                break;
            }
            let mut it = levels.unwrap_or(Self {
                topology: Topology::uncut(source),
                threads: 0,
                cpus: 0,
                id: Some(level.edx),
            });
            // Where the level below ends, this one begins.
            let below = it.topology.package_shift;
            match kind {
                THREAD => (it.topology.thread_bits, it.threads) = (shift, count),
                CORE => it.topology.core_shift = shift,
                DIE => it.topology.die_shift = Some(below),
                _ => {}
            }
            it.topology.package_shift = shift.max(below);
            it.cpus = count;
            levels = Some(it);
            // Leaf 0xB knows of none above it: so the end needs not be asked for.
            if leaf == LEVELS && kind == CORE {
                break;
            }
        }
        let mut levels = levels?;
        // A leaf that knows of dies and lists none says that there is one.
        if source == Source::Leaf1F {
            let one = levels.topology.package_shift;
            levels.topology.die_shift.get_or_insert(one);
        }
        Some(levels)
    }

    /// Leaf 0x8000_0026 (APM volume 3, appendix E.4.24). Here each level says how far to shift an id
    /// to get that of the level itself.
    fn amd(cpu: &impl Cpuid) -> Option<Self> {
        const CORE: u32 = 1;
        const COMPLEX: u32 = 2;
        const DIE: u32 = 3;
        const SOCKET: u32 = 4;
        let mut levels = None::<Self>;
        for subleaf in 0..MOST_LEVELS {
            let level = cpu.extended(AMD_LEVELS, subleaf);
            let (kind, shift, count) = taken_apart(level);
            if kind == LEVEL_END || count == 0 {
                break;
            }
            let mut it = levels.unwrap_or(Self {
                topology: Topology::uncut(Source::Leaf80000026),
                threads: 0,
                cpus: 0,
                id: Some(level.edx),
            });
            match kind {
                CORE => (it.topology.thread_bits, it.threads) = (shift, count),
                COMPLEX => it.topology.core_shift = shift,
                DIE => it.topology.die_shift = Some(shift),
                _ => {}
            }
            it.topology.package_shift = it.topology.package_shift.max(shift);
            it.cpus = count;
            levels = Some(it);
            if kind == SOCKET {
                break;
            }
        }
        let mut levels = levels?;
        let one = levels.topology.package_shift;
        levels.topology.die_shift.get_or_insert(one);
        Some(levels)
    }

    /// Before leaf 0xB, AMD: the bits of a package's ids in leaf 0x8000_0008, the threads of a
    /// core in 0x8000_001E (APM volume 3, appendix E.4).
    fn from_amd_counts(cpu: &impl Cpuid) -> Self {
        let sizes = cpu.extended(0x8000_0008, 0).ecx;
        let id_bits = sizes >> 12 & 0xf;
        let cpus = (sizes & 0xff) + 1;
        let package_shift = if id_bits != 0 {
            id_bits
        } else {
            bits_for(cpus)
        };
        let threads = match nodes_of(cpu) {
            Some(told) => (told.ebx >> 8 & 0xff) + 1,
            None => 1,
        };
        Self {
            topology: Topology {
                thread_bits: bits_for(threads),
                package_shift,
                ..Topology::uncut(Source::Leaf80000008)
            },
            threads: threads as u16,
            cpus: cpus as u16,
            id: None,
        }
    }

    /// Before leaf 0xB, Intel: room for ids in a package from leaf 1, of which leaf 4 gives the
    /// cores' part (SDM volume 3, "Detecting Hardware Multi-Threading Support and Topology").
    fn from_intel_counts(cpu: &impl Cpuid) -> Self {
        const HAS_SEVERAL_THREADS: u32 = 1 << 28;
        let features = cpu.leaf(1, 0);
        if features.edx & HAS_SEVERAL_THREADS == 0 {
            return Self {
                topology: Topology::uncut(Source::Leaf1),
                threads: 0,
                cpus: 0,
                id: None,
            };
        }
        let package_shift = bits_for((features.ebx >> 16 & 0xff).max(1));
        let core_bits = bits_for((cpu.basic(4, 0).eax >> 26) + 1);
        Self {
            topology: Topology {
                thread_bits: package_shift.saturating_sub(core_bits),
                package_shift,
                ..Topology::uncut(Source::Leaf4)
            },
            // What was told is room in the ids, and no count.
            threads: 0,
            cpus: 0,
            id: None,
        }
    }
}

impl Topology {
    /// The shift to the die where AMD's nodes are dies: those of a package share its highest bits.
    /// What each CPU says of its own node shows whether that is so.
    fn die_by_nodes(self, cpu: &impl Cpuid) -> Option<u32> {
        let nodes = (nodes_of(cpu)?.ecx >> 8 & 0b111) + 1;
        self.package_shift.checked_sub(bits_for(nodes))
    }

    /// With no bits for threads or cores.
    const fn uncut(source: Source) -> Self {
        Self {
            source,
            thread_bits: 0,
            core_shift: 0,
            die_shift: None,
            package_shift: 0,
        }
    }

    /// With shifts that grow from thread to package.
    fn in_order(self) -> Self {
        let package_shift = self.package_shift.max(self.thread_bits);
        let within = |shift: u32| shift.clamp(self.thread_bits, package_shift);
        let die_shift = self.die_shift.map(within);
        let core_shift = match self.core_shift {
            // No level of its own: the cores reach up to the die.
            0 => die_shift.unwrap_or(package_shift),
            shift => within(shift),
        };
        Self {
            core_shift,
            die_shift,
            package_shift,
            ..self
        }
    }
}

/// Leaf 0x8000_001E, where an AMD CPU has it (APM volume 3, appendix E.4.19).
pub fn nodes_of(cpu: &impl Cpuid) -> Option<Leaf> {
    const HAS_TOPOLOGY_LEAF: u32 = 1 << 22;
    let has_it = cpu.extended(0x8000_0001, 0).ecx & HAS_TOPOLOGY_LEAF != 0;
    has_it.then(|| cpu.extended(0x8000_001e, 0))
}

/// Kind, shift and count of a level.
fn taken_apart(level: Leaf) -> (u32, u32, u16) {
    (level.ecx >> 8 & 0xff, level.eax & 0x1f, level.ebx as u16)
}

/// How many bits number that many things.
const fn bits_for(count: u32) -> u32 {
    count.next_power_of_two().trailing_zeros()
}
