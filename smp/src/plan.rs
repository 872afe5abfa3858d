//! Who is woken: the CPUs of the MADT with the number and the role that each gets.

use core::{fmt, num::NonZeroU32};

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    cpu::{ApicId, CpuIndex, Place},
    madt::Processor,
    outcome::Outcome,
    ranges::Ranges,
    record,
    selection::{Selection, Smt},
    siblings::Siblings,
};

/// One CPU of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Our number; a disabled CPU has one only if it has a slot.
    pub cpu: Option<CpuIndex>,
    /// Its APIC's id.
    pub apic_id: ApicId,
    /// What is to happen with it.
    pub role: Role,
}

impl Planned {
    /// Whether the CPU is to have a slot, with stacks and an area: it is woken, or may be later.
    pub const fn has_slot(&self) -> bool {
        match self.role {
            Role::Ap | Role::Skipped(Skip::SmtOff) => true,
            Role::Disabled { .. } => self.cpu.is_some(),
            Role::Bsp | Role::Skipped(_) => false,
        }
    }

    /// Takes the slot away, for want of memory.
    pub fn has_no_memory(&mut self) {
        match self.role {
            Role::Ap | Role::Skipped(Skip::SmtOff) => self.role = Role::Skipped(Skip::NoMemory),
            Role::Disabled { .. } => self.cpu = None,
            Role::Bsp | Role::Skipped(_) => {}
        }
    }

    /// The record of a CPU that nobody woke: the BSP, and those that are skipped or disabled.
    pub fn unwoken_record(&self, place: Place) -> record::Cpu {
        let (outcome, reason) = match self.role {
            Role::Bsp => (Outcome::Bsp, None),
            Role::Ap => (Outcome::Skipped, Some("nobody tried to wake it")),
            Role::Skipped(skip) => (Outcome::Skipped, Some(skip.reason())),
            Role::Disabled { online_capable } => (
                Outcome::Disabled,
                Some(if online_capable {
                    "marked online-capable"
                } else {
                    "not marked online-capable"
                }),
            ),
        };
        record::Cpu {
            package: Some(place.package),
            core: Some(place.core),
            thread: Some(place.thread),
            reason: reason.map(String::from),
            ..record::Cpu::unwoken(self.cpu, self.apic_id, outcome)
        }
    }
}

/// What is to happen with a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It runs already.
    Bsp,
    /// It is to be woken.
    Ap,
    /// It is not woken, though it is enabled.
    Skipped(Skip),
    /// The firmware lists it as not usable now. It is never waited for.
    Disabled {
        /// The firmware says that it can be enabled while the system runs (ACPI 6.5, section
        /// 5.2.12.2, "Online Capable"). Older firmware, and QEMU, do not say so of any CPU.
        online_capable: bool,
    },
}

/// Why an enabled CPU is not woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Skip {
    /// The APICs are in xAPIC mode, whose interrupt commands have eight bits for the id, and all
    /// ones mean everybody.
    BeyondXapic,
    /// [`Selection::cpus`] does not name it.
    NotNamed,
    /// [`Selection::smt`] is off, and it is a sibling of one that runs. It keeps its slot, so that
    /// it can be woken once that changes.
    SmtOff,
    /// [`Selection::max_cpus`] were found before it.
    MaxCpus,
    /// [`Selection::possible`] slots were given before it.
    NoSlot,
    /// There was not enough memory for its stacks.
    NoMemory,
}

impl Skip {
    /// A sentence for reports.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::BeyondXapic => {
                "an APIC in xAPIC mode cannot address an id above 254: give the machine x2APIC"
            }
            Self::NotNamed => "cpus= does not name it",
            Self::SmtOff => "smt=off, and another thread of its core runs",
            Self::MaxCpus => "maxcpus= allows no more CPUs",
            Self::NoSlot => "possible= leaves no slot for it",
            Self::NoMemory => "memory did not suffice for its stacks: give the machine more",
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

/// CPUs that a selection names and that are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuchCpus {
    /// Their numbers.
    pub missing: Ranges,
    /// How many CPUs have numbers.
    pub numbered: u32,
}

impl fmt::Display for NoSuchCpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, are) = if self.missing.is_single() {
            ("CPU", "there is")
        } else {
            ("CPUs", "there are")
        };
        write!(
            f,
            "cpus= names {one} {}, and {are} none so numbered",
            self.missing
        )?;
        match self.numbered {
            1 => write!(f, "; the only number is 0"),
            numbered => write!(f, "; the numbers are 0-{}", numbered - 1),
        }
    }
}

impl core::error::Error for NoSuchCpus {}

/// The greatest id that an interrupt command in xAPIC mode can address.
const XAPIC_LIMIT: ApicId = ApicId(254);

/// Numbers the CPUs, and says which of them are woken. The BSP is found by its own id and not by
/// its position, and stands in the plan even when the table does not list it; an id that is listed
/// twice counts once, and is enabled if one of its entries is. `place` tells where the CPU with an
/// id sits.
///
/// The plan's order is the BSP first, then the enabled CPUs and then the disabled ones, each in
/// the table's order. So those with numbers stand in the order of their numbers.
///
/// # Errors
///
/// [`NoSuchCpus`] when the selection names numbers that no CPU has.
pub fn plan(
    processors: &[Processor],
    bsp: ApicId,
    x2apic: bool,
    place: impl Fn(ApicId) -> Place,
    selection: &Selection,
) -> Result<Vec<Planned>, NoSuchCpus> {
    let merged = merge(processors, bsp);
    let is_reachable = |processor: &Processor| x2apic || processor.apic_id <= XAPIC_LIMIT;
    let is_named = |cpu| {
        selection
            .cpus
            .as_ref()
            .is_none_or(|cpus| cpus.contains(cpu))
    };
    let mut plan = Vec::with_capacity(merged.len() + 1);
    plan.push(Planned {
        cpu: Some(CpuIndex::BSP),
        apic_id: bsp,
        role: Role::Bsp,
    });

    for processor in merged.iter().filter(|processor| processor.enabled) {
        let cpu = CpuIndex(plan.len() as u32);
        let role = if !is_reachable(processor) {
            Role::Skipped(Skip::BeyondXapic)
        } else if !is_named(cpu) {
            Role::Skipped(Skip::NotNamed)
        } else {
            Role::Ap
        };
        plan.push(Planned {
            cpu: Some(cpu),
            apic_id: processor.apic_id,
            role,
        });
    }
    choose(&mut plan, place, selection);

    let mut numbered = plan.len() as u32;
    let possible = selection.possible.map_or(0, |possible| possible.get());
    for processor in merged.iter().filter(|processor| !processor.enabled) {
        let has_slot = numbered < possible && is_reachable(processor);
        let cpu = has_slot.then_some(CpuIndex(numbered));
        numbered += u32::from(has_slot);
        plan.push(Planned {
            cpu,
            apic_id: processor.apic_id,
            role: Role::Disabled {
                online_capable: processor.online_capable,
            },
        });
    }

    let missing = selection.cpus.as_ref().map(|cpus| cpus.from(numbered));
    match missing.filter(|missing| !missing.is_empty()) {
        Some(missing) => Err(NoSuchCpus { missing, numbered }),
        None => Ok(plan),
    }
}

/// Chooses among the APs that can be reached and are named, lowest first. With `smt=off` siblings
/// come behind all primaries, for a slot and no more.
fn choose(plan: &mut [Planned], place: impl Fn(ApicId) -> Place, selection: &Selection) {
    let aps = || plan.iter().filter(|planned| planned.role == Role::Ap);
    let siblings = match selection.smt {
        Smt::On => Siblings::default(),
        Smt::Off => Siblings::new(place(plan[0].apic_id), aps().map(|ap| place(ap.apic_id))),
    };
    let (siblings, primaries): (Vec<_>, Vec<_>) = plan
        .iter_mut()
        .filter(|planned| planned.role == Role::Ap)
        .partition(|ap| siblings.contains(place(ap.apic_id)));
    let mut bounds = Bounds {
        selection,
        chosen: 1,
    };
    for ap in primaries {
        if let Some(skip) = bounds.choose() {
            ap.role = Role::Skipped(skip);
        }
    }
    for ap in siblings {
        ap.role = Role::Skipped(bounds.choose().unwrap_or(Skip::SmtOff));
    }
}

/// How many CPUs a person allows, and how many are chosen.
struct Bounds<'a> {
    selection: &'a Selection,
    /// CPUs that run or may later, the BSP among them.
    chosen: u32,
}

impl Bounds<'_> {
    /// Counts one more CPU as chosen, or says why not.
    fn choose(&mut self) -> Option<Skip> {
        let is_reached =
            |most: Option<NonZeroU32>| most.is_some_and(|most| self.chosen >= most.get());
        if is_reached(self.selection.max_cpus) {
            return Some(Skip::MaxCpus);
        }
        if is_reached(self.selection.possible) {
            return Some(Skip::NoSlot);
        }
        self.chosen += 1;
        None
    }
}

/// The APs in the table's order, each id once.
fn merge(processors: &[Processor], bsp: ApicId) -> Vec<Processor> {
    let mut position = BTreeMap::new();
    let mut merged: Vec<Processor> = Vec::with_capacity(processors.len());
    for &processor in processors {
        if processor.apic_id == bsp {
            continue;
        }
        let at = *position.entry(processor.apic_id).or_insert_with(|| {
            merged.push(processor);
            merged.len() - 1
        });
        merged[at].enabled |= processor.enabled;
        merged[at].online_capable |= processor.online_capable;
    }
    merged
}

#[cfg(all(test, not(loom)))]
mod tests;
