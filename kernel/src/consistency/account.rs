//! What the CPUs have said of themselves, compared.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use reveille_smp::{record, srat::Srat};

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
