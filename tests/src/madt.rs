//! Tables of CPUs (ACPI 6.5, section 5.2.12) as a scenario wants them, right or wrong: the kernel
//! reads one from a module when its command line says `madt=module`.

use std::io::Write;

use anyhow::Result;
use tempfile::NamedTempFile;

/// Bytes before the entries: the header of every ACPI table, the address of the APICs, and flags.
pub const FIXED: usize = 44;

/// Where the header has the table's length, and its checksum.
const LENGTH: usize = 4;
const CHECKSUM: usize = 9;

/// Entry types.
const LOCAL_APIC: u8 = 0;
const LOCAL_X2APIC: u8 = 9;

/// Flags of an entry: the CPU can be used.
pub const ENABLED: u32 = 1 << 0;
/// It cannot be used yet, and can be added while the system runs.
pub const ONLINE_CAPABLE: u32 = 1 << 1;

/// A table in the making. What is added keeps its length and checksum right; what is bent behind
/// that stays bent.
#[derive(Clone, Debug)]
pub struct Madt(Vec<u8>);

impl Default for Madt {
    fn default() -> Self {
        let mut bytes = b"APIC\0\0\0\0\x03\0REVEILHOSTILE ".to_vec();
        bytes.resize(FIXED, 0);
        // Where every PC has them (SDM volume 3, "Local APIC Status and Location").
        bytes[36..40].copy_from_slice(&0xfee0_0000_u32.to_le_bytes());
        let mut madt = Self(bytes);
        madt.seal();
        madt
    }
}

impl Madt {
    /// Any bytes in place of a table.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

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

    /// Adds any bytes as an entry.
    pub fn entry(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self.seal();
        self
    }

    /// Makes the checksum wrong.
    pub fn with_wrong_checksum(mut self) -> Self {
        self.0[CHECKSUM] = self.0[CHECKSUM].wrapping_add(1);
        self
    }

    /// Makes the header say another length; the checksum is right for the bytes that are there.
    pub fn with_length(mut self, length: u32) -> Self {
        self.0[LENGTH..LENGTH + 4].copy_from_slice(&length.to_le_bytes());
        self.make_checksum_right();
        self
    }

    /// Cuts the table off behind so many bytes, and changes nothing before.
    pub fn truncated(mut self, length: usize) -> Self {
        self.0.truncate(length);
        self
    }

    /// The bytes of the table.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The table as a file, which is gone when the value is.
    pub fn file(&self) -> Result<NamedTempFile> {
        let mut file = NamedTempFile::new()?;
        file.write_all(&self.0)?;
        Ok(file)
    }

    fn seal(&mut self) {
        let length = self.0.len() as u32;
        self.0[LENGTH..LENGTH + 4].copy_from_slice(&length.to_le_bytes());
        self.make_checksum_right();
    }

    fn make_checksum_right(&mut self) {
        self.0[CHECKSUM] = 0;
        let sum = self
            .0
            .iter()
            .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        self.0[CHECKSUM] = sum.wrapping_neg();
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
        let read = madt::Madt::parse(table.bytes()).expect("it is a MADT");
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
            let read = madt::Madt::parse(madt.bytes()).expect("it is a MADT");
            read.defect.expect("it has a defect").to_string()
        };
        assert!(defect(Madt::of([1]).with_wrong_checksum()).contains("add up to 0x1"));
        assert!(defect(Madt::of([1]).with_length(99)).contains("header says 99"));
        assert!(defect(Madt::of([1]).truncated(50)).contains("there are 50"));
    }
}
