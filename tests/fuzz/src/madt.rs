//! The walk over the MADT, and the plan made from it.
//!
//! The bytes are the table. It is walked as it is, and once more with the checksum set right, which
//! no mutation would hit. What stood in the checksum's place chooses the BSP, listed or not, and
//! the APIC mode that the plan is made for; the first two letters of the OEM's id say how many CPUs
//! are wanted and how many have slots, if not zero.

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
};

use reveille_smp::{
    cpu::{ApicId, CpuIndex, Place},
    madt::{Madt, Processor},
    plan::{Planned, Role, Skip, plan},
    selection::Selection,
};

/// Bytes before the first entry: the header (36), the APIC's address and the flags (ACPI 6.5,
/// table 5.19).
const FIXED: usize = 44;
/// The shortest entry that stands for a CPU: type 0.
const SHORTEST_CPU: usize = 8;
/// Where the table's length stands, and its checksum.
const LENGTH: std::ops::Range<usize> = 4..8;
const CHECKSUM: usize = 9;
/// The OEM's id.
const OEM_ID: usize = 10;
/// The greatest id that an APIC in xAPIC mode can address.
const XAPIC_LIMIT: ApicId = ApicId(254);
/// How many places a table is cut at.
const CUTS: usize = 4;

/// Walks a table and plans by it. Returns whether it is a MADT.
pub fn check(bytes: &[u8]) -> bool {
    let raw = Madt::parse(bytes);
    match &raw {
        Ok(madt) => check_walk(bytes, madt),
        Err(error) => assert!(!error.to_string().is_empty()),
    }

    if let Some(sealed) = seal(bytes) {
        let madt = Madt::parse(&sealed).expect("its fixed part is whole");
        check_walk(&sealed, &madt);
        check_cuts(&sealed, &madt);
        let (bsp, x2apic) = choose(bytes[CHECKSUM], &madt.processors);
        let wanted = |at: usize| NonZeroU32::new(bytes[OEM_ID + at].into());
        let selection = Selection {
            max_cpus: wanted(0),
            cpus: None,
            possible: wanted(1),
        };
        let plan = plan(&madt.processors, bsp, x2apic, &selection).expect("no CPU is named");
        check_plan(&madt.processors, bsp, x2apic, &plan);
        check_selection(&selection, &plan);
    }
    raw.is_ok()
}

/// A BSP, one of the listed as often as not, and whether the APICs are in x2APIC mode.
fn choose(by: u8, listed: &[Processor]) -> (ApicId, bool) {
    let number = usize::from(by >> 1);
    let bsp = match listed.get(number % (2 * listed.len()).max(1)) {
        Some(processor) => processor.apic_id,
        None => ApicId(u32::from(by)),
    };
    (bsp, by & 1 != 0)
}

/// The table with the signature of a MADT and the checksum of what its length covers.
fn seal(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() < FIXED {
        return None;
    }
    let mut table = bytes.to_vec();
    table[..4].copy_from_slice(b"APIC");
    let stated = u32::from_le_bytes(table[LENGTH].try_into().expect("four bytes")) as usize;
    let covered = stated.clamp(FIXED, table.len());
    table[CHECKSUM] = 0;
    let sum = table[..covered]
        .iter()
        .fold(0, |sum: u8, byte| sum.wrapping_add(*byte));
    table[CHECKSUM] = sum.wrapping_neg();
    Some(table)
}

fn check_walk(table: &[u8], madt: &Madt) {
    assert!(madt.processors.len() <= (table.len() - FIXED) / SHORTEST_CPU);
    for processor in &madt.processors {
        assert!(!(processor.enabled && processor.online_capable));
        assert_ne!(processor.apic_id, ApicId(u32::MAX), "it means everybody");
    }
    if let Some(defect) = &madt.defect {
        assert!(!defect.to_string().is_empty());
    }
}

/// A table that breaks off gives the CPUs before the break, and no others.
fn check_cuts(table: &[u8], whole: &Madt) {
    let entries = table.len() - FIXED;
    for cut in 0..CUTS {
        let cut = &table[..FIXED + entries * cut / CUTS];
        let part = Madt::parse(cut).expect("its fixed part is whole");
        assert!(
            whole.processors.starts_with(&part.processors),
            "cut to {} bytes, it lists {:?}",
            cut.len(),
            part.processors
        );
    }
}

fn check_plan(listed: &[Processor], bsp: ApicId, x2apic: bool, plan: &[Planned]) {
    assert!(plan.len() <= listed.len() + 1);
    assert_eq!(
        (plan[0].cpu, plan[0].apic_id, plan[0].role),
        (Some(CpuIndex::BSP), bsp, Role::Bsp)
    );

    let planned: BTreeSet<ApicId> = plan.iter().map(|cpu| cpu.apic_id).collect();
    assert_eq!(planned.len(), plan.len(), "an id is planned twice");
    let mut enabled = BTreeMap::new();
    for processor in listed {
        *enabled.entry(processor.apic_id).or_insert(false) |= processor.enabled;
    }
    assert!(enabled.keys().all(|id| planned.contains(id)));

    let numbers = plan.iter().filter_map(|planned| planned.cpu);
    assert!(
        numbers.eq((0..)
            .map(CpuIndex)
            .take(plan.iter().filter(|it| it.cpu.is_some()).count()))
    );

    for planned in plan {
        let enabled = enabled.get(&planned.apic_id);
        let reachable = x2apic || planned.apic_id <= XAPIC_LIMIT;
        match planned.role {
            Role::Bsp => assert_eq!(planned.apic_id, bsp, "there is one BSP"),
            Role::Ap => assert!(enabled == Some(&true) && reachable && planned.cpu.is_some()),
            Role::Skipped(skip) => {
                assert!(enabled == Some(&true) && planned.cpu.is_some());
                assert_eq!(skip == Skip::BeyondXapic, !reachable);
                assert!(!skip.reason().is_empty());
            }
            Role::Disabled { .. } => {
                assert!(enabled == Some(&false) && (reachable || planned.cpu.is_none()));
            }
        }
        let record = planned.unwoken_record(Place::default());
        assert_eq!(record.reason.is_none(), planned.role == Role::Bsp);
    }
}

/// No more CPUs run, and no more have slots, than the selection allows; and whoever is left out for
/// that finds the bound reached.
fn check_selection(selection: &Selection, plan: &[Planned]) {
    let count = |is_counted: fn(&Planned) -> bool| {
        1 + plan.iter().filter(|planned| is_counted(planned)).count() as u32
    };
    let running = count(|planned| planned.role == Role::Ap);
    let slots = count(Planned::has_slot);
    for (most, taken, skip) in [
        (selection.max_cpus, running, Skip::MaxCpus),
        (selection.possible, slots, Skip::NoSlot),
    ] {
        let left_out = plan
            .iter()
            .any(|planned| planned.role == Role::Skipped(skip));
        assert!(most.is_none_or(|most| taken <= most.get()));
        assert!(!left_out || most.is_some_and(|most| taken == most.get()));
    }
}
