//! The table of CPUs with the wakeup mailbox (ACPI 6.5, sections 5.2.12, 5.2.12.2, 5.2.12.12 and
//! 5.2.12.19). Length and checksum are always right.

/// Bytes before the entries: the header of every table, the address of the APICs, and flags.
const FIXED: usize = 44;

/// Where the header has length and checksum.
const LENGTH: usize = 4;
const CHECKSUM: usize = 9;

/// Where every APIC's registers are.
const LOCAL_APIC_ADDRESS: u32 = 0xfee0_0000;
/// The machine has two 8259 interrupt controllers as well.
const PCAT_COMPAT: u32 = 1;

/// Entry types.
const LOCAL_APIC: u8 = 0;
const LOCAL_X2APIC: u8 = 9;
const WAKEUP: u8 = 0x10;

/// An entry's flag: the CPU can be used.
const ENABLED: u32 = 1;

/// The first id that an entry of type 0 cannot have: 255 means all CPUs.
const FIRST_WIDE_ID: u32 = 255;

/// Bytes that the table takes at most for so many CPUs.
pub const fn most_bytes(cpus: usize) -> usize {
    FIXED + 16 * cpus + 24
}

/// How the mailbox is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wakeup {
    /// Physical address of the mailbox.
    pub mailbox: u64,
    /// Where a CPU jumps to be parked again. With it the mailbox is of version 1, without of 0.
    pub reset_vector: Option<u64>,
}

/// The table does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Writes the table of the CPUs with these APIC ids, in this order; gives its length in bytes.
///
/// # Errors
///
/// [`TooLong`] where it does not fit.
pub fn write(
    into: &mut [u8],
    apic_ids: impl IntoIterator<Item = u32>,
    wakeup: Wakeup,
) -> Result<usize, TooLong> {
    let mut table = Table { into, length: 0 };
    table.put(b"APIC")?;
    table.put(&[0; 4])?;
    // Revision, checksum, OEM, table, their revisions.
    table.put(b"\x06\0REVEILMAILBOX \x01\0\0\0RVLL\x01\0\0\0")?;
    table.put(&LOCAL_APIC_ADDRESS.to_le_bytes())?;
    table.put(&PCAT_COMPAT.to_le_bytes())?;
    for (uid, id) in (0_u32..).zip(apic_ids) {
        match (u8::try_from(uid), u8::try_from(id)) {
            (Ok(uid), Ok(id)) if u32::from(id) < FIRST_WIDE_ID => {
                table.put(&[LOCAL_APIC, 8, uid, id])?;
                table.put(&ENABLED.to_le_bytes())?;
            }
            _ => {
                table.put(&[LOCAL_X2APIC, 16, 0, 0])?;
                for field in [id, ENABLED, uid] {
                    table.put(&field.to_le_bytes())?;
                }
            }
        }
    }
    match wakeup.reset_vector {
        // Type, length, version, reserved, the mailbox.
        None => table.put(&[WAKEUP, 16, 0, 0, 0, 0, 0, 0])?,
        Some(_) => table.put(&[WAKEUP, 24, 1, 0, 0, 0, 0, 0])?,
    }
    table.put(&wakeup.mailbox.to_le_bytes())?;
    if let Some(vector) = wakeup.reset_vector {
        table.put(&vector.to_le_bytes())?;
    }
    Ok(table.seal())
}

struct Table<'a> {
    into: &'a mut [u8],
    length: usize,
}

impl Table<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        let place = self.into.get_mut(self.length..self.length + bytes.len());
        place.ok_or(TooLong)?.copy_from_slice(bytes);
        self.length += bytes.len();
        Ok(())
    }

    fn seal(self) -> usize {
        let bytes = &mut self.into[..self.length];
        bytes[LENGTH..LENGTH + 4].copy_from_slice(&(self.length as u32).to_le_bytes());
        bytes[CHECKSUM] = 0;
        bytes[CHECKSUM] = bytes
            .iter()
            .fold(0, |sum: u8, byte| sum.wrapping_sub(*byte));
        self.length
    }
}

#[cfg(test)]
mod tests {
    use reveille_smp::madt::Madt;

    use super::*;

    const MAILBOX: u64 = 0xc1_2000;
    const RESET: u64 = 0xc0_1000;

    fn bytes(ids: &[u32], reset_vector: Option<u64>) -> Vec<u8> {
        let mut bytes = vec![0xff; most_bytes(ids.len())];
        let wakeup = Wakeup {
            mailbox: MAILBOX,
            reset_vector,
        };
        let length = write(&mut bytes, ids.iter().copied(), wakeup).unwrap();
        bytes.truncate(length);
        bytes
    }

    #[test]
    fn the_kernel_reads_all_cpus_in_order_and_finds_no_flaw() {
        let ids = [0, 1, 8, 254, 255, 256, 0x1_0000];
        for reset in [None, Some(RESET)] {
            let table = Madt::parse(&bytes(&ids, reset)).unwrap();
            assert_eq!((table.oem.as_str(), table.defect), ("REVEIL MAILBOX", None));
            assert!(table.processors.iter().all(|cpu| cpu.enabled));
            assert!(table.processors.iter().map(|cpu| cpu.apic_id.0).eq(ids));
        }
    }

    #[test]
    fn the_mailbox_is_the_last_entry_in_the_form_of_its_version() {
        let version_0 = bytes(&[0], None);
        let mut entry = vec![0x10, 16, 0, 0, 0, 0, 0, 0];
        entry.extend(MAILBOX.to_le_bytes());
        assert!(version_0.ends_with(&entry));
        assert_eq!(version_0.len(), FIXED + 8 + 16);

        let version_1 = bytes(&[0], Some(RESET));
        let mut entry = vec![0x10, 24, 1, 0, 0, 0, 0, 0];
        entry.extend(MAILBOX.to_le_bytes());
        entry.extend(RESET.to_le_bytes());
        assert!(version_1.ends_with(&entry));
        assert_eq!(version_1.len(), FIXED + 8 + 24);
    }

    #[test]
    fn more_than_256_cpus_have_numbers_that_fit() {
        let ids: Vec<u32> = (0..300).map(|at| at * 2).collect();
        let table = Madt::parse(&bytes(&ids, None)).unwrap();
        assert_eq!(table.processors.len(), 300);
        assert_eq!(table.defect, None);
    }

    #[test]
    fn a_table_that_does_not_fit_is_refused() {
        let whole = bytes(&[0, 300], Some(RESET)).len();
        let wakeup = Wakeup {
            mailbox: MAILBOX,
            reset_vector: Some(RESET),
        };
        for length in 0..whole {
            let mut into = vec![0; length];
            assert_eq!(write(&mut into, [0, 300], wakeup), Err(TooLong));
        }
    }
}
