//! From the loader to Rust: the entry code, and what the loader tells about the machine.
//!
//! Everything the loader tells is copied out into a [`BootInfo`] before any memory is handed out,
//! as its own copy lies in memory that counts as free. The pages it lies in stay unused all the
//! same: they are listed in [`BootInfo::occupied`].

pub mod pvh;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

#[cfg(target_os = "none")]
use reveille_smp::record::exit_code;

#[cfg(target_os = "none")]
use crate::exit::DEBUG_EXIT_PORT;
use crate::memory::map::Region;
use crate::memory::physical::{OutOfReach, PhysicalMemory};

// Entry code and boot page tables. `kernel.ld` names its symbols; nothing in Rust does.
#[cfg(target_os = "none")]
core::arch::global_asm!(
    include_str!("entry.S"),
    failed = const exit_code::FAILED,
    exit_port = const DEBUG_EXIT_PORT,
);

/// What the loader tells, whatever its protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootInfo {
    /// The kernel's command line; empty if there is none.
    pub command_line: String,
    /// The memory map, in the loader's order.
    pub regions: Vec<Region>,
    /// Physical address of the RSDP, if the loader knows it.
    pub rsdp: Option<u64>,
    /// Files loaded beside the kernel.
    pub modules: Vec<Module>,
    /// Physical memory that holds the loader's information or a module.
    pub occupied: Vec<Range<u64>>,
}

/// A file that was loaded beside the kernel. Its bytes stay where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Where it lies in physical memory.
    pub range: Range<u64>,
    /// Its command line; empty if there is none.
    pub command_line: String,
}

impl BootInfo {
    /// A copy of the first module, if it has no more than `most` bytes.
    ///
    /// # Errors
    ///
    /// [`ModuleError`] when there is none, or it cannot be copied.
    pub fn first_module(
        &self,
        memory: &impl PhysicalMemory,
        most: usize,
    ) -> Result<Vec<u8>, ModuleError> {
        let Range { start, end } = self.modules.first().ok_or(ModuleError::Missing)?.range;
        let length = end - start;
        let fits = usize::try_from(length).ok().filter(|&bytes| bytes <= most);
        let bytes = fits.ok_or(ModuleError::TooLong { length, most })?;
        let mut copy = vec![0; bytes];
        if bytes > 0 {
            memory
                .read(start, &mut copy)
                .map_err(|cause| ModuleError::Unreadable { cause })?;
        }
        Ok(copy)
    }
}

/// Why there is no copy of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModuleError {
    /// The loader brought none.
    Missing,
    /// It is longer than what it is wanted for can be.
    TooLong {
        /// Its length in bytes.
        length: u64,
        /// How long it may be.
        most: usize,
    },
    /// It lies where no memory can be read.
    Unreadable {
        /// Where.
        cause: OutOfReach,
    },
}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(
                f,
                "the loader brought no module; `cargo xtask run --module FILE` gives one, or QEMU's -initrd"
            ),
            Self::TooLong { length, most } => {
                write!(
                    f,
                    "the module has {length} bytes, and at most {most} are taken"
                )
            }
            Self::Unreadable { cause } => write!(f, "the module: {cause}"),
        }
    }
}

impl core::error::Error for ModuleError {}

#[cfg(test)]
mod tests {
    use super::{BootInfo, Module, ModuleError};
    use crate::memory::physical::fake::Pieces;

    fn with_modules(modules: &[(u64, u64)]) -> BootInfo {
        let module = |&(start, length)| Module {
            range: start..start + length,
            command_line: String::new(),
        };
        BootInfo {
            modules: modules.iter().map(module).collect(),
            ..BootInfo::default()
        }
    }

    #[test]
    fn the_first_module_is_copied_whole_or_not_at_all() {
        let memory = Pieces::default()
            .with(0x5000, *b"first")
            .with(0x6000, *b"second");
        let copy = |modules: &[(u64, u64)]| with_modules(modules).first_module(&memory, 5);
        assert_eq!(copy(&[(0x5000, 5), (0x6000, 6)]), Ok(b"first".to_vec()));
        assert_eq!(copy(&[(0x9000, 0)]), Ok(Vec::new()));
        assert_eq!(copy(&[]), Err(ModuleError::Missing));
        let length = 6;
        assert_eq!(
            copy(&[(0x6000, length)]),
            Err(ModuleError::TooLong { length, most: 5 })
        );
        assert!(matches!(
            copy(&[(0x5001, 5)]),
            Err(ModuleError::Unreadable { .. })
        ));
    }
}
