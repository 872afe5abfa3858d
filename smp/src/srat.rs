//! Which node each CPU belongs to: the System Resource Affinity Table (ACPI 6.5, section 5.2.16),
//! read from bytes that may be anything.
//!
//! The walk is the one over the MADT: every access is bounds-checked, and every turn moves forward.
//! A table that breaks off still gives what stands before the break, and the [`Defect`] says what is
//! wrong. Nothing here decides between entries that contradict each other: all of them are given.

use alloc::vec::Vec;
use core::fmt;

use crate::{
    cpu::ApicId,
    entries::{Broken, entry, field, sum, u32_at},
};

/// What the table says of CPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srat {
    /// By APIC id, and of one id in the table's order.
    affinities: Vec<Affinity>,
    /// What is wrong with the table: the first thing, and a wrong checksum only when nothing else is.
    pub defect: Option<Defect>,
}

/// One CPU's entry, of type 0 or 2, which is enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Affinity {
    /// Its APIC's id.
    pub apic_id: ApicId,
    /// Its proximity domain: CPUs and memory of one domain make a node.
    pub domain: u32,
}

/// Bytes that are no SRAT at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotASrat {
    /// Fewer bytes than the fixed part has.
    TooShort {
        /// How many there are.
        len: usize,
    },
    /// Another signature than `SRAT`.
    Signature([u8; 4]),
}

/// What is wrong with a table that told of CPUs all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Defect {
    /// The bytes of the table do not add up to 0.
    Checksum {
        /// What they add up to.
        sum: u8,
    },
    /// The header's length is greater than the number of bytes, or less than the fixed part.
    Length {
        /// What the header says.
        stated: u32,
        /// How many bytes there are.
        present: usize,
    },
    /// An entry whose length is less than its own two-byte header, or than its type needs.
    EntryTooShort {
        /// Where it begins.
        offset: usize,
        /// Its type.
        kind: u8,
        /// Its length.
        len: u8,
    },
    /// An entry that reaches beyond the table.
    EntryBeyondEnd {
        /// Where it begins.
        offset: usize,
        /// Its type; `None` when the table ends within the entry's header.
        kind: Option<u8>,
    },
}

const SIGNATURE: [u8; 4] = *b"SRAT";
const LENGTH: usize = 4;
const REVISION: usize = 8;
const ENTRIES: usize = 48;

const LOCAL_APIC: u8 = 0;
const LOCAL_X2APIC: u8 = 2;

/// Of tables older than this only the lowest byte of an APIC's domain is one (ACPI 6.5, table 5.46,
/// and section 5.2.16.1).
const WIDE_DOMAINS: u8 = 2;

/// The ids that mean everybody and so no CPU, as in the MADT.
const LOCAL_APIC_EVERYBODY: u8 = 0xff;
const LOCAL_X2APIC_EVERYBODY: u32 = u32::MAX;

const ENABLED: u32 = 1 << 0;

impl Srat {
    /// Reads a whole table, header included.
    ///
    /// # Errors
    ///
    /// [`NotASrat`] when not even the fixed part can be trusted.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotASrat> {
        if bytes.len() < ENTRIES {
            return Err(NotASrat::TooShort { len: bytes.len() });
        }
        let signature = field(bytes, 0).unwrap_or_default();
        if signature != SIGNATURE {
            return Err(NotASrat::Signature(signature));
        }
        let stated = u32_at(bytes, LENGTH).unwrap_or_default();
        let is_right = |table: &&[u8]| table.len() >= ENTRIES;
        let right = bytes.get(..stated as usize).filter(is_right);
        let table = right.unwrap_or(bytes);
        let mut srat = Self {
            affinities: Vec::new(),
            defect: None,
        };
        if right.is_none() {
            let present = bytes.len();
            srat.note(Defect::Length { stated, present });
        }
        srat.walk(table);
        match sum(table) {
            0 => {}
            sum => srat.note(Defect::Checksum { sum }),
        }
        // Stable: what is said of one CPU stays in the table's order.
        srat.affinities.sort_by_key(|affinity| affinity.apic_id);
        Ok(srat)
    }

    /// What is said of the CPU with this id, in the table's order; nothing where it is not listed.
    pub fn of(&self, id: ApicId) -> &[Affinity] {
        let first = self.affinities.partition_point(|it| it.apic_id < id);
        let behind = self.affinities.partition_point(|it| it.apic_id <= id);
        &self.affinities[first..behind]
    }

    /// All that is said, by APIC id.
    pub fn affinities(&self) -> &[Affinity] {
        &self.affinities
    }

    fn walk(&mut self, table: &[u8]) {
        let is_wide = table[REVISION] >= WIDE_DOMAINS;
        let mut offset = ENTRIES;
        while offset < table.len() {
            let entry = match entry(table, offset) {
                Ok(entry) => entry,
                Err(broken) => return self.note(broken.into()),
            };
            match read(entry, is_wide) {
                Some(affinity) => self.affinities.extend(affinity),
                None => self.note(Defect::EntryTooShort {
                    offset,
                    kind: entry[0],
                    len: entry.len() as u8,
                }),
            }
            offset += entry.len();
        }
    }

    fn note(&mut self, found: Defect) {
        self.defect.get_or_insert(found);
    }
}

/// What an entry says of a CPU, if it says anything; `None` when it is too short to say it.
fn read(entry: &[u8], is_wide: bool) -> Option<Option<Affinity>> {
    let (is_cpu, apic_id, domain, flags) = match entry[0] {
        LOCAL_APIC => {
            let [low, id] = field(entry, 2)?;
            let high = if is_wide { field(entry, 9)? } else { [0; 3] };
            let [second, third, fourth] = high;
            let domain = u32::from_le_bytes([low, second, third, fourth]);
            let is_cpu = id != LOCAL_APIC_EVERYBODY;
            (is_cpu, u32::from(id), domain, u32_at(entry, 4)?)
        }
        LOCAL_X2APIC => {
            let id = u32_at(entry, 8)?;
            let is_cpu = id != LOCAL_X2APIC_EVERYBODY;
            (is_cpu, id, u32_at(entry, 4)?, u32_at(entry, 12)?)
        }
        // Memory, and what other architectures and devices have.
        _ => return Some(None),
    };
    let apic_id = ApicId(apic_id);
    let is_valid = is_cpu && flags & ENABLED != 0;
    Some(is_valid.then_some(Affinity { apic_id, domain }))
}

impl From<Broken> for Defect {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::TooShort { offset, kind, len } => Self::EntryTooShort { offset, kind, len },
            Broken::BeyondEnd { offset, kind } => Self::EntryBeyondEnd { offset, kind },
        }
    }
}

impl fmt::Display for NotASrat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { len } => write!(f, "the SRAT has only {len} bytes"),
            Self::Signature(found) => {
                write!(f, "the SRAT's signature is \"{}\"", found.escape_ascii())
            }
        }
    }
}

impl core::error::Error for NotASrat {}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the SRAT's ")?;
        match self {
            Self::Checksum { sum } => write!(f, "bytes add up to {sum:#x} and not to 0"),
            Self::Length { stated, present } => {
                write!(f, "header says {stated} bytes, and there are {present}")
            }
            Self::EntryTooShort { offset, kind, len } => {
                write!(
                    f,
                    "entry at {offset:#x}, type {kind:#x}, has only {len} bytes"
                )
            }
            Self::EntryBeyondEnd { offset, .. } => {
                write!(f, "entry at {offset:#x} reaches beyond the table")
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::{string::ToString, vec};

    use proptest::prelude::*;

    use super::*;

    /// A table of this revision with these entries, its length and checksum set.
    fn table(revision: u8, entries: &[&[u8]]) -> Vec<u8> {
        let mut bytes = vec![0; ENTRIES];
        bytes[..4].copy_from_slice(&SIGNATURE);
        bytes[REVISION] = revision;
        // The field of this value is reserved.
        bytes[36] = 1;
        for entry in entries {
            bytes.extend_from_slice(entry);
        }
        let len = bytes.len() as u32;
        bytes[LENGTH..LENGTH + 4].copy_from_slice(&len.to_le_bytes());
        seal(bytes)
    }

    fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes[9] = bytes[9].wrapping_sub(sum(&bytes));
        bytes
    }

    fn local_apic(id: u8, domain: u32, flags: u32) -> Vec<u8> {
        let [low, high @ ..] = domain.to_le_bytes();
        let mut entry = vec![LOCAL_APIC, 16, low, id];
        entry.extend(flags.to_le_bytes());
        entry.push(0);
        entry.extend(high);
        entry.extend([0; 4]);
        entry
    }

    fn x2apic(id: u32, domain: u32, flags: u32) -> Vec<u8> {
        let mut entry = vec![LOCAL_X2APIC, 24, 0, 0];
        for field in [domain, id, flags, 0, 0] {
            entry.extend(field.to_le_bytes());
        }
        entry
    }

    fn memory() -> Vec<u8> {
        let mut entry = vec![0xff; 40];
        entry[..2].copy_from_slice(&[1, 40]);
        entry
    }

    fn said(srat: &Srat) -> Vec<(u32, u32)> {
        let affinities = srat.affinities().iter();
        affinities.map(|it| (it.apic_id.0, it.domain)).collect()
    }

    #[test]
    fn both_kinds_of_entries_are_read_and_those_of_memory_and_of_disabled_cpus_are_not() {
        let srat = Srat::parse(&table(
            3,
            &[
                &local_apic(2, 1, 1),
                &memory(),
                &local_apic(1, 0, 1),
                &local_apic(7, 5, 0),
                &x2apic(0x1_0000, 0x0102_0304, 1),
                &x2apic(8, 1, 0),
            ],
        ))
        .unwrap();
        assert_eq!(said(&srat), [(1, 0), (2, 1), (0x1_0000, 0x0102_0304)]);
        assert_eq!(srat.defect, None);
        assert_eq!(srat.of(ApicId(2)).len(), 1);
        assert!(srat.of(ApicId(7)).is_empty() && srat.of(ApicId(u32::MAX)).is_empty());
    }

    #[test]
    fn a_domain_has_32_bits_since_revision_2_and_8_before() {
        let entry = local_apic(3, 0xa1b2_c3d4, 1);
        for (revision, domain) in [(0, 0xd4), (1, 0xd4), (2, 0xa1b2_c3d4), (3, 0xa1b2_c3d4)] {
            let srat = Srat::parse(&table(revision, &[&entry])).unwrap();
            assert_eq!(said(&srat), [(3, domain)], "revision {revision}");
        }
    }

    #[test]
    fn an_id_that_is_listed_twice_keeps_both_in_the_tables_order() {
        let srat = Srat::parse(&table(
            3,
            &[&x2apic(4, 9, 1), &local_apic(1, 0, 1), &local_apic(4, 2, 1)],
        ))
        .unwrap();
        let domains: Vec<_> = srat.of(ApicId(4)).iter().map(|it| it.domain).collect();
        assert_eq!(domains, [9, 2]);
    }

    #[test]
    fn the_ids_that_mean_everybody_are_no_cpus_and_x2apic_255_is_one() {
        let srat = Srat::parse(&table(
            3,
            &[
                &local_apic(0xff, 1, 1),
                &x2apic(0xff, 2, 1),
                &x2apic(u32::MAX, 3, 1),
            ],
        ))
        .unwrap();
        assert_eq!(said(&srat), [(0xff, 2)]);
    }

    #[test]
    fn an_entry_that_is_too_short_for_its_type_is_passed_over_and_told() {
        for (short, kind) in [
            (&local_apic(5, 1, 1)[..11], LOCAL_APIC),
            (&x2apic(5, 1, 1)[..15], LOCAL_X2APIC),
        ] {
            let mut short = short.to_vec();
            short[1] = short.len() as u8;
            let srat = Srat::parse(&table(3, &[&short, &local_apic(6, 1, 1)])).unwrap();
            assert_eq!(said(&srat), [(6, 1)]);
            let defect = Defect::EntryTooShort {
                offset: ENTRIES,
                kind,
                len: short.len() as u8,
            };
            assert_eq!(srat.defect, Some(defect));
        }
    }

    #[test]
    fn an_entry_of_length_zero_ends_the_walk() {
        let srat = Srat::parse(&table(
            3,
            &[&local_apic(6, 1, 1), &[0, 0], &local_apic(7, 1, 1)],
        ))
        .unwrap();
        assert_eq!(said(&srat), [(6, 1)]);
        let defect = srat.defect.unwrap();
        assert_eq!(
            defect.to_string(),
            "the SRAT's entry at 0x40, type 0x0, has only 0 bytes"
        );
    }

    #[test]
    fn a_table_that_was_cut_gives_what_is_still_there() {
        let mut bytes = table(3, &[&local_apic(6, 1, 1), &local_apic(7, 1, 1)]);
        bytes.truncate(ENTRIES + 20);
        let srat = Srat::parse(&bytes).unwrap();
        assert_eq!(said(&srat), [(6, 1)]);
        assert!(matches!(srat.defect, Some(Defect::Length { .. })));
    }

    #[test]
    fn a_wrong_checksum_is_told_where_nothing_else_is_wrong() {
        let mut bytes = table(3, &[&local_apic(6, 1, 1)]);
        bytes[40] = 1;
        let srat = Srat::parse(&bytes).unwrap();
        assert_eq!(said(&srat), [(6, 1)]);
        assert_eq!(srat.defect, Some(Defect::Checksum { sum: 1 }));
    }

    #[test]
    fn what_is_no_srat_is_refused() {
        assert_eq!(Srat::parse(&[]), Err(NotASrat::TooShort { len: 0 }));
        let mut other = table(3, &[]);
        other[..4].copy_from_slice(b"SLIT");
        assert_eq!(Srat::parse(&other), Err(NotASrat::Signature(*b"SLIT")));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_invent_cpus(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut sealed = table(3, &[]);
            sealed.extend_from_slice(&bytes);
            let len = sealed.len() as u32;
            sealed[LENGTH..LENGTH + 4].copy_from_slice(&len.to_le_bytes());
            let srat = Srat::parse(&seal(sealed)).unwrap();
            prop_assert!(srat.affinities().len() <= bytes.len() / 12);
            prop_assert!(srat.affinities().is_sorted_by_key(|it| it.apic_id));
            let _ = Srat::parse(&bytes);
        }
    }
}
