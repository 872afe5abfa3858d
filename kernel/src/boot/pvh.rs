//! The start info of the PVH boot protocol (Xen, `public/arch-x86/hvm/start_info.h`).
//!
//! A parser over bytes that somebody else wrote: every address is read through
//! [`PhysicalMemory`], every count and length has a bound, and every failure has its error.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use super::{BootInfo, Module};
use crate::memory::map::Region;
use crate::memory::physical::{OutOfReach, PhysicalMemory};

/// First field of the start info: "xEn3" with the top bit of the E set.
const MAGIC: u32 = 0x336e_c578;
/// The first version that has a memory map.
const MEMORY_MAP_SINCE: u32 = 1;
/// Type of RAM in the memory map; all other types are to be left alone.
const TYPE_RAM: u32 = 1;

/// Most regions taken from a memory map. E820 has 128; big NUMA machines have some hundreds.
pub const MOST_REGIONS: u32 = 1024;
/// Most modules taken.
pub const MOST_MODULES: u32 = 16;
/// Longest command line taken, in bytes: Linux takes 2048 (`COMMAND_LINE_SIZE`).
pub const LONGEST_COMMAND_LINE: usize = 2048;

/// Copies out what the start info at physical address `start_info` says.
pub fn parse(memory: &impl PhysicalMemory, start_info: u64) -> Result<BootInfo, StartInfoError> {
    let mut reader = Reader {
        memory,
        occupied: Vec::new(),
    };

    // magic, version, flags, nr_modules, modlist_paddr, cmdline_paddr, rsdp_paddr
    let fields: [u8; 40] = reader.take(start_info, "start info")?;
    let magic = u32_at(&fields, 0);
    if magic != MAGIC {
        return Err(StartInfoError::WrongMagic { found: magic });
    }
    let version = u32_at(&fields, 4);
    if version < MEMORY_MAP_SINCE {
        return Err(StartInfoError::NoMemoryMap);
    }
    let module_count = u32_at(&fields, 12);
    let module_list = u64_at(&fields, 16);
    let command_line = u64_at(&fields, 24);
    let rsdp = u64_at(&fields, 32);
    // memmap_paddr, memmap_entries, reserved
    let fields: [u8; 16] = reader.take(start_info.saturating_add(40), "start info")?;
    reader.occupy(start_info, 56);
    let map = u64_at(&fields, 0);
    let region_count = u32_at(&fields, 8);

    Ok(BootInfo {
        command_line: reader.command_line(command_line)?,
        regions: reader.regions(map, region_count)?,
        rsdp: (rsdp != 0).then_some(rsdp),
        modules: reader.modules(module_list, module_count)?,
        occupied: reader.occupied,
    })
}

/// Why the start info was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartInfoError {
    /// There is no start info at the address.
    WrongMagic {
        /// What is there.
        found: u32,
    },
    /// There is no memory map: its version is 0, or the map is empty.
    NoMemoryMap,
    /// The memory map has more than [`MOST_REGIONS`].
    TooManyRegions {
        /// What the start info says.
        count: u32,
    },
    /// There are more modules than [`MOST_MODULES`].
    TooManyModules {
        /// What the start info says.
        count: u32,
    },
    /// A module ends beyond the address space.
    ModuleOutOfRange {
        /// Its first byte.
        start: u64,
        /// Its length in bytes.
        length: u64,
    },
    /// A command line does not end within [`LONGEST_COMMAND_LINE`] bytes.
    EndlessCommandLine {
        /// Its first byte.
        address: u64,
    },
    /// A command line has a byte that is not printable ASCII.
    CommandLineNotAscii {
        /// The byte.
        byte: u8,
        /// Its place in the command line.
        position: usize,
    },
    /// A part of the start info lies where no memory can be read.
    Unreadable {
        /// Which part.
        part: &'static str,
        /// Where it should be.
        cause: OutOfReach,
    },
}

impl fmt::Display for StartInfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PVH start info: ")?;
        match *self {
            Self::WrongMagic { found } => {
                write!(
                    f,
                    "its first word is {found:#x}, not {MAGIC:#x}; boot by a PVH loader"
                )
            }
            Self::NoMemoryMap => write!(f, "no memory map; the loader must be newer (version 1)"),
            Self::TooManyRegions { count } => {
                write!(
                    f,
                    "{count} memory regions, at most {MOST_REGIONS} are taken"
                )
            }
            Self::TooManyModules { count } => {
                write!(f, "{count} modules, at most {MOST_MODULES} are taken")
            }
            Self::ModuleOutOfRange { start, length } => {
                write!(f, "a module of {length} bytes at {start:#x} has no end")
            }
            Self::EndlessCommandLine { address } => write!(
                f,
                "the command line at {address:#x} does not end within {LONGEST_COMMAND_LINE} bytes"
            ),
            Self::CommandLineNotAscii { byte, position } => {
                write!(
                    f,
                    "byte {position} of a command line is {byte:#04x}, not printable ASCII"
                )
            }
            Self::Unreadable { part, cause } => write!(f, "{part}: {cause}"),
        }
    }
}

impl core::error::Error for StartInfoError {}

/// Reads parts, and remembers where they lay.
struct Reader<'a, M> {
    memory: &'a M,
    occupied: Vec<Range<u64>>,
}

impl<M: PhysicalMemory> Reader<'_, M> {
    fn take<const N: usize>(
        &self,
        address: u64,
        part: &'static str,
    ) -> Result<[u8; N], StartInfoError> {
        self.memory
            .read_array(address)
            .map_err(|cause| StartInfoError::Unreadable { part, cause })
    }

    fn occupy(&mut self, address: u64, length: u64) {
        if length > 0 {
            self.occupied.push(address..address.saturating_add(length));
        }
    }

    fn regions(&mut self, map: u64, count: u32) -> Result<Vec<Region>, StartInfoError> {
        const LENGTH: u64 = 24;
        if map == 0 || count == 0 {
            return Err(StartInfoError::NoMemoryMap);
        }
        if count > MOST_REGIONS {
            return Err(StartInfoError::TooManyRegions { count });
        }
        let mut regions = Vec::with_capacity(count as usize);
        for index in 0..u64::from(count) {
            // addr, size, type, reserved
            let entry: [u8; LENGTH as usize] =
                self.take(map.saturating_add(index * LENGTH), "memory map")?;
            regions.push(Region {
                start: u64_at(&entry, 0),
                length: u64_at(&entry, 8),
                usable: u32_at(&entry, 16) == TYPE_RAM,
            });
        }
        self.occupy(map, u64::from(count) * LENGTH);
        Ok(regions)
    }

    fn modules(&mut self, list: u64, count: u32) -> Result<Vec<Module>, StartInfoError> {
        const LENGTH: u64 = 32;
        if count > MOST_MODULES {
            return Err(StartInfoError::TooManyModules { count });
        }
        let mut modules = Vec::with_capacity(count as usize);
        for index in 0..u64::from(count) {
            // paddr, size, cmdline_paddr, reserved
            let entry: [u8; LENGTH as usize] =
                self.take(list.saturating_add(index * LENGTH), "module list")?;
            let (start, length) = (u64_at(&entry, 0), u64_at(&entry, 8));
            let end = start
                .checked_add(length)
                .ok_or(StartInfoError::ModuleOutOfRange { start, length })?;
            self.occupy(start, length);
            let command_line = self.command_line(u64_at(&entry, 16))?;
            modules.push(Module {
                range: start..end,
                command_line,
            });
        }
        self.occupy(list, u64::from(count) * LENGTH);
        Ok(modules)
    }

    /// The text that ends with a zero byte; an address of 0 says that there is none.
    fn command_line(&mut self, address: u64) -> Result<String, StartInfoError> {
        let mut text = String::new();
        if address == 0 {
            return Ok(text);
        }
        for position in 0..LONGEST_COMMAND_LINE {
            let [byte] = self.take(address.saturating_add(position as u64), "command line")?;
            match byte {
                0 => {
                    self.occupy(address, position as u64 + 1);
                    return Ok(text);
                }
                b' '..=b'~' => text.push(char::from(byte)),
                _ => return Err(StartInfoError::CommandLineNotAscii { byte, position }),
            }
        }
        Err(StartInfoError::EndlessCommandLine { address })
    }
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes[offset..offset + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::super::{BootInfo, Module};
    use super::{
        LONGEST_COMMAND_LINE, MAGIC, MOST_MODULES, MOST_REGIONS, OutOfReach, Region,
        StartInfoError, parse,
    };
    use crate::memory::physical::fake::Pieces;

    const START_INFO: u64 = 0x21e0;
    const COMMAND_LINE: u64 = 0x11c0;
    const MEMORY_MAP: u64 = 0x2218;
    const MODULES: u64 = 0x3000;

    struct StartInfo {
        magic: u32,
        version: u32,
        module_count: u32,
        modules: u64,
        command_line: u64,
        rsdp: u64,
        map: u64,
        region_count: u32,
    }

    /// Two regions, nothing else.
    const PLAIN: StartInfo = StartInfo {
        magic: MAGIC,
        version: 1,
        module_count: 0,
        modules: 0,
        command_line: 0,
        rsdp: 0,
        map: MEMORY_MAP,
        region_count: 2,
    };

    impl StartInfo {
        fn bytes(&self) -> Vec<u8> {
            let mut bytes = Vec::new();
            bytes.extend(self.magic.to_le_bytes());
            bytes.extend(self.version.to_le_bytes());
            bytes.extend(0_u32.to_le_bytes());
            bytes.extend(self.module_count.to_le_bytes());
            bytes.extend(self.modules.to_le_bytes());
            bytes.extend(self.command_line.to_le_bytes());
            bytes.extend(self.rsdp.to_le_bytes());
            bytes.extend(self.map.to_le_bytes());
            bytes.extend(self.region_count.to_le_bytes());
            bytes.extend(0_u32.to_le_bytes());
            bytes
        }

        /// Memory that holds this start info and a map of RAM and of ACPI tables.
        fn in_memory(&self) -> Pieces {
            let map: Vec<_> = [[0x10_0000, 0x700_0000, 1], [0x7ff_e000, 0x2000, 3]]
                .as_flattened()
                .iter()
                .flat_map(|field: &u64| field.to_le_bytes())
                .collect();
            Pieces::default()
                .with(START_INFO, self.bytes())
                .with(MEMORY_MAP, map)
        }

        fn parse(&self) -> Result<BootInfo, StartInfoError> {
            parse(&self.in_memory(), START_INFO)
        }
    }

    #[test]
    fn all_that_the_loader_says_is_copied_out() {
        let module: Vec<_> = [0x50_0000_u64, 0x1234, 0x3800, 0]
            .iter()
            .flat_map(|field| field.to_le_bytes())
            .collect();
        let info = StartInfo {
            module_count: 1,
            modules: MODULES,
            command_line: COMMAND_LINE,
            rsdp: 0xf_5b20,
            ..PLAIN
        };
        let memory = info
            .in_memory()
            .with(COMMAND_LINE, *b"bringup=serial bench=3\0")
            .with(MODULES, module)
            .with(0x3800, *b"madt\0");
        assert_eq!(
            parse(&memory, START_INFO),
            Ok(BootInfo {
                command_line: "bringup=serial bench=3".into(),
                regions: vec![
                    Region {
                        start: 0x10_0000,
                        length: 0x700_0000,
                        usable: true
                    },
                    Region {
                        start: 0x7ff_e000,
                        length: 0x2000,
                        usable: false
                    },
                ],
                rsdp: Some(0xf_5b20),
                modules: vec![Module {
                    range: 0x50_0000..0x50_1234,
                    command_line: "madt".into()
                }],
                occupied: vec![
                    0x21e0..0x2218,
                    0x11c0..0x11d7,
                    0x2218..0x2248,
                    0x50_0000..0x50_1234,
                    0x3800..0x3805,
                    0x3000..0x3020,
                ],
            })
        );
    }

    #[test]
    fn what_is_absent_is_none_or_empty() {
        let info = PLAIN.parse().unwrap();
        assert_eq!(info.rsdp, None);
        assert_eq!(info.command_line, "");
        assert_eq!(info.modules, []);
        assert_eq!(info.occupied, [0x21e0..0x2218, 0x2218..0x2248]);
    }

    #[test]
    fn another_first_word_is_no_start_info() {
        let found = 0x2bad_b002;
        assert_eq!(
            StartInfo {
                magic: found,
                ..PLAIN
            }
            .parse(),
            Err(StartInfoError::WrongMagic { found })
        );
    }

    #[test]
    fn without_a_memory_map_there_is_nothing_to_boot_with() {
        for info in [
            StartInfo {
                version: 0,
                ..PLAIN
            },
            StartInfo { map: 0, ..PLAIN },
            StartInfo {
                region_count: 0,
                ..PLAIN
            },
        ] {
            assert_eq!(info.parse(), Err(StartInfoError::NoMemoryMap));
        }
    }

    #[test]
    fn later_versions_are_read_as_the_first_with_a_map() {
        assert!(
            StartInfo {
                version: u32::MAX,
                ..PLAIN
            }
            .parse()
            .is_ok()
        );
    }

    #[test]
    fn absurd_counts_are_refused_before_anything_is_read() {
        for count in [MOST_REGIONS + 1, u32::MAX] {
            let info = StartInfo {
                region_count: count,
                ..PLAIN
            };
            assert_eq!(info.parse(), Err(StartInfoError::TooManyRegions { count }));
        }
        for count in [MOST_MODULES + 1, u32::MAX] {
            let info = StartInfo {
                module_count: count,
                modules: MODULES,
                ..PLAIN
            };
            assert_eq!(info.parse(), Err(StartInfoError::TooManyModules { count }));
        }
    }

    #[test]
    fn addresses_that_lead_nowhere_say_which_part_they_were_of() {
        let unreadable = |part, address, length| {
            Err(StartInfoError::Unreadable {
                part,
                cause: OutOfReach { address, length },
            })
        };
        let nowhere = u64::MAX - 7;
        for address in [0x9000, nowhere, u64::MAX] {
            assert_eq!(
                parse(&Pieces::default(), address),
                unreadable("start info", address, 40)
            );
            let info = StartInfo {
                map: address,
                ..PLAIN
            };
            assert_eq!(info.parse(), unreadable("memory map", address, 24));
            let info = StartInfo {
                module_count: 1,
                modules: address,
                ..PLAIN
            };
            assert_eq!(info.parse(), unreadable("module list", address, 32));
            let info = StartInfo {
                command_line: address,
                ..PLAIN
            };
            assert_eq!(info.parse(), unreadable("command line", address, 1));
        }
    }

    #[test]
    fn a_start_info_that_is_cut_off_is_refused() {
        let bytes = PLAIN.bytes();
        for length in 0..bytes.len() {
            let memory = Pieces::default().with(START_INFO, &bytes[..length]);
            assert!(
                matches!(
                    parse(&memory, START_INFO),
                    Err(StartInfoError::Unreadable {
                        part: "start info",
                        ..
                    })
                ),
                "{length} bytes were enough"
            );
        }
    }

    #[test]
    fn a_command_line_must_end_and_be_text() {
        let address = 0x1_0000;
        let info = StartInfo {
            command_line: address,
            ..PLAIN
        };
        let parse_with = |line: &[u8]| {
            let memory = info.in_memory().with(address, line);
            parse(&memory, START_INFO).map(|info| info.command_line.len())
        };
        let mut longest = vec![b'x'; LONGEST_COMMAND_LINE];
        assert_eq!(
            parse_with(&longest),
            Err(StartInfoError::EndlessCommandLine { address })
        );
        longest[LONGEST_COMMAND_LINE - 1] = 0;
        assert_eq!(parse_with(&longest), Ok(LONGEST_COMMAND_LINE - 1));
        for byte in [0x1b, 0x7f, 0xff] {
            assert_eq!(
                parse_with(&[b'a', byte, 0]),
                Err(StartInfoError::CommandLineNotAscii { byte, position: 1 })
            );
        }
    }

    #[test]
    fn a_module_without_an_end_is_refused() {
        let module: Vec<_> = [u64::MAX, 2, 0, 0]
            .iter()
            .flat_map(|field: &u64| field.to_le_bytes())
            .collect();
        let info = StartInfo {
            module_count: 1,
            modules: MODULES,
            ..PLAIN
        };
        assert_eq!(
            parse(&info.in_memory().with(MODULES, module), START_INFO),
            Err(StartInfoError::ModuleOutOfRange {
                start: u64::MAX,
                length: 2
            })
        );
    }
}
