//! The plan made from the MADT, and what each AP needs, prepared at once and before the first kick.
//!
//! Nothing prepared here is ever freed: an AP that comes late may still use it.

use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

use reveille_executor::{Counters, Storage, Timer};
use reveille_smp::{
    bringup::{Ap, BringUp, Timing},
    cpu::{ApicId, CpuIndex},
    order::Order,
    plan::{Planned, Role},
    state::claim,
    step::Steps,
};
use reveille_trampoline::{Claim, Config, Directory, DirectoryError, Landing, Trampoline};

use x86_64::registers::model_specific::ApicBase;

use crate::{
    apic::{ApicError, ApicMode, LocalApic, timer::ApicTimer},
    cpuid::ThisCpu,
    memory::{
        self,
        paging::{Access, MapError},
        stacks::StackPurpose,
    },
    percpu::{self, CpuStacks, PerCpu, StackBounds},
    platform::CpuPlatform,
    time::TscClock,
    topology::Topology,
};

use super::{
    ap::{self, ApContext, Home},
    inbox::Inbox,
    machine::Hardware,
    online::OnlineList,
    steps,
};

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
    contexts: &'static [ApContext],
    steps: Steps,
    directory: Directory,
}

impl Cpus {
    /// Prepares stacks, areas and landings of all APs of the plan, and installs the trampoline.
    ///
    /// # Errors
    ///
    /// [`PrepareError`] when memory does not suffice or the trampoline cannot be set up.
    pub fn prepare(
        plan: Vec<Planned>,
        bsp: &'static PerCpu,
        apic: LocalApic,
        clock: TscClock,
        timer: ApicTimer,
    ) -> Result<Self, PrepareError> {
        let machine = Hardware::new(clock, apic, install_trampoline(apic.mode())?);
        let topology = Topology::of(&ThisCpu);
        let to_wake = plan.iter().filter(|planned| planned.role == Role::Ap);
        let aps: Arc<[Ap]> = to_wake
            .filter_map(|planned| {
                let place = topology.place(planned.apic_id);
                Some(Ap::new(planned.cpu?, planned.apic_id, place))
            })
            .collect();
        // The APs' own way to their slots, for good.
        let shared: &'static Arc<[Ap]> = Box::leak(Box::new(Arc::clone(&aps)));

        let numbered = plan.iter().filter(|planned| planned.cpu.is_some()).count();
        let inboxes: &'static [Inbox] = Box::leak((1..numbered).map(|_| Inbox::new()).collect());
        let online: &'static OnlineList = Box::leak(Box::new(OnlineList::with_capacity(aps.len())));
        let steps = steps::all(apic, online, inboxes);

        let mut contexts = Vec::with_capacity(aps.len());
        for (index, ap) in shared.iter().enumerate() {
            contexts.push(ApContext {
                area: area(ap.cpu, ap.apic_id, stack(ap.cpu, StackPurpose::Main)?)?,
                aps: shared,
                index,
                inbox: &inboxes[ap.cpu.as_usize() - 1],
                online,
                steps,
                platform: CpuPlatform::new(ap.apic_id, clock, apic, timer)?,
                machine,
                gets_stuck: AtomicBool::new(false),
                home: Home::new(Box::leak(Box::new(Storage::<1, Counters>::new()))),
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
            // others but for the bare benchmark, which runs only while the AP is parked.
            unsafe {
                Landing::new(
                    ap.apic_id.0,
                    ap.slot.state().as_atomic(),
                    stack_top,
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
            contexts,
            steps,
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
            steps: self.steps,
            timing,
            order,
        }
    }

    /// Directs started APs to their own landings. To be called while all of them are down.
    pub fn open_landings(&self) {
        // SAFETY: no AP is on its way while all are down; `enter` takes contexts; the stacks are
        // mapped in the kernel's page tables, which the trampoline loads.
        unsafe {
            self.machine
                .trampoline
                .set_landings(self.directory, ap::enter);
        }
    }

    /// A fault for tests: the last AP claims its slot and then halts.
    pub fn let_last_ap_get_stuck(&self) {
        if let Some(context) = self.contexts.last() {
            context.gets_stuck.store(true, Ordering::Relaxed);
        }
    }

    /// The per-CPU areas of the APs.
    pub fn areas(&self) -> impl Iterator<Item = &'static PerCpu> {
        self.contexts.iter().map(|context| context.area)
    }

    /// The CPUs that are online and where to send them work, in the order in which they came.
    pub fn online_inboxes(&self) -> impl Iterator<Item = (CpuIndex, &'static Inbox)> {
        self.online.iter().filter_map(|cpu| {
            let context = self
                .contexts
                .iter()
                .find(|context| context.ap().cpu == cpu)?;
            Some((cpu, context.inbox))
        })
    }
}

/// Makes the area of a CPU around its main stack, with the stacks of its exceptions. It is never
/// freed.
pub fn area(
    cpu: CpuIndex,
    apic_id: ApicId,
    main: StackBounds,
) -> Result<&'static PerCpu, MapError> {
    let stacks = CpuStacks {
        main,
        double_fault: stack(cpu, StackPurpose::DoubleFault)?,
        nmi: stack(cpu, StackPurpose::Nmi)?,
        machine_check: stack(cpu, StackPurpose::MachineCheck)?,
    };
    Ok(Box::leak(Box::new(PerCpu::new(cpu, apic_id, stacks))))
}

fn stack(cpu: CpuIndex, purpose: StackPurpose) -> Result<StackBounds, MapError> {
    let range = memory::allocate_stack(cpu, purpose)?;
    Ok(StackBounds {
        bottom: range.start,
        top: range.end,
    })
}

fn install_trampoline(mode: ApicMode) -> Result<Trampoline, PrepareError> {
    let pages = memory::low_pages();
    let config = Config {
        cr3: memory::root(),
        x2apic: mode == ApicMode::X2Apic,
        xapic_base: ApicBase::read().0.start_address().as_u64(),
        claim: Claim {
            mask: claim::STAGE_MASK,
            kicked: claim::KICKED,
            delta: claim::CLAIM,
            given_up: claim::GIVEN_UP,
            late_delta: claim::COME_LATE,
        },
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrepareError {
    /// A stack or the trampoline's page could not be mapped.
    Map(MapError),
    /// A CPU of the plan cannot be reached.
    Apic(ApicError),
    /// The landings are no directory.
    Directory(DirectoryError),
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

impl fmt::Display for PrepareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the APs could not be prepared: ")?;
        match self {
            Self::Map(error) => write!(f, "{error}"),
            Self::Apic(error) => write!(f, "{error}"),
            Self::Directory(error) => write!(f, "{error}"),
            Self::WritableAndExecutable { page } => {
                write!(f, "page {page:#x} can be both written and executed")
            }
        }
    }
}

impl core::error::Error for PrepareError {}
