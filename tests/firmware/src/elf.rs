//! The kernel's ELF file: what is to be loaded where, and the PVH entry point.
//!
//! Everything is read within bounds, as a module may be any file.

use core::{fmt, ops::Range};

use crate::list::{Full, List};

/// Most segments that are loaded.
const MOST_SEGMENTS: usize = 16;

/// Bytes of the file's header, and of a segment's.
const HEADER: usize = 64;
const SEGMENT_HEADER: usize = 56;

/// Segment types.
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;

/// The PVH entry point: `XEN_ELFNOTE_PHYS32_ENTRY`, of this owner.
const NOTE_OWNER: &[u8] = b"Xen\0";
const NOTE_ENTRY: u32 = 18;

/// A piece of the file that is loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Its bytes in the file.
    pub file: Range<usize>,
    /// Where it goes. What lies behind the file's bytes is zero.
    pub memory: Range<u64>,
}

/// What an ELF file says of itself.
#[derive(Clone, Debug)]
pub struct Elf {
    segments: List<Loaded, MOST_SEGMENTS>,
    /// The PVH entry point.
    pub entry: u32,
}

/// A range is no `Copy`, which the list asks for.
#[derive(Clone, Copy, Debug, Default)]
struct Loaded {
    file_start: usize,
    file_end: usize,
    start: u64,
    end: u64,
}

/// Why a file cannot be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ElfError {
    /// It is no 64-bit ELF file for x86_64.
    NotElf,
    /// A part of it lies beyond its end.
    CutOff,
    /// A segment that is loaded ends beyond the address space, or is shorter than its bytes.
    BadSegment,
    /// There are too many segments.
    TooManySegments,
    /// It has no PVH entry point.
    NoEntry,
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotElf => "it is no ELF file for x86_64",
            Self::CutOff => "a part of it lies beyond its end",
            Self::BadSegment => "a segment of it has an impossible length",
            Self::TooManySegments => "it has too many segments",
            Self::NoEntry => "it has no PVH entry point that lies in it",
        })
    }
}

impl core::error::Error for ElfError {}

impl From<Full> for ElfError {
    fn from(_: Full) -> Self {
        Self::TooManySegments
    }
}

impl Elf {
    /// Reads the headers of an ELF file.
    ///
    /// # Errors
    ///
    /// [`ElfError`] for a file that is none, or that cannot be loaded.
    pub fn parse(file: &[u8]) -> Result<Self, ElfError> {
        /// Magic, 64 bits, little endian.
        const IDENT: &[u8] = b"\x7fELF\x02\x01";
        const X86_64: u16 = 62;
        if !file.starts_with(IDENT) || u16_at(file, 18) != Ok(X86_64) || file.len() < HEADER {
            return Err(ElfError::NotElf);
        }
        let first = to_usize(u64_at(file, 32)?)?;
        if usize::from(u16_at(file, 54)?) != SEGMENT_HEADER {
            return Err(ElfError::NotElf);
        }
        let count = usize::from(u16_at(file, 56)?);

        let mut segments = List::new();
        let mut entry = None;
        for at in 0..count {
            let at = first
                .checked_add(at * SEGMENT_HEADER)
                .ok_or(ElfError::CutOff)?;
            let bytes = part(file, at, SEGMENT_HEADER)?;
            let kind = u32_at(bytes, 0)?;
            if kind != PT_LOAD && kind != PT_NOTE {
                continue;
            }
            let (offset, address) = (to_usize(u64_at(bytes, 8)?)?, u64_at(bytes, 24)?);
            let (in_file, in_memory) = (to_usize(u64_at(bytes, 32)?)?, u64_at(bytes, 40)?);
            let content = part(file, offset, in_file)?;
            if kind == PT_NOTE {
                entry = entry.or(entry_note(content));
                continue;
            }
            let end = address
                .checked_add(in_memory)
                .filter(|_| in_memory >= in_file as u64)
                .ok_or(ElfError::BadSegment)?;
            segments.push(Loaded {
                file_start: offset,
                file_end: offset + in_file,
                start: address,
                end,
            })?;
        }
        let is_loaded = |entry: &u32| {
            let entry = u64::from(*entry);
            segments
                .iter()
                .any(|segment: &Loaded| (segment.start..segment.end).contains(&entry))
        };
        let entry = entry.filter(is_loaded).ok_or(ElfError::NoEntry)?;
        Ok(Self { segments, entry })
    }

    /// What is loaded.
    pub fn segments(&self) -> impl Iterator<Item = Segment> + '_ {
        self.segments.iter().map(|loaded| Segment {
            file: loaded.file_start..loaded.file_end,
            memory: loaded.start..loaded.end,
        })
    }
}

/// The PVH entry point, where these notes have one. Names and values are padded to 4 bytes.
fn entry_note(notes: &[u8]) -> Option<u32> {
    let mut at = 0;
    loop {
        let name_length = u32_at(notes, at).ok()? as usize;
        let value_length = u32_at(notes, at + 4).ok()? as usize;
        let kind = u32_at(notes, at + 8).ok()?;
        let name = at + 12;
        let value = name.checked_add(name_length.checked_next_multiple_of(4)?)?;
        if kind == NOTE_ENTRY && part(notes, name, name_length).ok()? == NOTE_OWNER {
            return u32_at(notes, value).ok();
        }
        at = value.checked_add(value_length.checked_next_multiple_of(4)?)?;
    }
}

fn to_usize(value: u64) -> Result<usize, ElfError> {
    usize::try_from(value).map_err(|_| ElfError::CutOff)
}

fn part(bytes: &[u8], at: usize, length: usize) -> Result<&[u8], ElfError> {
    let end = at.checked_add(length).ok_or(ElfError::CutOff)?;
    bytes.get(at..end).ok_or(ElfError::CutOff)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], ElfError> {
    let bytes = part(bytes, at, N)?;
    bytes.try_into().map_err(|_| ElfError::CutOff)
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, ElfError> {
    array(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, ElfError> {
    array(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, ElfError> {
    array(bytes, at).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE_AT: u64 = 0x200;
    const CODE_AT: u64 = 0x300;

    fn segment(kind: u32, offset: u64, address: u64, in_file: u64, in_memory: u64) -> Vec<u8> {
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend(7_u32.to_le_bytes());
        for field in [offset, address, address, in_file, in_memory, 4] {
            bytes.extend(field.to_le_bytes());
        }
        bytes
    }

    fn note(owner: &[u8; 4], kind: u32, value: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [4, 4, kind] {
            bytes.extend(u32::to_le_bytes(word));
        }
        bytes.extend(owner);
        bytes.extend(value.to_le_bytes());
        bytes
    }

    fn file(segments: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(HEADER, 0);
        bytes[18] = 62;
        bytes[32..40].copy_from_slice(&(HEADER as u64).to_le_bytes());
        bytes[54] = SEGMENT_HEADER as u8;
        bytes[56] = segments.len() as u8;
        bytes.extend(segments.concat());
        bytes.resize(NOTE_AT as usize, 0);
        bytes.extend(note(b"GNU\0", NOTE_ENTRY, 0x666));
        bytes.extend(note(b"Xen\0", 17, 0x777));
        bytes.extend(note(b"Xen\0", NOTE_ENTRY, 0x20_0010));
        bytes.resize(CODE_AT as usize, 0);
        bytes.extend([0x90; 0x40]);
        bytes
    }

    fn loaded() -> Vec<u8> {
        segment(PT_LOAD, CODE_AT, 0x20_0000, 0x40, 0x1000)
    }

    fn notes() -> Vec<u8> {
        segment(PT_NOTE, NOTE_AT, 0x20_0000, 72, 72)
    }

    #[test]
    fn segments_and_the_entry_among_other_notes_are_found() {
        // Of type 6, the program headers themselves.
        let other = segment(6, 0, 0, u64::MAX, u64::MAX);
        let elf = Elf::parse(&file(&[other, loaded(), notes()])).unwrap();
        assert_eq!(elf.entry, 0x20_0010);
        let expected = Segment {
            file: 0x300..0x340,
            memory: 0x20_0000..0x20_1000,
        };
        assert!(elf.segments().eq([expected]));
    }

    #[test]
    fn a_file_without_an_entry_in_a_segment_is_refused() {
        let elsewhere = segment(PT_LOAD, CODE_AT, 0x30_0000, 0x40, 0x1000);
        for segments in [vec![loaded()], vec![notes()], vec![elsewhere, notes()]] {
            let error = Elf::parse(&file(&segments)).unwrap_err();
            assert_eq!(error, ElfError::NoEntry);
        }
    }

    #[test]
    fn what_is_no_elf_file_is_refused() {
        for bytes in [&b""[..], b"\x7fELF", &[0; 4096]] {
            assert_eq!(Elf::parse(bytes).unwrap_err(), ElfError::NotElf);
        }
    }

    #[test]
    fn a_file_that_is_cut_off_anywhere_is_refused() {
        let whole = file(&[loaded(), notes()]);
        for length in 0..whole.len() {
            assert!(Elf::parse(&whole[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn impossible_segments_are_refused() {
        let with = |bad| Elf::parse(&file(&[bad, notes()])).unwrap_err();
        let endless = segment(PT_LOAD, CODE_AT, u64::MAX, 0x40, 0x1000);
        assert_eq!(with(endless), ElfError::BadSegment);
        let short = segment(PT_LOAD, CODE_AT, 0x20_0000, 0x40, 0x3f);
        assert_eq!(with(short), ElfError::BadSegment);
        let beyond = segment(PT_LOAD, u64::MAX, 0x20_0000, 0x40, 0x40);
        assert_eq!(with(beyond), ElfError::CutOff);
    }
}
