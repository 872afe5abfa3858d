//! The walk over the SRAT.

use reveille_smp::{cpu::ApicId, srat::Srat};

/// Bytes before the first entry: the header (36) and reserved fields (ACPI 6.5, table 5.45).
const FIXED: usize = 48;
/// The shortest entry that tells of a CPU: what is read of type 0 in a table of revision 1, in which a
/// domain has eight bits.
const SHORTEST_CPU: usize = 8;
/// How many places a table is cut at.
const CUTS: usize = 4;

/// Walks a table. Returns whether it is a SRAT.
pub fn check(bytes: &[u8]) -> bool {
    let srat = match Srat::parse(bytes) {
        Ok(srat) => srat,
        Err(error) => {
            assert!(
                !bytes.starts_with(b"SRAT") || bytes.len() < FIXED,
                "{error}"
            );
            return false;
        }
    };
    let all = srat.affinities();
    assert!(all.len() <= (bytes.len() - FIXED) / SHORTEST_CPU);
    assert!(all.is_sorted_by_key(|affinity| affinity.apic_id));
    if let Some(defect) = &srat.defect {
        assert!(!defect.to_string().is_empty());
    }
    // Each is found by its id, and nobody else.
    let found = all.chunk_by(|one, other| one.apic_id == other.apic_id);
    for of_one in found {
        assert_eq!(srat.of(of_one[0].apic_id), of_one);
    }
    assert!(srat.of(ApicId(u32::MAX)).is_empty(), "it means everybody");
    check_cuts(bytes, &srat);
    true
}

/// A table that breaks off tells of no CPU in another way than the whole one.
fn check_cuts(table: &[u8], whole: &Srat) {
    let entries = table.len() - FIXED;
    for cut in 0..CUTS {
        let cut = &table[..FIXED + entries * cut / CUTS];
        let part = Srat::parse(cut).expect("its fixed part is whole");
        for affinity in part.affinities() {
            let said = whole.of(affinity.apic_id);
            assert!(
                said.contains(affinity),
                "cut to {} bytes: {affinity:?}",
                cut.len()
            );
        }
    }
}
