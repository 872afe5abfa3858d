use acpi::AcpiHandler;
use acpi::madt::Madt;
use reveille_smp::{cpu::ApicId, srat::Srat};

use super::{
    AcpiError, AcpiInfo, Copies, FixedHardware, LONGEST_TABLE, MadtError, NoFixedHardware, PmTimer,
    Seen, bytes, checksum, read,
};
use crate::memory::physical::fake::Pieces;
use crate::reset::{Place, ResetRegister};

const RSDP: u64 = 0xf_5b20;
const ROOT: u64 = 0x7fe_1000;
const MADT: u64 = 0x7fe_2000;
const FADT: u64 = 0x7fe_3000;
const HPET: u64 = 0x7fe_4000;
const HPET_REGISTERS: u64 = 0xfed0_0000;

/// A table with a right length and checksum.
fn table(signature: &[u8; 4], revision: u8, body: &[u8]) -> Vec<u8> {
    let mut table = signature.to_vec();
    table.extend((36 + body.len() as u32).to_le_bytes());
    table.extend([revision, 0]);
    table.extend(*b"REVEILTESTTABL\x01\0\0\0TEST\x01\0\0\0");
    table.extend(body);
    seal(&mut table, 9);
    table
}

/// Makes the sum of all bytes 0 by the byte at `at`.
fn seal(bytes: &mut [u8], at: usize) {
    bytes[at] = 0;
    bytes[at] = checksum(bytes).wrapping_neg();
}

/// An RSDP of revision 2, or of revision 0 without an XSDT.
fn rsdp(rsdt: u32, xsdt: Option<u64>) -> Vec<u8> {
    let mut rsdp = b"RSD PTR \0REVEIL".to_vec();
    rsdp.push(if xsdt.is_some() { 2 } else { 0 });
    rsdp.extend(rsdt.to_le_bytes());
    seal(&mut rsdp, 8);
    if let Some(xsdt) = xsdt {
        rsdp.extend(36_u32.to_le_bytes());
        rsdp.extend(xsdt.to_le_bytes());
        rsdp.extend([0; 4]);
        seal(&mut rsdp, 32);
    }
    rsdp
}

fn madt() -> Vec<u8> {
    table(
        b"APIC",
        3,
        &[0, 0, 0xe0, 0xfe, 1, 0, 0, 0, 0, 8, 0, 0, 1, 0, 0, 0],
    )
}

fn fadt() -> Vec<u8> {
    let mut body = vec![0; 276 - 36];
    let mut set = |offset: usize, bytes: &[u8]| {
        body[offset - 36..][..bytes.len()].copy_from_slice(bytes);
    };
    // SCI_INT, PM1a_EVT_BLK, PM1a_CNT_BLK, and the lengths of these.
    set(46, &[9]);
    set(56, &0x600_u32.to_le_bytes());
    set(64, &0x604_u32.to_le_bytes());
    set(88, &[4, 2]);
    // PM_TMR_BLK, PM_TMR_LEN, flags with TMR_VAL_EXT.
    set(76, &0x608_u32.to_le_bytes());
    set(91, &[4]);
    set(112, &(1_u32 << 8 | 1 << 10).to_le_bytes());
    // RESET_REG: an I/O port of 8 bits, at a byte; RESET_VALUE.
    set(116, &[1, 8, 0, 1, 0xf9, 0x0c, 0, 0, 0, 0, 0, 0, 0x0f]);
    table(b"FACP", 3, &body)
}

fn hpet(address_space: u8, address: u64) -> Vec<u8> {
    let mut body = vec![0; 56 - 36];
    body[4] = address_space;
    body[8..16].copy_from_slice(&address.to_le_bytes());
    table(b"HPET", 1, &body)
}

fn xsdt() -> Vec<u8> {
    table(
        b"XSDT",
        1,
        [FADT, MADT, HPET].map(u64::to_le_bytes).as_flattened(),
    )
}

fn machine() -> Pieces {
    Pieces::default()
        .with(RSDP, rsdp(0, Some(ROOT)))
        .with(ROOT, xsdt())
        .with(MADT, madt())
        .with(FADT, fadt())
        .with(HPET, hpet(0, HPET_REGISTERS))
}

fn everything() -> AcpiInfo {
    AcpiInfo {
        madt: Ok(madt()),
        pm_timer: Some(PmTimer {
            port: 0x608,
            is_32_bit: true,
        }),
        hpet: Some(HPET_REGISTERS),
        reset: Some(ResetRegister {
            place: Place::Port(0xcf9),
            value: 0x0f,
        }),
        srat: None,
        fixed_hardware: Ok(FixedHardware {
            sci: 9,
            enable: None,
            pm1_events: [Some(0x600..0x604), None],
            pm1_control: 0x604,
            gpe0: 0..0,
            gpe1: 0..0,
        }),
    }
}

/// One CPU, APIC 2, in domain 1.
fn srat() -> Vec<u8> {
    let mut body = vec![1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    body.extend([0, 16, 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    table(b"SRAT", 3, &body)
}

fn with_srat(srat: Vec<u8>) -> Option<Srat> {
    let at = MADT + 0x800;
    let entries = [FADT, MADT, at, HPET].map(u64::to_le_bytes);
    let memory = machine()
        .with(ROOT, table(b"XSDT", 1, entries.as_flattened()))
        .with(at, srat);
    let info = read(&memory, Some(RSDP)).unwrap();
    let without = AcpiInfo {
        srat: None,
        ..info.clone()
    };
    assert_eq!(without, everything(), "the other tables");
    info.srat
}

#[test]
fn the_nodes_are_read_where_a_table_tells_them_even_one_with_a_flaw() {
    assert_eq!(with_srat(srat()), Some(Srat::parse(&srat()).unwrap()));
    let mut flawed = srat();
    flawed[40] ^= 1;
    let read = with_srat(flawed).unwrap();
    assert_eq!(read.of(ApicId(2)).len(), 1);
    assert!(read.defect.is_some());
}

#[test]
fn a_table_of_nodes_that_cannot_be_one_is_none() {
    assert_eq!(with_srat(table(b"SRAT", 3, &[0; 4])), None);
    for length in [0, 35, u32::MAX] {
        let mut srat = srat();
        srat[4..8].copy_from_slice(&length.to_le_bytes());
        assert_eq!(with_srat(srat), None, "{length} bytes");
    }
}

#[test]
fn an_xsdt_without_an_rsdt_is_enough() {
    assert_eq!(read(&machine(), Some(RSDP)).unwrap(), everything());
}

#[test]
fn an_rsdt_without_an_xsdt_is_enough() {
    let entries = [FADT, MADT, HPET].map(|it| (it as u32).to_le_bytes());
    let rsdt = table(b"RSDT", 1, entries.as_flattened());
    for rsdp in [rsdp(ROOT as u32, None), rsdp(ROOT as u32, Some(0))] {
        let memory = machine().with(RSDP, rsdp).with(ROOT, rsdt.clone());
        assert_eq!(read(&memory, Some(RSDP)).unwrap(), everything());
    }
}

#[test]
fn the_rsdp_is_found_where_a_bios_leaves_it() {
    let bios = |rsdp_at: u64, rsdp: Vec<u8>| {
        machine()
            .with(0x40e, 0x9fc0_u16.to_le_bytes())
            .with(0x9_fc00, [0; 0x400])
            .with(0xe_0000, vec![0; 0x2_0000])
            .with(rsdp_at, rsdp)
    };
    for address in [0x9_fc00, 0x9_ffd0, 0xe_0000, 0xf_5b20, 0xf_ffd0] {
        let memory = bios(address, rsdp(0, Some(ROOT)));
        assert_eq!(
            read(&memory, None).unwrap(),
            everything(),
            "at {address:#x}"
        );
    }
    // An RSDP of ACPI 1.0 is 20 bytes long and may end the area.
    let entries = [MADT as u32].map(u32::to_le_bytes);
    let memory = bios(0xf_ffe0, rsdp(ROOT as u32, None))
        .with(ROOT, table(b"RSDT", 1, entries.as_flattened()));
    assert_eq!(read(&memory, None).unwrap().madt, Ok(madt()));

    let mut damaged = rsdp(0, Some(ROOT));
    damaged[8] ^= 1;
    for memory in [
        bios(0xf_5b28, rsdp(0, Some(ROOT))),
        bios(0xf_5b20, damaged),
        Pieces::default(),
    ] {
        assert!(matches!(read(&memory, None), Err(AcpiError::NoRsdp)));
    }
}

#[test]
fn a_damaged_rsdp_of_the_loader_is_refused() {
    for byte in 0..36 {
        let mut rsdp = rsdp(0, Some(ROOT));
        rsdp[byte] ^= 0x10;
        let memory = machine().with(RSDP, rsdp);
        assert!(
            matches!(
                read(&memory, Some(RSDP)),
                Err(AcpiError::BadRsdp { address: RSDP })
            ),
            "byte {byte}"
        );
    }
    for address in [0x1000, u64::MAX, u64::MAX - 19] {
        assert!(matches!(
            read(&machine(), Some(address)),
            Err(AcpiError::UnreadableRsdp { .. })
        ));
    }
}

#[test]
fn a_damaged_root_table_is_refused() {
    let with_length = |length: u32| {
        let mut xsdt = xsdt();
        xsdt[4..8].copy_from_slice(&length.to_le_bytes());
        seal(&mut xsdt, 9);
        xsdt
    };
    let mut wrong_checksum = xsdt();
    wrong_checksum[40] ^= 1;
    for root in [
        wrong_checksum,
        table(b"RSDT", 1, &[0; 16]),
        with_length(0),
        with_length(35),
        with_length(36),
        with_length(0x1000),
        with_length(u32::MAX),
    ] {
        let memory = machine().with(ROOT, root);
        assert!(matches!(
            read(&memory, Some(RSDP)),
            Err(AcpiError::RootTable { address: ROOT, .. })
        ));
    }
}

#[test]
fn entries_of_the_root_table_that_lead_nowhere_are_passed_over() {
    let entries = [0, u64::MAX, 0x5_0000_0000, MADT + 1, MADT].map(u64::to_le_bytes);
    let memory = machine().with(ROOT, table(b"XSDT", 1, entries.as_flattened()));
    let info = read(&memory, Some(RSDP)).unwrap();
    assert_eq!(
        info,
        AcpiInfo {
            madt: Ok(madt()),
            pm_timer: None,
            hpet: None,
            reset: None,
            srat: None,
            fixed_hardware: Err(NoFixedHardware::NoFadt),
        }
    );
}

#[test]
fn a_missing_madt_and_one_of_an_impossible_length_are_told_apart() {
    let entries = [FADT, HPET].map(u64::to_le_bytes);
    let memory = machine().with(ROOT, table(b"XSDT", 1, entries.as_flattened()));
    let info = read(&memory, Some(RSDP)).unwrap();
    assert_eq!(info.madt, Err(MadtError::Missing));
    assert_eq!(info.pm_timer, everything().pm_timer);

    for length in [0, 35, u32::MAX] {
        let mut madt = madt();
        madt[4..8].copy_from_slice(&length.to_le_bytes());
        seal(&mut madt, 9);
        let info = read(&machine().with(MADT, madt), Some(RSDP)).unwrap();
        let address = MADT;
        assert_eq!(info.madt, Err(MadtError::Length { address, length }));
    }
    let mut beyond = madt();
    beyond[4..8].copy_from_slice(&0x1000_u32.to_le_bytes());
    let info = read(&machine().with(MADT, beyond), Some(RSDP)).unwrap();
    assert!(matches!(info.madt, Err(MadtError::Unreadable { .. })));
}

#[test]
fn a_madt_with_a_wrong_checksum_leaves_here_as_it_is() {
    let mut flawed = madt();
    flawed[44] ^= 1;
    let memory = machine().with(MADT, flawed.clone());
    assert_eq!(read(&memory, Some(RSDP)).unwrap().madt, Ok(flawed));
}

#[test]
fn of_two_madts_the_one_without_a_flaw_is_taken() {
    let mut flawed = madt();
    flawed[44] ^= 1;
    let second = MADT + 0x800;
    let entries = [MADT, second].map(u64::to_le_bytes);
    let memory = machine()
        .with(ROOT, table(b"XSDT", 1, entries.as_flattened()))
        .with(MADT, flawed)
        .with(second, madt());
    assert_eq!(read(&memory, Some(RSDP)).unwrap().madt, Ok(madt()));
}

#[test]
fn a_table_that_claims_to_be_huge_is_not_copied() {
    let longest = table(b"APIC", 3, &vec![0; LONGEST_TABLE - 36]);
    let memory = machine().with(MADT, longest.clone());
    assert_eq!(read(&memory, Some(RSDP)).unwrap().madt, Ok(longest));
    let longer = table(b"APIC", 3, &vec![0; LONGEST_TABLE - 35]);
    let memory = machine().with(MADT, longer);
    let madt = read(&memory, Some(RSDP)).unwrap().madt;
    assert!(matches!(madt, Err(MadtError::Length { .. })));
}

#[test]
fn a_table_for_which_there_is_no_room_has_no_signature() {
    let memory = machine();
    let copies = Copies {
        memory: &memory,
        seen: &Seen::default(),
    };
    // SAFETY: a copy is made of any address.
    let mapped = unsafe { copies.map_physical_region::<Madt>(MADT as usize, isize::MAX as usize) };
    assert!(bytes(&mapped).iter().all(|&byte| byte == 0));
}

#[test]
fn the_entries_of_the_madt_come_out_as_they_are_however_hostile() {
    let mut body = vec![0, 0, 0xe0, 0xfe, 1, 0, 0, 0];
    body.extend([0, 0, 0x7f, 0, 9, 255]);
    let hostile = table(b"APIC", 3, &body);
    let memory = machine().with(MADT, hostile.clone());
    assert_eq!(read(&memory, Some(RSDP)).unwrap().madt, Ok(hostile));
}

#[test]
fn clocks_that_are_not_there_or_not_ours_are_none() {
    let mut no_timer = fadt();
    no_timer[91] = 0;
    seal(&mut no_timer, 9);
    let mut beyond_ports = fadt();
    beyond_ports[76..80].copy_from_slice(&0x1_0608_u32.to_le_bytes());
    seal(&mut beyond_ports, 9);
    let short = table(b"FACP", 6, &[0; 4]);
    for fadt in [no_timer, beyond_ports, short] {
        let info = read(&machine().with(FADT, fadt), Some(RSDP)).unwrap();
        // What else the table tells, other tests look at.
        let rest = AcpiInfo {
            reset: everything().reset,
            fixed_hardware: everything().fixed_hardware,
            ..info
        };
        assert_eq!(
            rest,
            AcpiInfo {
                pm_timer: None,
                ..everything()
            }
        );
    }
    for hpet in [
        hpet(1, HPET_REGISTERS),
        hpet(0, 0),
        hpet(0, HPET_REGISTERS + 4),
        table(b"HPET", 1, &[0; 8]),
    ] {
        let info = read(&machine().with(HPET, hpet), Some(RSDP)).unwrap();
        assert_eq!(
            info,
            AcpiInfo {
                hpet: None,
                ..everything()
            }
        );
    }
}

#[test]
fn a_timer_of_24_bits_says_so() {
    let mut fadt = fadt();
    fadt[112..116].fill(0);
    seal(&mut fadt, 9);
    let info = read(&machine().with(FADT, fadt), Some(RSDP)).unwrap();
    assert_eq!(
        info.pm_timer,
        Some(PmTimer {
            port: 0x608,
            is_32_bit: false
        })
    );
}
