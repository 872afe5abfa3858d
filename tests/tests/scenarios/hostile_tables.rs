//! ACPI tables that say what cannot be true do not keep the machine from coming up.

use std::io::Write;

use reveille_tests::qemu::machine::Machine;
use tempfile::NamedTempFile;

use crate::boot::comes_up_whole;

/// What follows the header of an HPET table whose registers lie at `address` (IA-PC HPET 1.0a,
/// 3.2.4): the block's id, a generic address, number, shortest period, page protection.
fn hpet(address: u64) -> Vec<u8> {
    let mut body = 0x8086_a201_u32.to_le_bytes().to_vec();
    body.extend([0, 64, 0, 0]);
    body.extend(address.to_le_bytes());
    body.extend([0; 4]);
    body
}

#[test]
fn an_hpet_where_nothing_can_be_mapped_is_no_hpet() {
    // The last word of all addresses, RAM that the kernel maps itself, a hole between the halves.
    for address in [u64::MAX - 7, 0x10_0000, 0x8000_0000_0000] {
        let mut body = NamedTempFile::new().expect("a file can be made");
        body.write_all(&hpet(address)).expect("and written");
        let mut machine = Machine::new(2);
        let path = body.path().display();
        machine.further = [
            "-machine",
            "hpet=off",
            "-acpitable",
            &format!("sig=HPET,rev=1,data={path}"),
        ]
        .map(str::to_owned)
        .to_vec();
        let ended = comes_up_whole(&machine);
        let boot = ended.records.boot().expect("a boot record");
        assert_eq!(boot.clock_source, "pm-timer", "HPET at {address:#x}");
    }
}
