//! Which CPUs the firmware lists: the Multiple APIC Description Table (ACPI 6.5, section 5.2.12),
//! read from bytes that may be anything.
//!
//! Every access is bounds-checked and every turn of the walk moves forward by at least two bytes,
//! so no table makes it hang or read outside. A table that breaks off in the middle still gives
//! the CPUs before the break, and one whose checksum is wrong all that it lists: the [`Defect`]
//! says what is wrong. A CPU that is listed by mistake costs one deadline; one that is not listed
//! is lost.

use alloc::{string::String, vec::Vec};
use core::{fmt, mem, num::NonZero};

use crate::{
    cpu::ApicId,
    entries::{Broken, ENTRY_HEADER, entry, field, sum, u32_at},
    wiring::Wiring,
};

/// What the table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Madt {
    /// OEM and OEM table id, which on QEMU read `BOCHS BXPC`.
    pub oem: String,
    /// Physical address of the xAPIC registers, the 64-bit override applied.
    pub local_apic_address: u64,
    /// The CPUs in the table's order, duplicates and all.
    pub processors: Vec<Processor>,
    /// By what the APs can be woken beside INIT and SIPI. The first entry counts, and no other where
    /// that one cannot be used.
    pub mailbox: Option<Mailbox>,
    /// Where the interrupts of devices are wired to.
    pub wiring: Wiring,
    /// What is wrong with the table, though it could be read: the first thing, and a wrong
    /// checksum only when nothing else is.
    pub defect: Option<Defect>,
    /// The first thing wrong with it by which CPUs may be lost; see [`Defect::may_lose_cpus`].
    pub lossy: Option<Defect>,
}

/// One entry of type 0 or 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processor {
    /// Its APIC's id.
    pub apic_id: ApicId,
    /// Ready for use.
    pub enabled: bool,
    /// Not enabled now, but can be added later.
    pub online_capable: bool,
}

/// The multiprocessor wakeup mailbox (ACPI 6.6, section 5.2.12.19): the firmware keeps the APs in a
/// loop in which they look there for where to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Physical address of its page, not 0.
    pub address: u64,
    /// Where an AP goes to be the firmware's again, a physical address, if it can: from version 1 of
    /// the mailbox on. Without that an AP can be woken once.
    pub reset_vector: Option<NonZero<u64>>,
}

/// Bytes that are no MADT at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotAMadt {
    /// Fewer bytes than the fixed part has.
    TooShort {
        /// How many there are.
        len: usize,
    },
    /// Another signature than `APIC`.
    Signature([u8; 4]),
}

/// What is wrong with a table that gave CPUs all the same.
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
        /// What they add up to.
        sum: u8,
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
    /// A wakeup mailbox at no page's start, or at 0.
    MailboxAddress {
        /// Where its entry begins.
        offset: usize,
        /// Where it would be.
        address: u64,
    },
}

const SIGNATURE: [u8; 4] = *b"APIC";
const LENGTH: usize = 4;
const OEM_ID: usize = 10;
const OEM_TABLE_ID: usize = 16;
const LOCAL_APIC_ADDRESS: usize = 36;
const ENTRIES: usize = 44;

const LOCAL_APIC: u8 = 0;
const IO_APIC: u8 = 1;
const INTERRUPT_SOURCE_OVERRIDE: u8 = 2;
const LOCAL_APIC_ADDRESS_OVERRIDE: u8 = 5;
const LOCAL_X2APIC: u8 = 9;
const MULTIPROCESSOR_WAKEUP: u8 = 0x10;

/// A mailbox is a page.
const MAILBOX_ALIGNMENT: u64 = 4096;
/// The mailbox's version from which on an AP can go back to the firmware.
const SINCE_RESET_VECTOR: u16 = 1;

/// The ids that mean everybody and so no CPU, each in its own kind of entry (ACPI 6.5, sections
/// 5.2.12.2 and 5.2.12.12): in an entry for an x2APIC, 0xff is an id like any other.
const LOCAL_APIC_EVERYBODY: u8 = 0xff;
const LOCAL_X2APIC_EVERYBODY: u32 = u32::MAX;

const ENABLED: u32 = 1 << 0;
const ONLINE_CAPABLE: u32 = 1 << 1;

impl Madt {
    /// Reads a whole table, header included.
    ///
    /// # Errors
    ///
    /// [`NotAMadt`] when not even the fixed part can be trusted.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotAMadt> {
        if bytes.len() < ENTRIES {
            return Err(NotAMadt::TooShort { len: bytes.len() });
        }
        let signature = field(bytes, 0).unwrap_or_default();
        if signature != SIGNATURE {
            return Err(NotAMadt::Signature(signature));
        }
        let stated = u32_at(bytes, LENGTH).unwrap_or_default();
        let is_right = |table: &&[u8]| table.len() >= ENTRIES;
        let right = bytes.get(..stated as usize).filter(is_right);
        let table = right.unwrap_or(bytes);
        let sum = sum(table);
        let mut madt = Self {
            oem: oem(table),
            local_apic_address: u64::from(u32_at(table, LOCAL_APIC_ADDRESS).unwrap_or_default()),
            processors: Vec::new(),
            mailbox: None,
            wiring: Wiring::default(),
            defect: None,
            lossy: None,
        };
        if right.is_none() {
            madt.note(Defect::Length {
                stated,
                present: bytes.len(),
                sum,
            });
        }
        let mut offset = ENTRIES;
        let mut has_mailbox = false;
        while offset < table.len() {
            match entry(table, offset) {
                Ok(bytes) => {
                    let is_mailbox = bytes[0] == MULTIPROCESSOR_WAKEUP;
                    let is_second = is_mailbox && mem::replace(&mut has_mailbox, true);
                    if !is_second && let Err(found) = madt.take(bytes, offset) {
                        madt.note(found);
                    }
                    offset += bytes.len();
                }
                Err(broken) => {
                    madt.note(broken.into());
                    break;
                }
            }
        }
        if sum != 0 {
            madt.note(Defect::Checksum { sum });
        }
        Ok(madt)
    }

    fn note(&mut self, found: Defect) {
        self.defect.get_or_insert(found);
        if found.may_lose_cpus() {
            self.lossy.get_or_insert(found);
        }
    }

    fn take(&mut self, entry: &[u8], offset: usize) -> Result<(), Defect> {
        let kind = entry[0];
        let taken = match kind {
            LOCAL_APIC => entry.get(3).zip(u32_at(entry, 4)).map(|(&id, flags)| {
                if id != LOCAL_APIC_EVERYBODY {
                    self.processors.push(Processor::new(u32::from(id), flags));
                }
            }),
            LOCAL_X2APIC => u32_at(entry, 4).zip(u32_at(entry, 8)).map(|(id, flags)| {
                if id != LOCAL_X2APIC_EVERYBODY {
                    self.processors.push(Processor::new(id, flags));
                }
            }),
            IO_APIC => self.wiring.take_io_apic(entry),
            INTERRUPT_SOURCE_OVERRIDE => self.wiring.take_override(entry),
            LOCAL_APIC_ADDRESS_OVERRIDE => field(entry, 4).map(|address| {
                self.local_apic_address = u64::from_le_bytes(address);
            }),
            MULTIPROCESSOR_WAKEUP => match Mailbox::read(entry) {
                Some(mailbox) if mailbox.is_at_page() => {
                    self.mailbox = Some(mailbox);
                    Some(())
                }
                Some(Mailbox { address, .. }) => {
                    return Err(Defect::MailboxAddress { offset, address });
                }
                None => None,
            },
            // NMI wiring, other architectures' controllers and what later revisions add concern others.
            _ => Some(()),
        };
        taken.ok_or(Defect::EntryTooShort {
            offset,
            kind,
            len: entry.len() as u8,
        })
    }
}

impl Processor {
    const fn new(apic_id: u32, flags: u32) -> Self {
        Self {
            apic_id: ApicId(apic_id),
            enabled: flags & ENABLED != 0,
            online_capable: flags & (ENABLED | ONLINE_CAPABLE) == ONLINE_CAPABLE,
        }
    }
}

impl Mailbox {
    /// `None` when the entry is too short for its version.
    fn read(entry: &[u8]) -> Option<Self> {
        let version = u16::from_le_bytes(field(entry, 2)?);
        let address = u64::from_le_bytes(field(entry, 8)?);
        let reset_vector = match version {
            ..SINCE_RESET_VECTOR => None,
            _ => NonZero::new(u64::from_le_bytes(field(entry, 16)?)),
        };
        Some(Self {
            address,
            reset_vector,
        })
    }

    fn is_at_page(&self) -> bool {
        self.address != 0 && self.address.is_multiple_of(MAILBOX_ALIGNMENT)
    }
}

impl From<Broken> for Defect {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::TooShort { offset, kind, len } => Self::EntryTooShort { offset, kind, len },
            Broken::BeyondEnd { offset, kind } => Self::EntryBeyondEnd { offset, kind },
        }
    }
}

fn oem(table: &[u8]) -> String {
    let text = |bytes: &[u8]| -> String {
        let printable = bytes.iter().map(|&byte| {
            if byte.is_ascii_graphic() {
                char::from(byte)
            } else {
                ' '
            }
        });
        String::from(printable.collect::<String>().trim())
    };
    let [id, table_id] = [
        text(&table[OEM_ID..OEM_TABLE_ID]),
        text(&table[OEM_TABLE_ID..OEM_TABLE_ID + 8]),
    ];
    String::from(alloc::format!("{id} {table_id}").trim())
}

impl Defect {
    /// Whether there may be CPUs that the table was to list and that are not read.
    ///
    /// A header that says more bytes than there are is wrong itself, or the table was cut, perhaps
    /// between two entries. What was cut off no longer adds up to 0; what does is whole.
    pub const fn may_lose_cpus(self) -> bool {
        match self {
            Self::Checksum { .. } | Self::MailboxAddress { .. } => false,
            Self::Length {
                stated,
                present,
                sum,
            } => stated as usize > present && sum != 0,
            Self::EntryTooShort { kind, len, .. } => {
                (len as usize) < ENTRY_HEADER || matches!(kind, LOCAL_APIC | LOCAL_X2APIC)
            }
            Self::EntryBeyondEnd { .. } => true,
        }
    }
}

impl fmt::Display for NotAMadt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { len } => write!(f, "the MADT has only {len} bytes"),
            Self::Signature(found) => {
                write!(f, "the MADT's signature is \"{}\"", found.escape_ascii())
            }
        }
    }
}

impl core::error::Error for NotAMadt {}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum { sum } => {
                write!(
                    f,
                    "the MADT's bytes add up to {sum:#x} and not to 0; its CPUs are tried all the same"
                )
            }
            Self::Length {
                stated, present, ..
            } => {
                write!(
                    f,
                    "the MADT's header says {stated} bytes, and there are {present}; what is there is read"
                )
            }
            Self::EntryTooShort { offset, kind, len } => {
                // Without a length that holds its own header, nobody knows where the next begins.
                let consequence = if usize::from(*len) < ENTRY_HEADER {
                    "what follows it is lost"
                } else {
                    "it is passed over"
                };
                write!(
                    f,
                    "the MADT's entry at {offset:#x}, type {kind:#x}, has only {len} bytes; {consequence}"
                )
            }
            Self::EntryBeyondEnd { offset, .. } => {
                write!(
                    f,
                    "the MADT's entry at {offset:#x} reaches beyond the table and is lost"
                )
            }
            Self::MailboxAddress { offset, address } => {
                write!(
                    f,
                    "the MADT's entry at {offset:#x} has its wakeup mailbox at {address:#x}, where no page begins; it is not used"
                )
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
