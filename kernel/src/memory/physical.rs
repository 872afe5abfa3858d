//! Reading bytes by physical address.
//!
//! The parsers of what a loader or firmware left in memory read through [`PhysicalMemory`], so they
//! meet the same hostile bytes in a host test as in a machine: an address that leads nowhere is an
//! error, never a fault.

use core::fmt;

/// Bytes found by physical address.
pub trait PhysicalMemory {
    /// Fills `into` with the bytes from `address` on, all or none. The very last byte of the address
    /// space is always out of reach, so that every end has an address.
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), OutOfReach>;

    /// The `N` bytes at `address`.
    fn read_array<const N: usize>(&self, address: u64) -> Result<[u8; N], OutOfReach> {
        let mut bytes = [0; N];
        self.read(address, &mut bytes)?;
        Ok(bytes)
    }
}

/// A read that touches an address with no readable memory behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfReach {
    /// Where the read began.
    pub address: u64,
    /// How many bytes it wanted.
    pub length: usize,
}

impl fmt::Display for OutOfReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bytes at {:#x} are out of reach",
            self.length, self.address
        )
    }
}

impl core::error::Error for OutOfReach {}

/// Physical memory as the boot page tables show it: the first 4 GiB at their own addresses.
pub struct BootMapping(());

impl BootMapping {
    const END: u64 = 4 << 30;

    /// # Safety
    ///
    /// The boot page tables of `boot/entry.S` stay in use for as long as the value lives.
    pub unsafe fn assume() -> Self {
        Self(())
    }
}

impl PhysicalMemory for BootMapping {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), OutOfReach> {
        let out_of_reach = OutOfReach {
            address,
            length: into.len(),
        };
        let end = address.checked_add(into.len() as u64).ok_or(out_of_reach)?;
        if address == 0 || end > Self::END {
            return Err(out_of_reach);
        }
        let source = address as *const u8;
        for (offset, byte) in into.iter_mut().enumerate() {
            // SAFETY: the boot mapping shows all addresses below 4 GiB, and `end` is not above. A
            // volatile read, as firmware and loader wrote this memory outside of Rust's sight.
            *byte = unsafe { source.add(offset).read_volatile() };
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod fake {
    //! Physical memory for tests: a few pieces at chosen addresses, nothing between them.

    use super::{OutOfReach, PhysicalMemory};

    /// Pieces of memory, each with its address. A later piece covers an earlier one.
    #[derive(Clone, Default)]
    pub(crate) struct Pieces(Vec<(u64, Vec<u8>)>);

    impl Pieces {
        pub(crate) fn with(mut self, address: u64, bytes: impl Into<Vec<u8>>) -> Self {
            self.0.push((address, bytes.into()));
            self
        }
    }

    impl PhysicalMemory for Pieces {
        fn read(&self, address: u64, into: &mut [u8]) -> Result<(), OutOfReach> {
            let out_of_reach = OutOfReach {
                address,
                length: into.len(),
            };
            let end = address.checked_add(into.len() as u64).ok_or(out_of_reach)?;
            for (byte, wanted) in into.iter_mut().zip(address..end) {
                let found = self.0.iter().rev().find_map(|(start, bytes)| {
                    bytes.get(usize::try_from(wanted.checked_sub(*start)?).ok()?)
                });
                *byte = *found.ok_or(out_of_reach)?;
            }
            Ok(())
        }
    }
}
