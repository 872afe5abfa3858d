//! Who is woken: the CPUs of the MADT with the number and the role that each gets.

use core::fmt;

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    cpu::{ApicId, CpuIndex, Place},
    madt::Processor,
    outcome::Outcome,
    record,
};

/// One CPU of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Our number; disabled CPUs have none.
    pub cpu: Option<CpuIndex>,
    /// Its APIC's id.
    pub apic_id: ApicId,
    /// What is to happen with it.
    pub role: Role,
}

impl Planned {
    /// The record of a CPU that nobody woke: the BSP, and those that are skipped or disabled.
    pub fn unwoken_record(&self, place: Place) -> record::Cpu {
        let (outcome, reason) = match self.role {
            Role::Bsp => (Outcome::Bsp, None),
            Role::Ap => (Outcome::Skipped, Some("nobody tried to wake it")),
            Role::Skipped(skip) => (Outcome::Skipped, Some(skip.reason())),
            Role::Disabled => (Outcome::Disabled, None),
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
    /// It cannot be woken.
    Skipped(Skip),
    /// The firmware lists it as not usable now. It is never waited for.
    Disabled,
}

/// Why an enabled CPU is not woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Skip {
    /// The APICs are in xAPIC mode, whose interrupt commands have eight bits for the id, and all
    /// ones mean everybody.
    BeyondXapic,
}

impl Skip {
    /// A sentence for reports.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::BeyondXapic => "an APIC in xAPIC mode cannot address an id above 254",
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

/// The greatest id that an interrupt command in xAPIC mode can address.
const XAPIC_LIMIT: ApicId = ApicId(254);

/// Numbers the CPUs. The BSP is found by its own id and not by its position, and stands in the
/// plan even when the table does not list it; an id that is listed twice counts once, and is
/// enabled if one of its entries is.
///
/// The plan's order is the BSP first, then the table's.
pub fn plan(processors: &[Processor], bsp: ApicId, x2apic: bool) -> Vec<Planned> {
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
    }

    let mut next = CpuIndex::BSP.0;
    let mut number = || {
        next += 1;
        Some(CpuIndex(next))
    };
    let mut plan = Vec::with_capacity(merged.len() + 1);
    plan.push(Planned {
        cpu: Some(CpuIndex::BSP),
        apic_id: bsp,
        role: Role::Bsp,
    });
    plan.extend(merged.into_iter().map(
        |Processor {
             apic_id, enabled, ..
         }| {
            let (cpu, role) = if !enabled {
                (None, Role::Disabled)
            } else if !x2apic && apic_id > XAPIC_LIMIT {
                (number(), Role::Skipped(Skip::BeyondXapic))
            } else {
                (number(), Role::Ap)
            };
            Planned { cpu, apic_id, role }
        },
    ));
    plan
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn processor(id: u32, enabled: bool) -> Processor {
        Processor {
            apic_id: ApicId(id),
            enabled,
            online_capable: false,
        }
    }

    fn roles(plan: &[Planned]) -> Vec<(Option<u32>, u32, Role)> {
        plan.iter()
            .map(|p| (p.cpu.map(|cpu| cpu.0), p.apic_id.0, p.role))
            .collect()
    }

    #[test]
    fn the_bsp_is_number_zero_wherever_it_stands_and_even_when_it_is_missing() {
        let listed = [processor(4, true), processor(2, true), processor(0, true)];
        let expected = [
            (Some(0), 2, Role::Bsp),
            (Some(1), 4, Role::Ap),
            (Some(2), 0, Role::Ap),
        ];
        assert_eq!(roles(&plan(&listed, ApicId(2), true)), expected);
        let missing = [processor(4, true), processor(0, true)];
        assert_eq!(roles(&plan(&missing, ApicId(2), true)), expected);
    }

    #[test]
    fn an_id_listed_twice_counts_once_and_is_enabled_if_one_entry_is() {
        let listed = [
            processor(0, true),
            processor(1, false),
            processor(2, true),
            processor(1, true),
        ];
        let expected = [
            (Some(0), 0, Role::Bsp),
            (Some(1), 1, Role::Ap),
            (Some(2), 2, Role::Ap),
        ];
        assert_eq!(roles(&plan(&listed, ApicId(0), true)), expected);
    }

    #[test]
    fn disabled_cpus_get_no_number_and_leave_no_hole() {
        let listed = [processor(0, true), processor(1, false), processor(2, true)];
        let expected = [
            (Some(0), 0, Role::Bsp),
            (None, 1, Role::Disabled),
            (Some(1), 2, Role::Ap),
        ];
        assert_eq!(roles(&plan(&listed, ApicId(0), true)), expected);
    }

    #[test]
    fn an_id_that_xapic_mode_cannot_address_is_skipped_there_and_only_there() {
        let listed = [
            processor(0, true),
            processor(254, true),
            processor(256, true),
        ];
        let role = |x2apic| plan(&listed, ApicId(0), x2apic)[2].role;
        assert_eq!(role(false), Role::Skipped(Skip::BeyondXapic));
        assert_eq!(role(true), Role::Ap);
        assert_eq!(plan(&listed, ApicId(0), false)[1].role, Role::Ap);
    }
}
