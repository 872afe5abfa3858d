//! What the sources contradict each other in: CPUID of each CPU, the APICs' own ids, and the SRAT.
//!
//! A contradiction is told, and nothing follows from it: where a CPU sits is what its APIC's id says,
//! cut as the BSP cuts it. What firmware or a hypervisor may do as it likes is none: a package may
//! have fewer CPUs than CPUID counts, and the numbers of cores may have holes.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};

use reveille_smp::{
    cpu::{ApicId, CpuIndex, Place},
    srat::Srat,
};

use super::{
    Topology, part,
    told::{Amd, Told},
};

/// One CPU, by its APIC, and what it says of itself if it has said something.
#[derive(Clone, Copy, Debug)]
pub struct Witness {
    /// Our number of it.
    pub cpu: CpuIndex,
    /// What its APIC says.
    pub apic_id: ApicId,
    /// What its CPUID says.
    pub told: Option<Told>,
}

/// The sentences about each of the CPUs, in their order; `topology` is how the BSP cuts ids.
pub fn find(topology: Topology, cpus: &[Witness], srat: Option<&Srat>) -> Vec<Vec<String>> {
    let neighbours = Neighbours::of(topology, cpus, srat);
    let found = cpus.iter().map(|witness| {
        let mut found = Vec::new();
        if let Some(told) = &witness.told {
            neighbours.judge_told(witness, told, &mut found);
        }
        if let Some(srat) = srat {
            neighbours.judge_nodes(witness, srat, &mut found);
        }
        found
    });
    found.collect()
}

/// The node of a CPU: that of the first entry, where several contradict each other.
pub fn node(srat: Option<&Srat>, id: ApicId) -> Option<u32> {
    Some(srat?.of(id).first()?.domain)
}

/// A core of the machine: its package, and its number within.
type Core = (u32, u32);

fn core(place: Place) -> Core {
    (place.package, place.core)
}

/// What is to be known of all CPUs to judge one.
struct Neighbours {
    topology: Topology,
    /// CPUs of each package.
    in_package: BTreeMap<u32, usize>,
    /// Who says that it sits there, by its own CPUID.
    own_places: BTreeMap<Place, Vec<CpuIndex>>,
    /// The packages in which CPUs say that they belong to AMD's node of this number.
    packages_of_node: BTreeMap<u32, BTreeSet<u32>>,
    /// The domains of each core's CPUs.
    domains_of_core: BTreeMap<Core, BTreeSet<u32>>,
}

impl Neighbours {
    fn of(topology: Topology, cpus: &[Witness], srat: Option<&Srat>) -> Self {
        let mut all = Self {
            topology,
            in_package: BTreeMap::new(),
            own_places: BTreeMap::new(),
            packages_of_node: BTreeMap::new(),
            domains_of_core: BTreeMap::new(),
        };
        for witness in cpus {
            let place = topology.place(witness.apic_id);
            *all.in_package.entry(place.package).or_default() += 1;
            if let Some(domain) = node(srat, witness.apic_id) {
                let domains = all.domains_of_core.entry(core(place)).or_default();
                domains.insert(domain);
            }
            let Some(told) = witness.told else { continue };
            let own_place = told.topology.place(told.id);
            let there = all.own_places.entry(own_place).or_default();
            there.push(witness.cpu);
            if let Some(amd) = told.amd {
                let packages = all.packages_of_node.entry(amd.node()).or_default();
                packages.insert(place.package);
            }
        }
        all
    }

    /// What a CPU says of itself, against its APIC, the BSP and the others.
    fn judge_told(&self, witness: &Witness, told: &Told, found: &mut Vec<String>) {
        let Witness { cpu, apic_id, .. } = *witness;
        let place = self.topology.place(apic_id);
        let visible = if told.id_is_wide { u32::MAX } else { 0xff };
        if told.id.0 != apic_id.0 & visible {
            found.push(format!(
                "CPUID says APIC id {}, its APIC says {apic_id}",
                told.id
            ));
        }
        if !told.topology.agrees_with(self.topology) {
            let (own, bsp) = (cuts(told.topology), cuts(self.topology));
            found.push(format!(
                "its CPUID cuts ids as {own}, that of CPU 0 as {bsp}"
            ));
        }
        let own_place = told.topology.place(told.id);
        let there = self.own_places.get(&own_place);
        let other = there.and_then(|there| there.iter().find(|&&other| other != cpu));
        if let Some(other) = other {
            found.push(format!("CPU {other} says too that it sits at {own_place}"));
        }
        let threads = u32::from(told.threads);
        if threads != 0 && place.thread >= threads {
            let thread = place.thread;
            found.push(format!(
                "it is thread {thread} of a core that has {threads}"
            ));
        }
        let in_package = self.in_package.get(&place.package).copied();
        let in_package = in_package.unwrap_or_default();
        if told.cpus != 0 && in_package > usize::from(told.cpus) {
            let cpus = told.cpus;
            found.push(format!(
                "its package has {in_package} CPUs and says that it has {cpus}"
            ));
        }
        if let Some(amd) = told.amd {
            self.judge_amd(witness, amd, found);
        }
    }

    /// Leaf 0x8000_001E against the bits of the id.
    fn judge_amd(&self, witness: &Witness, amd: Amd, found: &mut Vec<String>) {
        let apic_id = witness.apic_id;
        let Topology {
            thread_bits,
            core_shift,
            die_shift,
            package_shift,
            ..
        } = self.topology;
        if amd.id != apic_id.0 {
            let told = amd.id;
            found.push(format!(
                "leaf 8000001e says APIC id {told}, its APIC says {apic_id}"
            ));
        }
        let room = 1_u32.checked_shl(thread_bits).unwrap_or(u32::MAX);
        if amd.threads() > room {
            let threads = amd.threads();
            found.push(format!(
                "leaf 8000001e says {threads} threads a core, and the id has room for {room}"
            ));
        }
        // Some count cores within the package, some within the die, some within what shares a cache.
        let mut ends = [
            core_shift,
            die_shift.unwrap_or(package_shift),
            package_shift,
        ]
        .into_iter();
        if !ends.any(|end| amd.core() == part(apic_id, thread_bits, end) & 0xff) {
            let (told, core) = (amd.core(), part(apic_id, thread_bits, package_shift));
            found.push(format!(
                "leaf 8000001e says core {told}, the id core {core}"
            ));
        }
        let node = amd.node();
        let packages = self.packages_of_node.get(&node);
        if packages.is_some_and(|packages| packages.len() > 1) {
            found.push(format!(
                "leaf 8000001e says node {node}, and so do CPUs of other packages"
            ));
        }
        // Nodes are dies where they are as many, and then of one number.
        let die = self.topology.die(apic_id).unwrap_or(0);
        let dies = 1_u32 << (package_shift - die_shift.unwrap_or(package_shift)).min(31);
        if amd.nodes() > 1 && dies >= amd.nodes() && node % amd.nodes() != die {
            found.push(format!("leaf 8000001e says node {node}, the id die {die}"));
        }
    }

    /// What the SRAT says of a CPU.
    fn judge_nodes(&self, witness: &Witness, srat: &Srat, found: &mut Vec<String>) {
        let entries = srat.of(witness.apic_id);
        let Some(first) = entries.first() else {
            return found.push(String::from("the SRAT does not list it"));
        };
        if let Some(other) = entries.iter().find(|entry| entry.domain != first.domain) {
            let (first, other) = (first.domain, other.domain);
            found.push(format!(
                "the SRAT lists it in node {first} and in node {other}"
            ));
        }
        let core = core(self.topology.place(witness.apic_id));
        let domains = self.domains_of_core.get(&core);
        let mut others = domains.into_iter().flatten();
        if let Some(other) = others.find(|&&domain| domain != first.domain) {
            let first = first.domain;
            found.push(format!(
                "the SRAT has it in node {first}, and a thread of its core in node {other}"
            ));
        }
    }
}

/// Such as `1+2+1 bits (b)`: of the thread, the core, and the die where that is told.
fn cuts(topology: Topology) -> String {
    let Topology {
        source,
        thread_bits,
        die_shift,
        package_shift,
        ..
    } = topology;
    let core_end = die_shift.unwrap_or(package_shift);
    let core_bits = core_end - thread_bits;
    match package_shift - core_end {
        0 => format!("{thread_bits}+{core_bits} bits (leaf {source})"),
        die_bits => format!("{thread_bits}+{core_bits}+{die_bits} bits (leaf {source})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Source;

    /// Two packages of four cores with two threads each, as leaf 0xB tells them.
    const TOPOLOGY: Topology = Topology {
        source: Source::LeafB,
        thread_bits: 1,
        core_shift: 3,
        die_shift: None,
        package_shift: 3,
    };

    fn honest(id: u32) -> Told {
        Told {
            id: ApicId(id),
            id_is_wide: true,
            topology: TOPOLOGY,
            threads: 2,
            cpus: 8,
            amd: None,
        }
    }

    /// Sixteen CPUs, of which one says what `lie` makes of the truth.
    fn one_lies(liar: u32, lie: impl Fn(&mut Told)) -> Vec<Vec<String>> {
        let mut cpus = machine(honest);
        let told = cpus[liar as usize].told.as_mut().unwrap();
        lie(told);
        find(TOPOLOGY, &cpus, None)
    }

    fn machine(told: impl Fn(u32) -> Told) -> Vec<Witness> {
        let witness = |id| Witness {
            cpu: CpuIndex(id),
            apic_id: ApicId(id),
            told: Some(told(id)),
        };
        (0..16).map(witness).collect()
    }

    /// The one sentence there is, and of whom.
    fn only(found: &[Vec<String>]) -> (usize, &str) {
        let mut all = found.iter().enumerate().flat_map(|(cpu, sentences)| {
            sentences
                .iter()
                .map(move |sentence| (cpu, sentence.as_str()))
        });
        let first = all.next().expect("a contradiction");
        assert_eq!(all.next(), None, "beside {first:?}");
        first
    }

    #[test]
    fn an_honest_machine_has_no_contradictions() {
        for found in find(TOPOLOGY, &machine(honest), None) {
            assert!(found.is_empty(), "{found:?}");
        }
        let mut silent = machine(honest);
        silent[5].told = None;
        assert!(find(TOPOLOGY, &silent, None).iter().all(Vec::is_empty));
    }

    #[test]
    fn another_id_than_the_apics_is_told() {
        let found = one_lies(5, |told| told.id = ApicId(21));
        assert_eq!(only(&found), (5, "CPUID says APIC id 21, its APIC says 5"));
        // Eight bits say nothing of the others.
        let narrow = |told: &mut Told| (told.id, told.id_is_wide) = (ApicId(5), false);
        let mut cpus = machine(honest);
        cpus[5].apic_id = ApicId(0x105);
        narrow(cpus[5].told.as_mut().unwrap());
        assert!(find(TOPOLOGY, &cpus, None).iter().all(Vec::is_empty));
    }

    #[test]
    fn a_cpu_that_cuts_ids_in_another_way_is_told() {
        let found = one_lies(6, |told| told.topology.thread_bits = 2);
        let sentence =
            "its CPUID cuts ids as 2+1 bits (leaf b), that of CPU 0 as 1+2 bits (leaf b)";
        // By its own cut it sits where no other does.
        assert_eq!(only(&found), (6, sentence));
    }

    #[test]
    fn another_leaf_that_cuts_alike_and_one_that_knows_of_no_dies_contradict_nothing() {
        let found = one_lies(6, |told| told.topology.source = Source::Leaf80000008);
        assert!(found.iter().all(Vec::is_empty));
        let found = one_lies(6, |told| told.topology.die_shift = Some(2));
        assert!(found.iter().all(Vec::is_empty));
    }

    #[test]
    fn two_cpus_that_claim_one_place_are_both_told() {
        let found = one_lies(5, |told| told.id = ApicId(4));
        assert_eq!(found[4], ["CPU 5 says too that it sits at 0/2/0"]);
        let [id, place] = &found[5][..] else {
            panic!("{found:?}")
        };
        assert_eq!(id, "CPUID says APIC id 4, its APIC says 5");
        assert_eq!(place, "CPU 4 says too that it sits at 0/2/0");
    }

    #[test]
    fn a_thread_beyond_the_count_is_told() {
        let found = one_lies(7, |told| told.threads = 1);
        assert_eq!(only(&found), (7, "it is thread 1 of a core that has 1"));
        let found = one_lies(6, |told| told.threads = 1);
        assert!(found.iter().all(Vec::is_empty), "its number is 0");
    }

    #[test]
    fn a_package_of_more_cpus_than_it_says_is_told() {
        let found = one_lies(9, |told| told.cpus = 7);
        let sentence = "its package has 8 CPUs and says that it has 7";
        assert_eq!(only(&found), (9, sentence));
        let found = one_lies(9, |told| told.cpus = 64);
        assert!(found.iter().all(Vec::is_empty), "some may be switched off");
    }

    fn with_amd(id: u32) -> Told {
        let amd = Amd {
            id,
            core: 1 << 8 | id >> 1 & 0b11,
            node: id >> 3,
        };
        Told {
            amd: Some(amd),
            ..honest(id)
        }
    }

    fn amd_lies(lie: impl Fn(&mut Amd)) -> Vec<Vec<String>> {
        let mut cpus = machine(with_amd);
        let told = cpus[10].told.as_mut().unwrap();
        lie(told.amd.as_mut().unwrap());
        find(TOPOLOGY, &cpus, None)
    }

    #[test]
    fn what_amd_adds_must_be_what_the_id_says() {
        assert!(amd_lies(|_| ()).iter().all(Vec::is_empty));
        let found = amd_lies(|amd| amd.id = 2);
        let sentence = "leaf 8000001e says APIC id 2, its APIC says 10";
        assert_eq!(only(&found), (10, sentence));
        let found = amd_lies(|amd| amd.core += 2);
        assert_eq!(
            only(&found),
            (10, "leaf 8000001e says core 3, the id core 1")
        );
        let found = amd_lies(|amd| amd.core += 2 << 8);
        let sentence = "leaf 8000001e says 4 threads a core, and the id has room for 2";
        assert_eq!(only(&found), (10, sentence));
    }

    #[test]
    fn a_node_that_spans_packages_is_told_of_all_its_cpus() {
        let found = amd_lies(|amd| amd.node = 0);
        let told: Vec<_> = (0..16).filter(|&cpu| !found[cpu].is_empty()).collect();
        assert_eq!(told, [0, 1, 2, 3, 4, 5, 6, 7, 10]);
        let sentence = "leaf 8000001e says node 0, and so do CPUs of other packages";
        assert_eq!(found[3], [sentence]);
    }

    #[test]
    fn where_nodes_are_dies_a_cpus_node_must_be_its_ids_die() {
        let topology = Topology {
            die_shift: Some(2),
            core_shift: 2,
            ..TOPOLOGY
        };
        let told = |id: u32| {
            let mut told = with_amd(id);
            let amd = told.amd.as_mut().unwrap();
            (amd.core, amd.node) = (1 << 8 | id >> 1 & 1, 1 << 8 | id >> 2);
            Told { topology, ..told }
        };
        let mut cpus = machine(told);
        assert!(find(topology, &cpus, None).iter().all(Vec::is_empty));
        cpus[10].told.as_mut().unwrap().amd.as_mut().unwrap().node ^= 1;
        let found = find(topology, &cpus, None);
        assert_eq!(
            only(&found),
            (10, "leaf 8000001e says node 3, the id die 0")
        );
    }

    /// A table that lists these ids in these domains.
    fn srat(entries: impl IntoIterator<Item = (u8, u8)>) -> Srat {
        let mut table = b"SRAT".to_vec();
        table.resize(48, 0);
        table[8] = 3;
        for (id, domain) in entries {
            table.extend([0, 16, domain, id, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        }
        let length = table.len() as u32;
        table[4..8].copy_from_slice(&length.to_le_bytes());
        Srat::parse(&table).unwrap()
    }

    fn nodes(entries: impl IntoIterator<Item = (u8, u8)>) -> Vec<Vec<String>> {
        find(TOPOLOGY, &machine(honest), Some(&srat(entries)))
    }

    /// A node a package.
    fn one_each() -> impl Iterator<Item = (u8, u8)> {
        (0..16).map(|id| (id, id >> 3))
    }

    #[test]
    fn a_node_a_package_is_no_contradiction() {
        assert!(nodes(one_each()).iter().all(Vec::is_empty));
        let twice_the_same = one_each().chain([(3, 0)]);
        assert!(nodes(twice_the_same).iter().all(Vec::is_empty));
        assert_eq!(node(Some(&srat(one_each())), ApicId(9)), Some(1));
        assert_eq!(node(None, ApicId(9)), None);
    }

    #[test]
    fn a_cpu_that_is_listed_in_two_nodes_is_told() {
        let found = nodes(one_each().chain([(9, 4)]));
        assert_eq!(
            only(&found),
            (9, "the SRAT lists it in node 1 and in node 4")
        );
    }

    #[test]
    fn a_cpu_that_is_not_listed_is_told() {
        let found = nodes(one_each().filter(|&(id, _)| id != 12));
        assert_eq!(only(&found), (12, "the SRAT does not list it"));
    }

    #[test]
    fn two_threads_of_a_core_in_two_nodes_are_told() {
        let found = nodes((0..16).map(|id| (id, u8::from(id == 7))));
        let sentence = "the SRAT has it in node 0, and a thread of its core in node 1";
        assert_eq!(found[6], [sentence]);
        let sentence = "the SRAT has it in node 1, and a thread of its core in node 0";
        assert_eq!(found[7], [sentence]);
        assert_eq!(found.iter().filter(|it| !it.is_empty()).count(), 2);
    }
}
