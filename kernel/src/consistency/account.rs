//! What the CPUs have said of themselves, compared and put into words.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use reveille_smp::{
    cpu::CpuIndex,
    ranges::Ranges,
    record::{self, CpuState},
    srat::Srat,
};

use super::features::Feature;
use crate::{
    percpu::PerCpu,
    topology::contradictions::{self, Witness},
};

/// The features of each CPU, compared with those of the BSP, which is the first one.
pub(super) fn features(areas: &[&PerCpu]) -> Vec<record::Features> {
    let bsp = areas.first().and_then(|bsp| bsp.identity().features());
    let compared = areas.iter().map(|area| {
        let (Some(bsp), Some(own)) = (&bsp, area.identity().features()) else {
            return record::Features::default();
        };
        record::Features {
            compared: true,
            missing: names(bsp.beyond(&own)),
            surplus: names(own.beyond(bsp)),
        }
    });
    compared.collect()
}

fn names(features: Vec<Feature>) -> Vec<String> {
    features.iter().map(Feature::to_string).collect()
}

/// Where each CPU sits, the BSP first. One that has said nothing of itself has no place here but the
/// node that it is listed in.
pub(super) fn topologies(areas: &[&PerCpu], srat: Option<&Srat>) -> Vec<record::Topology> {
    let witnesses: Vec<_> = areas
        .iter()
        .map(|area| Witness {
            cpu: area.index(),
            apic_id: area.apic_id(),
            told: area.identity().told(),
        })
        .collect();
    let bsp = witnesses.first().and_then(|bsp| bsp.told);
    let Some(topology) = bsp.map(|told| told.topology) else {
        return areas.iter().map(|_| record::Topology::default()).collect();
    };
    let found = contradictions::find(topology, &witnesses, srat);
    let told = witnesses.iter().zip(found);
    let told = told.map(|(witness, contradictions)| record::Topology {
        node: contradictions::node(srat, witness.apic_id),
        contradictions,
        ..match witness.told {
            Some(_) => topology.seat(witness.apic_id),
            None => record::Topology::default(),
        }
    });
    told.collect()
}

/// What a person is to be told: a line for all CPUs that differ in the same features, and one for
/// all that contradict themselves in the same way.
pub(super) fn lines(states: &[CpuState]) -> Vec<String> {
    let mut alike = BTreeMap::<String, Vec<CpuIndex>>::new();
    for state in states {
        let record::Features {
            missing, surplus, ..
        } = &state.features;
        let differences = [("without", missing), ("beyond CPU 0", surplus)];
        let differences = differences.iter().filter(|(_, names)| !names.is_empty());
        let differences = differences.map(|(verb, names)| format!("{verb} {}", names.join(", ")));
        let differences = differences.collect::<Vec<_>>().join("; ");
        let sentences = &state.topology.contradictions;
        let sentences = sentences.iter().map(|it| format!("topology: {{}}: {it}"));
        let differs = (!differences.is_empty()).then(|| format!("features: {{}}: {differences}"));
        for line in differs.into_iter().chain(sentences) {
            alike.entry(line).or_default().push(state.cpu);
        }
    }
    let lines = alike.into_iter().map(|(line, cpus)| {
        let word = if cpus.len() == 1 { "CPU" } else { "CPUs" };
        let ranges: Ranges = cpus.iter().map(|cpu| cpu.0).collect();
        line.replacen("{}", &format!("{word} {ranges}"), 1)
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use reveille_smp::cpu::ApicId;

    use super::*;

    fn state(cpu: u32, missing: &[&str], surplus: &[&str], contradictions: &[&str]) -> CpuState {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        CpuState {
            cpu: CpuIndex(cpu),
            apic_id: ApicId(cpu),
            topology: record::Topology {
                contradictions: owned(contradictions),
                ..record::Topology::default()
            },
            registers: record::Registers::default(),
            features: record::Features {
                compared: true,
                missing: owned(missing),
                surplus: owned(surplus),
            },
            clock: record::Clock::default(),
        }
    }

    #[test]
    fn cpus_that_differ_alike_share_a_line_and_those_in_line_have_none() {
        let states = [
            state(0, &[], &[], &[]),
            state(1, &["smep", "avx2"], &[], &["it is told twice"]),
            state(2, &["smep"], &["x2apic"], &[]),
            state(3, &["smep", "avx2"], &[], &["it is told twice", "it lies"]),
            state(4, &["smep", "avx2"], &[], &[]),
        ];
        assert_eq!(
            lines(&states),
            [
                "features: CPUs 1,3-4: without smep, avx2",
                "features: CPU 2: without smep; beyond CPU 0 x2apic",
                "topology: CPUs 1,3: it is told twice",
                "topology: CPU 3: it lies",
            ]
        );
        assert!(lines(&states[..1]).is_empty());
    }
}
