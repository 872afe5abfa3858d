//! Tables of CPUs (ACPI 6.5, section 5.2.12) as a scenario wants them, right or wrong: the kernel
//! reads one from a module when its command line says `madt=module`.

use std::io::Write;

use anyhow::Result;
use tempfile::NamedTempFile;

/// Bytes before the entries: the header of every ACPI table, the address of the APICs, and flags.
pub const FIXED: usize = 44;

/// Where the header has the checksum.
const CHECKSUM: usize = 9;

/// Entry types.
const LOCAL_APIC: u8 = 0;
const LOCAL_X2APIC: u8 = 9;
const MULTIPROCESSOR_WAKEUP: u8 = 0x10;

/// Flags of an entry: the CPU can be used.
pub const ENABLED: u32 = 1 << 0;
/// It cannot be used yet, and can be added while the system runs.
pub const ONLINE_CAPABLE: u32 = 1 << 1;

/// A table in the making. Length and checksum are right unless they are bent.
#[derive(Clone, Debug, Default)]
pub struct Madt {
    entries: Vec<u8>,
    /// What the header says, if not the truth.
    length: Option<u32>,
    /// What the bytes add up to, instead of 0.
    sum: u8,
    /// Where the table is cut off.
    end: Option<usize>,
    /// In place of `APIC`.
    signature: Option<[u8; 4]>,
}

impl Madt {
    /// CPUs that are there and enabled, by entries of type 0.
    pub fn of(ids: impl IntoIterator<Item = u8>) -> Self {
        let each = ids.into_iter();
        each.fold(Self::default(), |madt, id| madt.local_apic(id, ENABLED))
    }

    /// Adds an entry of type 0, whose id has eight bits.
    pub fn local_apic(self, id: u8, flags: u32) -> Self {
        let mut entry = vec![LOCAL_APIC, 8, 0, id];
        entry.extend(flags.to_le_bytes());
        self.entry(&entry)
    }

    /// Adds an entry of type 9, whose id has 32 bits.
    pub fn x2apic(self, id: u32, flags: u32) -> Self {
        let mut entry = vec![LOCAL_X2APIC, 16, 0, 0];
        entry.extend(id.to_le_bytes());
        entry.extend(flags.to_le_bytes());
        entry.extend([0; 4]);
        self.entry(&entry)
    }

    /// Adds a wakeup mailbox of version 0.
    pub fn mailbox(self, address: u64) -> Self {
        let mut entry = vec![MULTIPROCESSOR_WAKEUP, 16, 0, 0, 0, 0, 0, 0];
        entry.extend(address.to_le_bytes());
        self.entry(&entry)
    }

    /// Adds any bytes as an entry.
    pub fn entry(mut self, bytes: &[u8]) -> Self {
        self.entries.extend_from_slice(bytes);
        self
    }

    /// With another signature.
    pub fn with_signature(mut self, signature: [u8; 4]) -> Self {
        self.signature = Some(signature);
        self
    }

    /// With a wrong checksum: all bytes add up to 1.
    pub fn with_wrong_checksum(mut self) -> Self {
        self.sum = 1;
        self
    }

    /// With a header that says another length. The checksum is right for the bytes that are there.
    pub fn with_length(mut self, length: u32) -> Self {
        self.length = Some(length);
        self
    }

    /// Cut off behind so many bytes; what is before is as if it were whole.
    pub fn truncated(mut self, end: usize) -> Self {
        self.end = Some(end);
        self
    }

    /// The bytes of the table.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.signature.unwrap_or(*b"APIC").to_vec();
        let length = (FIXED + self.entries.len()) as u32;
        bytes.extend(self.length.unwrap_or(length).to_le_bytes());
        // Revision, checksum, and who made it.
        bytes.extend(b"\x03\0REVEILHOSTILE ");
        bytes.resize(FIXED, 0);
        bytes.extend(&self.entries);
        let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        bytes[CHECKSUM] = self.sum.wrapping_sub(sum);
        bytes.truncate(self.end.unwrap_or(bytes.len()));
        bytes
    }

    /// The table as a file, which is gone when the value is.
    pub fn file(&self) -> Result<NamedTempFile> {
        let mut file = NamedTempFile::new()?;
        file.write_all(&self.bytes())?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use reveille_smp::{cpu::ApicId, madt};

    use super::*;

    #[test]
    fn what_is_built_is_what_the_kernel_reads() {
        let table = Madt::of([0, 2])
            .x2apic(0x1234, ENABLED)
            .local_apic(4, ONLINE_CAPABLE);
        let read = madt::Madt::parse(&table.bytes()).expect("it is a MADT");
        assert_eq!((read.oem.as_str(), read.defect), ("REVEIL HOSTILE", None));
        let processor = |id, enabled| madt::Processor {
            apic_id: ApicId(id),
            enabled,
            online_capable: !enabled,
        };
        assert_eq!(
            read.processors,
            [
                processor(0, true),
                processor(2, true),
                processor(0x1234, true),
                processor(4, false)
            ]
        );
    }

    #[test]
    fn what_is_bent_is_bent() {
        let defect = |madt: Madt| {
            let read = madt::Madt::parse(&madt.bytes()).expect("it is a MADT");
            read.defect.expect("it has a defect").to_string()
        };
        assert!(defect(Madt::of([1]).with_wrong_checksum()).contains("add up to 0x1"));
        assert!(defect(Madt::of([1]).with_length(99)).contains("header says 99"));
        assert!(defect(Madt::of([1]).truncated(50)).contains("there are 50"));
    }
}
