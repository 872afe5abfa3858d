//! What belongs to one CPU: its area, found through the GS base, and the list of all areas.
//!
//! The BSP makes every area before it starts an AP, and [`publish`]es the list; a CPU makes an area
//! its own by [`PerCpu::enter`], as an AP does in the step `tables`. From then on
//! [`PerCpu::current`] costs one load, and the panic path can find and stop the CPU. Areas are never
//! freed. Subsystems keep here what they have for each CPU; what others than the CPU may touch of
//! it, and when, each says for itself.

use alloc::{boxed::Box, vec::Vec};
use core::{
    arch::asm,
    ops::Range,
    ptr,
    sync::atomic::{AtomicPtr, AtomicU8, Ordering},
    time::Duration,
};

use conquer_once::spin::OnceCell;
use linkme::distributed_slice;
use reveille_executor::{Clock, Counters, Instant};
use reveille_smp::{
    call::CallQueue,
    changes::Seen,
    cpu::{ApicId, CpuIndex},
    inbox::Inbox,
    probe::Probe,
    rendezvous::Seat,
    step::{Run, Section, Site, Step, StepError},
    trace::ring::Ring,
};
use x86_64::{
    VirtAddr,
    registers::{
        control::{Cr4, Cr4Flags},
        model_specific::GsBase,
    },
};

use crate::{
    alarm::Alarm,
    consistency::{clock::CpuClock, identity::Identity, registers},
    cpuid::{Features, ThisCpu},
    cpus::{
        home::Home,
        idle::{Account, IdleTime},
        stack::StackUse,
    },
    faults::FaultKind,
    interrupts::{gdt, idt},
    ladder::STEPS,
    memory::stacks::StackPurpose,
    panic, probe,
    stop::Presence,
    time::TscClock,
    trace::{CpuTrace, Track},
};

#[distributed_slice(STEPS)]
static TABLES: &dyn Step = &EnterArea;

/// The AP makes its area its own, and with that its tables.
struct EnterArea;

impl EnterArea {
    fn enter(cpu: CpuIndex) -> Result<(), StepError> {
        let area = PerCpu::of(cpu).ok_or(StepError::WrongCpu)?;
        // SAFETY: a ladder runs this step on the AP that it is called for, with interrupts off, and
        // nobody else calls it. The claim of the AP's slot made area and stacks that CPU's alone.
        unsafe { area.enter() };
        Ok(())
    }
}

impl Step for EnterArea {
    fn name(&self) -> &'static str {
        "tables"
    }

    fn section(&self) -> Section {
        Section::Starting
    }

    fn rank(&self) -> u16 {
        10
    }

    /// Nothing wakes a CPU whose APIC is off.
    fn can_rest(&self) -> bool {
        false
    }

    fn up<'a>(&'a self, Site { cpu, .. }: Site<'a>) -> Run<'a> {
        Self::enter(cpu).into()
    }

    fn down<'a>(&'a self, _: Site<'a>) -> Run<'a> {
        PerCpu::current().leave();
        Run::Now(Ok(()))
    }
}

/// A stack, by its lowest address and the one behind its highest. The page below it is its guard,
/// which is not mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackBounds {
    /// The lowest address.
    pub bottom: u64,
    /// The address behind the highest one: where the stack pointer starts.
    pub top: u64,
}

impl StackBounds {
    const GUARD_SIZE: u64 = 4096;

    /// Whether the bytes from `address` on are all on the stack.
    pub fn contains(self, address: u64, bytes: u64) -> bool {
        address >= self.bottom
            && address
                .checked_add(bytes)
                .is_some_and(|end| end <= self.top)
    }

    /// Whether an address lies in the guard page: what a stack that is too small runs into.
    pub fn is_guard(self, address: u64) -> bool {
        address < self.bottom && self.bottom - address <= Self::GUARD_SIZE
    }
}

impl From<Range<u64>> for StackBounds {
    fn from(addresses: Range<u64>) -> Self {
        Self {
            bottom: addresses.start,
            top: addresses.end,
        }
    }
}

/// The stacks of one CPU.
#[derive(Clone, Copy, Debug)]
pub struct CpuStacks {
    /// The one that all but the exceptions below run on.
    pub main: StackBounds,
    /// For #DF.
    pub double_fault: StackBounds,
    /// For NMI.
    pub nmi: StackBounds,
    /// For #MC.
    pub machine_check: StackBounds,
}

impl CpuStacks {
    /// Each stack with what it is for.
    pub fn all(&self) -> [(StackPurpose, StackBounds); 4] {
        [
            (StackPurpose::Main, self.main),
            (StackPurpose::DoubleFault, self.double_fault),
            (StackPurpose::Nmi, self.nmi),
            (StackPurpose::MachineCheck, self.machine_check),
        ]
    }
}

/// The area of one CPU.
#[derive(Debug)]
#[repr(C)]
pub struct PerCpu {
    /// The area's own address, where [`PerCpu::current`] finds it: at offset 0 from the GS base.
    this: AtomicPtr<PerCpu>,
    index: CpuIndex,
    apic_id: ApicId,
    stacks: CpuStacks,
    tables: gdt::Tables,
    alarm: Alarm,
    presence: Presence,
    home: Home,
    trace: CpuTrace,
    stack_use: StackUse,
    idle: Account,
    counters: Counters,
    inbox: Inbox,
    calls: CallQueue,
    unmapped: Seen,
    clock: CpuClock,
    seat: Seat,
    probe: Probe,
    registers: registers::Account,
    flaws: Vec<FaultKind>,
    identity: Identity,
}

/// `current` reads the address from the start of the area.
const _: () = assert!(core::mem::offset_of!(PerCpu, this) == 0);

/// The areas of the CPUs that may run, lowest [`CpuIndex`] first. A CPU that is skipped has a
/// number and no area: so a number is no place in the list.
static AREAS: OnceCell<Box<[&'static PerCpu]>> = OnceCell::uninit();

/// Lets every CPU find every area; `areas` has them lowest [`CpuIndex`] first.
///
/// # Panics
///
/// When called twice.
pub fn publish(areas: Box<[&'static PerCpu]>) {
    let mut areas = Some(areas);
    AREAS.init_once(|| areas.take().expect("the closure runs once"));
    assert!(
        areas.is_none(),
        "the areas of the CPUs were published before"
    );
}

/// All areas, lowest [`CpuIndex`] first; none before [`publish`]. Never waits.
pub fn all() -> &'static [&'static PerCpu] {
    AREAS.try_get().map_or(&[], |areas| areas)
}

impl PerCpu {
    /// The area of a CPU that has not come yet, and whose executor will be at `home`.
    pub fn new(index: CpuIndex, apic_id: ApicId, stacks: CpuStacks, home: Home) -> Self {
        Self {
            this: AtomicPtr::new(ptr::null_mut()),
            index,
            apic_id,
            stacks,
            tables: gdt::Tables::new(),
            alarm: Alarm::new(),
            presence: Presence::in_word(AtomicU8::new(0)),
            home,
            trace: CpuTrace::new(),
            stack_use: StackUse::new(),
            idle: Account::new(),
            counters: Counters::new(),
            inbox: Inbox::new(),
            calls: CallQueue::new(),
            unmapped: Seen::none(),
            clock: CpuClock::new(&[]),
            seat: Seat::new(),
            probe: Probe::new(),
            registers: registers::Account::new(),
            flaws: Vec::new(),
            identity: Identity::new(),
        }
    }

    /// The same of a CPU that is to differ from the BSP in these ways.
    pub fn with_flaws(self, flaws: Vec<FaultKind>) -> Self {
        Self {
            clock: CpuClock::new(&flaws),
            identity: Identity::with_flaws(&flaws),
            flaws,
            ..self
        }
    }

    /// The same of a CPU that notes its events in this ring.
    pub fn with_ring(self, ring: Ring, clock: TscClock) -> Self {
        let clock = self.clock.on_this_cpu(clock);
        Self {
            trace: CpuTrace::with_track(Track::new(self.index, self.apic_id, clock, ring)),
            ..self
        }
    }

    /// In which ways the CPU is to differ from the BSP.
    pub fn flaws(&self) -> &[FaultKind] {
        &self.flaws
    }

    /// Forgets what its CPU has told of itself, as it is gone: another one may come in its place. To be called
    /// while it is down, by whoever drives it.
    pub(crate) fn forget(&self) {
        self.clock.forget();
        self.identity.forget();
        self.registers.forget();
    }

    /// What the CPU has said of itself.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Makes this CPU the owner of the area: loads its GDT and TSS, points GS at it, loads the IDT,
    /// and from then on takes machine checks. Neither allocates nor waits. A CPU that was reset enters again.
    ///
    /// # Safety
    ///
    /// The area is this CPU's alone, and its stacks are mapped, writable and used by nothing else.
    /// Interrupts are off.
    pub unsafe fn enter(&'static self) {
        let stacks = &self.stacks;
        let tops = [stacks.double_fault, stacks.nmi, stacks.machine_check]
            .map(|stack| VirtAddr::new(stack.top));
        // SAFETY: the tables are part of the area, and the caller vouches for both.
        unsafe { self.tables.load(tops) };
        // Relaxed: only this CPU reads it, through GS.
        self.this
            .store(ptr::from_ref(self).cast_mut(), Ordering::Relaxed);
        GsBase::write(VirtAddr::from_ptr(self));
        idt::load();
        take_machine_checks();
        self.alarm.was_reset();
        self.presence.come();
        panic::halt_if_run_is_ending();
    }

    /// Whether an NMI would stop the CPU.
    pub(crate) fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Says that the CPU takes no NMI any longer: it is about to be reset or parked.
    pub fn leave(&self) {
        self.presence.leave();
        probe::await_what_is_due(&self.probe);
    }

    /// The area of the CPU that calls, which has entered one.
    pub fn current() -> &'static Self {
        let this: *const Self;
        // SAFETY: GS points at the area since `enter`, whose first word is its address; areas are
        // never freed.
        unsafe {
            asm!("mov {}, gs:[0]", out(reg) this, options(nostack, preserves_flags, readonly));
            &*this
        }
    }

    /// The same, or `None` on a CPU that has not entered its area yet; costs more.
    ///
    /// The GS base of such a CPU is 0: after reset and INIT (SDM volume 3, "Processor State After
    /// Reset"), and on the BSP since [`interrupts::set_up`](crate::interrupts::set_up).
    pub fn try_current() -> Option<&'static Self> {
        (GsBase::read() != VirtAddr::zero()).then(Self::current)
    }

    /// The area of a CPU, if it has one and the areas have been [published](publish).
    pub fn of(cpu: CpuIndex) -> Option<&'static Self> {
        find(all(), cpu)
    }

    /// The CPU's number.
    pub fn index(&self) -> CpuIndex {
        self.index
    }

    /// The CPU's APIC id.
    pub fn apic_id(&self) -> ApicId {
        self.apic_id
    }

    /// What the CPU knows of its timer; nobody else touches it.
    pub(crate) fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    /// The CPU's stacks.
    pub fn stacks(&self) -> &CpuStacks {
        &self.stacks
    }

    /// Where its executor is while the CPU is down.
    pub(crate) fn home(&self) -> &Home {
        &self.home
    }

    /// What it notes as it runs.
    pub fn trace(&self) -> &CpuTrace {
        &self.trace
    }

    /// How deep it has used its main stack.
    pub fn stack_use(&self) -> &StackUse {
        &self.stack_use
    }

    /// What its executor counts.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The account of its time, which it keeps itself.
    pub(crate) fn idle(&self) -> &Account {
        &self.idle
    }

    /// How long it has been online, and slept; for tasks of the BSP to read.
    pub fn idle_time(&self) -> IdleTime {
        TscClock::get().map_or_else(IdleTime::default, |clock| {
            let now = self.clock.on_the_bsp(clock).now();
            self.idle.read(now, self.counters.snapshot())
        })
    }

    /// Since when it is online, or is not any more, by the BSP's clock; `None` if it never was. For tasks of
    /// the BSP.
    pub fn online_or_offline_since(&self) -> Option<Instant> {
        let clock = TscClock::get()?;
        let span = self.clock.on_the_bsp(clock).now() - self.idle.changed()?;
        let now = Duration::from_nanos(clock.now().as_nanos());
        Some(Instant::ZERO + now.saturating_sub(span))
    }

    /// How its clock stands to the BSP's.
    pub fn clock(&self) -> &CpuClock {
        &self.clock
    }

    /// What it has of a rendezvous of all CPUs.
    pub fn seat(&self) -> &Seat {
        &self.seat
    }

    /// What it tells of itself from an NMI.
    pub fn probe(&self) -> &Probe {
        &self.probe
    }

    /// What it found of its registers.
    pub fn registers(&self) -> &registers::Account {
        &self.registers
    }

    /// Where tasks for the CPU arrive.
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Where calls to the CPU arrive.
    pub fn calls(&self) -> &CallQueue {
        &self.calls
    }

    /// What it has seen of what was unmapped; nobody else touches it.
    pub(crate) fn unmapped(&self) -> &Seen {
        &self.unmapped
    }
}

/// The area of a CPU among those of a list, lowest [`CpuIndex`] first.
fn find<'a>(areas: &[&'a PerCpu], cpu: CpuIndex) -> Option<&'a PerCpu> {
    // Where nobody was skipped, a number is a place in the list after all.
    let likely = areas.get(cpu.as_usize()).filter(|area| area.index == cpu);
    likely.copied().or_else(|| {
        let at = areas.binary_search_by_key(&cpu, |area| area.index);
        at.ok().map(|at| areas[at])
    })
}

/// Lets a machine check raise #MC on this CPU. A CPU that does not take it shuts the machine down
/// (SDM volume 3, "Machine-Check Global Control", and CR4.MCE); #MC has a stack and a handler now. An
/// AP comes from the trampoline with that done, and saves the question, which is an exit.
fn take_machine_checks() {
    let takes = Cr4::read().contains(Cr4Flags::MACHINE_CHECK_EXCEPTION);
    if !takes && Features::of(&ThisCpu).has_machine_check() {
        // SAFETY: the CPU has the bit, and its IDT and TSS are loaded.
        unsafe { Cr4::update(|flags| flags.insert(Cr4Flags::MACHINE_CHECK_EXCEPTION)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_ends_where_its_guard_begins() {
        let stack = StackBounds {
            bottom: 0x6000,
            top: 0x8000,
        };
        assert!(stack.contains(0x6000, 8) && stack.contains(0x7ff0, 16));
        assert!(!stack.contains(0x7ff8, 16) && !stack.contains(0x5fff, 8));
        assert!(!stack.contains(u64::MAX, 8));
        assert!(stack.is_guard(0x5fff) && stack.is_guard(0x5000));
        assert!(!stack.is_guard(0x4fff) && !stack.is_guard(0x6000));
    }

    #[test]
    fn a_cpu_is_found_by_its_number_where_others_were_skipped() {
        let stack = StackBounds { bottom: 0, top: 0 };
        let stacks = CpuStacks {
            main: stack,
            double_fault: stack,
            nmi: stack,
            machine_check: stack,
        };
        let areas = [0, 2, 3, 7]
            .map(|cpu| PerCpu::new(CpuIndex(cpu), ApicId(2 * cpu), stacks, Home::new(None)));
        let list = areas.each_ref();
        for area in list {
            assert!(find(&list, area.index).is_some_and(|found| ptr::eq(found, area)));
        }
        for cpu in [1, 4, 8] {
            assert!(find(&list, CpuIndex(cpu)).is_none());
        }
        assert!(find(&[], CpuIndex::BSP).is_none());
    }
}
