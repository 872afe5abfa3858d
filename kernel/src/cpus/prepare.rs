//! The plan made from the MADT, and what each AP needs, prepared at once and before the first kick.
//!
//! Nothing prepared here is ever freed: an AP that comes late may still use it.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::fmt;

use reveille_executor::Timer;
use reveille_smp::{
    bringup::{Ap, BringUp, Timing},
    cpu::{ApicId, CpuIndex},
    injection::Injection,
    ladder::{Ladder, LadderError},
    machine::Way,
    order::Order,
    plan::{Planned, Role},
    state::{Stage, claim},
    step::Direction,
    trace::ring::Ring,
};
use reveille_trampoline::{Claim, Config, Directory, DirectoryError, Landing, Start, Trampoline};

use x86_64::registers::{control::Cr4, model_specific::ApicBase};

use crate::{
    apic::{ApicError, ApicMode, LocalApic, timer::ApicTimer},
    calls::ByInterrupt,
    command_line::Options,
    consistency::{clock::adjust, features},
    cpuid::{Features, ThisCpu},
    faults::{self, FaultError, FaultKind},
    ladder,
    memory::{
        self,
        heap::HEAP,
        paging::{Access, MapError},
        stacks::StackPurpose,
    },
    model::Modelled,
    percpu::{self, CpuStacks, PerCpu, StackBounds},
    platform::CpuPlatform,
    time::TscClock,
    topology::Topology,
    trace,
    vmm_probe::marks::ApMark,
};

use super::{
    added,
    ap::{self, ApContext},
    faulty::Faulty,
    figures::Figures,
    home::{ApStorage, Home},
    machine::Hardware,
    mailbox::MappedMailbox,
    online::OnlineList,
};

/// Heap that is kept for what does not depend on the number of CPUs.
const HEAP_RESERVE: usize = 512 << 10;
/// Heap for the record of a CPU of the plan, whether it is woken or not: 250 bytes with its reason
/// (measured), and some to spare.
const HEAP_A_RECORD: usize = 320;
/// Heap for all that an AP takes: slot, context, area with its queue for calls, executor, landing, the
/// place of its passages, its task on the BSP, and its reports. Together 8.9 KiB (measured), and some to
/// spare. What it takes for `trace=` is counted apart.
const HEAP_AN_AP: usize = 10 << 10;

/// The CPUs, ready to be brought up.
pub struct Cpus {
    /// Every CPU that the firmware lists, with its role.
    pub plan: Vec<Planned>,
    /// The machine they are in.
    pub machine: Hardware,
    /// The APs to wake, lowest number first.
    pub aps: Arc<[Ap]>,
    /// The CPUs that are online, APs only.
    pub online: &'static OnlineList,
    /// The APs that are to fail.
    pub faulty: Faulty,
    contexts: &'static [ApContext],
    ladder: &'static Ladder,
    directory: Directory,
}

impl Cpus {
    /// Prepares stacks, areas and landings of all CPUs of the plan that are to have a slot, and
    /// installs the trampoline. When memory ends, the CPUs that are left are skipped.
    ///
    /// # Errors
    ///
    /// [`PrepareError`] when the trampoline cannot be set up, a CPU cannot be reached, or a fault
    /// cannot happen on this machine.
    pub fn prepare(
        mut plan: Vec<Planned>,
        options: &Options,
        bsp: &'static PerCpu,
        apic: LocalApic,
        clock: TscClock,
        timer: ApicTimer,
        mailbox: Option<MappedMailbox>,
    ) -> Result<Self, PrepareError> {
        let start = match mailbox {
            None => Start::RealMode,
            Some(_) => Start::LongMode,
        };
        let trampoline = install_trampoline(apic.mode(), start)?;
        let machine = Hardware::new(clock, apic, trampoline, mailbox);
        adjust::note_bsps();
        let topology = Topology::of(&ThisCpu);
        let areas = areas(&mut plan, options, clock)?;
        let with_slots = plan.iter().filter(|planned| planned.has_slot());
        let aps: Arc<[Ap]> = with_slots
            .filter_map(|planned| {
                let place = topology.place(planned.apic_id);
                // For the bring-up, a sibling that smt=off leaves out is not there.
                let ap = match planned.role {
                    Role::Ap => Ap::new,
                    _ => Ap::not_present,
                };
                Some(ap(planned.cpu?, planned.apic_id, place))
            })
            .collect();
        // The APs' own way to their slots, for good.
        let shared: &'static Arc<[Ap]> = Box::leak(Box::new(Arc::clone(&aps)));

        let model = options.model.map(|model| {
            let bsp = (bsp.apic_id(), topology.place(bsp.apic_id()));
            let seed = options.seed.unwrap_or(Modelled::SEED);
            &*Box::leak(Box::new(Modelled::new(model, seed, bsp, &aps)))
        });
        if model.is_some() && machine.way() == Way::Mailbox {
            return Err(PrepareError::ModelOfAnotherWay);
        }
        let machine = machine.like(model);

        let online = OnlineList::set_up(aps.len());
        let timed = model.map(Modelled::steps).unwrap_or_default();
        let added = added::asked_for(&options.tests).chain(timed);
        let ladder = ladder::of_all_steps(options.consistency, added)?;
        let ladder: &'static Ladder = Box::leak(Box::new(ladder));

        let is_there = |ap: &&Ap| ap.slot.state().load().stage() != Stage::NotPresent;
        let may_come = |ap: &&Ap| options.hot_plugs() || is_there(ap);
        let to_wake = aps.iter().filter(may_come).map(|ap| ap.cpu);
        let faults = &options.faults;
        // No AP has come yet, so the common set is the BSP's.
        faults::check(faults, to_wake, ladder, &features::common())?;
        faults::check_shown(faults, |kind| options.consistency.refusal(kind))?;
        let mut contexts = Vec::with_capacity(aps.len());
        for (index, (ap, area)) in shared.iter().zip(areas).enumerate() {
            let fault = faults
                .iter()
                .find(|fault| fault.cpu == ap.cpu && fault.kind.keeps_away());
            let fault = fault.map(|fault| fault.kind.clone());
            if let Some(FaultKind::Step(name)) = &fault {
                ap.slot.inject(always_failing(ladder, name));
            }
            let clock = area.clock().on_this_cpu(clock);
            let listener = model.and_then(|model| model.listener(ap.apic_id));
            let platform = CpuPlatform::new(ap.apic_id, clock, apic, timer.by(clock))?;
            contexts.push(ApContext {
                area,
                aps: shared,
                index,
                ladder,
                platform: platform.heard_by(listener),
                machine: machine.with_clock(clock),
                fault,
                mark: ApMark::new(),
            });
        }
        let contexts: &'static [ApContext] = contexts.leak();
        percpu::publish(
            [bsp]
                .into_iter()
                .chain(contexts.iter().map(|context| context.area))
                .collect(),
        );

        let landings = contexts.iter().map(|context| {
            let ap = context.ap();
            let stack_top = context.area.stacks().main.top;
            // SAFETY: stack and context are the AP's own, never freed, and left alone by all
            // others but for the bare benchmark, which runs only while the AP is parked. `enter`
            // takes contexts.
            unsafe {
                Landing::new(
                    ap.apic_id.0,
                    ap.slot.state().as_atomic(),
                    stack_top,
                    ap::enter,
                    context.argument(),
                )
            }
        });
        let directory = Directory::new(landings.collect::<Vec<_>>().leak())?;
        let cpus = Self {
            plan,
            machine,
            aps,
            online,
            faulty: Faulty::set_up(contexts, machine, directory)?,
            contexts,
            ladder,
            directory,
        };
        cpus.open_landings();
        Ok(cpus)
    }

    /// What [`BringUp::run`] needs, with the timer of the executor that is to drive it.
    pub fn bring_up(&self, timer: Timer, timing: Timing, order: Order) -> BringUp<Hardware> {
        BringUp {
            machine: self.machine,
            timer,
            aps: Arc::clone(&self.aps),
            ladder: self.ladder,
            timing,
            order,
        }
    }

    /// Bytes of heap beyond what one bring-up of all APs, and the records of it, take at the most.
    pub fn heap_to_spare(&self) -> usize {
        let aps = self.aps.len() * HEAP_AN_AP;
        let records = self.plan.len() * HEAP_A_RECORD;
        HEAP.bytes_free()
            .saturating_sub(HEAP_RESERVE + aps + records + trace::heap_to_tell())
    }

    /// Directs started APs to their own landings. To be called while all of them are down, or beyond the
    /// search for a landing.
    pub fn open_landings(&self) {
        // SAFETY: nobody who is on the way looks for a landing; the stacks are mapped in the kernel's page
        // tables, which the trampoline loads.
        unsafe {
            self.machine.trampoline.set_landings(self.directory);
        }
    }

    /// Counts a CPU that is down as not there, because its stack may be in use all the same. Nobody
    /// wakes it, unless it is taken out of the machine and comes anew.
    pub fn write_off(&self, cpu: CpuIndex) {
        if let Ok(at) = self.aps.binary_search_by_key(&cpu, |ap| ap.cpu) {
            // One that is not down is where this would bring it: nobody kicks it.
            let _ = self.aps[at].slot.vacate();
        }
    }

    /// The per-CPU areas of the APs that are there.
    pub fn areas(&self) -> impl Iterator<Item = &'static PerCpu> {
        let is_there =
            |context: &&ApContext| context.ap().slot.state().load().stage() != Stage::NotPresent;
        self.contexts
            .iter()
            .filter(is_there)
            .map(|context| context.area)
    }

    /// Those of all that have a slot, of CPUs too that are not there.
    pub fn areas_of_all(&self) -> impl Iterator<Item = &'static PerCpu> {
        self.contexts.iter().map(|context| context.area)
    }

    /// What the executor of an AP runs on; for that AP.
    pub fn platform_of(&self, cpu: CpuIndex) -> Option<&'static CpuPlatform> {
        let at = self.aps.binary_search_by_key(&cpu, |ap| ap.cpu).ok()?;
        Some(&self.contexts[at].platform)
    }

    /// The ladder that they climb.
    pub fn ladder(&self) -> &'static Ladder {
        self.ladder
    }

    /// What the APs have noted of themselves.
    pub fn figures(&self) -> Figures {
        let areas: Vec<_> = self.areas().collect();
        Figures::collect(self.ladder, &areas, self.machine.clock)
    }

    /// The APs that are online, in the order in which they came. One that has joined the list and
    /// failed behind that takes no tasks, and may not have left it yet.
    pub fn online_aps(&self) -> impl Iterator<Item = CpuIndex> {
        self.online.iter().filter(|cpu| {
            let at = self.aps.binary_search_by_key(cpu, |ap| ap.cpu);
            at.is_ok_and(|at| self.aps[at].slot.state().load().stage() == Stage::Online)
        })
    }
}

/// Areas with stacks for the CPUs that are to have a slot, lowest number first. When memory ends,
/// those that are left have none, and the plan says so.
fn areas(
    plan: &mut [Planned],
    options: &Options,
    clock: TscClock,
) -> Result<Vec<&'static PerCpu>, MapError> {
    let heap_for_records = HEAP_RESERVE + plan.len() * HEAP_A_RECORD;
    let heap_to_trace = options.room_for_events().heap_an_ap();
    let mut areas = Vec::new();
    let mut is_full = false;
    for planned in plan.iter_mut().filter(|planned| planned.has_slot()) {
        let Some(cpu) = planned.cpu else { continue };
        let heap_needed = heap_for_records + heap_to_trace + (areas.len() + 1) * HEAP_AN_AP;
        is_full |= HEAP.bytes_free() < heap_needed;
        if !is_full {
            let home = || Home::new(Some(Box::leak(Box::new(ApStorage::new()))));
            let of_cpu = options.faults.iter().filter(|fault| fault.cpu == cpu);
            let flaws = of_cpu.map(|fault| fault.kind.clone());
            let flaws = flaws.filter(|kind| !kind.keeps_away()).collect();
            let ring = options
                .room_for_events()
                .ring(cpu)
                .map_err(|_| MapError::NoFrame);
            let made = ring.and_then(|ring| {
                let main = stack(cpu, StackPurpose::Main)?;
                let ring = ring.map(|ring| (ring, clock));
                area(cpu, planned.apic_id, main, home, flaws, ring)
            });
            match made {
                Ok(area) => areas.push(area),
                Err(MapError::NoFrame) => is_full = true,
                Err(error) => return Err(error),
            }
        }
        if is_full {
            planned.has_no_memory();
        }
    }
    Ok(areas)
}

/// Makes the area of a CPU around its main stack, with the stacks of its exceptions and a home for
/// its executor; `flaws` are the ways in which it is to differ from the BSP, and `ring` is where it notes
/// events, by this clock. It is never freed.
pub fn area(
    cpu: CpuIndex,
    apic_id: ApicId,
    main: StackBounds,
    home: impl FnOnce() -> Home,
    flaws: Vec<FaultKind>,
    ring: Option<(Ring, TscClock)>,
) -> Result<&'static PerCpu, MapError> {
    let stacks = CpuStacks {
        main,
        double_fault: stack(cpu, StackPurpose::DoubleFault)?,
        nmi: stack(cpu, StackPurpose::Nmi)?,
        machine_check: stack(cpu, StackPurpose::MachineCheck)?,
    };
    let area = PerCpu::new(cpu, apic_id, stacks, home()).with_flaws(flaws);
    let area = match ring {
        Some((ring, clock)) => area.with_ring(ring, clock),
        None => area,
    };
    area.calls().prepare(ByInterrupt, cpu);
    Ok(Box::leak(Box::new(area)))
}

fn stack(cpu: CpuIndex, purpose: StackPurpose) -> Result<StackBounds, MapError> {
    let range = memory::allocate_stack(cpu, purpose)?;
    Ok(StackBounds {
        bottom: range.start,
        top: range.end,
    })
}

/// The step of this name is to fail each time on the way up.
fn always_failing(ladder: &Ladder, name: &str) -> Option<Injection> {
    let step = ladder.steps().iter().position(|step| step.name() == name)?;
    Some(Injection {
        step,
        direction: Direction::Up,
        is_sticky: true,
    })
}

fn install_trampoline(mode: ApicMode, start: Start) -> Result<Trampoline, PrepareError> {
    let pages = memory::low_pages();
    let config = Config {
        cr3: memory::root(),
        x2apic: mode == ApicMode::X2Apic,
        xapic_base: ApicBase::read().0.start_address().as_u64(),
        machine_checks: Features::of(&ThisCpu).has_machine_check(),
        protections: Cr4::read_raw() as u32,
        claim: Claim {
            mask: claim::STAGE_MASK,
            kicked: claim::KICKED,
            delta: claim::CLAIM,
            given_up: claim::GIVEN_UP,
            late_delta: claim::COME_LATE,
        },
        start,
    };
    // SAFETY: the two pages are set aside for this, mapped at their own addresses and writable;
    // the next line makes the first executable instead, in the same tables.
    let trampoline = unsafe { Trampoline::install(pages.code().into(), config) };
    memory::protect(pages.code().into(), Access::Text)?;
    match memory::writable_and_executable() {
        None => Ok(trampoline),
        Some(page) => Err(PrepareError::WritableAndExecutable { page }),
    }
}

/// Why the APs could not be prepared.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrepareError {
    /// A stack or the trampoline's page could not be mapped.
    Map(MapError),
    /// A CPU of the plan cannot be reached.
    Apic(ApicError),
    /// The landings are no directory.
    Directory(DirectoryError),
    /// A fault that was asked for cannot happen.
    Fault(FaultError),
    /// The steps make no ladder.
    Ladder(LadderError),
    /// A model's kick is INIT and SIPI, and here APs are woken by mailbox.
    ModelOfAnotherWay,
    /// With the trampoline's page in place, the page tables break W^X.
    WritableAndExecutable {
        /// The page that can be written and executed.
        page: u64,
    },
}

impl From<MapError> for PrepareError {
    fn from(error: MapError) -> Self {
        Self::Map(error)
    }
}

impl From<ApicError> for PrepareError {
    fn from(error: ApicError) -> Self {
        Self::Apic(error)
    }
}

impl From<DirectoryError> for PrepareError {
    fn from(error: DirectoryError) -> Self {
        Self::Directory(error)
    }
}

impl From<FaultError> for PrepareError {
    fn from(error: FaultError) -> Self {
        Self::Fault(error)
    }
}

impl From<LadderError> for PrepareError {
    fn from(error: LadderError) -> Self {
        Self::Ladder(error)
    }
}

impl fmt::Display for PrepareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the APs could not be prepared: ")?;
        match self {
            Self::Map(error) => write!(f, "{error}"),
            Self::Apic(error) => write!(f, "{error}"),
            Self::Directory(error) => write!(f, "{error}"),
            Self::Fault(error) => write!(f, "{error}"),
            Self::Ladder(error) => write!(f, "{error}"),
            Self::ModelOfAnotherWay => f.write_str(
                "`model=` is of a machine whose CPUs are woken by INIT and SIPI, and a mailbox wakes these; \
                 `wake=init-sipi` asks for the other way",
            ),
            Self::WritableAndExecutable { page } => {
                write!(f, "page {page:#x} can be both written and executed")
            }
        }
    }
}

impl core::error::Error for PrepareError {}
