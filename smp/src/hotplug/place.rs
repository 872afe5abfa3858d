//! Which slot an event is for, and what it means there; or why nothing can be done.

use core::fmt;

use super::Verdict;
use crate::{
    bringup::Ap,
    cpu::ApicId,
    plan::{Planned, Role, Skip},
    state::{Refused, Stage},
};

/// Where a CPU sits, as the plan has it.
#[derive(Clone, Copy, Debug)]
pub enum Seat<'a> {
    /// In a slot.
    Slot(&'a Ap),
    /// It is the one that drives all others.
    Bsp,
    /// It has none, and nobody ever wakes it.
    None(Refusal),
}

/// Why a CPU cannot be used, or cannot go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// No CPU with this id is listed by the firmware.
    NotListed,
    /// It is listed, and has no slot.
    NoSlot,
    /// It is listed as enabled, and left out.
    LeftOut(Skip),
    /// It is the BSP.
    Bsp,
    /// It is there already, and at this stage.
    IsThere(Stage),
    /// It could not be taken down, or does not answer.
    InUse(Stage),
    /// It was ejected and sits there still.
    NotEjected,
}

impl Refusal {
    /// What the machine is told.
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::IsThere(_) => Verdict::Done,
            Self::NotListed | Self::NoSlot | Self::LeftOut(_) => Verdict::CannotBeUsed,
            Self::Bsp => Verdict::CannotGo,
            Self::InUse(_) => Verdict::Busy,
            Self::NotEjected => Verdict::Failed,
        }
    }

    /// A sentence for reports.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotListed => "the firmware lists no CPU with this id",
            Self::NoSlot => {
                "it has no slot: possible= allows no more, memory did not suffice, or its id cannot be addressed"
            }
            Self::LeftOut(skip) => skip.reason(),
            Self::Bsp => "it runs this kernel, and drives all others",
            Self::IsThere(_) => "it is there already",
            Self::InUse(_) => "it did not go down, and may hold what others need",
            Self::NotEjected => "the machine does not let it go; nobody uses it any more",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for Refusal {}

impl<'a> Seat<'a> {
    /// The CPU that sits here was added, and may be woken from now on.
    ///
    /// # Errors
    ///
    /// When it is there already, or has no slot.
    pub fn appear(self) -> Result<&'a Ap, Refusal> {
        match self {
            Self::Slot(ap) => match ap.slot.state().appear() {
                Ok(_) => Ok(ap),
                Err(Refused(state)) => Err(Refusal::IsThere(state.stage())),
            },
            Self::Bsp => Err(Refusal::IsThere(Stage::Online)),
            Self::None(refusal) => Err(refusal),
        }
    }

    /// The CPU that sits here is to go: gives the one that has to go down before. Where there is none, it
    /// can be ejected at once, as nobody ever woke it.
    ///
    /// # Errors
    ///
    /// When it can never go.
    pub fn clear(self) -> Result<Option<&'a Ap>, Refusal> {
        match self {
            Self::Slot(ap) if ap.slot.state().load().stage() == Stage::NotPresent => Ok(None),
            Self::Slot(ap) => Ok(Some(ap)),
            Self::Bsp => Err(Refusal::Bsp),
            Self::None(_) => Ok(None),
        }
    }
}

/// Finds the seat of the CPU with this id. `aps` are those of the plan that have slots.
pub fn seat<'a>(plan: &[Planned], aps: &'a [Ap], id: ApicId) -> Seat<'a> {
    if let Some(ap) = aps.iter().find(|ap| ap.apic_id == id) {
        return Seat::Slot(ap);
    }
    let planned = plan.iter().find(|planned| planned.apic_id == id);
    match planned.map(|planned| planned.role) {
        None => Seat::None(Refusal::NotListed),
        Some(Role::Bsp) => Seat::Bsp,
        Some(Role::Skipped(skip)) => Seat::None(Refusal::LeftOut(skip)),
        Some(Role::Ap | Role::Disabled { .. }) => Seat::None(Refusal::NoSlot),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use alloc::{vec, vec::Vec};

    use super::*;
    use crate::cpu::{CpuIndex, Place};

    fn planned(cpu: Option<u32>, id: u32, role: Role) -> Planned {
        Planned {
            cpu: cpu.map(CpuIndex),
            apic_id: ApicId(id),
            role,
        }
    }

    const DISABLED: Role = Role::Disabled {
        online_capable: false,
    };

    /// The BSP has id 0, one is there with id 1, one may be added with id 2; those behind have no slots.
    fn machine() -> (Vec<Planned>, [Ap; 2]) {
        let plan = vec![
            planned(Some(0), 0, Role::Bsp),
            planned(Some(1), 1, Role::Ap),
            planned(Some(2), 2, DISABLED),
            planned(Some(3), 3, Role::Skipped(Skip::MaxCpus)),
            planned(None, 4, DISABLED),
        ];
        let ap = |make: fn(_, _, _) -> Ap, cpu| make(CpuIndex(cpu), ApicId(cpu), Place::default());
        (plan, [ap(Ap::new, 1), ap(Ap::not_present, 2)])
    }

    #[test]
    fn who_is_added_appears_once_and_who_has_no_slot_never() {
        let (plan, aps) = machine();
        let appear = |id| seat(&plan, &aps, ApicId(id)).appear().map(|ap| ap.cpu.0);
        assert_eq!(appear(2), Ok(2));
        assert_eq!(appear(2), Err(Refusal::IsThere(Stage::Ready)));
        assert_eq!(appear(1), Err(Refusal::IsThere(Stage::Ready)));
        assert_eq!(appear(0), Err(Refusal::IsThere(Stage::Online)));
        assert_eq!(appear(3), Err(Refusal::LeftOut(Skip::MaxCpus)));
        assert_eq!(appear(4), Err(Refusal::NoSlot));
        assert_eq!(appear(5), Err(Refusal::NotListed));
    }

    #[test]
    fn who_is_to_go_goes_down_before_unless_nobody_ever_woke_it_and_the_bsp_stays() {
        let (plan, aps) = machine();
        let clear = |id| {
            let cleared = seat(&plan, &aps, ApicId(id)).clear();
            cleared.map(|ap| ap.map(|ap| ap.cpu.0))
        };
        assert_eq!(clear(0), Err(Refusal::Bsp));
        assert_eq!(clear(1), Ok(Some(1)));
        assert_eq!([2, 3, 4, 5].map(clear), [Ok(None); 4]);
    }
}
