//! What ACPI's tables of entries have in common: each entry begins with its type and its length.
//!
//! Every access is bounds-checked, and an entry is never shorter than its own two-byte header: so
//! whoever walks by the lengths of entries moves forward, and comes to an end.

/// Type and length.
pub(crate) const ENTRY_HEADER: usize = 2;

/// An entry behind which a walk cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Its length is less than its own header.
    TooShort { offset: usize, kind: u8, len: u8 },
    /// It reaches beyond the table; without a type where the table ends within its header.
    BeyondEnd { offset: usize, kind: Option<u8> },
}

/// The bytes of the entry that begins at `offset`, at least two.
pub(crate) fn entry(table: &[u8], offset: usize) -> Result<&[u8], Broken> {
    let rest = table.get(offset..).unwrap_or_default();
    let &[kind, len, ..] = rest else {
        let kind = rest.first().copied();
        return Err(Broken::BeyondEnd { offset, kind });
    };
    if usize::from(len) < ENTRY_HEADER {
        return Err(Broken::TooShort { offset, kind, len });
    }
    let kind = Some(kind);
    let bytes = rest.get(..usize::from(len));
    bytes.ok_or(Broken::BeyondEnd { offset, kind })
}

/// The `N` bytes at `offset`.
pub(crate) fn field<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

/// The little-endian number at `offset`.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    field(bytes, offset).map(u32::from_le_bytes)
}

/// What the bytes of a table add up to: 0 where its checksum is right.
pub(crate) fn sum(table: &[u8]) -> u8 {
    table.iter().fold(0, |sum, &byte| sum.wrapping_add(byte))
}
