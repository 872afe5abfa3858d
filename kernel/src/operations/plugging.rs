//! CPUs that come and go between two operations, by hot-plug.

use reveille_smp::{
    bringup::Ap,
    cpu::{ApicId, CpuIndex, Place},
    hotplug::{Refusal, Seat, seat},
    ladder::Rung,
    selection::Smt,
    state::Stage,
};

use super::perform::Operations;
use crate::percpu::PerCpu;

impl<'a> Operations<'a> {
    /// Where the CPU with this id sits.
    pub(crate) fn seat(&self, id: ApicId) -> Seat<'a> {
        seat(&self.bench.cpus.plan, &self.bench.cpus.aps, id)
    }

    /// A CPU with this id was added, and may be woken from now on.
    ///
    /// # Errors
    ///
    /// When it is there already, or has no slot.
    pub(crate) fn appear(&self, id: ApicId) -> Result<&'a Ap, Refusal> {
        let seat = self.seat(id);
        match seat {
            // For the bring-up it is not there, but it is.
            Seat::Slot(ap) if self.waits_for_smt(ap) => Err(Refusal::IsThere(Stage::NotPresent)),
            seat => seat.appear(),
        }
    }

    /// Whether there is a slot for a CPU with this id, and none in it.
    pub(crate) fn awaits(&self, id: ApicId) -> bool {
        match self.seat(id) {
            Seat::Slot(ap) => {
                ap.slot.state().load().stage() == Stage::NotPresent && !self.waits_for_smt(ap)
            }
            _ => false,
        }
    }

    /// Whether an AP that has appeared has to stay away for now, because another thread of its core is up,
    /// or among `targets`.
    pub(crate) fn keeps_out(&self, ap: &Ap, targets: &[(CpuIndex, Rung)]) -> bool {
        let core = |place: Place| (place.package, place.core);
        let goes = |cpu| targets.iter().any(|&(target, _)| target == cpu);
        let mut others = self.bench.cpus.aps.iter().filter(|it| it.cpu != ap.cpu);
        let is_taken = core(self.bsp) == core(ap.place)
            || others.any(|it| {
                core(it.place) == core(ap.place) && (it.rung() > Rung::OFFLINE || goes(it.cpu))
            });
        self.smt.get() == Smt::Off && is_taken
    }

    /// A CPU has been let go, and what comes in its place is another one.
    pub(crate) fn depart(&self, cpu: CpuIndex) {
        self.left_out.borrow_mut().remove(&cpu);
        if let Some(area) = PerCpu::of(cpu) {
            area.forget();
        }
        if let Some(departures) = self.departures_of(cpu) {
            departures.set(departures.get() + 1);
        }
    }

    /// How often a CPU has been let go.
    pub(super) fn departures(&self, cpu: CpuIndex) -> u32 {
        self.departures_of(cpu)
            .map_or(0, |departures| departures.get())
    }

    fn departures_of(&self, cpu: CpuIndex) -> Option<&core::cell::Cell<u32>> {
        let at = self.bench.cpus.aps.binary_search_by_key(&cpu, |ap| ap.cpu);
        self.departures.get(at.ok()?)
    }

    /// Whether the bring-up has left an AP out as a sibling, and nobody has admitted it yet.
    fn waits_for_smt(&self, ap: &Ap) -> bool {
        ap.slot.state().load().stage() == Stage::NotPresent
            && self.left_out.borrow().contains(&ap.cpu)
    }
}
