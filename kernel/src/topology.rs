//! Where a CPU sits: package, core and thread, cut out of its APIC id.
//!
//! CPUID tells how wide each part of an id is. All CPUs of a machine are taken to agree with the
//! BSP, so one look at the BSP's CPUID places every CPU by its id alone, even one that never woke.
//! The parts are numbered as the id has them: where there are holes in the ids, there are holes in
//! the numbers.

use reveille_smp::cpu::{ApicId, Place};

use crate::cpuid::Cpuid;

/// How an APIC id is cut: the thread's bits lowest, then the core's, then the package's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Bits of the thread within its core.
    thread_bits: u32,
    /// Bits of the thread and the core together.
    package_shift: u32,
}

impl Topology {
    /// Reads the widths from the best source that the CPU has.
    pub fn of(cpu: &impl Cpuid) -> Self {
        Self::from_levels(cpu, LEVELS_V2)
            .or_else(|| Self::from_levels(cpu, LEVELS))
            .unwrap_or_else(|| match &cpu.vendor() {
                b"AuthenticAMD" | b"HygonGenuine" => Self::from_amd_counts(cpu),
                _ => Self::from_intel_counts(cpu),
            })
    }

    /// Where the CPU with this id sits.
    pub fn place(self, id: ApicId) -> Place {
        let below = |bits: u32| id.0 & !u32::MAX.checked_shl(bits).unwrap_or(0);
        Place {
            package: id.0.checked_shr(self.package_shift).unwrap_or(0),
            core: below(self.package_shift)
                .checked_shr(self.thread_bits)
                .unwrap_or(0),
            thread: below(self.thread_bits),
        }
    }

    /// The levels of leaf 0x1F or 0xB (SDM volume 2, CPUID). Each says how far to shift an id to be
    /// rid of it and all levels below. Modules, tiles and dies count to the core's part.
    fn from_levels(cpu: &impl Cpuid, leaf: u32) -> Option<Self> {
        const LEVEL_END: u32 = 0;
        const LEVEL_THREAD: u32 = 1;
        /// Six kinds of level are defined; the bound is for a CPU that never ends the list.
        const MOST_LEVELS: u32 = 8;
        let mut found = None::<Self>;
        for subleaf in 0..MOST_LEVELS {
            let level = cpu.basic(leaf, subleaf);
            let kind = level.ecx >> 8 & 0xff;
            let shift = level.eax & 0x1f;
            // Of a leaf that is not there, EBX, the count of CPUs at the level, is 0.
            if kind == LEVEL_END || level.ebx & 0xffff == 0 {
                break;
            }
            let so_far = found.unwrap_or(Self {
                thread_bits: 0,
                package_shift: 0,
            });
            found = Some(Self {
                thread_bits: if kind == LEVEL_THREAD {
                    shift
                } else {
                    so_far.thread_bits
                },
                package_shift: shift.max(so_far.package_shift),
            });
        }
        found
    }

    /// Before leaf 0xB, AMD: the bits of a package's ids in leaf 0x8000_0008, the threads of a
    /// core in 0x8000_001E (APM volume 3, appendix E.4).
    fn from_amd_counts(cpu: &impl Cpuid) -> Self {
        const HAS_TOPOLOGY_LEAF: u32 = 1 << 22;
        let sizes = cpu.extended(0x8000_0008, 0).ecx;
        let id_bits = sizes >> 12 & 0xf;
        let package_shift = if id_bits != 0 {
            id_bits
        } else {
            bits_for((sizes & 0xff) + 1)
        };
        let threads = if cpu.extended(0x8000_0001, 0).ecx & HAS_TOPOLOGY_LEAF != 0 {
            (cpu.extended(0x8000_001e, 0).ebx >> 8 & 0xff) + 1
        } else {
            1
        };
        let thread_bits = bits_for(threads);
        Self {
            thread_bits,
            package_shift: package_shift.max(thread_bits),
        }
    }

    /// Before leaf 0xB, Intel: room for ids in a package from leaf 1, of which leaf 4 gives the
    /// cores' part (SDM volume 3, "Detecting Hardware Multi-Threading Support and Topology").
    fn from_intel_counts(cpu: &impl Cpuid) -> Self {
        const HAS_SEVERAL_THREADS: u32 = 1 << 28;
        let features = cpu.leaf(1, 0);
        if features.edx & HAS_SEVERAL_THREADS == 0 {
            return Self {
                thread_bits: 0,
                package_shift: 0,
            };
        }
        let package_shift = bits_for((features.ebx >> 16 & 0xff).max(1));
        let core_bits = bits_for((cpu.basic(4, 0).eax >> 26) + 1);
        Self {
            thread_bits: package_shift.saturating_sub(core_bits),
            package_shift,
        }
    }
}

/// The leaf of topology levels, and its successor that also knows modules, tiles and dies.
const LEVELS: u32 = 0xb;
const LEVELS_V2: u32 = 0x1f;

/// How many bits number that many things.
const fn bits_for(count: u32) -> u32 {
    count.next_power_of_two().trailing_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpuid::Recorded;

    const INTEL: [u32; 3] = [0x756e_6547, 0x6c65_746e, 0x4965_6e69];
    const AMD: [u32; 3] = [0x6874_7541, 0x444d_4163, 0x6974_6e65];

    const fn vendor(last_leaf: u32, [b, d, c]: [u32; 3]) -> (u32, u32, [u32; 4]) {
        (0, 0, [last_leaf, b, d, c])
    }

    fn place(package: u32, core: u32, thread: u32) -> Place {
        Place {
            package,
            core,
            thread,
        }
    }

    #[test]
    fn ids_with_holes_are_cut_where_leaf_b_says() {
        // QEMU, -smp 12,sockets=2,cores=3,threads=2: three cores take two bits.
        let cpu = Recorded(&[
            vendor(0xd, AMD),
            (0xb, 0, [1, 2, 0x100, 0]),
            (0xb, 1, [3, 6, 0x201, 0]),
            (0xb, 2, [0, 0, 2, 0]),
        ]);
        let topology = Topology::of(&cpu);
        let ids = [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13];
        let places = ids.map(|id| topology.place(ApicId(id)));
        let expected = core::array::from_fn(|cpu| {
            let cpu = cpu as u32;
            place(cpu / 6, cpu % 6 / 2, cpu % 2)
        });
        assert_eq!(places, expected);
    }

    #[test]
    fn dies_of_leaf_1f_belong_to_the_package() {
        let cpu = Recorded(&[
            vendor(0x1f, INTEL),
            (0xb, 0, [1, 2, 0x100, 0]),
            (0xb, 1, [2, 4, 0x201, 0]),
            (0x1f, 0, [1, 2, 0x100, 0]),
            (0x1f, 1, [2, 4, 0x201, 0]),
            (0x1f, 2, [3, 8, 0x502, 0]),
            // A kind that was not defined when this was written.
            (0x1f, 3, [4, 16, 0x903, 0]),
        ]);
        let topology = Topology::of(&cpu);
        assert_eq!(topology.place(ApicId(0b1_0110)), place(1, 0b011, 0));
    }

    #[test]
    fn a_leaf_b_without_cpus_is_not_there() {
        let cpu = Recorded(&[
            vendor(0xb, AMD),
            (0xb, 0, [0, 0, 0x100, 0]),
            (0x8000_0000, 0, [0x8000_0008, 0, 0, 0]),
            (0x8000_0008, 0, [0, 0, 0x2003, 0]),
        ]);
        assert_eq!(
            Topology::of(&cpu),
            Topology {
                thread_bits: 0,
                package_shift: 2
            }
        );
    }

    #[test]
    fn old_amd_counts_cores_and_threads() {
        let cpu = Recorded(&[
            vendor(0x1, AMD),
            (0x8000_0000, 0, [0x8000_001e, 0, 0, 0]),
            (0x8000_0001, 0, [0, 0, 1 << 22, 0]),
            // Six CPUs a package, no width given: three bits.
            (0x8000_0008, 0, [0, 0, 5, 0]),
            (0x8000_001e, 0, [0, 1 << 8, 0, 0]),
        ]);
        assert_eq!(
            Topology::of(&cpu),
            Topology {
                thread_bits: 1,
                package_shift: 3
            }
        );
    }

    #[test]
    fn old_intel_divides_the_package_by_its_cores() {
        let cpu = Recorded(&[
            vendor(4, INTEL),
            (1, 0, [0, 8 << 16, 0, 1 << 28]),
            (4, 0, [3 << 26, 0, 0, 0]),
        ]);
        assert_eq!(
            Topology::of(&cpu),
            Topology {
                thread_bits: 1,
                package_shift: 3
            }
        );
        let single = Recorded(&[vendor(4, INTEL), (1, 0, [0, 8 << 16, 0, 0])]);
        assert_eq!(Topology::of(&single).place(ApicId(5)), place(5, 0, 0));
    }

    #[test]
    fn levels_that_claim_all_bits_do_not_overflow() {
        let cpu = Recorded(&[vendor(0xb, INTEL), (0xb, 0, [31, 2, 0x100, 0])]);
        assert_eq!(
            Topology::of(&cpu).place(ApicId(u32::MAX)),
            place(1, 0, 0x7fff_ffff)
        );
    }
}
