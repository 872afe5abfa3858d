//! The CPUs of a model: how many there are, how they are numbered, and where each sits.
//!
//! CPU 0 is the BSP, in the first thread of the first core of the first package. A machine of fewer
//! CPUs than its cores could have lacks those with the highest numbers.

use anyhow::{Result, ensure};
use reveille_smp::cpu::{ApicId, Place};
use serde::Deserialize;

/// The CPUs of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Packages (sockets).
    pub packages: u32,
    /// Cores of a package.
    pub cores: u32,
    /// Threads of a core.
    pub threads: u32,
    /// In which order the CPUs are numbered.
    pub numbering: Numbering,
    /// What grows where there are to be more CPUs.
    scale: Scale,
    cpus: usize,
}

/// In which order CPUs are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Numbering {
    /// The first threads of all cores, then all second ones, as most firmware lists them.
    FirstThreadsFirst,
    /// All threads of a core, then those of the next.
    SiblingsTogether,
}

/// What grows where there are to be more CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Scale {
    /// The cores of each package.
    #[default]
    Cores,
    /// The packages.
    Packages,
}

impl Shape {
    /// The most CPUs of a simulated machine. Each has a stack of its own, which with its guard page is
    /// two mappings; a process on Linux has 65,530 of them (`vm.max_map_count`).
    pub const MOST_CPUS: usize = 1 << 14;

    pub(super) fn new(
        [packages, cores, threads]: [u32; 3],
        numbering: Numbering,
        scale: Scale,
    ) -> Result<Self> {
        let cpus = [packages, cores, threads]
            .iter()
            .map(|&count| count as usize)
            .try_fold(1, usize::checked_mul)
            .unwrap_or(usize::MAX);
        ensure!(
            cpus > 0,
            "there are no CPUs: `packages`, `cores` and `threads` must be 1 or more"
        );
        ensure!(
            cpus <= Self::MOST_CPUS,
            "there are {cpus} CPUs, and there must be from 1 to {}",
            Self::MOST_CPUS
        );
        Ok(Self {
            packages,
            cores,
            threads,
            numbering,
            scale,
            cpus,
        })
    }

    /// How many CPUs there are.
    pub fn cpus(&self) -> usize {
        self.cpus
    }

    /// As many cores or packages as so many CPUs need.
    pub(super) fn with_cpus(self, cpus: usize) -> Result<Self> {
        ensure!(
            (1..=Self::MOST_CPUS).contains(&cpus),
            "a machine must have from 1 to {} CPUs, and not {cpus}",
            Self::MOST_CPUS
        );
        // It fits: there are no more than `MOST_CPUS`.
        let needed = |of_one: u32| cpus.div_ceil(of_one as usize) as u32;
        Ok(match self.scale {
            Scale::Cores => Self {
                cores: needed(self.packages * self.threads),
                cpus,
                ..self
            },
            Scale::Packages => Self {
                packages: needed(self.cores * self.threads),
                cpus,
                ..self
            },
        })
    }

    /// Where a CPU sits.
    pub fn place(&self, cpu: usize) -> Place {
        let cpu = cpu as u32;
        match self.numbering {
            Numbering::FirstThreadsFirst => {
                let all_cores = self.packages * self.cores;
                Place {
                    package: cpu % all_cores / self.cores,
                    core: cpu % self.cores,
                    thread: cpu / all_cores,
                }
            }
            Numbering::SiblingsTogether => Place {
                package: cpu / self.threads / self.cores,
                core: cpu / self.threads % self.cores,
                thread: cpu % self.threads,
            },
        }
    }

    /// The id of a CPU's APIC: the thread's bits lowest, then the core's, then the package's (SDM
    /// volume 3, "Hierarchical Mapping of CPUID Extended Topology Leaf"). So ids have holes where
    /// counts are no powers of two.
    pub fn apic_id(&self, cpu: usize) -> ApicId {
        let bits_for = |count: u32| count.next_power_of_two().trailing_zeros();
        let thread_bits = bits_for(self.threads);
        let package_shift = thread_bits + bits_for(self.cores);
        let place = self.place(cpu);
        ApicId(place.package << package_shift | place.core << thread_bits | place.thread)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn shape(counts: [u32; 3], numbering: Numbering, scale: Scale) -> Shape {
        Shape::new(counts, numbering, scale).expect("it has CPUs")
    }

    fn places(shape: &Shape) -> Vec<String> {
        let text = |cpu| shape.place(cpu).to_string();
        (0..shape.cpus()).map(text).collect()
    }

    #[test]
    fn first_threads_of_all_packages_come_before_the_second_ones() {
        let shape = shape([2, 2, 2], Numbering::FirstThreadsFirst, Scale::Cores);
        assert_eq!(
            places(&shape),
            [
                "0/0/0", "0/1/0", "1/0/0", "1/1/0", "0/0/1", "0/1/1", "1/0/1", "1/1/1"
            ]
        );
    }

    #[test]
    fn siblings_together_are_neighbours() {
        let shape = shape([2, 2, 2], Numbering::SiblingsTogether, Scale::Cores);
        assert_eq!(
            places(&shape)[..5],
            ["0/0/0", "0/0/1", "0/1/0", "0/1/1", "1/0/0"]
        );
    }

    #[test]
    fn apic_ids_have_holes_where_cores_are_no_power_of_two() {
        let shape = shape([2, 3, 2], Numbering::FirstThreadsFirst, Scale::Cores);
        let ids: Vec<_> = (0..12).map(|cpu| shape.apic_id(cpu).0).collect();
        assert_eq!(ids, [0, 2, 4, 8, 10, 12, 1, 3, 5, 9, 11, 13]);
    }

    #[test]
    fn another_number_of_cpus_changes_the_cores_or_the_packages_and_nothing_else() {
        let numbering = Numbering::SiblingsTogether;
        let more = |scale, cpus| {
            let shape = shape([2, 28, 2], numbering, scale).with_cpus(cpus);
            let Shape {
                packages, cores, ..
            } = shape.expect("so many can be");
            (packages, cores)
        };
        assert_eq!(more(Scale::Cores, 8192), (2, 2048));
        assert_eq!(more(Scale::Packages, 8192), (147, 28));
        assert_eq!(more(Scale::Cores, 2), (2, 1));
        let two = shape([2, 28, 2], numbering, Scale::Cores).with_cpus(2);
        assert_eq!(places(&two.expect("two can be")), ["0/0/0", "0/0/1"]);
    }

    #[test]
    fn a_machine_without_cpus_or_with_too_many_is_refused() {
        let any = (Numbering::FirstThreadsFirst, Scale::Cores);
        for counts in [
            [0, 1, 1],
            [1, 0, 1],
            [1, 1, 0],
            [16_385, 1, 1],
            [u32::MAX; 3],
        ] {
            assert!(Shape::new(counts, any.0, any.1).is_err(), "{counts:?}");
        }
        let some = shape([1, 1, 1], any.0, any.1);
        assert!(some.with_cpus(0).is_err() && some.with_cpus(Shape::MOST_CPUS + 1).is_err());
        assert!(some.with_cpus(Shape::MOST_CPUS).is_ok());
    }

    proptest! {
        #[test]
        fn every_cpu_has_a_place_and_an_id_of_its_own_however_many_there_are(
            counts in [1..5_u32, 1..9_u32, 1..4_u32],
            together: bool,
            by_packages: bool,
            cpus in 1..300_usize,
        ) {
            let numbering = if together { Numbering::SiblingsTogether } else { Numbering::FirstThreadsFirst };
            let scale = if by_packages { Scale::Packages } else { Scale::Cores };
            let shape = shape(counts, numbering, scale).with_cpus(cpus).unwrap();
            let all = || 0..shape.cpus();
            prop_assert_eq!(all().map(|cpu| shape.place(cpu)).collect::<BTreeSet<_>>().len(), cpus);
            prop_assert_eq!(all().map(|cpu| shape.apic_id(cpu)).collect::<BTreeSet<_>>().len(), cpus);
            for Place { package, core, thread } in all().map(|cpu| shape.place(cpu)) {
                prop_assert!(package < shape.packages && core < shape.cores && thread < shape.threads);
            }
            prop_assert_eq!(shape.place(0), Place::default());
        }
    }
}
