//! A CPU leaves its slot before the machine takes it out.

use std::cell::Cell;

use reveille_smp::{
    bringup::Ap,
    cpu::{ApicId, CpuIndex, Place},
    hotplug::{Bay, Controller, Notification, Refusal, Seat, Status, Verdict, let_go},
    state::Stage,
};

/// A bay with the CPU of this slot, which is not to be ejected while anybody can kick it.
struct Machine<'a> {
    ap: &'a Ap,
    shows: Cell<Status>,
    /// What the bay shows behind an ejection.
    then: Status,
}

const PRESENT: Status = Status {
    is_present: true,
    was_added: false,
    is_to_go: false,
};

impl<'a> Machine<'a> {
    fn new(ap: &'a Ap, then: Status) -> Self {
        let shows = Cell::new(PRESENT);
        Self { ap, shows, then }
    }

    fn let_go(&self) -> Result<(), Refusal> {
        let is_gone = || assert_eq!(self.shows.get(), PRESENT, "it is ejected already");
        let_go(self, Bay(1), Seat::Slot(self.ap), is_gone)
    }
}

impl Controller for Machine<'_> {
    fn find_pending(&self) -> Option<(Bay, Status)> {
        None
    }

    fn has(&self, bay: Bay) -> bool {
        bay == Bay(1)
    }

    fn status(&self, _: Bay) -> Status {
        self.shows.get()
    }

    fn apic_id(&self, _: Bay) -> Option<ApicId> {
        Some(self.ap.apic_id)
    }

    fn acknowledge(&self, _: Bay, _: Notification) {}

    fn eject(&self, _: Bay) {
        let stage = self.ap.slot.state().load().stage();
        assert_eq!(stage, Stage::NotPresent, "it could still be kicked");
        self.shows.set(self.then);
    }

    fn report(&self, _: Bay, _: Notification, _: Verdict) {}
}

fn ap() -> Ap {
    Ap::new(CpuIndex(1), ApicId(1), Place::default())
}

#[test]
fn a_cpu_is_ejected_once_it_has_disappeared_from_its_slot() {
    let ap = ap();
    assert_eq!(Machine::new(&ap, Status::default()).let_go(), Ok(()));
}

#[test]
fn a_cpu_that_appears_while_others_are_driven_disappears_before_it_is_ejected() {
    let ap = Ap::not_present(CpuIndex(1), ApicId(1), Place::default());
    let seat = Seat::Slot(&ap);
    assert!(seat.clear().unwrap().is_none(), "nothing is to be driven");
    seat.appear().unwrap();
    assert_eq!(Machine::new(&ap, Status::default()).let_go(), Ok(()));
}

#[test]
fn another_cpu_in_the_place_of_one_that_was_ejected_is_not_the_one() {
    let added = Status {
        was_added: true,
        ..PRESENT
    };
    for (then, expected) in [(added, Ok(())), (PRESENT, Err(Refusal::NotEjected))] {
        let ap = ap();
        assert_eq!(Machine::new(&ap, then).let_go(), expected);
        assert_eq!(ap.slot.state().load().stage(), Stage::NotPresent);
    }
}

#[test]
fn a_cpu_that_is_up_is_not_ejected() {
    let ap = ap();
    ap.slot.state().kick().unwrap();
    ap.slot.state().claim().unwrap();
    let machine = Machine::new(&ap, Status::default());
    assert_eq!(machine.let_go(), Err(Refusal::InUse(Stage::Claimed)));
    assert_eq!(machine.shows.get(), PRESENT);
}
