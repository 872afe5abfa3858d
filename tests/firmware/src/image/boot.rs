//! What the firmware does, in order: start the APs and park them, load the kernel, write what it is
//! handed, and enter it.

use core::{cell::UnsafeCell, convert::Infallible, fmt, ops::Range, ptr, slice};

use reveille_test_firmware::{
    MOST_CPUS,
    elf::{Elf, ElfError},
    list::Full,
    madt::{self, Wakeup},
    map::{MOST_REGIONS, Map, PAGE, Region, overlap},
    words::{self, BadWord, Behaviour, Options},
};
use x86_64::instructions::port::Port;

use super::{
    apic::{Apic, Pending},
    interrupts,
    park::{self, MAILBOX},
};

/// Where addresses end that the page tables show.
const MAPPED_END: u64 = 4 << 30;

/// A SIPI names a page below.
const REAL_MODE_END: u64 = 1 << 20;

/// The longest command line that the kernel takes, and its zero byte.
const LONGEST_LINE: usize = 2049;

/// An id above needs x2APIC mode: eight bits, of which the highest value means all.
const HIGHEST_XAPIC_ID: u32 = 254;

/// How long the APs may take to start, and how often that is looked at.
const LOOK_NS: u32 = 100_000;
const LOOKS: u32 = 300_000;
/// After so many looks a second SIPI is sent, for the case that the first was lost.
const SECOND_SIPI: u32 = 100;

/// The start info of the PVH boot protocol (Xen, `public/arch-x86/hvm/start_info.h`), version 1.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct StartInfo {
    magic: u32,
    version: u32,
    flags: u32,
    module_count: u32,
    modules: u64,
    command_line: u64,
    rsdp: u64,
    map: u64,
    region_count: u32,
    reserved: u32,
}

const MAGIC: u32 = 0x336e_c578;

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Module {
    start: u64,
    length: u64,
    command_line: u64,
    reserved: u64,
}

/// What the kernel is handed.
#[repr(C, align(16))]
struct Handover {
    start_info: StartInfo,
    module: Module,
    regions: [Region; MOST_REGIONS],
    command_line: [u8; LONGEST_LINE],
    madt: [u8; madt::most_bytes(MOST_CPUS)],
}

struct OnBsp(UnsafeCell<Handover>);

// SAFETY: only the CPU that boots touches it, once.
unsafe impl Sync for OnBsp {}

static HANDOVER: OnBsp = OnBsp(UnsafeCell::new(Handover {
    start_info: StartInfo {
        magic: 0,
        version: 0,
        flags: 0,
        module_count: 0,
        modules: 0,
        command_line: 0,
        rsdp: 0,
        map: 0,
        region_count: 0,
        reserved: 0,
    },
    module: Module {
        start: 0,
        length: 0,
        command_line: 0,
        reserved: 0,
    },
    regions: [Region {
        start: 0,
        length: 0,
        kind: 0,
        reserved: 0,
    }; MOST_REGIONS],
    command_line: [0; LONGEST_LINE],
    madt: [0; madt::most_bytes(MOST_CPUS)],
}));

unsafe extern "C" {
    static __image_start: u8;
    static __image_end: u8;
    static startup_begin: u8;
    static startup_end: u8;
    fn firmware_reset();
}

unsafe extern "sysv64" {
    fn enter_kernel(entry: u32, start_info: u32) -> !;
}

/// Why the kernel cannot be started.
pub(super) enum Failure {
    NoStartInfo,
    OutOfReach(&'static str),
    BadWord(BadWord<'static>),
    NoSuchAp(u32),
    NoFwCfg,
    TooManyCpus(usize),
    NoX2Apic,
    MapTooLong,
    NoLowPage,
    ApsMissing { arrived: usize, aps: usize },
    NotDelivered,
    NoModule,
    ModuleOverUs,
    BadModule(ElfError),
    NoRoom(Range<u64>),
    NoRoomForModule(u64),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStartInfo => write!(f, "there is no PVH start info with a memory map"),
            Self::OutOfReach(what) => write!(f, "{what} lies above 4 GiB, or is too long"),
            Self::BadWord(bad) => write!(f, "{bad}"),
            Self::NoSuchAp(id) => write!(f, "there is no AP with APIC id {id}"),
            Self::NoFwCfg => write!(f, "QEMU's fw_cfg does not answer, so nobody knows the CPUs"),
            Self::TooManyCpus(cpus) => write!(f, "{cpus} CPUs, and at most {MOST_CPUS} are taken"),
            Self::NoX2Apic => write!(f, "APIC ids above 254, and the CPUs have no x2APIC mode"),
            Self::MapTooLong => write!(f, "the memory map has more than {MOST_REGIONS} regions"),
            Self::NoLowPage => write!(f, "no page below 1 MiB is free"),
            Self::ApsMissing { arrived, aps } => {
                write!(f, "only {arrived} of {aps} APs have started")
            }
            Self::NotDelivered => write!(f, "the APIC does not deliver INIT or SIPI"),
            Self::NoModule => write!(f, "no module: QEMU's -initrd gives the kernel"),
            Self::ModuleOverUs => write!(
                f,
                "the loader has put the module over the firmware; give more memory"
            ),
            Self::BadModule(error) => write!(f, "the module is no kernel: {error}"),
            Self::NoRoom(range) => write!(
                f,
                "the kernel wants {:#x}-{:#x}, which is not free RAM",
                range.start, range.end
            ),
            Self::NoRoomForModule(length) => {
                write!(
                    f,
                    "nowhere to move the module to, {length} bytes; give more memory"
                )
            }
        }
    }
}

impl From<Full> for Failure {
    fn from(_: Full) -> Self {
        Self::MapTooLong
    }
}

impl From<Pending> for Failure {
    fn from(_: Pending) -> Self {
        Self::NotDelivered
    }
}

/// Starts the kernel, or says why that cannot be.
///
/// # Safety
///
/// Called once, on the CPU that boots, with interrupts off, the first 4 GiB mapped by identity, and
/// the address at which the loader left its start info.
pub(super) unsafe fn boot(start_info: u32) -> Result<Infallible, Failure> {
    let loader = Loader::read(start_info.into())?;
    let image = address(&raw const __image_start)..address(&raw const __image_end);
    // SAFETY: nobody else has it, as this runs once.
    let handover = unsafe { &mut *HANDOVER.0.get() };

    let is_over_us = |module: &Range<u64>| overlap(module, &image);
    if loader.module.as_ref().is_some_and(is_over_us) {
        return Err(Failure::ModuleOverUs);
    }
    let (options, line_length) =
        words::take(loader.command_line, &mut handover.command_line).map_err(Failure::BadWord)?;
    let stub = loader
        .map
        .highest_free(PAGE, REAL_MODE_END, &loader.occupied())
        .ok_or(Failure::NoLowPage)?;
    let map = loader.map.reserve(image.clone())?;
    let map = map.reserve(stub..stub + PAGE)?;

    let aps = start_aps(stub)?;
    behave(aps, &options)?;
    let entry = loader.load(&map, &image)?;

    let bsp = Apic::of_this_cpu().id();
    let wakeup = Wakeup {
        mailbox: address(&raw const MAILBOX),
        reset_vector: options
            .has_reset_vector
            .then_some(firmware_reset as *const () as u64),
    };
    let ids = [bsp].into_iter().chain(Ascending { aps, after: None });
    let length =
        madt::write(&mut handover.madt, ids, wakeup).expect("it has room for the most CPUs");
    handover.module = Module {
        start: address(&handover.madt),
        length: length as u64,
        ..Module::default()
    };
    handover.command_line[line_length] = 0;
    handover.regions[..map.regions().len()].copy_from_slice(map.regions());
    handover.start_info = StartInfo {
        magic: MAGIC,
        version: 1,
        flags: loader.start_info.flags,
        module_count: 1,
        modules: address(&handover.module),
        command_line: address(&handover.command_line),
        rsdp: loader.start_info.rsdp,
        map: address(&handover.regions),
        region_count: map.regions().len() as u32,
        reserved: 0,
    };
    // SAFETY: the kernel is loaded, and what it is handed is whole; the image lies below 4 GiB.
    unsafe { enter_kernel(entry, address(&handover.start_info) as u32) }
}

fn address<T: ?Sized>(of: *const T) -> u64 {
    of.expose_provenance() as u64
}

/// What the loader has left in memory.
struct Loader {
    at: Range<u64>,
    start_info: StartInfo,
    command_line: &'static [u8],
    map: Map,
    module: Option<Range<u64>>,
}

impl Loader {
    fn read(at: u64) -> Result<Self, Failure> {
        let [start_info] = *items::<StartInfo>(at, 1).ok_or(Failure::NoStartInfo)? else {
            return Err(Failure::NoStartInfo);
        };
        if start_info.magic != MAGIC || start_info.version < 1 || start_info.map == 0 {
            return Err(Failure::NoStartInfo);
        }
        let regions = items::<Region>(start_info.map, start_info.region_count.into());
        let regions = regions.ok_or(Failure::OutOfReach("the memory map"))?;
        let modules = items::<Module>(start_info.modules, start_info.module_count.into());
        let modules = modules.ok_or(Failure::OutOfReach("the module list"))?;
        let module = match modules.first() {
            Some(module) => {
                items::<u8>(module.start, module.length)
                    .ok_or(Failure::OutOfReach("the module"))?;
                Some(module.start..module.start + module.length)
            }
            None => None,
        };
        let line = match start_info.command_line {
            0 => &[],
            start => {
                let line = items::<u8>(start, LONGEST_LINE as u64);
                line.and_then(|line| line.split(|byte| *byte == 0).next())
                    .filter(|line| line.len() < LONGEST_LINE)
                    .ok_or(Failure::OutOfReach("the command line"))?
            }
        };
        Ok(Self {
            at: at..at + size_of::<StartInfo>() as u64,
            start_info,
            command_line: line,
            map: Map::new(regions.iter().copied())?,
            module,
        })
    }

    /// All of it but the module, which does not lie below 1 MiB.
    fn occupied(&self) -> [Range<u64>; 4] {
        let of = |start: u64, length: u64| start..start.saturating_add(length);
        let info = &self.start_info;
        [
            self.at.clone(),
            of(info.command_line, LONGEST_LINE as u64),
            of(
                info.map,
                size_of::<Region>() as u64 * u64::from(info.region_count),
            ),
            of(
                info.modules,
                size_of::<Module>() as u64 * u64::from(info.module_count),
            ),
        ]
    }

    /// Puts the kernel where it wants to be, and gives its entry point. Of what the loader left only
    /// the module is needed still.
    fn load(&self, map: &Map, image: &Range<u64>) -> Result<u32, Failure> {
        let module = self.module.clone().ok_or(Failure::NoModule)?;
        let length = module.end - module.start;
        let file = items::<u8>(module.start, length).ok_or(Failure::NoModule)?;
        let elf = Elf::parse(file).map_err(Failure::BadModule)?;
        for segment in elf.segments() {
            if segment.memory.end > MAPPED_END || !map.is_ram(&segment.memory) {
                return Err(Failure::NoRoom(segment.memory));
            }
        }

        let in_the_way = elf.segments().any(|it| overlap(&it.memory, &module));
        let file = if in_the_way {
            let first = elf.segments().map(|it| it.memory.start).min();
            let last = elf.segments().map(|it| it.memory.end).max();
            let kernel = first.unwrap_or(0)..last.unwrap_or(0);
            let place = map
                .highest_free(length, MAPPED_END, &[kernel, image.clone()])
                .ok_or(Failure::NoRoomForModule(length))?;
            // SAFETY: the place is RAM and neither ours nor the kernel's; it may touch the module's
            // own, which such a copy allows.
            unsafe { ptr::copy(pointer(module.start), pointer(place), length as usize) };
            items::<u8>(place, length).ok_or(Failure::NoRoomForModule(length))?
        } else {
            file
        };
        for segment in elf.segments() {
            let bytes = &file[segment.file];
            let size = segment.memory.end - segment.memory.start;
            let to = pointer(segment.memory.start);
            // SAFETY: the segment is RAM that is not ours, and not where the file lies now; its
            // bytes are no more than its size.
            unsafe {
                ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
                ptr::write_bytes(to.add(bytes.len()), 0, size as usize - bytes.len());
            }
        }
        Ok(elf.entry)
    }
}

fn pointer(address: u64) -> *mut u8 {
    ptr::with_exposed_provenance_mut(address as usize)
}

/// What lies at a physical address, if it is within the first 4 GiB.
fn items<T: Copy>(address: u64, count: u64) -> Option<&'static [T]> {
    if count == 0 {
        return Some(&[]);
    }
    let length = count.checked_mul(size_of::<T>() as u64)?;
    let end = address.checked_add(length)?;
    if address == 0 || end > MAPPED_END || !address.is_multiple_of(align_of::<T>() as u64) {
        return None;
    }
    // SAFETY: the page tables show it. It is the loader's, and of types for which any bytes are
    // right; we write elsewhere while it is read, as the callers check.
    Some(unsafe { slice::from_raw_parts(pointer(address).cast(), count as usize) })
}

/// Starts all APs at the page `stub`, and waits until they are parked. Gives their number.
fn start_aps(stub: u64) -> Result<usize, Failure> {
    let (cpus, id_limit) = fw_cfg_cpus()?;
    if cpus > MOST_CPUS {
        return Err(Failure::TooManyCpus(cpus));
    }
    let is_wide = id_limit > HIGHEST_XAPIC_ID + 1;
    if is_wide {
        /// CPUID leaf 1, ECX.
        const X2APIC: u32 = 1 << 21;
        if core::arch::x86_64::__cpuid(1).ecx & X2APIC == 0 {
            return Err(Failure::NoX2Apic);
        }
        Apic::widen();
    }
    park::choose_mode(is_wide);

    let code = &raw const startup_begin;
    let length = address(&raw const startup_end) - address(code);
    // SAFETY: the page is RAM that nobody uses, and the code fits one.
    unsafe { ptr::copy_nonoverlapping(code, pointer(stub), length as usize) };
    interrupts::set_up();
    interrupts::load();

    let aps = cpus.saturating_sub(1);
    let pic = Pic::mask();
    let apic = Apic::of_this_cpu();
    let before = apic.take();
    let page = (stub / PAGE) as u8;
    apic.init_all_others()?;
    apic.nap(LOOK_NS);
    apic.start_all_others(page)?;
    for look in 0..LOOKS {
        if park::arrived() >= aps {
            break;
        }
        if look == SECOND_SIPI {
            apic.start_all_others(page)?;
        }
        apic.nap(LOOK_NS);
    }
    apic.give_back(before);
    pic.restore();
    let arrived = park::arrived();
    if arrived < aps {
        return Err(Failure::ApsMissing { arrived, aps });
    }
    Ok(aps)
}

/// The old interrupt controllers, whose interrupts would reach this CPU's exceptions. They are masked
/// at themselves: where it is done at the APIC while one of them asks, QEMU delivers an interrupt that
/// has no number (`hw/i386/x86-cpu.c`).
struct Pic([u8; 2]);

impl Pic {
    /// The mask registers of both.
    const PORTS: [u16; 2] = [0x21, 0xa1];

    fn mask() -> Self {
        // SAFETY: the ports belong to these controllers or to nobody; no memory is touched.
        let before = Self::PORTS.map(|port| unsafe { Port::new(port).read() });
        Self([0xff; 2]).restore();
        Self(before)
    }

    fn restore(self) {
        for (port, mask) in Self::PORTS.into_iter().zip(self.0) {
            // SAFETY: as above.
            unsafe { Port::new(port).write(mask) };
        }
    }
}

/// Lets the APs behave as the command line says.
fn behave(aps: usize, options: &Options) -> Result<(), Failure> {
    for &(id, behaviour) in options.behaviours.iter() {
        let number = park::ids(aps).position(|it| it == id);
        let number = number.ok_or(Failure::NoSuchAp(id))?;
        if behaviour != Behaviour::Good {
            park::set_behaviour(number, behaviour);
        }
    }
    Ok(())
}

/// How many CPUs there are, and below which number all APIC ids lie (QEMU, `docs/specs/fw_cfg.rst`
/// and `hw/i386/fw_cfg.c`).
fn fw_cfg_cpus() -> Result<(usize, u32), Failure> {
    const SIGNATURE: u16 = 0x00;
    const CPUS: u16 = 0x05;
    const ID_LIMIT: u16 = 0x0f;
    fn read<const N: usize>(item: u16) -> [u8; N] {
        let mut bytes = [0; N];
        // SAFETY: the ports belong to fw_cfg or to nobody; no memory is touched.
        unsafe {
            Port::new(0x510).write(item);
            bytes.fill_with(|| Port::new(0x511).read());
        }
        bytes
    }
    if read(SIGNATURE) != *b"QEMU" {
        return Err(Failure::NoFwCfg);
    }
    let cpus = u16::from_le_bytes(read(CPUS));
    let id_limit = u16::from_le_bytes(read(ID_LIMIT));
    Ok((cpus.into(), id_limit.into()))
}

/// The APs' ids, from the lowest on. A look through all for each: a heap or a copy would cost more
/// lines than this costs time.
struct Ascending {
    aps: usize,
    after: Option<u32>,
}

impl Iterator for Ascending {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let is_left = |id: &u32| self.after.is_none_or(|after| *id > after);
        let next = park::ids(self.aps).filter(is_left).min()?;
        self.after = Some(next);
        Some(next)
    }
}
