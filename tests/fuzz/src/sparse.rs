//! Physical memory that is mostly absent, written down in the bytes of an input.
//!
//! One piece after the other: its physical address (8 bytes) and its length (2 bytes), both little
//! endian, then so many bytes, or as many as are left. A later piece covers an earlier one.

use reveille_kernel::memory::physical::{OutOfReach, PhysicalMemory};

/// Memory made of pieces.
#[derive(Debug)]
pub(crate) struct Sparse<'a>(Vec<(u64, &'a [u8])>);

impl<'a> Sparse<'a> {
    pub(crate) fn from_input(mut input: &'a [u8]) -> Self {
        let mut pieces = Vec::new();
        while let Some((address, rest)) = input.split_first_chunk() {
            let Some((length, rest)) = rest.split_first_chunk() else {
                break;
            };
            let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
            let (piece, rest) = rest.split_at(length);
            pieces.push((u64::from_le_bytes(*address), piece));
            input = rest;
        }
        Self(pieces)
    }

    /// The address of the first piece.
    pub(crate) fn start(&self) -> Option<u64> {
        self.0.first().map(|(address, _)| *address)
    }

    fn byte(&self, address: u64) -> Option<u8> {
        self.0.iter().rev().find_map(|(start, bytes)| {
            let offset = usize::try_from(address.checked_sub(*start)?).ok()?;
            bytes.get(offset).copied()
        })
    }
}

impl PhysicalMemory for Sparse<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), OutOfReach> {
        let length = into.len();
        let out_of_reach = OutOfReach { address, length };
        let end = address.checked_add(length as u64).ok_or(out_of_reach)?;
        for (byte, wanted) in into.iter_mut().zip(address..end) {
            *byte = self.byte(wanted).ok_or(out_of_reach)?;
        }
        Ok(())
    }
}
