use alloc::vec;

use proptest::prelude::*;

use super::*;

/// A table with these entries, its length and checksum set.
fn table(entries: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![0; ENTRIES];
    bytes[..4].copy_from_slice(&SIGNATURE);
    bytes[OEM_ID..OEM_TABLE_ID].copy_from_slice(b"BOCHS ");
    bytes[OEM_TABLE_ID..OEM_TABLE_ID + 8].copy_from_slice(b"BXPC    ");
    bytes[LOCAL_APIC_ADDRESS..LOCAL_APIC_ADDRESS + 4]
        .copy_from_slice(&0xfee0_0000u32.to_le_bytes());
    for entry in entries {
        bytes.extend_from_slice(entry);
    }
    seal(bytes)
}

fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let len = bytes.len() as u32;
    bytes[LENGTH..LENGTH + 4].copy_from_slice(&len.to_le_bytes());
    bytes[9] = 0;
    bytes[9] = bytes.iter().fold(0u8, |sum, &byte| sum.wrapping_sub(byte));
    bytes
}

fn local_apic(id: u8, flags: u8) -> [u8; 8] {
    [0, 8, 0, id, flags, 0, 0, 0]
}

fn x2apic(id: u32, flags: u8) -> [u8; 16] {
    let [a, b, c, d] = id.to_le_bytes();
    [9, 16, 0, 0, a, b, c, d, flags, 0, 0, 0, 0, 0, 0, 0]
}

/// An entry for a mailbox of this version, as long as that is to be.
fn mailbox(version: u8, address: u64, reset_vector: u64) -> Vec<u8> {
    let len = if version == 0 { 16 } else { 24 };
    let mut entry = vec![MULTIPROCESSOR_WAKEUP, len, version, 0, 0, 0, 0, 0];
    entry.extend(address.to_le_bytes());
    entry.extend(reset_vector.to_le_bytes());
    entry.truncate(len.into());
    entry
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, &byte| sum.wrapping_add(byte))
}

fn ids(madt: &Madt) -> Vec<u32> {
    madt.processors
        .iter()
        .map(|processor| processor.apic_id.0)
        .collect()
}

#[test]
fn both_kinds_of_entries_are_read_in_their_order() {
    let madt = Madt::parse(&table(&[
        &local_apic(0, 1),
        &x2apic(0x1_0000, 1),
        &local_apic(3, 2),
        &local_apic(4, 0),
    ]))
    .unwrap();
    assert_eq!(ids(&madt), [0, 0x1_0000, 3, 4]);
    assert_eq!(
        madt.processors
            .iter()
            .map(|p| p.enabled)
            .collect::<Vec<_>>(),
        [true, true, false, false]
    );
    assert_eq!(
        madt.processors
            .iter()
            .map(|p| p.online_capable)
            .collect::<Vec<_>>(),
        [false, false, true, false]
    );
    assert_eq!(
        (madt.oem.as_str(), madt.local_apic_address, madt.defect),
        ("BOCHS BXPC", 0xfee0_0000, None)
    );
}

#[test]
fn the_ids_that_mean_everybody_are_no_cpus_and_x2apic_255_is_one() {
    let table = table(&[
        &local_apic(0, 1),
        &local_apic(0xff, 1),
        &x2apic(0xff, 1),
        &x2apic(u32::MAX, 1),
    ]);
    assert_eq!(ids(&Madt::parse(&table).unwrap()), [0, 0xff]);
}

#[test]
fn the_address_override_replaces_the_32_bit_address() {
    let entry = [5, 12, 0, 0, 0, 0, 0, 0xfe, 1, 0, 0, 0];
    assert_eq!(
        Madt::parse(&table(&[&entry])).unwrap().local_apic_address,
        0x1_fe00_0000
    );
}

#[test]
fn io_apics_and_overrides_are_read_and_one_that_is_too_short_is_told() {
    let io_apic = [1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0];
    let sci = [2, 10, 0, 9, 20, 0, 0, 0, 0xd, 0];
    let madt = Madt::parse(&table(&[&io_apic, &local_apic(0, 1), &sci])).unwrap();
    assert_eq!((ids(&madt), madt.defect), (vec![0], None));
    assert_eq!(madt.wiring.io_apics()[0].address, 0xfec0_0000);
    assert_eq!(madt.wiring.sci(9).gsi.0, 20);
    for entry in [&io_apic[..], &sci] {
        let len = entry.len() as u8 - 1;
        let mut cut = entry[..len.into()].to_vec();
        cut[1] = len;
        let madt = Madt::parse(&table(&[&cut, &local_apic(2, 1)])).unwrap();
        let (offset, kind) = (ENTRIES, entry[0]);
        let defect = Defect::EntryTooShort { offset, kind, len };
        assert_eq!((ids(&madt), madt.lossy), (vec![2], None));
        assert_eq!(madt.defect, Some(defect));
    }
}

#[test]
fn the_first_mailbox_counts_and_from_version_1_on_has_a_way_back() {
    let parse = |entries: &[&[u8]]| {
        let madt = Madt::parse(&table(entries)).unwrap();
        assert_eq!(madt.defect, None);
        madt.mailbox
    };
    let at = |address, reset_vector| {
        Some(Mailbox {
            address,
            reset_vector: NonZero::new(reset_vector),
        })
    };
    let (old, new) = (mailbox(0, 0x7000, 0), mailbox(1, 0x1_2345_6000, 0x8123));
    assert_eq!(parse(&[&local_apic(0, 1)]), None);
    assert_eq!(parse(&[&old, &local_apic(0, 1), &new]), at(0x7000, 0));
    assert_eq!(parse(&[&new, &old]), at(0x1_2345_6000, 0x8123));
    assert_eq!(parse(&[&mailbox(1, 0x7000, 0)]), at(0x7000, 0));
    assert_eq!(parse(&[&mailbox(9, 0x7000, 0x8000)]), at(0x7000, 0x8000));
}

#[test]
fn a_mailbox_that_cannot_be_used_is_told_and_no_other_takes_its_place() {
    let good = mailbox(0, 0x7000, 0);
    for address in [0, 0x7001, 0x7800, u64::MAX] {
        let bad = mailbox(0, address, 0);
        let bytes = table(&[&bad, &good, &local_apic(2, 1)]);
        let madt = Madt::parse(&bytes).unwrap();
        assert_eq!(
            (ids(&madt), madt.mailbox, madt.lossy),
            (vec![2], None, None)
        );
        let offset = ENTRIES;
        let defect = Defect::MailboxAddress { offset, address };
        assert_eq!(madt.defect, Some(defect));
    }
    let mut cut = [mailbox(0, 0x7000, 0), mailbox(1, 0x7000, 0x8000)];
    for entry in &mut cut {
        entry.pop();
        entry[1] -= 1;
        let madt = Madt::parse(&table(&[entry, &local_apic(2, 1)])).unwrap();
        assert_eq!(
            (ids(&madt), madt.mailbox, madt.lossy),
            (vec![2], None, None)
        );
        assert_eq!(
            madt.defect,
            Some(Defect::EntryTooShort {
                offset: ENTRIES,
                kind: MULTIPROCESSOR_WAKEUP,
                len: entry[1],
            })
        );
    }
}

#[test]
fn an_entry_of_length_zero_ends_the_walk_and_keeps_what_came_before() {
    for kind in [0, 9, 0x42] {
        let madt =
            Madt::parse(&table(&[&local_apic(1, 1), &[kind, 0], &local_apic(2, 1)])).unwrap();
        assert_eq!(ids(&madt), [1]);
        assert_eq!(
            madt.defect,
            Some(Defect::EntryTooShort {
                offset: ENTRIES + 8,
                kind,
                len: 0
            })
        );
    }
}

#[test]
fn an_entry_too_short_for_its_type_is_passed_over_and_told() {
    let madt = Madt::parse(&table(&[&[0, 4, 0, 7], &local_apic(2, 1)])).unwrap();
    assert_eq!(ids(&madt), [2]);
    assert_eq!(
        madt.defect,
        Some(Defect::EntryTooShort {
            offset: ENTRIES,
            kind: 0,
            len: 4
        })
    );
}

#[test]
fn a_truncated_table_gives_the_cpus_that_are_still_there() {
    let mut bytes = table(&[&local_apic(1, 1), &local_apic(2, 1)]);
    bytes.truncate(ENTRIES + 12);
    let madt = Madt::parse(&bytes).unwrap();
    assert_eq!(ids(&madt), [1]);
    assert_eq!(
        madt.defect,
        Some(Defect::Length {
            stated: ENTRIES as u32 + 16,
            present: ENTRIES + 12,
            sum: sum(&bytes),
        })
    );
    assert_eq!(madt.lossy, madt.defect);
}

#[test]
fn a_cut_between_two_entries_may_lose_cpus_and_a_length_that_overstates_a_whole_table_not() {
    let whole = table(&[&local_apic(1, 1), &local_apic(2, 1)]);
    let cut = Madt::parse(&whole[..ENTRIES + 8]).unwrap();
    assert_eq!(ids(&cut), [1]);
    assert!(cut.lossy.is_some(), "{cut:?}");
    let mut overstated = whole;
    overstated[LENGTH] += 5;
    overstated[9] = overstated[9].wrapping_sub(5);
    let overstated = Madt::parse(&overstated).unwrap();
    assert_eq!(ids(&overstated), [1, 2]);
    assert!(matches!(overstated.defect, Some(Defect::Length { .. })));
    assert_eq!(overstated.lossy, None);
}

#[test]
fn a_defect_may_lose_cpus_where_it_hides_one_and_else_not() {
    let lossy = |entries: &[&[u8]]| Madt::parse(&table(entries)).unwrap().lossy.is_some();
    assert!(lossy(&[&[0x42, 0]]));
    assert!(lossy(&[&[0, 4, 0, 7]]));
    assert!(lossy(&[&[9, 8, 0, 0, 1, 0, 0, 0]]));
    assert!(lossy(&[&[0x42, 9]]));
    assert!(!lossy(&[&[5, 4, 0, 0]]), "the APIC's address is no CPU");
    let mut flawed = table(&[&[5, 4, 0, 0], &[0, 4, 0, 7]]);
    flawed[9] ^= 1;
    let madt = Madt::parse(&flawed).unwrap();
    let kind = |defect| match defect {
        Some(Defect::EntryTooShort { kind, .. }) => Some(kind),
        _ => None,
    };
    assert_eq!((kind(madt.defect), kind(madt.lossy)), (Some(5), Some(0)));
}

#[test]
fn an_entry_beyond_the_end_is_not_read() {
    let madt = Madt::parse(&table(&[&local_apic(1, 1), &[0, 8, 0]])).unwrap();
    assert_eq!(ids(&madt), [1]);
    assert_eq!(
        madt.defect,
        Some(Defect::EntryBeyondEnd {
            offset: ENTRIES + 8,
            kind: Some(0)
        })
    );
    let madt = Madt::parse(&table(&[&[0]])).unwrap();
    assert_eq!(
        madt.defect,
        Some(Defect::EntryBeyondEnd {
            offset: ENTRIES,
            kind: Some(0)
        })
    );
}

#[test]
fn a_wrong_checksum_is_told_and_the_cpus_are_taken() {
    let mut wrong = table(&[&local_apic(1, 1), &local_apic(2, 1)]);
    wrong[9] = wrong[9].wrapping_add(1);
    let madt = Madt::parse(&wrong).unwrap();
    assert_eq!(ids(&madt), [1, 2]);
    assert_eq!(madt.defect, Some(Defect::Checksum { sum: 1 }));
    assert_eq!(madt.lossy, None);
}

#[test]
fn what_is_no_madt_is_refused() {
    assert_eq!(Madt::parse(&[]), Err(NotAMadt::TooShort { len: 0 }));
    let mut other = table(&[]);
    other[..4].copy_from_slice(b"FACP");
    assert_eq!(Madt::parse(&other), Err(NotAMadt::Signature(*b"FACP")));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_invent_cpus(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut sealed = table(&[]);
        sealed.extend_from_slice(&bytes);
        let sealed = seal(sealed);
        let madt = Madt::parse(&sealed).unwrap();
        prop_assert!(madt.processors.len() <= bytes.len() / 8);
        let _ = Madt::parse(&bytes);
    }
}
