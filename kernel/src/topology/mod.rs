//! Where a CPU sits: package, die, core and thread, cut out of its APIC id.
//!
//! CPUID tells how wide each part of an id is. The BSP's CPUID places every CPU by its id alone, even
//! one that never woke; what each CPU says of itself is compared with that afterwards
//! ([`contradictions`]), and the id's own bits win. The parts are numbered as the id has them: where
//! there are holes in the ids, there are holes in the numbers.

pub mod contradictions;
pub mod levels;
pub mod told;

use reveille_smp::{
    cpu::{ApicId, Place},
    record,
};

use self::levels::Levels;
use crate::cpuid::Cpuid;

/// How an APIC id is cut: the thread's bits lowest, then the core's, the die's, and the package's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Who says so.
    pub source: Source,
    /// Bits of the thread within its core.
    thread_bits: u32,
    /// Bits of the thread and the core, without what there is between core and die.
    core_shift: u32,
    /// Bits of all that is in a die; `None` where nothing tells of dies.
    die_shift: Option<u32>,
    /// Bits of all that is in a package.
    package_shift: u32,
}

/// The leaf of CPUID that ids are cut by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::FromRepr)]
#[repr(u8)]
pub enum Source {
    /// Levels up to the package, dies included.
    #[strum(serialize = "1f")]
    Leaf1F,
    /// Threads and cores.
    #[strum(serialize = "b")]
    LeafB,
    /// AMD's levels, dies included.
    #[strum(serialize = "80000026")]
    Leaf80000026,
    /// AMD's counts.
    #[strum(serialize = "80000008")]
    Leaf80000008,
    /// Intel's counts.
    #[strum(serialize = "4")]
    Leaf4,
    /// One thread a package.
    #[strum(serialize = "1")]
    Leaf1,
}

impl Topology {
    /// Reads the widths from the best source that the CPU has.
    pub fn of(cpu: &impl Cpuid) -> Self {
        Levels::of(cpu).topology
    }

    /// Where the CPU with this id sits: its core within its package, whatever is between them.
    pub fn place(self, id: ApicId) -> Place {
        Place {
            package: part(id, self.package_shift, u32::BITS),
            core: part(id, self.thread_bits, self.package_shift),
            thread: part(id, 0, self.thread_bits),
        }
    }

    /// The same with its die where that is told, and its core then within the die. Neither node nor
    /// contradictions are known here.
    pub fn seat(self, id: ApicId) -> record::Topology {
        let place = self.place(id);
        let core_end = self.die_shift.unwrap_or(self.package_shift);
        record::Topology {
            source: Some(alloc::format!("{}", self.source)),
            package: Some(place.package),
            die: self.die(id),
            core: Some(part(id, self.thread_bits, core_end)),
            thread: Some(place.thread),
            node: None,
            contradictions: alloc::vec::Vec::new(),
        }
    }

    /// Whether ids are cut alike, as far as both tell.
    fn agrees_with(self, other: Self) -> bool {
        let dies = self.die_shift.zip(other.die_shift);
        self.thread_bits == other.thread_bits
            && self.package_shift == other.package_shift
            && dies.is_none_or(|(one, other)| one == other)
    }

    /// The die within its package, where that is told.
    fn die(self, id: ApicId) -> Option<u32> {
        let die_shift = self.die_shift?;
        Some(part(id, die_shift, self.package_shift))
    }
}

/// The bits of an id from one place up to another.
fn part(id: ApicId, from: u32, to: u32) -> u32 {
    let below = id.0 & !u32::MAX.checked_shl(to).unwrap_or(0);
    below.checked_shr(from).unwrap_or(0)
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

    /// Of a thread, a die and a package.
    fn shifts(cpu: &impl Cpuid) -> (u32, Option<u32>, u32) {
        let it = Topology::of(cpu);
        (it.thread_bits, it.die_shift, it.package_shift)
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
        let seat = topology.seat(ApicId(0b1_0110));
        let parts = (seat.package, seat.die, seat.core, seat.thread);
        assert_eq!(parts, (Some(1), Some(0b01), Some(1), Some(0)));
        assert_eq!(seat.source.as_deref(), Some("1f"));
    }

    #[test]
    fn a_leaf_1f_without_a_level_of_dies_says_that_there_is_one_and_leaf_b_says_nothing() {
        let leaves = [
            vendor(0x1f, INTEL),
            (0xb, 0, [1, 2, 0x100, 0]),
            (0xb, 1, [4, 16, 0x201, 0]),
            (0x1f, 0, [1, 2, 0x100, 0]),
            (0x1f, 1, [3, 8, 0x201, 0]),
            // Modules.
            (0x1f, 2, [4, 16, 0x302, 0]),
        ];
        assert_eq!(shifts(&Recorded(&leaves)), (1, Some(4), 4));
        let seat = Topology::of(&Recorded(&leaves)).seat(ApicId(0b1_1011));
        assert_eq!((seat.die, seat.core), (Some(0), Some(0b101)));
        assert_eq!(shifts(&Recorded(&leaves[..3])), (1, None, 4));
        let seat = Topology::of(&Recorded(&leaves[..3])).seat(ApicId(0b1_1011));
        assert_eq!((seat.die, seat.core), (None, Some(0b101)));
    }

    /// The levels as APM volume 3, appendix E.4.24, defines them: two threads, eight cores a complex,
    /// one complex a die, two dies a socket.
    #[test]
    fn amds_levels_say_where_each_begins_and_come_before_leaf_b() {
        let leaves = [
            vendor(0x10, AMD),
            (0xb, 0, [1, 2, 0x100, 0]),
            (0xb, 1, [5, 32, 0x201, 0]),
            (0x8000_0000, 0, [0x8000_0028, 0, 0, 0]),
            (0x8000_0001, 0, [0, 0, 1 << 22, 0]),
            (0x8000_0026, 0, [1, 2, 0x100, 0]),
            (0x8000_0026, 1, [4, 16, 0x201, 0]),
            (0x8000_0026, 2, [4, 16, 0x302, 0]),
            (0x8000_0026, 3, [5, 32, 0x403, 0]),
        ];
        assert_eq!(shifts(&Recorded(&leaves)), (1, Some(4), 5));
        let seat = Topology::of(&Recorded(&leaves)).seat(ApicId(0b11_0101));
        let parts = (seat.package, seat.die, seat.core, seat.thread);
        assert_eq!(parts, (Some(1), Some(1), Some(0b010), Some(1)));
        assert_eq!(seat.source.as_deref(), Some("80000026"));
    }

    /// Four nodes a package of six bits, as in the first EPYC.
    #[test]
    fn where_leaf_b_knows_of_no_dies_amds_nodes_tell_them() {
        let cpu = Recorded(&[
            vendor(0xd, AMD),
            (0xb, 0, [1, 2, 0x100, 0]),
            (0xb, 1, [6, 64, 0x201, 0]),
            (0x8000_0000, 0, [0x8000_001f, 0, 0, 0]),
            (0x8000_0001, 0, [0, 0, 1 << 22, 0]),
            (0x8000_001e, 0, [0, 0x100, 0x300, 0]),
        ]);
        assert_eq!(shifts(&cpu), (1, Some(4), 6));
        let seat = Topology::of(&cpu).seat(ApicId(0b110_1011));
        let parts = (seat.package, seat.die, seat.core, seat.thread);
        assert_eq!(parts, (Some(1), Some(0b10), Some(0b101), Some(1)));
        assert_eq!(
            Topology::of(&cpu).place(ApicId(0b110_1011)),
            place(1, 0b10_101, 1)
        );
    }

    #[test]
    fn levels_out_of_order_still_cut_every_id() {
        for first in [0, 5, 31] {
            for second in [0, 3, 31] {
                let cpu = Recorded(&[
                    vendor(0x1f, INTEL),
                    (0x1f, 0, [first, 2, 0x200, 0]),
                    (0x1f, 1, [second, 2, 0x501, 0]),
                    (0x1f, 2, [second / 2, 2, 0x102, 0]),
                ]);
                let topology = Topology::of(&cpu);
                let seat = topology.seat(ApicId(0xdead_beef));
                let joined = u64::from(seat.package.unwrap()) << topology.package_shift
                    | u64::from(seat.die.unwrap()) << topology.die_shift.unwrap()
                    | u64::from(seat.core.unwrap()) << topology.thread_bits
                    | u64::from(seat.thread.unwrap());
                assert_eq!(joined, 0xdead_beef, "{topology:?}");
            }
        }
    }

    #[test]
    fn a_leaf_b_without_cpus_is_not_there() {
        let cpu = Recorded(&[
            vendor(0xb, AMD),
            (0xb, 0, [0, 0, 0x100, 0]),
            (0x8000_0000, 0, [0x8000_0008, 0, 0, 0]),
            (0x8000_0008, 0, [0, 0, 0x2003, 0]),
        ]);
        assert_eq!(shifts(&cpu), (0, None, 2));
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
        assert_eq!(shifts(&cpu), (1, Some(3), 3));
    }

    #[test]
    fn old_intel_divides_the_package_by_its_cores() {
        let cpu = Recorded(&[
            vendor(4, INTEL),
            (1, 0, [0, 8 << 16, 0, 1 << 28]),
            (4, 0, [3 << 26, 0, 0, 0]),
        ]);
        assert_eq!(shifts(&cpu), (1, None, 3));
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
