//! How a CPU leaves: it disappears from its slot first, and is ejected only then. So the machine takes no CPU
//! out that anybody could still kick, or that might hold anything.

use super::{Bay, Controller, Refusal, Seat};
use crate::{
    bringup::Ap,
    ladder::Rung,
    state::{Refused, Stage},
};

/// Lets the CPU in a bay go, which sits there and was driven down before. It is looked at anew: while others
/// were driven, one that was not there may have appeared. `depart` is called once its slot is empty, or if it
/// has none.
///
/// # Errors
///
/// When it is not down, or something is still prepared for it; then it is not ejected. When the machine does
/// not let it go; then it is in no slot any more.
pub fn let_go(
    controller: &impl Controller,
    bay: Bay,
    seat: Seat<'_>,
    depart: impl FnOnce(),
) -> Result<(), Refusal> {
    vacate(seat)?;
    depart();
    controller.eject(bay);
    let status = controller.status(bay);
    // One that was added there at that very moment is another.
    match status.is_present && !status.was_added {
        false => Ok(()),
        true => Err(Refusal::NotEjected),
    }
}

fn vacate(seat: Seat<'_>) -> Result<(), Refusal> {
    match seat {
        Seat::Slot(ap) => disappear(ap),
        Seat::Bsp => Err(Refusal::Bsp),
        // Nobody ever woke it.
        Seat::None(_) => Ok(()),
    }
}

fn disappear(ap: &Ap) -> Result<(), Refusal> {
    let stage = ap.slot.state().load().stage();
    if stage == Stage::NotPresent {
        return Ok(());
    }
    if ap.rung() != Rung::OFFLINE {
        return Err(Refusal::InUse(stage));
    }
    let gone = ap.slot.vacate();
    gone.map(drop)
        .map_err(|Refused(state)| Refusal::InUse(state.stage()))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::cpu::{ApicId, CpuIndex, Place};

    #[test]
    fn who_is_down_disappears_and_can_be_added_again_and_who_is_not_stays() {
        let ap = Ap::new(CpuIndex(1), ApicId(1), Place::default());
        let seat = Seat::Slot(&ap);
        // The second time it is gone.
        assert_eq!([vacate(seat), vacate(seat)], [Ok(()); 2]);
        assert!(seat.appear().is_ok());
        ap.slot.kick(Rung(1)).unwrap();
        ap.slot.state().claim().unwrap();
        assert_eq!(vacate(seat), Err(Refusal::InUse(Stage::Claimed)));
        ap.slot.state().park().unwrap();
        ap.slot.set_rung(Rung(1));
        let prepared = Err(Refusal::InUse(Stage::Parked));
        assert_eq!(vacate(seat), prepared, "something is prepared for it");
        ap.slot.set_rung(Rung::OFFLINE);
        assert_eq!(vacate(seat), Ok(()));
        assert_eq!(vacate(Seat::None(Refusal::NoSlot)), Ok(()));
        assert_eq!(vacate(Seat::Bsp), Err(Refusal::Bsp));
    }
}
